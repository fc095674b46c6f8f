"""A form of ours with one file in it, read piece by piece within limits of size and time; nothing of it touches a disk.

The key of the form comes first: whoever cannot show it is not listened to any further.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import BadHttpMessage

from dispatcher.web import guard
from dispatcher.web.problems import Problem, too_large

FORM: Final = "multipart/form-data"
READ_S: Final = 25.0
"""For all of it: shorter than the limit of an answer, so that whoever is slow hears why."""
MOST_FIELD: Final = 4096
MOST_FIELDS: Final = 8
_ROUND_IT: Final = 16 * 1024
"""What a form may have besides its file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """`name`: what the browser calls the file; '' and no bytes where none was chosen."""

    fields: Mapping[str, str]
    name: str = ""
    body: bytes = b""


_UPLOADED: Final = web.RequestKey("uploaded", Uploaded)


async def uploaded(request: web.Request, most: int, key: str | None = None) -> Uploaded:
    """Read once. `most`: bytes of the file; `key`: what the first field must say; None where it was shown otherwise."""
    found = request.get(_UPLOADED)
    if found is None:
        if "boundary" not in request.headers.get("Content-Type", "") or request.content_type != FORM:
            raise _broken()
        if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            raise Problem(415, "encoded", "请不要压缩：Content-Encoding 不支持")
        if (request.content_length or 0) > most + _ROUND_IT:
            raise too_large()
        try:
            async with asyncio.timeout(READ_S):
                found = request[_UPLOADED] = await _read(request, most, key)
        except TimeoutError as error:
            raise Problem(408, "too_slow", f"{READ_S:.0f} 秒内没有收完：请把扫描件缩小后再传") from error
        except (ValueError, BadHttpMessage, web.RequestPayloadError) as error:
            raise _broken() from error
    return found


async def _read(request: web.Request, most: int, key: str | None) -> Uploaded:
    fields: dict[str, str] = {}
    name, body, read = "", b"", 0
    reader = await request.multipart()
    while (part := await reader.next()) is not None:
        read += 1
        if not isinstance(part, BodyPartReader) or read > MOST_FIELDS or not part.name:
            raise _broken()
        if part.filename is None:
            fields[part.name] = (await _bytes(part, MOST_FIELD)).decode("utf-8")
        else:
            name, body = part.filename, await _bytes(part, most)
        if key is not None and not _same(fields.get("key", ""), key):
            raise guard.forged()
    if key is not None and not read:
        raise guard.forged()
    return Uploaded(fields=fields, name=name, body=body)


async def _bytes(part: BodyPartReader, most: int) -> bytes:
    found = bytearray()
    while piece := await part.read_chunk(64 * 1024):
        found += piece
        if len(found) > most:
            raise too_large()
    return bytes(found)


def _same(given: str, key: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), key.encode())


def _broken() -> Problem:
    return Problem(400, "bad_upload", "没有收到文件：请在本页选好文件再按“存入”")
