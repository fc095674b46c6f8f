"""The real service in a process of its own: what `mingluo serve` starts, with the benchmark's providers in the catalog.

It takes its settings from the environment as any service does. What is measured of it is seen from inside without touching
it: the CPU and the memory of this process, and the moment when no opened row is without a durable result.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from dispatcher import reporting
from dispatcher.broker.contract import Parcel
from dispatcher.broker.embedded import EmbeddedBroker
from dispatcher.intake.decode import decode
from dispatcher.pipeline.arrival import arrived, awaited
from dispatcher.rehearsal.bench import audience, provider
from dispatcher.rehearsal.bench.bulletin import CONTENT_TYPE, SOURCE, Bulletin
from dispatcher.rehearsal.bench.orders import BenchFailed, cpu_s, held_mib, live, now_s, obey, peak_mib
from dispatcher.rehearsal.demo_stage import logging_to
from dispatcher.service.loop import settle_down
from dispatcher.service.serving import Rehearsal, Serving, serving
from dispatcher.settings import load
from dispatcher.store import ledger, warnings
from dispatcher.store.rejects import Refusal
from dispatcher.store.warnings import WarningRow

LOOK_S: Final = 0.004
STILL_S: Final = 0.03
"""So long nothing is opened before the ledger itself is asked whether all is over."""
LIMIT_S: Final = 890.0
ACCEPTED_S: Final = 60.0


class Stand:
    """A running service and the orders it takes."""

    def __init__(self, live: Serving) -> None:
        self._live = live
        self._context = live.context
        self._used = cpu_s()

    async def begin(self, _order: Mapping[str, Any]) -> Mapping[str, Any]:
        """From here on the CPU is counted."""
        self._used = cpu_s()
        return {}

    async def put(self, order: Mapping[str, Any]) -> Mapping[str, Any]:
        """Into the embedded inbox, from this process, as the demo and the HTTP door do."""
        broker = self._live.service.parts.broker
        assert isinstance(broker, EmbeddedBroker)
        parcel = Parcel(routing_key=SOURCE, content_type=CONTENT_TYPE, body=order["body"].encode())
        at = now_s()
        await broker.put(parcel)
        return {"published": at}

    async def landed(self, order: Mapping[str, Any]) -> Mapping[str, Any]:
        """Waits until every row of a warning has a durable result, and says when that was."""
        body = order["body"].encode()
        what = await awaited(self._context.store, body, CONTENT_TYPE, self._context.settings.hazards)
        dispatcher, still_since = self._live.service.parts.dispatcher, None
        async with asyncio.timeout(LIMIT_S):
            while True:
                await asyncio.sleep(LOOK_S)
                if dispatcher.unsettled:
                    still_since = None
                    continue
                still_since = still_since or now_s()
                if now_s() - still_since < STILL_S:
                    continue
                used = cpu_s() - self._used
                row = await arrived(self._context.store, what)
                if isinstance(row, Refusal):
                    raise BenchFailed(f"拒收：{row.code} {row.reason}")
                if row is not None and await self._over(row):
                    return await self._told(row, still_since, used)
                still_since = None

    async def _over(self, row: WarningRow) -> bool:
        cells = await reporting.progress(self._context.store, row.id)
        return bool(row.rows_planned) and not any(cell.waiting for cell in cells.values())

    async def _told(self, row: WarningRow, settled_at: float, used: float) -> Mapping[str, Any]:
        cells = await reporting.progress(self._context.store, row.id)
        async with self._context.store.read() as tx:
            texts = await warnings.texts_of(tx, row.id)
        return {
            "warning_id": row.id,
            "planned": row.rows_planned,
            "sent": sum(cell.sent for cell in cells.values()),
            "settled": settled_at,
            "cpu_s": used,
            "text": next((text.body for text in texts.values() if text.channel == "sms"), ""),
        }

    async def completed(self, order: Mapping[str, Any]) -> Mapping[str, Any]:
        """Waits until the service itself calls a warning completed, so that no later run pays for it."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                async with self._context.store.read() as tx:
                    row = await warnings.one(tx, order["warning_id"])
                if row is not None and row.state == "completed":
                    return {}
                await asyncio.sleep(0.1)

    async def accepted(self, order: Mapping[str, Any]) -> Mapping[str, Any]:
        """Waits until a message is kept, and says between which two moments its commit lay. `published`: before it."""
        body, not_before = order["body"].encode(), float(order["published"])
        what = await awaited(self._context.store, body, CONTENT_TYPE, self._context.settings.hazards)
        what = replace(what, after="")  # its bytes are new: every refusal of them is the answer
        async with asyncio.timeout(ACCEPTED_S):
            while True:
                looked_at = now_s()
                row = await arrived(self._context.store, what)
                if isinstance(row, Refusal):
                    raise BenchFailed(f"拒收：{row.code} {row.reason}")
                if row is not None:
                    return {
                        "warning_id": row.id,
                        "planned": row.rows_planned,
                        "not_before": not_before,
                        "not_after": now_s(),
                    }
                not_before = looked_at
                await asyncio.sleep(LOOK_S)

    async def memory(self, _order: Mapping[str, Any]) -> Mapping[str, Any]:
        register = await self._context.register()
        return {"held_mib": held_mib(), "peak_mib": peak_mib(), "residents": len(register.residents.id)}

    async def ledger(self, order: Mapping[str, Any]) -> Mapping[str, Any]:
        """Every row of a warning: its key, its state, whether it is flagged."""
        entries = await reporting.entries(self._context.store, order["warning_id"])
        return {
            "rows": [
                (f"{one.warning_id}.{one.target}.{one.channel}.{one.round}", one.state.label, one.possible_duplicate)
                for one in entries
            ]
        }

    async def opened(self, order: Mapping[str, Any]) -> Mapping[str, Any]:
        """Every row of a warning: its target, its state, whether it was let go, whether it is flagged, its tries."""
        entries = await reporting.entries(self._context.store, order["warning_id"])
        async with self._context.store.read() as tx:
            let_go = await ledger.opened(tx, order["warning_id"])
        return {
            "rows": [
                (one.target, one.state.label, (one.channel, one.target) in let_go, one.possible_duplicate, one.tries)
                for one in entries
            ]
        }

    async def audience(self, order: Mapping[str, Any]) -> Mapping[str, Any]:
        body = Bulletin().body(self._context.now())
        message = decode(body, CONTENT_TYPE, self._context.settings.hazards).message
        assert message is not None
        return audience.measure(await self._context.register(), message, int(order["rounds"]))


async def _run(roles: frozenset[str]) -> None:
    provider.register()
    settings = load(os.environ)
    async with serving(settings, roles=roles, rehearsal=Rehearsal()) as live:
        settle_down()
        stand = Stand(live)
        orders = ("begin", "put", "accepted", "landed", "completed", "memory", "ledger", "opened", "audience")
        loop = type(asyncio.get_running_loop()).__module__.partition(".")[0]
        await obey({name: getattr(stand, name) for name in orders}, {"url": live.url, "loop": loop})


def main(arguments: list[str]) -> None:
    log, roles = Path(arguments[0]), frozenset(arguments[1].split(","))
    with logging_to(log):
        live(_run(roles))


if __name__ == "__main__":
    main(sys.argv[1:])
