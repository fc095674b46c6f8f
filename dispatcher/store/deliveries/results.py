"""Results: statements that move a delivery to another state, guarded by `states.py`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Update, and_, bindparam, case, func, null, or_, update

from dispatcher.model import Channel
from dispatcher.states import TERMINAL, DeliveryState, may_become
from dispatcher.store.chunks import Chunk
from dispatcher.store.deliveries.rows import Attempt, Row, Settled
from dispatcher.store.engine import Tx
from dispatcher.store.many import Inserted, Many, Source
from dispatcher.store.tables import attempts, deliveries

_MICROSECOND = timedelta(microseconds=1)
_GUARDS = {state: may_become(state) for state in DeliveryState}


def _stands_in(*states: DeliveryState) -> ColumnElement[bool]:
    """Not IN: its parameters cannot be expanded in an executemany."""
    return or_(*(deliveries.c.state == int(state) for state in states))


_C = deliveries.c
SETTLED = {
    "k_chunk": _C.chunk_id.type,
    "k_pos": _C.pos.type,
    "k_target": _C.target.type,
    "v_calls": _C.calls.type,
    "v_tries": _C.tries.type,
    "v_provider": _C.provider.type,
    "v_ref": _C.provider_ref.type,
    "v_duplicate": _C.possible_duplicate.type,
    "v_sent": _C.sent_at.type,
    "v_code": _C.state_code.type,
    "v_due": _C.due_at.type,
    "v_ended": _C.ended_at.type,
    "v_answered": _C.answered_at.type,
    "v_took": _C.took_us.type,
}


def may_be(state: DeliveryState) -> ColumnElement[bool]:
    """Whether the row may become that, or is it already."""
    return _stands_in(*_GUARDS[state], state)


def settled(
    given: Source, state: int | ColumnElement[int], allowed: ColumnElement[bool]
) -> dict[str, ColumnElement[Any]]:
    """What a result makes of its row, its place aside: a receipt that overtook the answer keeps what it proved."""
    return {
        "calls": given("v_calls"),
        "tries": given("v_tries"),
        "provider": given("v_provider"),
        "provider_ref": given("v_ref"),
        "possible_duplicate": given("v_duplicate"),
        "sent_at": func.coalesce(_C.sent_at, given("v_sent")),
        "answered_at": given("v_answered"),
        "took_us": given("v_took"),
        "state": case((allowed, state), else_=_C.state),
        "state_code": case((allowed, given("v_code")), else_=_C.state_code),
        "ended_at": case((allowed, given("v_ended")), else_=_C.ended_at),
    }


def waiting(given: Source, allowed: ColumnElement[bool]) -> dict[str, ColumnElement[Any]]:
    """One to be tried again leaves its chunk. Any other keeps its place there: its indexes stand as they are, and PostgreSQL
    writes the row anew on its own page and nothing else."""
    return {"chunk_id": null(), "due_at": case((allowed, given("v_due")), else_=None)}


def is_news(given: Source) -> ColumnElement[bool]:
    """Whether the row has no result yet, or one of fewer calls, or a receipt alone: the first result stands, however often it
    is written, and a call-off's word is not wiped out by a sender that knows less. What a provider took stands."""
    return and_(or_(_stands_in(DeliveryState.PLANNED), _C.calls < given("v_calls")), _C.answered_at.is_(None))


WORKED = ("accepted", "looked_up")
"""How a try ends that the provider has."""


def _settle_to(state: DeliveryState) -> Many:
    """One statement a state.

    A row is found by its place in its chunk. By its key, PostgreSQL may walk through all rows of the warning for each
    group of results: at ten thousand rows that was nine tenths of all the time.
    """

    again = state is DeliveryState.PLANNED

    def build(given: Source) -> Update:
        return (
            update(deliveries)
            .where(
                _C.chunk_id == given("k_chunk"),
                _C.pos == given("k_pos"),
                _C.target == given("k_target"),
                is_news(given),
            )
            .values(settled(given, int(state), may_be(state)) | (waiting(given, may_be(state)) if again else {}))
        )

    return Many(SETTLED, build, always_on_sqlite=("k_chunk", "k_pos", "k_target"), again=True)


_STATEMENTS = {state: _settle_to(state) for state in DeliveryState}


async def settle(tx: Tx, results: Sequence[Settled]) -> None:
    """Writes results set-wise, a statement a state, and appends the attempts that do not stand in their rows."""
    for many, rows in grouped(results):
        await many.run(tx, rows)


def grouped(results: Sequence[Settled]) -> Iterator[tuple[Many, list[tuple[object, ...]]]]:
    """The statements, and the rows of each."""
    by_state: dict[DeliveryState, list[tuple[object, ...]]] = {}
    tries: list[tuple[object, ...]] = []
    for result in results:
        by_state.setdefault(result.state, []).append(settled_values(result))
        if result.attempt and not stands_in_row(result.row, result.attempt):
            tries.append(attempt_values(result.row, result.attempt))
    for state, values in by_state.items():
        yield _STATEMENTS[state], values
    if tries:
        yield _APPEND, tries


def settled_values(result: Settled) -> tuple[object, ...]:
    """In the order of `SETTLED`."""
    row, attempt = result.row, result.attempt
    in_row = attempt is not None and stands_in_row(row, attempt)
    return (
        result.chunk_id,
        row.pos,
        row.target,
        row.calls,
        row.tries,
        attempt.provider if attempt else "",
        attempt.provider_ref if attempt else "",
        row.possible_duplicate,
        attempt.started_at if attempt and attempt.outcome in WORKED else None,
        result.code,
        result.due_at,
        result.at if result.state in TERMINAL else None,
        attempt.ended_at if attempt and in_row else None,
        (attempt.ended_at - attempt.started_at) // _MICROSECOND if attempt and in_row else None,
    )


def stands_in_row(row: Row, attempt: Attempt) -> bool:
    """Whether the row says all there is to say of it: it was taken and left no trace. What was pushed to a gateway has its own
    record, for its operator."""
    return attempt.outcome == "accepted" and not attempt.trace and row.channel != Channel.BROADCAST


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
            deliveries.c.pos == bindparam("k_pos"),
            deliveries.c.target == bindparam("k_target"),
            deliveries.c.round == bindparam("k_round"),
            deliveries.c.answered_at.is_(None),
        )
        .values(possible_duplicate=True, calls=bindparam("v_calls"), tries=bindparam("v_tries")),
        [
            {"k_pos": r.pos, "k_target": r.target, "k_round": r.round, "v_calls": r.calls, "v_tries": r.tries}
            for r in rows
        ],
    )
    doubt = "进程中断时正在发送，可能已发出"
    await _APPEND.run(
        tx,
        [
            attempt_values(
                row,
                Attempt(no=row.calls, provider="", started_at=now, ended_at=now, outcome="in_doubt", reason=doubt),
            )
            for row in rows
        ],
    )


ATTEMPT = (
    "warning_id",
    "channel",
    "target",
    "round",
    "no",
    "provider",
    "started_at",
    "ended_at",
    "outcome",
    "code",
    "reason",
    "provider_ref",
    "possible_duplicate",
    "trace",
)
_APPEND = Inserted(attempts, ATTEMPT, ignoring=True)
"""A batch whose commit was answered by silence is written again; each attempt stands once."""


def attempt_values(row: Row, attempt: Attempt) -> tuple[object, ...]:
    """In the order of `ATTEMPT`."""
    return (
        row.warning_id,
        row.channel,
        row.target,
        row.round,
        attempt.no,
        attempt.provider,
        attempt.started_at,
        attempt.ended_at,
        attempt.outcome,
        attempt.code,
        attempt.reason,
        attempt.provider_ref,
        row.possible_duplicate,
        attempt.trace,
    )
