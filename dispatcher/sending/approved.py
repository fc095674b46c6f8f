"""Whether what stands in the database is what was approved, and whether somebody who may has let it go.

The header is hashed again and compared with what was signed; so is every list of people before its rows leave, and every row
that is taken up again from the ledger, where it lay open to whoever can write to the database. What differs is not sent.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from channels.contract import MIXED
from dispatcher import signing
from dispatcher.sending.mixing import contradictions, other_side
from dispatcher.states import SENDING
from dispatcher.store import chunks, events, signatures
from dispatcher.store.chunks import Chunk, Shape
from dispatcher.store.deliveries import Row
from dispatcher.store.engine import Tx
from dispatcher.store.packing import SAID, FrozenRow, Header, digest, header_hash, line_of, lines, plan_hash, stamp
from dispatcher.store.sides import chain_says_otherwise
from dispatcher.store.signatures import Signature
from dispatcher.store.warnings import Standing, TextRow, WarningRow

PLAN_CHANGED = "plan_changed"
UNSIGNED = "250"
"""Nobody who may has let it go, whatever its state says."""

LISTS = 8
"""So many are remembered: a city's takes some ten megabytes."""

Differences = Sequence[Mapping[str, str]]

log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class Approved:
    """What was found of one warning. `wrong`: the code of what is not as it was approved, '' where all is; `changed`: what, was
    and now; `shapes`: the chunks that make up what was signed."""

    wrong: str
    changed: Differences = ()
    shapes: frozenset[Shape] = frozenset()

    def has(self, chunk: Chunk) -> bool:
        """Whether it is one of those that were signed, and its rows are."""
        return chunk.shape in self.shapes and _digest(chunk.packed) == chunk.hash


class Lists:
    """What was signed of whom, by warning and channel: the hashes of the lines, because a list may have a million. The last few
    are kept: towards the end of a warning its rows fall due one by one, and a city's list takes a moment to read."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str, frozenset[Shape]], frozenset[int]] = OrderedDict()

    async def strangers(self, tx: Tx, of: tuple[str, str], approved: Approved, rows: Sequence[Row]) -> list[Row]:
        """Those of these rows that are on no list, or not so: with another text, another area, once more. `of`: warning and
        channel."""
        if not rows:
            return []
        signed = await self._of(tx, of, approved.shapes)
        return [row for row in rows if row.round or row.warning_id != of[0] or hash(_line(row)) not in signed]

    async def _of(self, tx: Tx, of: tuple[str, str], shapes: frozenset[Shape]) -> frozenset[int]:
        key = (*of, shapes)
        if key not in self._known:
            listed = await chunks.lists(tx, *of)
            self._known[key] = await asyncio.to_thread(_lines_of, listed, shapes)
            while len(self._known) > LISTS:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return self._known[key]


def _lines_of(listed: Sequence[tuple[Shape, bytes]], shapes: frozenset[Shape]) -> frozenset[int]:
    """Of those chunks that were signed, and hold what was."""
    signed = [blob for shape, blob in listed if shape in shapes and _digest(blob) == shape.hash]
    return frozenset(hash(line) for blob in signed for line in lines(blob))


def _digest(blob: bytes) -> str:
    try:
        return digest(blob)
    except zlib.error:
        return ""


def _line(row: Row) -> str:
    return line_of(FrozenRow(row.target, int(row.why), row.text_no, row.township, row.areas))


async def approved(tx: Tx, row: WarningRow, texts: Sequence[TextRow]) -> Approved:
    """By whoever may, and as it stands."""
    signed = await signatures.of(tx, row.id)
    found = await as_frozen(tx, row, texts, signed)
    if found.wrong or signing.released(row, signed) or await _released_by_the_version_before(tx, row, signed):
        return found
    if row.state in SENDING:  # what ended while it waited to be signed is laid out as ended, and no news
        log.error("没有人签发过，拒绝发送：请立即查明是谁放行的", warning_id=row.id, state=row.state)
    found.wrong = UNSIGNED
    return found


async def as_frozen(tx: Tx, row: WarningRow, texts: Sequence[TextRow], signed: Sequence[Signature]) -> Approved:
    """Whether it is as it was frozen."""
    shapes = await chunks.shapes(tx, row.id)
    wrong = await _mixed(tx, row, texts)
    if wrong:
        return Approved(wrong=wrong, shapes=frozenset(shapes))
    facts = signing.facts_as_signed(row, signed)
    changed = signing.differences(facts, signing.facts_of(row, texts, shapes)) if facts else []
    header = _header(row, texts)
    as_signed = header_hash(header)
    if as_signed != row.header_hash:
        wrong = MIXED if header_hash(other_side(header)) == row.header_hash else PLAN_CHANGED
        changed += signing.reworded(facts, texts) if facts else []
    elif changed or plan_hash(as_signed, [one.hash for one in shapes]) != row.plan_hash:
        wrong = PLAN_CHANGED
    return Approved(wrong=wrong, changed=changed, shapes=frozenset(shapes))


async def _mixed(tx: Tx, row: WarningRow, texts: Sequence[TextRow]) -> str:
    """Drill and live first: whoever reads the code shall know that it was not just any word that was changed."""
    if contradicts(row, [text.body for text in texts]):
        return MIXED
    if await chain_says_otherwise(tx, row):
        log.error("演练与实战混在同一条预警链里，拒绝发送", warning_id=row.id, chain_id=row.chain_id)
        return MIXED
    return ""


def contradicts(row: WarningRow | Standing, texts: Sequence[str]) -> bool:
    """Whether something of it says that it is a drill and something else that it is none."""
    found = contradictions(row, texts)
    if found:
        log.error("演练标志互相矛盾，拒绝发送：请立即查明是谁改的", warning_id=row.id, drill=row.drill, against=found)
    return bool(found)


def sender_name_of(row: WarningRow) -> str:
    return str(row.message.get("sender_name") or "")


def _header(row: WarningRow, texts: Sequence[TextRow]) -> Header:
    """As it stands in the database now."""
    return Header(
        kind=row.kind,
        status=row.status,
        level=row.level or "",
        drill=row.drill,
        villages=list(row.area["villages"]),
        channels=sorted(row.plan["channels"]),
        expires=stamp(row.expires),
        broadcast_id=row.broadcast_id,
        earlier=list(row.plan.get("earlier", ())),
        texts=[text.body for text in texts],
        said={name: str(getattr(row, name)) for name in SAID} | {"sender_name": sender_name_of(row)},
    )


async def _released_by_the_version_before(tx: Tx, row: WarningRow, signed: Sequence[Signature]) -> bool:
    """It signed nothing, but put on record what it let go; and it let go what a trusted source said, and nothing else."""
    return row.trusted and not signed and await events.was_approved(tx, row.id)
