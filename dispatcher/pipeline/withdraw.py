"""Called off, overtaken or out of time: one transaction, after which nothing more of a warning leaves the house."""

from __future__ import annotations

from typing import assert_never

from dispatcher.pipeline.context import Context
from dispatcher.states import LIVE, WAITING, DeliveryState, WarningState
from dispatcher.store import chunks, deliveries, events, warnings
from dispatcher.store.engine import Tx
from dispatcher.store.events import Event

_ENDED = {
    WarningState.CANCELLED: DeliveryState.WITHDRAWN,
    WarningState.SUPERSEDED: DeliveryState.WITHDRAWN,
    WarningState.EXPIRED: DeliveryState.EXPIRED,
}


async def end(context: Context, tx: Tx, warning_id: str, state: WarningState, by: str | None = None) -> bool:
    """Ends a warning inside the caller's transaction; call `context.ended` (see `told`) after the commit."""
    now = context.now()
    await chunks.hold(tx, warning_id)
    if not await warnings.move(tx, warning_id, state, ended_at=now, ended_by=by):
        return False
    await chunks.end(tx, warning_id)
    rows = await deliveries.withdraw(tx, warning_id, _ENDED[state], now)
    actor, detail = f"warning:{by}" if by else "system", {"rows": rows, "by": by or ""}
    event = Event(actor=actor, kind=f"warning.{state}", subject=warning_id, warning_id=warning_id, detail=detail)
    await events.record(tx, now, event, outward=True)
    return True


def told(context: Context, warning_id: str, state: WarningState) -> None:
    """After the commit: what is in the sender's memory stops too."""
    match state:
        case WarningState.CANCELLED | WarningState.SUPERSEDED | WarningState.EXPIRED:
            context.ended(warning_id, _ENDED[state])
        case (
            WarningState.RECEIVED
            | WarningState.REJECTED
            | WarningState.HELD
            | WarningState.DRAFT
            | WarningState.SUBMITTED
            | WarningState.RETURNED
            | WarningState.APPROVED
            | WarningState.DISPATCHING
            | WarningState.DISPATCHED
            | WarningState.COMPLETED
        ):
            raise ValueError(f"{state} does not end a warning")
        case _:
            assert_never(state)


async def expire_due(context: Context) -> list[str]:
    """Ends every warning whose time has run out; returns their ids."""
    async with context.store.read() as tx:
        due = await warnings.overdue(tx, (*LIVE, *WAITING), context.now())
    expired = []
    for warning_id in due:
        async with context.store.begin() as tx:
            done = await end(context, tx, warning_id, WarningState.EXPIRED)
        if done:
            told(context, warning_id, WarningState.EXPIRED)
            expired.append(warning_id)
    return expired
