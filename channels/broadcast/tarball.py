"""How a packet travels (GD/J 082 §7): one file in an uncompressed tar, the tar in a form part named field1.

It must survive hostile archives: bombs, links, devices, absurd sizes. Nothing is ever unpacked to disk.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterable
from typing import Final

TAR_LIMIT: Final = 4 * 1024 * 1024
XML_LIMIT: Final = 512 * 1024
MOST_FILES: Final = 16
MEDIA_TYPE: Final = "application/x-tar"


class Unreadable(Exception):
    """Not a packet we can read; the text says what is wrong, in Chinese."""


def file_name(identifier: str) -> str:
    return f"EBDT_{identifier}.tar"


def form(identifier: str, tar: bytes) -> tuple[str, bytes]:
    """Content type and body of the POST that carries a packet: one part named field1."""
    boundary = f"ebd{identifier}"
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="field1"; filename="{file_name(identifier)}"\r\n'
        f"Content-Type: {MEDIA_TYPE}\r\n\r\n"
    )
    return f"multipart/form-data; boundary={boundary}", head.encode() + tar + f"\r\n--{boundary}--\r\n".encode()


def from_form(content_type: str, body: bytes) -> bytes:
    """The tar of a POST, in a form or bare; raises Unreadable."""
    if not content_type.lower().startswith("multipart/"):
        return body
    found = re.search(r'boundary="?([^";,]{1,200})"?', content_type)
    if not found:
        raise Unreadable("表单没有 boundary")
    for part in body.split(b"--" + found[1].encode())[1:]:
        head, blank, data = part.partition(b"\r\n\r\n")
        if blank and b"filename" in head.lower():
            return data.removesuffix(b"\r\n")
    raise Unreadable("表单里没有文件")


def pack(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(data), 0o644
        tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def only_xml(tar: bytes) -> bytes:
    """The one EBDB file. Nothing is unpacked to disk, nothing but plain files is looked at, nothing grows."""
    if len(tar) > TAR_LIMIT:
        raise Unreadable("数据包过大")
    try:
        with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as archive:
            found = [info for info in _members(archive) if info.name.rpartition("/")[2].startswith("EBDB_")]
            if len(found) != 1 or not found[0].name.endswith(".xml") or found[0].size > XML_LIMIT:
                raise Unreadable("数据包里应有且只有一个 EBDB 文件")
            file = archive.extractfile(found[0])
            data = file.read() if file is not None else b""
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise Unreadable("数据包不是 tar 文件") from error
    if len(data) != found[0].size:
        raise Unreadable("数据包不完整")
    return data


def _members(archive: tarfile.TarFile) -> Iterable[tarfile.TarInfo]:
    for number, info in enumerate(archive):
        if number >= MOST_FILES:
            raise Unreadable("数据包里文件过多")
        if info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
            raise Unreadable("数据包里只能有普通文件")
        yield info
