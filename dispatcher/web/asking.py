"""Reading a request: the body with its limits, numbers and words of the query, cursors."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Sequence

from aiohttp import web

from dispatcher.model import Channel, Target
from dispatcher.web.problems import Problem, too_large

BODY_S = 10.0
_ID = re.compile(r"[0-9a-f]{32}")
_KEY = re.compile(r"[\x21-\x7e]{1,255}")

Cursor = tuple[str, str, int]
"""Of the ledger: channel, target, round of the last line of the page before."""


async def body_of(request: web.Request, most: int) -> bytes:
    """The bytes as they came, within size and time."""
    if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise Problem(415, "encoded", "请不要压缩报文：Content-Encoding 不支持")
    if (request.content_length or 0) > most:
        raise too_large()
    # what came with its head is taken as it lies: nobody is waited for, and a timer costs more than the reading
    body = request.content.read_nowait() if request.content.is_eof() else await _waited_for(request)
    if len(body) > most:  # its head did not say so
        raise too_large()
    return body


async def _waited_for(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(BODY_S):
            return await request.read()
    except TimeoutError as error:
        raise Problem(408, "too_slow", f"{BODY_S:.0f} 秒内没有收完报文，请重发") from error
    except web.RequestPayloadError as error:
        raise Problem(400, "broken_body", "报文没有传完，请重发") from error


def content_type_of(request: web.Request) -> str:
    given = request.headers.get("Content-Type", "").strip()
    if not given:
        raise Problem(415, "no_content_type", "请在 Content-Type 里说明格式，如 application/cap+xml")
    return given[:200]


def idempotency_key(request: web.Request) -> str:
    """'' where none was given."""
    given = request.headers.get("Idempotency-Key")
    if given is None:
        return ""
    if not _KEY.fullmatch(given):
        raise Problem(400, "idempotency_key", "Idempotency-Key 应为 1 到 255 个可见的 ASCII 字符")
    return given


def key_name(source: str, key: str) -> str:
    """Where a source's key is kept; no other source can meet it."""
    return "idempotency:" + hashlib.sha256(f"{source}\n{key}".encode()).hexdigest()[:48]


def number(request: web.Request, name: str, default: int, most: int) -> int:
    given = request.query.get(name)
    if given is None:
        return default
    if not (given.isascii() and given.isdigit() and 1 <= int(given[:10]) <= most):
        raise Problem(400, "bad_query", f"{name} 应为 1 到 {most} 的整数")
    return int(given)


def word(request: web.Request, name: str, known: Sequence[str]) -> str:
    """'' where it was not given."""
    given = request.query.get(name, "")
    if given and given not in known:
        raise Problem(400, "bad_query", f"{name} 应为 {'、'.join(known)} 之一")
    return given


def id_after(request: web.Request, name: str) -> str:
    given = request.query.get(name, "")
    if given and not _ID.fullmatch(given):
        raise Problem(400, "bad_query", f"{name} 应为上一页最后一条的编号（32 位十六进制）")
    return given


def warning_id(request: web.Request) -> str:
    """Of the path; what cannot be one is nobody's."""
    given = request.match_info["id"]
    if not _ID.fullmatch(given):
        raise no_such_warning()
    return given


def no_such_warning() -> Problem:
    return Problem(404, "no_such_warning", "没有这条预警，请核对编号")


def cursor(request: web.Request) -> Cursor | None:
    given = request.query.get("cursor")
    if not given:
        return None
    try:
        channel, target, number = given.split("~")
        return str(Channel(channel)), str(Target.parse(target[:48])), int(number[:6])
    except ValueError as error:
        raise Problem(400, "bad_query", "cursor 应原样取自上一页的 X-Next-Cursor") from error


def cursor_text(at: Cursor) -> str:
    return "~".join(map(str, at))
