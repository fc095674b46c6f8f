"""A warning file as it is handed in: its bytes, and what kind they say they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CAP = "application/cap+xml"
NATIVE = "application/vnd.mingluo.warning+json"


class CannotRead(Exception):
    """A file that is not there or not ours to read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    name: str
    body: bytes
    content_type: str


def read(path: Path) -> Letter:
    """The content type only colours the sentence of a refusal: the format is what the bytes are."""
    try:
        body = path.read_bytes()
    except OSError as error:
        raise CannotRead(f"读不到 {path}（{error.strerror}）：请核对文件名和权限") from error
    return Letter(name=str(path), body=body, content_type=NATIVE if path.suffix.lower() == ".json" else CAP)
