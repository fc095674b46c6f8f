"""Once an hour what was kept long enough goes, as `retention` in policy.yaml says; and whoever waits to be forgotten.

It must survive a stop in the middle (each batch is a transaction with its entry in the log; the next turn goes on) and never
stand in the way of a warning: it waits while one is being sent, batches are small, and a turn ends after a bounded number.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from dispatcher.pipeline.context import Context
from dispatcher.pipeline.erase import erase_waiting
from dispatcher.states import SENDING
from dispatcher.store import audit, nodes, retaining, warnings
from dispatcher.store.audit import Act
from dispatcher.store.retaining import Kind

EVERY: Final = timedelta(hours=1)
LATEST: Final = timedelta(days=1)
"""While a warning is being sent the database is the sender's; but not for ever, because some night long one always is."""
BATCH: Final = 500
MOST_BATCHES: Final = 200
"""Of one kind in one turn: a hundred thousand rows."""
_RETAINED_AT: Final = "retained_at"


async def retain_due(context: Context) -> Mapping[Kind, int]:
    """Lets go what is due where the last turn is an hour old; how many rows of each kind went."""
    now = context.now()
    async with context.store.read() as tx:
        before = await nodes.fact(tx, _RETAINED_AT)
        sending = any(row.state in SENDING for row in await warnings.unfinished(tx))
    if not sending:  # it looks through what is planned, and the database is the sender's now
        await erase_waiting(context)
    waited = now - datetime.fromisoformat(before) if before is not None else LATEST
    return await retain(context) if waited >= (LATEST if sending else EVERY) else {}


async def retain(context: Context) -> Mapping[Kind, int]:
    now, days = context.now(), context.settings.policy.retention.model_dump()
    gone = {kind: await _let_go(context, kind, now - timedelta(days=days[f"{kind}_days"])) for kind in Kind}
    async with context.store.begin() as tx:
        await nodes.set_fact(tx, _RETAINED_AT, now.isoformat())
    if any(gone.values()):
        await context.store.tidy()
    return {kind: rows for kind, rows in gone.items() if rows}


async def _let_go(context: Context, kind: Kind, before: datetime) -> int:
    rows = 0
    for _ in range(MOST_BATCHES):
        async with context.store.begin() as tx:
            some = await retaining.let_go(tx, kind, before, BATCH)
            if some.rows:
                detail = {"rows": some.rows, "before": before.isoformat()}
                act = Act(actor="system", action="retention.let_go", subject=f"retention:{kind}", detail=detail)
                audit.append(tx, context.now(), act)
        rows += some.rows
        if not some.more:
            break
    return rows
