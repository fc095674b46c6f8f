"""Reading the ledger: counts, one person's story, the rows of a warning page by page. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, literal, or_, select

from dispatcher.states import DeliveryState
from dispatcher.store.chunks import ChunkState
from dispatcher.store.engine import Tx
from dispatcher.store.packing import unpack
from dispatcher.store.tables import chunks, deliveries, events, receipts


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many rows of a channel stand in a state. Rows of chunks not planned yet count as planned."""

    channel: str
    state: DeliveryState
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One delivery as it stands now."""

    warning_id: str
    channel: str
    target: str
    round: int
    why: int
    text_no: int
    township: str
    areas: str
    state: DeliveryState
    state_code: str
    tries: int
    due_at: datetime | None
    provider: str
    provider_ref: str
    possible_duplicate: bool
    sent_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A receipt as it came."""

    target: str
    channel: str
    at: datetime
    state: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    first_sent: datetime | None
    last_sent: datetime | None


_ENTRY = [deliveries.c[name] for name in Entry.__dataclass_fields__]


async def counts(tx: Tx, warning_id: str, *, under: Sequence[str] = ()) -> list[Count]:
    """By channel and state, the unplanned chunks included: nothing is in no state. `under`: only rows of units whose code
    begins so, and without what is not planned yet, which is known by its chunk alone."""
    rows = await tx.execute(
        select(deliveries.c.channel, deliveries.c.state, func.count())
        .where(deliveries.c.warning_id == warning_id, *_under(under))
        .group_by(deliveries.c.channel, deliveries.c.state)
    )
    found = {(channel, DeliveryState(state)): number for channel, state, number in rows}
    unplanned = await tx.execute(
        select(chunks.c.channel, func.sum(chunks.c.size))
        .where(chunks.c.warning_id == warning_id, chunks.c.state < ChunkState.OPEN, literal(not under))
        .group_by(chunks.c.channel)
    )
    for channel, number in unplanned:
        key = (channel, DeliveryState.PLANNED)
        found[key] = found.get(key, 0) + int(number)
    return [Count(channel=channel, state=state, rows=number) for (channel, state), number in sorted(found.items())]


async def flagged(tx: Tx, warning_id: str, *, under: Sequence[str] = ()) -> int:
    """Rows that may have arrived twice."""
    flagged = (deliveries.c.warning_id == warning_id, deliveries.c.possible_duplicate)
    return int((await tx.execute(select(func.count()).where(*flagged, *_under(under)))).scalar_one())


async def reasons(tx: Tx, warning_id: str, *, under: Sequence[str] = ()) -> dict[str, int]:
    """Rows that stand in the ledger, by the number of their reason."""
    mine = (deliveries.c.warning_id == warning_id, *_under(under))
    rows = await tx.execute(select(deliveries.c.why, func.count()).where(*mine).group_by(deliveries.c.why))
    return {str(int(why)): number for why, number in rows}


async def texts_used(tx: Tx, warning_id: str, *, under: Sequence[str] = ()) -> set[int]:
    """The numbers of the texts that rows of the ledger say."""
    mine = (deliveries.c.warning_id == warning_id, *_under(under))
    return set((await tx.execute(select(deliveries.c.text_no).where(*mine).distinct())).scalars())


async def times(tx: Tx, warning_id: str) -> Times:
    """Of the first and the last accepted try."""
    statement = select(func.min(deliveries.c.sent_at), func.max(deliveries.c.sent_at)).where(
        deliveries.c.warning_id == warning_id
    )
    first, last = (await tx.execute(statement)).one()
    return Times(first_sent=first, last_sent=last)


async def open_rows(tx: Tx, warning_id: str) -> int:
    """Rows not terminal."""
    statement = select(func.count()).where(
        deliveries.c.warning_id == warning_id,
        deliveries.c.state.in_([DeliveryState.PLANNED, DeliveryState.SENT]),
    )
    return int((await tx.execute(statement)).scalar_one())


async def waiting_since(tx: Tx, warning_id: str, channel: str) -> datetime | None:
    """When the oldest row without a receipt was sent; None where none waits. Walks through the warning's rows."""
    statement = select(func.min(deliveries.c.sent_at)).where(
        deliveries.c.warning_id == warning_id,
        deliveries.c.channel == channel,
        deliveries.c.state == DeliveryState.SENT,
    )
    oldest: datetime | None = (await tx.execute(statement)).scalar_one_or_none()
    return oldest


async def by_township(tx: Tx, warning_id: str) -> list[tuple[str, str, DeliveryState, int]]:
    """(township, channel, state, rows)."""
    rows = await tx.execute(
        select(deliveries.c.township, deliveries.c.channel, deliveries.c.state, func.count())
        .where(deliveries.c.warning_id == warning_id)
        .group_by(deliveries.c.township, deliveries.c.channel, deliveries.c.state)
    )
    return [(township, channel, DeliveryState(state), number) for township, channel, state, number in rows]


async def page(
    tx: Tx, warning_id: str, after: tuple[str, str, int] | None, limit: int = 1000, *, under: Sequence[str] = ()
) -> list[Entry]:
    """Entries in key order (channel, target, round) behind `after`; `under`: only those of units whose code begins so."""
    statement = select(*_ENTRY).where(deliveries.c.warning_id == warning_id, *_under(under))
    if after is not None:
        statement = statement.where(_behind(after))
    statement = statement.order_by(deliveries.c.channel, deliveries.c.target, deliveries.c.round).limit(limit)
    rows = await tx.execute(statement)
    return [Entry(**{**row, "state": DeliveryState(row["state"])}) for row in rows.mappings()]


def _under(stems: Sequence[str]) -> list[ColumnElement[bool]]:
    return [or_(*(deliveries.c.township.startswith(one, autoescape=True) for one in stems))] if stems else []


def _behind(after: tuple[str, str, int]) -> ColumnElement[bool]:
    """A cursor both databases walk along the primary key."""
    channel, target, number = after
    return or_(
        deliveries.c.channel > channel,
        and_(deliveries.c.channel == channel, deliveries.c.target > target),
        and_(deliveries.c.channel == channel, deliveries.c.target == target, deliveries.c.round > number),
    )


async def receipts_of(tx: Tx, warning_id: str, target: str) -> list[Heard]:
    names = list(Heard.__dataclass_fields__)
    rows = await tx.execute(
        select(*(receipts.c[name] for name in names))
        .where(receipts.c.warning_id == warning_id, receipts.c.target == target)
        .order_by(receipts.c.id)
    )
    return [Heard(**row) for row in rows.mappings()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a delivery stands in the ledger, and by what the provider knows it."""

    target: str
    round: int
    provider_ref: str


async def places(tx: Tx, warning_id: str, channel: str, targets: Sequence[str]) -> list[Place]:
    """The deliveries of a warning to these targets on a channel."""
    c = deliveries.c
    rows = await tx.execute(
        select(c.target, c.round, c.provider_ref).where(
            c.warning_id == warning_id, c.channel == channel, c.target.in_(targets)
        )
    )
    return [Place(**row) for row in rows.mappings()]


async def of_target(tx: Tx, warning_id: str, target: str) -> list[Entry]:
    """A target's deliveries, those of chunks that are frozen and not planned yet included."""
    rows = await tx.execute(select(*_ENTRY).where(deliveries.c.warning_id == warning_id, deliveries.c.target == target))
    found = [Entry(**{**row, "state": DeliveryState(row["state"])}) for row in rows.mappings()]
    return found or await _frozen(tx, warning_id, target)


async def _frozen(tx: Tx, warning_id: str, target: str) -> list[Entry]:
    blobs = await tx.execute(
        select(chunks.c.channel, chunks.c.packed).where(
            chunks.c.warning_id == warning_id, chunks.c.state < ChunkState.OPEN
        )
    )
    return [
        Entry(
            warning_id=warning_id,
            channel=channel,
            target=row.target,
            round=0,
            why=row.why,
            text_no=row.text_no,
            township=row.township,
            areas=row.areas,
            state=DeliveryState.PLANNED,
            state_code=row.suppressed,
            tries=0,
            due_at=None,
            provider="",
            provider_ref="",
            possible_duplicate=False,
            sent_at=None,
            ended_at=None,
        )
        for channel, packed in blobs
        for row in unpack(packed)
        if row.target == target
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unplanned:
    """A frozen chunk: of `unplanned`, one whose rows do not stand in the ledger yet."""

    id: int
    channel: str
    size: int
    hash: str


async def unplanned(tx: Tx, warning_id: str) -> list[Unplanned]:
    rows = await tx.execute(
        select(chunks.c.id, chunks.c.channel, chunks.c.size, chunks.c.hash)
        .where(chunks.c.warning_id == warning_id, chunks.c.state < ChunkState.OPEN)
        .order_by(chunks.c.id)
    )
    return [Unplanned(**row) for row in rows.mappings()]


async def signed(tx: Tx, warning_id: str) -> list[Unplanned]:
    """All of its frozen plan, in the order that is signed."""
    c = chunks.c
    wanted = select(c.id, c.channel, c.size, c.hash).where(c.warning_id == warning_id, c.seq >= 0).order_by(c.id)
    return [Unplanned(**row) for row in (await tx.execute(wanted)).mappings()]


async def packed(tx: Tx, chunk_ids: Sequence[int]) -> dict[int, bytes]:
    """The frozen rows of these chunks, as `packing.unpack` reads them."""
    rows = await tx.execute(select(chunks.c.id, chunks.c.packed).where(chunks.c.id.in_(chunk_ids)))
    return {row.id: row.packed for row in rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """How many rows of a channel did not reach anybody, and the code they say."""

    channel: str
    state: DeliveryState
    code: str
    rows: int


_TROUBLED = [DeliveryState.FAILED, DeliveryState.UNDELIVERED, DeliveryState.UNKNOWN]


async def troubles(tx: Tx, warning_id: str, *, under: Sequence[str] = ()) -> list[Trouble]:
    """Failed, undelivered and unknown rows by code, the commonest first."""
    number = func.count()
    rows = await tx.execute(
        select(deliveries.c.channel, deliveries.c.state, deliveries.c.state_code, number)
        .where(deliveries.c.warning_id == warning_id, deliveries.c.state.in_(_TROUBLED), *_under(under))
        .group_by(deliveries.c.channel, deliveries.c.state, deliveries.c.state_code)
        .order_by(number.desc(), deliveries.c.channel, deliveries.c.state, deliveries.c.state_code)
    )
    return [Trouble(channel=c, state=DeliveryState(state), code=code, rows=n) for c, state, code, n in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrying:
    """Rows of a channel that wait for their next try: what the last one came to, and when the first of them is due."""

    channel: str
    code: str
    rows: int
    next_due: datetime


async def retrying(tx: Tx, warning_id: str, *, under: Sequence[str] = ()) -> list[Retrying]:
    """The commonest first."""
    number, first = func.count(), func.min(deliveries.c.due_at)
    rows = await tx.execute(
        select(deliveries.c.channel, deliveries.c.state_code, number, first)
        .where(
            deliveries.c.warning_id == warning_id,
            deliveries.c.state == DeliveryState.PLANNED,
            deliveries.c.due_at.is_not(None),
            *_under(under),
        )
        .group_by(deliveries.c.channel, deliveries.c.state_code)
        .order_by(number.desc(), deliveries.c.channel, deliveries.c.state_code)
    )
    return [Retrying(channel=channel, code=code, rows=n, next_due=due) for channel, code, n, due in rows]


async def troubled(tx: Tx, warning_id: str, limit: int, *, under: Sequence[str] = ()) -> list[Entry]:
    """The rows themselves: machines and platforms first, because each of them stands for many people. `under`: only those of
    units whose code begins so."""
    where = [deliveries.c.warning_id == warning_id, deliveries.c.state.in_(_TROUBLED)]
    rows = await tx.execute(
        select(*_ENTRY)
        .where(*where, *_under(under))
        .order_by(deliveries.c.channel, deliveries.c.township, deliveries.c.target, deliveries.c.round)
        .limit(limit)
    )
    return [Entry(**{**row, "state": DeliveryState(row["state"])}) for row in rows.mappings()]


async def newest_event(tx: Tx) -> int:
    """The id of the last recorded event; 0 where nothing happened yet."""
    return int((await tx.execute(select(func.coalesce(func.max(events.c.id), 0)))).scalar_one())


async def frozen(tx: Tx, warning_id: str) -> list[tuple[str, bytes]]:
    """(channel, packed rows) of every chunk of the approved plan: chunks of retries are none."""
    rows = await tx.execute(
        select(chunks.c.channel, chunks.c.packed)
        .where(chunks.c.warning_id == warning_id, chunks.c.seq >= 0)
        .order_by(chunks.c.id)
    )
    return [(row.channel, row.packed) for row in rows]


async def opened(tx: Tx, warning_id: str) -> set[tuple[str, str]]:
    """(channel, target) of the approved plan's rows that were let go, whatever became of them: all others never left."""
    rows = await tx.execute(
        select(chunks.c.channel, chunks.c.packed, chunks.c.opened_to).where(
            chunks.c.warning_id == warning_id, chunks.c.seq >= 0, chunks.c.opened_to > 0
        )
    )
    return {(channel, one.target) for channel, packed, mark in rows for one in unpack(packed)[:mark]}
