"""The frozen rows of a chunk as one blob: what was approved, byte for byte.

Compressed lines, one a row, so that a million targets cost megabytes and an auditor can still read them.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import NamedTuple


class FrozenRow(NamedTuple):
    """A tuple, because a city has a million of them. `target` is `kind-id`; `areas` comma-separated 12-digit codes;
    `suppressed` a reason why it is not sent, or ''."""

    target: str
    why: int
    text_no: int
    township: str
    areas: str = ""
    suppressed: str = ""


def line_of(r: FrozenRow) -> str:
    return f"{r.target}\t{r.why}\t{r.text_no}\t{r.township}\t{r.areas}\t{r.suppressed}"


def pack(rows: Iterable[FrozenRow]) -> bytes:
    return zlib.compress("\n".join(map(line_of, rows)).encode(), 1)


def lines(blob: bytes) -> list[str]:
    """One a row; zlib.error or ValueError where the bytes were changed."""
    return zlib.decompress(blob).decode().split("\n")


def unpack(blob: bytes) -> list[FrozenRow]:
    """The inverse of `pack`; zlib.error or ValueError where the bytes were changed."""
    rows = []
    for line in lines(blob):
        target, why, text_no, township, areas, suppressed = line.split("\t")
        rows.append(FrozenRow(target, int(why), int(text_no), township, areas, suppressed))
    return rows


def readable(blob: bytes) -> list[FrozenRow] | None:
    """The rows, as far as they are there; None where the bytes were changed so that nobody can tell whose they were."""
    try:
        return unpack(blob)
    except (zlib.error, ValueError):
        return None


def digest(blob: bytes) -> str:
    """SHA-256 of the rows themselves, whatever way they were compressed."""
    return hashlib.sha256(zlib.decompress(blob)).hexdigest()


def plan_hash(header_hash: str, chunk_hashes: Sequence[str]) -> str:
    """What an approver signs: the header and every chunk, in order."""
    return hashlib.sha256("\n".join([header_hash, *chunk_hashes]).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What every message of a warning has in common and nobody may change after the approval."""

    kind: str
    status: str
    level: str
    drill: bool
    villages: Sequence[str]
    channels: Sequence[str]
    expires: str
    broadcast_id: str
    earlier: Sequence[str]
    """EBMIDs it calls off."""
    texts: Sequence[str]
    said: Mapping[str, str]
    """Who says what, in the words of the message itself: `SAID`, and `sender_name`."""


SAID = ("sender", "identifier", "event", "headline")
"""Columns of a warning that leave the house as they are."""


def header_hash(header: Header) -> str:
    """SHA-256 over the header as canonical JSON."""
    plain = {field.name: getattr(header, field.name) for field in fields(header)}  # `asdict` copies every text
    text = json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def stamp(at: datetime | None) -> str:
    """A time in a header: the same text whatever zone or database it has been through."""
    return at.astimezone(UTC).isoformat() if at else ""
