"""A warning handed to the broker and watched until nothing of it waits any more, and what became of it; and the count by a
process apart: what the demo and the drills have in common.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dispatcher import reporting
from dispatcher.broker.contract import Parcel
from dispatcher.broker.embedded import EmbeddedBroker
from dispatcher.model import Kind
from dispatcher.pipeline.arrival import arrived, awaited
from dispatcher.pipeline.context import Context
from dispatcher.rehearsal import demo_stage
from dispatcher.rehearsal.demo_screen import Show
from dispatcher.rehearsal.demo_stage import StageFailed
from dispatcher.rehearsal.demo_telling import Landed
from dispatcher.rehearsal.demo_timing import Letter, Resolution, resolution
from dispatcher.service.assembly import clock
from dispatcher.service.serving import Serving
from dispatcher.settings import PROJECT
from dispatcher.states import WarningState
from dispatcher.store import events
from dispatcher.store.rejects import Refusal
from dispatcher.store.warnings import WarningRow

STILL_LIMIT_S = 120.0
"""How long nothing may move before it is not waited for any longer."""
LOOK_S = 0.15
AUDIT_LIMIT_S = 120.0
ARRIVE_LIMIT_S = 30.0
ARRIVE_LOOK_S = 0.05
STOPPED = (WarningState.COMPLETED, WarningState.SUPERSEDED, WarningState.CANCELLED, WarningState.EXPIRED)


async def handed_in(live: Serving, parcel: Parcel) -> WarningRow | Refusal:
    """What it became, as soon as that is kept."""
    context, broker = live.context, live.service.parts.broker
    assert isinstance(broker, EmbeddedBroker)
    what = await awaited(context.store, parcel.body, parcel.content_type, context.settings.hazards)
    await broker.put(parcel)
    async with asyncio.timeout(ARRIVE_LIMIT_S):
        while (row := await arrived(context.store, what)) is None:  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(ARRIVE_LOOK_S)
    return row


async def watch(context: Context, warning_id: str, show: Show, still_s: float = STILL_LIMIT_S) -> None:
    """Until every row is terminal and the warning says so, or nothing has moved for too long."""
    moved, before = clock(), ""
    while (clock() - moved).total_seconds() < still_s:
        cells = await reporting.progress(context.store, warning_id)
        show(cells)
        if str(cells) != before:
            moved, before = clock(), str(cells)
        if not any(cell.open for cell in cells.values()) and await _stopped(context, warning_id):
            return
        await asyncio.sleep(LOOK_S)


async def _stopped(context: Context, warning_id: str) -> bool:
    found = await reporting.summary(context.store, await context.register(), warning_id)
    return found is not None and WarningState(found.warning.state) in STOPPED


async def landed(context: Context, warning_id: str, letter: Letter) -> Landed:
    """As it stands now. A Cancel has no area of its own: whom it goes to follows from what it ends."""
    found = await reporting.summary(context.store, await context.register(), warning_id)
    assert found is not None
    async with context.store.read() as tx:
        happened = await events.of_warning(tx, warning_id)
    if found.warning.kind == Kind.CANCEL:
        resolved = Resolution.none(len(found.warning.area["villages"]))
    else:
        resolved = await resolution(context, letter)
    return Landed(
        summary=found,
        entries=tuple(await reporting.entries(context.store, warning_id)),
        events=tuple(happened),
        resolution=resolved,
    )


async def audited(folder: Path) -> Mapping[str, Any]:
    """A third process reads the frozen list and the players' own logs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dispatcher.rehearsal.audit", str(folder / "providers"),
        str(demo_stage.database_in(folder)), cwd=PROJECT, env=demo_stage.outside_environment(),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    async with asyncio.timeout(AUDIT_LIMIT_S):
        out, said = await process.communicate()
    if process.returncode not in (0, 1):
        raise StageFailed(f"核对没有做完：{said.decode(errors='replace').strip()[-300:]}")
    found: Mapping[str, Any] = json.loads(out)
    return found
