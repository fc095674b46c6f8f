"""A drill from its acceptance to its call-off, on all three channels: heard, asked about, reported and stopped by the drill's
own gateways, accounts and platform; those for what is real hear nothing, not even a question.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from dispatcher.broker.contract import Parcel
from dispatcher.broker.embedded import EmbeddedBroker
from dispatcher.model import BEIJING
from dispatcher.registry import importing, sample
from dispatcher.rehearsal import demo_stage
from dispatcher.rehearsal.demo_stage import City
from dispatcher.service.keys import seal_of
from dispatcher.service.serving import Rehearsal, Serving, serving
from dispatcher.settings import PROJECT, Settings
from dispatcher.states import DeliveryState
from dispatcher.store import ledger, warnings
from dispatcher.store.engine import open_store
from dispatcher.store.migrating import migrate
from dispatcher.store.registry import EndpointRow
from dispatcher.store.warnings import WarningRow
from tests.browser.standing import SENT, cap, code

PLAYERS = ("aliyun", "sms", "gateway", "platform")
HERE = "360827102"
DONE = (DeliveryState.DELIVERED, DeliveryState.SUPPRESSED)


@pytest.mark.timeout(120)
async def test_a_drill_and_its_all_clear_go_by_the_drills_own_and_nothing_else_is_called(tmp_path: Path) -> None:
    async with demo_stage.city(tmp_path) as place:
        settings = demo_stage.settings_for(tmp_path, place)
        await _found(settings, place)
        async with serving(settings, rehearsal=Rehearsal()) as live:
            await place.report_to(live.url)
            await _send(live, cap("D1", status="Exercise", where=code(HERE)))
            alert = await _settled(live, "D1")
            naming = f"<references>36080041600000,D1,{SENT.astimezone(BEIJING).isoformat()}</references>"
            await _send(live, cap("D2", status="Exercise", kind="Cancel", references=naming))
            over = await _settled(live, "D2")
            assert not (await live.service.readiness()).notices
            requests = {name: await _requests(place, name) for name in (*PLAYERS, "gateway_drill")}
    assert requests.pop("gateway_drill")["asked"] > 0
    assert requests == {name: {} for name in PLAYERS}
    logs = {name: _lines(tmp_path / "providers" / f"{name}.jsonl") for name in PLAYERS}
    assert {name: len(lines) for name, lines in logs.items()} == dict.fromkeys(PLAYERS, 0)
    drills = {name: _lines(tmp_path / "providers" / f"{name}_drill.jsonl") for name in PLAYERS}
    for name in ("aliyun", "gateway", "platform"):
        assert drills[name], name
        assert all("【演练】" in line["text"] for line in drills[name])
    packets = drills["gateway"]
    assert {line["ebm_id"] for line in packets if line["kind"] == "issue"} == {alert.broadcast_id}
    stops = [line["recipient"] for line in packets if line["cancels"] == alert.broadcast_id]
    assert stops
    assert sorted(stops) == sorted(line["recipient"] for line in packets if line["kind"] == "issue")
    assert all(line["drill"] for line in packets if line["kind"] == "issue")
    assert over.chain_id == alert.chain_id


async def _found(settings: Settings, place: City) -> None:
    await migrate(settings.service.database_url)
    wish = sample.Wish(
        gateways_at=f"{place.url('gateway')}/gateways", endpoints_at=f"{place.url('platform')}/platforms", officers=700
    )
    sheets = sample.make(PROJECT / "config" / "jian", wish)
    store = open_store(settings.service.database_url)
    await importing.put(store, seal_of(settings), sheets)
    await store.close()
    await place.know({row.id: row.secrets for row in sheets.tables[EndpointRow] if isinstance(row, EndpointRow)})


async def _send(live: Serving, body: bytes) -> None:
    broker = live.service.parts.broker
    assert isinstance(broker, EmbeddedBroker)
    await broker.put(Parcel(routing_key="drill", content_type="application/cap+xml", body=body))


async def _requests(place: City, player: str) -> dict[str, int]:
    """What came to it, by what became of it."""
    limit = aiohttp.ClientTimeout(total=10)
    async with (
        aiohttp.ClientSession(timeout=limit) as http,
        http.get(f"{place.url(player)}/_rehearsal/stats") as answer,
    ):
        found: dict[str, int] = (await answer.json())["requests"]
        return found


async def _settled(live: Serving, identifier: str) -> WarningRow:
    """Once everybody on its list has it, with proof."""
    found: list[WarningRow] = []

    async def everybody() -> bool:
        async with live.context.store.read() as tx:
            found[:] = await warnings.called(tx, identifier)
            counted = await ledger.counts(tx, found[0].id) if found else []
        return bool(counted) and all(one.state in DONE for one in counted)

    await _until(everybody)
    return found[0]


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await holds():
            await asyncio.sleep(0.05)


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
