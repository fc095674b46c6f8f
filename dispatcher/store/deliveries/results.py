"""Results and receipts: the only statements that move a delivery to another state, guarded by `states.py`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Update, bindparam, case, func, insert, or_, update

from dispatcher.states import TERMINAL, DeliveryState, may_become
from dispatcher.store.chunks import Chunk
from dispatcher.store.deliveries.rows import Attempt, Report, Row, Settled
from dispatcher.store.engine import Tx, upsert
from dispatcher.store.tables import attempts, deliveries, receipts

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


def _stands_in(*states: DeliveryState) -> ColumnElement[bool]:
    """Not IN: its parameters cannot be expanded in an executemany."""
    return or_(*(deliveries.c.state == int(state) for state in states))


def _settle_to(state: DeliveryState) -> Update:
    """One prepared UPDATE a state: a receipt that overtook the answer keeps what it proved."""
    allowed = _stands_in(*_GUARDS[state], state)
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


async def apply_receipts(tx: Tx, reports: Sequence[Report], now: datetime) -> None:
    """Records receipts (append-only) and moves states, only forward. A receipt for a key nobody planned is recorded too."""
    if not reports:
        return
    await tx.execute(insert(receipts), [_receipt_values(report, now) for report in reports])
    by_state: dict[DeliveryState, list[dict[str, object]]] = {}
    for report in reports:
        by_state.setdefault(report.state, []).append({**_key_values(report), "v_code": report.code})
    for state, values in by_state.items():
        await tx.execute(
            update(deliveries)
            .where(
                deliveries.c.warning_id == bindparam("k_warning"),
                deliveries.c.channel == bindparam("k_channel"),
                deliveries.c.target == bindparam("k_target"),
                deliveries.c.round == bindparam("k_round"),
                _stands_in(*_GUARDS[state]),
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


def _key_values(report: Report) -> dict[str, object]:
    return {
        "k_warning": report.key.warning_id,
        "k_channel": report.key.channel,
        "k_target": str(report.key.target),
        "k_round": report.key.round,
    }


def _receipt_values(report: Report, now: datetime) -> dict[str, object]:
    return {
        "at": now,
        "warning_id": report.key.warning_id,
        "channel": report.key.channel,
        "target": str(report.key.target),
        "round": report.key.round,
        "state": report.state.label,
        "code": report.code,
        "detail": report.detail,
    }
