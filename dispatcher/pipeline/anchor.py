"""Once an hour the head of the log goes out of the house, signed: into a file, and to whoever listens to `dispatch.events`.

It must survive a full disk (said, and tried again at the next tick), a stop between file and commit (the line stands twice,
which does no harm), and two processes that do it in the same hour.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from dispatcher.auditing import signed
from dispatcher.pipeline.context import Context
from dispatcher.store import audit, events, nodes
from dispatcher.store.events import Event

EVERY: Final = timedelta(hours=1)
_ANCHORED_AT: Final = "audit_anchored_at"


async def anchor_due(context: Context) -> bool:
    """Anchors where the last one is an hour old; True where it did."""
    now = context.now()
    async with context.store.read() as tx:
        before = await nodes.fact(tx, _ANCHORED_AT)
    if before is not None and now - datetime.fromisoformat(before) < EVERY:
        return False
    await anchor(context)
    return True


async def anchor(context: Context) -> Mapping[str, Any]:
    """The file first: what is announced is already put away."""
    now = context.now()
    async with context.store.read() as tx:
        line = signed(await audit.head(tx), now, context.seal)
    await asyncio.to_thread(_put_away, context.settings.anchor_file, line)
    async with context.store.begin() as tx:
        await nodes.set_fact(tx, _ANCHORED_AT, now.isoformat())
        await events.record(
            tx, now, Event(kind="audit.anchor", subject=f"audit:{line['no']}", detail=line), outward=True
        )
    return line


def _put_away(path: Path, line: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", encoding="ascii") as file:
        file.write(json.dumps(line, sort_keys=True) + "\n")
        file.flush()
        os.fsync(file.fileno())
