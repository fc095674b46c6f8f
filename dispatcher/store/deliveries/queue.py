"""Rows on their way: planned, taken up again, due, withdrawn, given up, found again for a correction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import compress, repeat

from sqlalchemy import ColumnElement, Connection, Update, and_, case, func, or_, select, update

from dispatcher.model import Channel, Why
from dispatcher.states import SENDING, DeliveryState
from dispatcher.store.chunks import Chunk, Holder, open_for
from dispatcher.store.deliveries.rows import Due, Heard, Row, row_of
from dispatcher.store.engine import Tx
from dispatcher.store.many import Inserted, Many, Source, Statement
from dispatcher.store.packing import FrozenRow
from dispatcher.store.sides import not_plainly_live
from dispatcher.store.tables import chunks, deliveries, warnings

_UNTOUCHED = (DeliveryState.PLANNED, "")
_SUPPRESSED = int(DeliveryState.SUPPRESSED)
_OPENED_TO = select(chunks.c.opened_to).where(chunks.c.id == deliveries.c.chunk_id).scalar_subquery()
_UNDER_WAY = and_(deliveries.c.state == DeliveryState.PLANNED, deliveries.c.pos < _OPENED_TO)
"""Or in doubt: its chunk is opened past it, and neither its result nor a receipt is here."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A chunk's rows that are to be sent, and the statements that write all of them down."""

    chunk_id: int
    rows: list[Row]
    statements: Sequence[Statement]

    def write(self, holder: Holder, connection: Connection) -> bool:
        """The chunk becomes the holder's, its rows are written; False where another was quicker, or it was called off. Once
        more by the same holder it does no harm."""
        opened = open_for(connection, self.chunk_id, holder)
        for sql, values in self.statements if opened else ():
            connection.exec_driver_sql(sql, values)
        return opened is not False


async def plan(
    tx: Tx, chunk: Chunk, frozen: Sequence[FrozenRow], first_serial: int, ended: tuple[DeliveryState, str] | None
) -> list[Row]:
    """Inserts a chunk's rows. `ended`: the state (and code) in which they are born because their warning has ended.

    Returns the rows to be sent; suppressed ones stand in the ledger with their reason and are not among them.
    """
    planned = laid_out(tx.dialect.name, chunk, frozen, first_serial, ended)
    for sql, values in planned.statements:
        await tx.exec_driver_sql(sql, values)
    return planned.rows


def laid_out(
    dialect: str,
    chunk: Chunk,
    frozen: Sequence[FrozenRow],
    first_serial: int = 0,
    ended: tuple[DeliveryState, str] | None = None,
) -> Planned:
    """As `plan`, yet to be written."""
    if not frozen:
        return Planned(chunk.id, [], ())
    born, code = ended or _UNTOUCHED
    target, why, text_no, township, areas, suppressed = zip(*frozen, strict=True)
    state, places = int(born), range(len(frozen))
    serials = range(first_serial, first_serial + len(frozen)) if first_serial else (0,) * len(frozen)
    its_own = repeat(chunk.warning_id), repeat(chunk.channel)
    rows = map(Row, *its_own, target, why, text_no, township, areas, places, serials)
    sent = [not one for one in suppressed] if born is DeliveryState.PLANNED else [False] * len(frozen)
    columns: dict[str, Sequence[object]] = {
        "target": target,
        "why": why,
        "text_no": text_no,
        "township": township,
        "areas": areas,
        "state": [_SUPPRESSED if one else state for one in suppressed],
        "state_code": [one or code for one in suppressed],
        "chunk_id": [chunk.id if one else None for one in sent],
        "pos": places,
        "serial": serials,
    }
    alike = {"warning_id": chunk.warning_id, "channel": chunk.channel, **_NEW}
    return Planned(chunk.id, list(compress(rows, sent)), _PLAN.filled(dialect, alike, columns))


_NEW = {"round": 0, "calls": 0, "tries": 0, "provider": "", "provider_ref": "", "possible_duplicate": False}
_PLAN = Inserted(
    deliveries,
    (
        *("warning_id", "channel", "target", "round", "why", "text_no", "township", "areas", "state", "state_code"),
        *("chunk_id", "pos", "serial", "calls", "tries", "provider", "provider_ref", "possible_duplicate"),
    ),
)


async def in_chunk(tx: Tx, chunk_id: int, opened_to: int) -> list[Row]:
    """A chunk's rows without a result, in order; those below `opened_to` are in doubt: they may have been sent."""
    found = await tx.execute(
        select(deliveries)
        .where(
            deliveries.c.chunk_id == chunk_id,
            deliveries.c.state == DeliveryState.PLANNED,
            deliveries.c.answered_at.is_(
                None
            ),  # or somebody set it back by hand: what a provider has is not sent again
        )
        .order_by(deliveries.c.pos)
    )
    rows = [row_of(row) for row in found.mappings()]
    for row in rows:
        row.in_doubt = row.pos < opened_to
        row.possible_duplicate |= row.in_doubt
    return rows


async def due_warnings(tx: Tx, now: datetime, channels: Sequence[str]) -> list[str]:
    """Warnings with rows to be tried again now."""
    found = await tx.execute(select(deliveries.c.warning_id).where(_due(now, channels)).distinct())
    return [row.warning_id for row in found]


async def due(tx: Tx, now: datetime, channels: Sequence[str], of: Sequence[str], limit: int = 1000) -> list[Due]:
    """Rows of these warnings to be tried again now, locked; whoever else gathers passes them over."""
    found = await tx.execute(
        select(deliveries.c.warning_id, deliveries.c.channel, deliveries.c.target, deliveries.c.round)
        .where(_due(now, channels), deliveries.c.warning_id.in_(of))
        .order_by(deliveries.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    groups: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for row in found:
        groups.setdefault((row.warning_id, row.channel), []).append((row.target, row.round))
    return [Due(warning_id=w, channel=c, targets=tuple(targets)) for (w, c), targets in groups.items()]


def _due(now: datetime, channels: Sequence[str]) -> ColumnElement[bool]:
    return and_(deliveries.c.due_at <= now, _waiting(channels))


def _waiting(channels: Sequence[str]) -> ColumnElement[bool]:
    """Of these channels, and of any what is not plainly live: that waits for nobody's provider."""
    return and_(
        deliveries.c.due_at.is_not(None),  # said aloud, or SQLite walks through the whole ledger past its partial index
        deliveries.c.state == DeliveryState.PLANNED,
        or_(deliveries.c.channel.in_(channels), not_plainly_live(deliveries.c.warning_id)),
    )


async def overdue(tx: Tx, before: datetime) -> int:
    """Rows that should have been taken up again before then, and were not."""
    found = await tx.execute(
        select(func.count())
        .select_from(deliveries)
        .where(
            deliveries.c.due_at.is_not(None), deliveries.c.due_at < before, deliveries.c.state == DeliveryState.PLANNED
        )
    )
    return int(found.scalar_one())


async def next_due(tx: Tx, channels: Sequence[str]) -> datetime | None:
    found = await tx.execute(select(func.min(deliveries.c.due_at)).where(_waiting(channels)))
    first: datetime | None = found.scalar_one_or_none()
    return first


async def regroup(tx: Tx, group: Due, chunk_id: int) -> list[Row]:
    """Moves due rows into a chunk of retries and returns them in order."""
    key = (group.warning_id, group.channel)
    await _REGROUPED.run(tx, [(*key, *one, chunk_id, place) for place, one in enumerate(group.targets)])
    return await in_chunk(tx, chunk_id, 0)


def _regrouped(given: Source) -> Update:
    return (
        update(deliveries)
        .where(*[deliveries.c[name] == given(name) for name in _KEY], deliveries.c.state == DeliveryState.PLANNED)
        .values(chunk_id=given("chunk_id"), pos=given("pos"), due_at=None)
    )


_KEY = ("warning_id", "channel", "target", "round")
_REGROUPED = Many({name: deliveries.c[name].type for name in (*_KEY, "chunk_id", "pos")}, _regrouped, always=_KEY)


async def withdraw(tx: Tx, warning_id: str, state: DeliveryState, now: datetime) -> int:
    """Every row not opened becomes `state` (withdrawn or expired), or unknown where an earlier try may have arrived;
    returns how many. `chunks.end` comes before it."""
    result = await tx.execute(
        update(deliveries)
        .where(
            deliveries.c.warning_id == warning_id,
            deliveries.c.state == DeliveryState.PLANNED,
            or_(deliveries.c.chunk_id.is_(None), deliveries.c.pos >= _OPENED_TO),
        )
        .values(
            state=case((deliveries.c.possible_duplicate, int(DeliveryState.UNKNOWN)), else_=int(state)),
            due_at=None,
            ended_at=now,
        )
    )
    return result.rowcount


async def give_up_waiting(tx: Tx, warning_id: str, channel: str, sent_before: datetime, now: datetime) -> int:
    """Sent rows whose receipt did not come by the deadline become `unknown`; a late receipt still betters them."""
    result = await tx.execute(
        update(deliveries)
        .where(
            deliveries.c.warning_id == warning_id,
            deliveries.c.channel == channel,
            deliveries.c.state == DeliveryState.SENT,
            deliveries.c.sent_at < sent_before,
        )
        .values(state=DeliveryState.UNKNOWN, state_code="no_receipt", ended_at=now)
    )
    return result.rowcount


async def reached(tx: Tx, warning_ids: Iterable[str]) -> list[Row]:
    """Whoever may have heard of these warnings: sent, delivered, or in doubt. A correction goes to all of them."""
    heard = [DeliveryState.SENT, DeliveryState.DELIVERED, DeliveryState.UNDELIVERED, DeliveryState.UNKNOWN]
    found = await tx.execute(
        select(deliveries)
        .where(
            deliveries.c.warning_id.in_(list(warning_ids)),
            or_(
                deliveries.c.state.in_(heard),
                deliveries.c.possible_duplicate,
                _UNDER_WAY,
            ),
        )
        .order_by(deliveries.c.channel, deliveries.c.target)
    )
    return [row_of(row) for row in found.mappings()]


async def heard(tx: Tx, warning_id: str, townships: Sequence[str]) -> list[Heard]:
    """Who may have heard of a warning: by SMS, those of these townships and counties; and every loudspeaker and platform.
    Who was to be told that it holds there no more counts as told only where that is not known to have failed."""
    reached_him = [DeliveryState.SENT, DeliveryState.DELIVERED, DeliveryState.UNDELIVERED, DeliveryState.UNKNOWN]
    is_former = deliveries.c.why == int(Why.FORMER)
    found = await tx.execute(
        select(
            deliveries.c.target,
            deliveries.c.channel,
            deliveries.c.township,
            deliveries.c.areas,
            is_former.label("former"),
        )
        .where(
            deliveries.c.warning_id == warning_id,
            or_(deliveries.c.channel != Channel.SMS.value, deliveries.c.township.in_(townships)),
            or_(
                and_(~is_former, deliveries.c.state.in_(reached_him)),
                and_(is_former, deliveries.c.state.in_([DeliveryState.SENT, DeliveryState.DELIVERED])),
                and_(~is_former, or_(deliveries.c.possible_duplicate, _UNDER_WAY)),
            ),
        )
        .order_by(deliveries.c.target)
    )
    return [Heard(**{**row, "former": bool(row["former"])}) for row in found.mappings()]


async def told(tx: Tx, warning_ids: Sequence[str], channels: Sequence[Channel]) -> list[tuple[str, str, str]]:
    """(target, township, areas) of whom one of these warnings reached over these channels, as a receipt says."""
    if not warning_ids:
        return []
    found = await tx.execute(
        select(deliveries.c.target, deliveries.c.township, deliveries.c.areas).where(
            deliveries.c.warning_id.in_(warning_ids),
            deliveries.c.channel.in_(channels),
            deliveries.c.why != int(Why.FORMER),
            deliveries.c.state == DeliveryState.DELIVERED,
        )
    )
    return [(target, township, areas) for target, township, areas in found]


async def told_before(tx: Tx, rows: Sequence[Row]) -> dict[str, frozenset[str]]:
    """Target → the EBMIDs of this chain's other versions that it may have been given to play. `rows`: of one warning."""
    if not rows:
        return {}
    chain = select(warnings.c.chain_id).where(warnings.c.id == rows[0].warning_id).scalar_subquery()
    found = await tx.execute(
        select(deliveries.c.target, warnings.c.broadcast_id)
        .join(warnings, warnings.c.id == deliveries.c.warning_id)
        .where(
            warnings.c.chain_id == chain,
            warnings.c.id != rows[0].warning_id,
            warnings.c.broadcast_id != "",
            deliveries.c.why != int(Why.FORMER),  # who is outside a version never played it
            deliveries.c.channel == rows[0].channel,
            deliveries.c.target.in_([row.target for row in rows]),
            or_(deliveries.c.calls > 0, deliveries.c.sent_at.is_not(None), _UNDER_WAY),
        )
    )
    told: dict[str, set[str]] = {}
    for target, broadcast_id in found:
        told.setdefault(target, set()).add(broadcast_id)
    return {target: frozenset(ids) for target, ids in told.items()}


async def taken(tx: Tx, named: Sequence[tuple[str, str]], since: datetime) -> set[tuple[str, str]]:
    """`named`: (target, provider's reference). Those that stand on record for a delivery of a warning received since then, or
    still in force: of the calls for a delivery one at most is known to have been taken."""
    if not named:
        return set()
    found = await tx.execute(
        select(deliveries.c.target, deliveries.c.provider_ref).where(
            deliveries.c.warning_id.in_(
                select(warnings.c.id).where(or_(warnings.c.received_at >= since, warnings.c.state.in_(SENDING)))
            ),
            deliveries.c.channel.in_(list(Channel)),  # second in the key, before the target
            deliveries.c.target.in_({target for target, _ in named}),
            deliveries.c.provider_ref.in_({ref for _, ref in named}),
        )
    )
    return {(row.target, row.provider_ref) for row in found} & set(named)


async def awaiting_receipt(tx: Tx, warning_id: str, channel: str, after: str = "", limit: int = 1000) -> list[Row]:
    """Rows sent and not proven, for a provider that can be asked; a page, by target behind `after`."""
    found = await tx.execute(
        select(deliveries)
        .where(
            deliveries.c.warning_id == warning_id,
            deliveries.c.channel == channel,
            deliveries.c.target > after,
            deliveries.c.state == DeliveryState.SENT,
        )
        .order_by(deliveries.c.target)
        .limit(limit)
    )
    return [row_of(row) for row in found.mappings()]
