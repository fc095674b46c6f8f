"""The numbers a night shift watches, gathered once a few seconds: what waits, how the providers do, what was left behind.

They are gathered here and not where things happen: a counter raised for each message costs more than the message's text.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from dispatcher.sending.dispatch import Dispatcher
from dispatcher.store import chunks, deliveries
from dispatcher.store.engine import Store
from dispatcher.telemetry import BACKLOG, CALLS, LEFT_BEHIND, PROVIDER_UP, UNSETTLED

FOUND_WITHIN = timedelta(seconds=2)
"""Work that is due, or whose owner's lease has run out, is taken up within this time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftBehind:
    """Work past its deadline that nobody has taken up."""

    overdue: int = 0
    """Rows due again."""
    orphaned: int = 0
    """Chunks whose owner is gone."""


async def sweep(store: Store, now: datetime) -> LeftBehind:
    """Proves that nothing is past its deadline, or says how much is."""
    async with store.read() as tx:
        found = LeftBehind(
            overdue=await deliveries.overdue(tx, now - FOUND_WITHIN),
            orphaned=await chunks.orphaned(tx, FOUND_WITHIN),
        )
    LEFT_BEHIND.labels("row").set(found.overdue)
    LEFT_BEHIND.labels("chunk").set(found.orphaned)
    return found


def gather(dispatcher: Dispatcher) -> None:
    """What the sender itself knows."""
    UNSETTLED.set(dispatcher.unsettled)
    for (channel, drill), outlet in dispatcher.outlets.items():
        BACKLOG.labels(channel, "yes" if drill else "no").set(outlet.backlog)
        for standing in outlet.standings:
            well = not standing.rests and not standing.account_fault
            PROVIDER_UP.labels(channel, standing.name).set(int(well))
        for (provider, outcome), messages in outlet.take_tally().items():
            CALLS.labels(channel, provider, outcome).inc(messages)
