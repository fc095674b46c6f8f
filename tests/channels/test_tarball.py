"""Tar files from strangers."""

from __future__ import annotations

import io
import tarfile

import pytest

from channels.broadcast.tarball import TAR_LIMIT, XML_LIMIT, Unreadable, form, from_form, only_xml, pack


def archive(*members: tuple[str, bytes, bytes], claim: int | None = None, mode: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:  # type: ignore[call-overload]
        for name, data, kind in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    made = buffer.getvalue()
    return made if claim is None else made[:124] + b"%011o\x00" % claim + made[136:]


XML = ("EBDB_1.xml", b"<EBD/>", tarfile.REGTYPE)


def test_the_one_file_is_found_among_signature_and_sound() -> None:
    tar = archive(("EBDS_EBDB_1.xml", b"<S/>", tarfile.REGTYPE), XML, ("EBDR_a.mp3", b"ID3", tarfile.REGTYPE))
    assert only_xml(tar) == b"<EBD/>"
    assert only_xml(archive(("./x/EBDB_1.xml", b"<EBD/>", tarfile.REGTYPE))) == b"<EBD/>"


@pytest.mark.parametrize(
    "tar",
    [
        b"",
        b"\x1f\x8b" + b"x" * 600,
        archive(XML, mode="w:gz"),
        archive(XML)[:600],
        archive(XML, XML),
        archive(("a.xml", b"<EBD/>", tarfile.REGTYPE)),
        archive(("EBDB_1.exe", b"<EBD/>", tarfile.REGTYPE)),
        archive(("EBDB_1.xml", b"", tarfile.SYMTYPE)),
        archive(("EBDB_1.xml", b"", tarfile.LNKTYPE)),
        archive(("EBDB_1.xml", b"", tarfile.CHRTYPE), XML),
        archive(("EBDB_1.xml", b"", tarfile.DIRTYPE), XML),
        archive(("EBDB_1.xml", b"x" * (XML_LIMIT + 1), tarfile.REGTYPE)),
        archive(*[(f"EBDR_{n}", b"", tarfile.REGTYPE) for n in range(20)], XML),
        b"x" * (TAR_LIMIT + 1),
    ],
    ids=lambda tar: f"{len(tar)}",
)
def test_a_hostile_or_broken_archive_is_unreadable(tar: bytes) -> None:
    with pytest.raises(Unreadable):
        only_xml(tar)


def test_a_form_gives_its_tar_back_byte_for_byte() -> None:
    tar = pack("EBDB_1.xml", b"<EBD>\r\n--x\r\n</EBD>")
    content_type, body = form("1" * 41, tar)
    assert b'name="field1"; filename="EBDT_' + b"1" * 41 + b'.tar"' in body
    assert from_form(content_type, body) == tar
    assert from_form("application/x-tar", tar) == tar


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=b", b""),
        ("multipart/form-data; boundary=b", b"--b\r\nX: y\r\n\r\nz\r\n--b--"),
    ],
)
def test_a_form_without_a_file_is_unreadable(content_type: str, body: bytes) -> None:
    with pytest.raises(Unreadable):
        from_form(content_type, body)
