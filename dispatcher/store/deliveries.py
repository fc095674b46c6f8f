"""The ledger: one row a delivery key. Only this file writes a delivery's state, and only as `states.py` allows.

A row belongs to the chunk that is sending it (`chunk_id`, `pos`); with a result it leaves the chunk (`chunk_id` NULL):
ended, or waiting for a receipt, or due again (`due_at`). So in a chunk, planned rows below `opened_to` are under way or in
doubt, and those above were never touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import RowMapping, Update, bindparam, case, func, insert, or_, select, update

from dispatcher.model import Channel, DeliveryKey, Target
from dispatcher.states import TERMINAL, DeliveryState, may_become
from dispatcher.store.chunks import Chunk
from dispatcher.store.engine import Tx, upsert
from dispatcher.store.packing import FrozenRow
from dispatcher.store.tables import attempts, chunks, deliveries, receipts


@dataclass(slots=True, kw_only=True)
class Row:
    """A ledger row in the sender's hands. Mutable on purpose: it lives in memory from planning to its result."""

    warning_id: str
    channel: str
    target: str
    round: int
    pos: int
    text_no: int
    areas: str
    serial: int
    calls: int
    tries: int
    township: str
    possible_duplicate: bool
    in_doubt: bool = False

    @property
    def key(self) -> DeliveryKey:
        return DeliveryKey(
            warning_id=self.warning_id,
            target=Target.parse(self.target),
            channel=Channel(self.channel),
            round=self.round,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try, for the append-only record."""

    no: int
    provider: str
    started_at: datetime
    ended_at: datetime
    outcome: str
    code: str = ""
    reason: str = ""
    provider_ref: str = ""
    trace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What a try (or the decision not to try) came to. `state` PLANNED with `due_at` = try again then."""

    chunk_id: int
    row: Row
    state: DeliveryState
    code: str = ""
    due_at: datetime | None = None
    at: datetime
    attempt: Attempt | None = None


_UNTOUCHED = (DeliveryState.PLANNED, "")


async def plan(
    tx: Tx, chunk: Chunk, rows: Sequence[FrozenRow], first_serial: int, ended: tuple[DeliveryState, str] | None
) -> list[Row]:
    """Inserts a chunk's rows. `ended`: the state (and code) in which they are born because their warning has ended.

    Returns the rows to be sent; suppressed ones stand in the ledger with their reason and are not among them.
    """
    to_send = []
    values = []
    for pos, frozen in enumerate(rows):
        state, code = (DeliveryState.SUPPRESSED, frozen.suppressed) if frozen.suppressed else ended or _UNTOUCHED
        serial = first_serial + pos if first_serial else 0
        values.append(
            {
                "warning_id": chunk.warning_id,
                "channel": chunk.channel,
                "target": frozen.target,
                "round": 0,
                "why": frozen.why,
                "text_no": frozen.text_no,
                "township": frozen.township,
                "areas": frozen.areas,
                "state": state,
                "state_code": code,
                "chunk_id": chunk.id if state is DeliveryState.PLANNED else None,
                "pos": pos,
                "serial": serial,
                "calls": 0,
                "tries": 0,
                "provider": "",
                "provider_ref": "",
                "possible_duplicate": False,
            }
        )
        if state is DeliveryState.PLANNED:
            to_send.append(
                Row(
                    warning_id=chunk.warning_id,
                    channel=chunk.channel,
                    target=frozen.target,
                    round=0,
                    pos=pos,
                    text_no=frozen.text_no,
                    areas=frozen.areas,
                    serial=serial,
                    calls=0,
                    tries=0,
                    township=frozen.township,
                    possible_duplicate=False,
                )
            )
    await tx.execute(insert(deliveries), values)
    return to_send


_GUARDS = {state: may_become(state) for state in DeliveryState}

_SETTLE = (
    update(deliveries)
    .where(
        deliveries.c.warning_id == bindparam("k_warning"),
        deliveries.c.channel == bindparam("k_channel"),
        deliveries.c.target == bindparam("k_target"),
        deliveries.c.round == bindparam("k_round"),
        deliveries.c.chunk_id == bindparam("k_chunk"),
    )
    .values(
        chunk_id=None,
        calls=bindparam("v_calls"),
        tries=bindparam("v_tries"),
        provider=bindparam("v_provider"),
        provider_ref=bindparam("v_ref"),
        possible_duplicate=bindparam("v_duplicate"),
        sent_at=func.coalesce(deliveries.c.sent_at, bindparam("v_sent", type_=deliveries.c.sent_at.type)),
    )
)


def _settle_to(state: DeliveryState) -> Update:
    """One prepared UPDATE a state: a receipt that overtook the answer keeps what it proved."""
    allowed = deliveries.c.state.in_([int(before) for before in (*_GUARDS[state], state)])
    ends = state in TERMINAL
    return _SETTLE.values(
        state=case((allowed, int(state)), else_=deliveries.c.state),
        state_code=case((allowed, bindparam("v_code")), else_=deliveries.c.state_code),
        due_at=case((allowed, bindparam("v_due", type_=deliveries.c.due_at.type)), else_=None),
        ended_at=case(
            (allowed, bindparam("v_ended", type_=deliveries.c.ended_at.type)) if ends else (allowed, None),
            else_=deliveries.c.ended_at,
        ),
    )


_STATEMENTS = {state: _settle_to(state) for state in DeliveryState}


async def settle(tx: Tx, results: Sequence[Settled]) -> None:
    """Writes results set-wise, a statement a state, and appends their attempts."""
    by_state: dict[DeliveryState, list[dict[str, object]]] = {}
    tries: list[dict[str, object]] = []
    for result in results:
        row, attempt = result.row, result.attempt
        by_state.setdefault(result.state, []).append(
            {
                "k_warning": row.warning_id,
                "k_channel": row.channel,
                "k_target": row.target,
                "k_round": row.round,
                "k_chunk": result.chunk_id,
                "v_calls": row.calls,
                "v_tries": row.tries,
                "v_provider": attempt.provider if attempt else "",
                "v_ref": attempt.provider_ref if attempt else "",
                "v_duplicate": row.possible_duplicate,
                "v_sent": attempt.started_at if attempt and attempt.outcome == "accepted" else None,
                "v_code": result.code,
                "v_due": result.due_at,
                "v_ended": result.at,
            }
        )
        if attempt:
            tries.append(_attempt_values(row, attempt))
    for state, values in by_state.items():
        if state not in TERMINAL:
            for value in values:
                del value["v_ended"]
        await tx.execute(_STATEMENTS[state], values)
    await _append_attempts(tx, tries)


async def _append_attempts(tx: Tx, values: list[dict[str, object]]) -> None:
    """A batch whose commit was answered by silence is written again; each attempt stands once."""
    if values:
        await tx.execute(upsert(tx, attempts).on_conflict_do_nothing(), values)


def _attempt_values(row: Row, attempt: Attempt) -> dict[str, object]:
    return {
        "warning_id": row.warning_id,
        "channel": row.channel,
        "target": row.target,
        "round": row.round,
        "no": attempt.no,
        "provider": attempt.provider,
        "started_at": attempt.started_at,
        "ended_at": attempt.ended_at,
        "outcome": attempt.outcome,
        "code": attempt.code,
        "reason": attempt.reason,
        "provider_ref": attempt.provider_ref,
        "possible_duplicate": row.possible_duplicate,
        "trace": attempt.trace,
    }


async def mark_doubt(tx: Tx, chunk: Chunk, rows: Sequence[Row], now: datetime) -> None:
    """A crash interrupted these rows' calls: each is flagged, and the call it may have made is put on record."""
    if not rows:
        return
    for row in rows:
        row.calls += 1
        row.tries += 1
    await tx.execute(
        update(deliveries)
        .where(
            deliveries.c.chunk_id == chunk.id,
            deliveries.c.target == bindparam("k_target"),
            deliveries.c.round == bindparam("k_round"),
        )
        .values(possible_duplicate=True, calls=bindparam("v_calls"), tries=bindparam("v_tries")),
        [{"k_target": r.target, "k_round": r.round, "v_calls": r.calls, "v_tries": r.tries} for r in rows],
    )
    doubt = "进程中断时正在发送，可能已发出"
    await _append_attempts(
        tx,
        [
            _attempt_values(
                row,
                Attempt(no=row.calls, provider="", started_at=now, ended_at=now, outcome="in_doubt", reason=doubt),
            )
            for row in rows
        ],
    )


async def in_chunk(tx: Tx, chunk_id: int, opened_to: int) -> list[Row]:
    """A chunk's rows without a result, in order; those below `opened_to` are in doubt: they may have been sent."""
    found = await tx.execute(
        select(deliveries)
        .where(deliveries.c.chunk_id == chunk_id, deliveries.c.state == DeliveryState.PLANNED)
        .order_by(deliveries.c.pos)
    )
    rows = [_row(row) for row in found.mappings()]
    for row in rows:
        row.in_doubt = row.pos < opened_to
        row.possible_duplicate |= row.in_doubt
    return rows


def _row(row: RowMapping) -> Row:
    return Row(
        warning_id=row["warning_id"],
        channel=row["channel"],
        target=row["target"],
        round=row["round"],
        pos=row["pos"],
        text_no=row["text_no"],
        areas=row["areas"],
        serial=row["serial"],
        calls=row["calls"],
        tries=row["tries"],
        township=row["township"],
        possible_duplicate=row["possible_duplicate"],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Rows of one warning and channel that may be tried again."""

    warning_id: str
    channel: str
    targets: tuple[tuple[str, int], ...]
    """(target, round), longest due first."""


async def due(tx: Tx, now: datetime, limit: int = 1000) -> list[Due]:
    found = await tx.execute(
        select(deliveries.c.warning_id, deliveries.c.channel, deliveries.c.target, deliveries.c.round)
        .where(deliveries.c.due_at <= now, deliveries.c.state == DeliveryState.PLANNED)
        .order_by(deliveries.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    groups: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for row in found:
        groups.setdefault((row.warning_id, row.channel), []).append((row.target, row.round))
    return [Due(warning_id=w, channel=c, targets=tuple(targets)) for (w, c), targets in groups.items()]


async def next_due(tx: Tx) -> datetime | None:
    found = await tx.execute(select(func.min(deliveries.c.due_at)).where(deliveries.c.due_at.is_not(None)))
    first: datetime | None = found.scalar_one_or_none()
    return first


async def regroup(tx: Tx, group: Due, chunk_id: int) -> list[Row]:
    """Moves due rows into a chunk of retries and returns them in order."""
    await tx.execute(
        update(deliveries)
        .where(
            deliveries.c.warning_id == group.warning_id,
            deliveries.c.channel == group.channel,
            deliveries.c.target == bindparam("k_target"),
            deliveries.c.round == bindparam("k_round"),
            deliveries.c.state == DeliveryState.PLANNED,
        )
        .values(chunk_id=chunk_id, pos=bindparam("v_pos"), due_at=None),
        [{"k_target": target, "k_round": no, "v_pos": pos} for pos, (target, no) in enumerate(group.targets)],
    )
    return await in_chunk(tx, chunk_id, 0)


async def withdraw(tx: Tx, warning_id: str, state: DeliveryState, now: datetime) -> int:
    """Every row not opened becomes `state` (withdrawn or expired); returns how many. `chunks.end` comes before it."""
    opened = select(chunks.c.opened_to).where(chunks.c.id == deliveries.c.chunk_id).scalar_subquery()
    result = await tx.execute(
        update(deliveries)
        .where(
            deliveries.c.warning_id == warning_id,
            deliveries.c.state == DeliveryState.PLANNED,
            or_(deliveries.c.chunk_id.is_(None), deliveries.c.pos >= opened),
        )
        .values(state=state, chunk_id=None, due_at=None, ended_at=now)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A receipt for a delivery we know the key of."""

    key: DeliveryKey
    state: DeliveryState
    code: str
    detail: str


async def apply_receipts(tx: Tx, reports: Sequence[Report], now: datetime) -> None:
    """Records receipts (append-only) and moves states, only forward. A receipt for a key nobody planned is recorded too."""
    if not reports:
        return
    await tx.execute(
        insert(receipts),
        [
            {
                "at": now,
                "warning_id": report.key.warning_id,
                "channel": report.key.channel,
                "target": str(report.key.target),
                "round": report.key.round,
                "state": report.state.label,
                "code": report.code,
                "detail": report.detail,
            }
            for report in reports
        ],
    )
    by_state: dict[DeliveryState, list[dict[str, object]]] = {}
    for report in reports:
        by_state.setdefault(report.state, []).append(
            {
                "k_warning": report.key.warning_id,
                "k_channel": report.key.channel,
                "k_target": str(report.key.target),
                "k_round": report.key.round,
                "v_code": report.code,
            }
        )
    for state, values in by_state.items():
        await tx.execute(
            update(deliveries)
            .where(
                deliveries.c.warning_id == bindparam("k_warning"),
                deliveries.c.channel == bindparam("k_channel"),
                deliveries.c.target == bindparam("k_target"),
                deliveries.c.round == bindparam("k_round"),
                deliveries.c.state.in_([int(before) for before in _GUARDS[state]]),
            )
            .values(
                state=int(state),
                state_code=bindparam("v_code"),
                due_at=None,
                ended_at=now if state in TERMINAL else None,
                sent_at=func.coalesce(deliveries.c.sent_at, now),
            ),
            values,
        )


async def reached(tx: Tx, warning_ids: Iterable[str]) -> list[Row]:
    """Whoever may have heard of these warnings: sent, delivered, or in doubt. A correction goes to all of them."""
    heard = [DeliveryState.SENT, DeliveryState.DELIVERED, DeliveryState.UNDELIVERED, DeliveryState.UNKNOWN]
    opened = select(chunks.c.opened_to).where(chunks.c.id == deliveries.c.chunk_id).scalar_subquery()
    found = await tx.execute(
        select(deliveries)
        .where(
            deliveries.c.warning_id.in_(list(warning_ids)),
            or_(
                deliveries.c.state.in_(heard),
                deliveries.c.possible_duplicate,
                deliveries.c.pos < opened,
            ),
        )
        .order_by(deliveries.c.channel, deliveries.c.target)
    )
    return [_row(row) for row in found.mappings()]


async def awaiting_receipt(tx: Tx, warning_id: str, channel: str, limit: int = 1000) -> list[Row]:
    """Rows sent and not proven, for a provider that can be asked."""
    found = await tx.execute(
        select(deliveries)
        .where(
            deliveries.c.warning_id == warning_id,
            deliveries.c.channel == channel,
            deliveries.c.state == DeliveryState.SENT,
        )
        .order_by(deliveries.c.target)
        .limit(limit)
    )
    return [_row(row) for row in found.mappings()]
