"""kill -9 of the service, again and again during one fan-out: nothing lost, duplicates bounded, every one of them flagged."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dispatcher.model import BEIJING
from dispatcher.store.engine import Store, open_store
from tests.crashes import harness
from tests.crashes.harness import City, Ground

KILLS = 10
OFFICERS = 3200
WINDOWS = {"sms": 64, "broadcast": 256, "party": 256}
PLAYER = {"sms": "sms", "broadcast": "gateway", "party": "platform"}


def red_for_the_city() -> bytes:
    now = datetime.now(UTC).astimezone(BEIJING)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>36080041600000_{now:%Y%m%d%H%M%S}</identifier>
<sender>36080041600000</sender><sent>{now.isoformat(timespec="seconds")}</sent><status>Actual</status><msgType>Alert</msgType>
<scope>Public</scope><info><language>zh-CN</language><category>Met</category><event>暴雨</event><urgency>Immediate</urgency>
<severity>Extreme</severity><certainty>Observed</certainty>
<expires>{(now + timedelta(hours=6)).isoformat(timespec="seconds")}</expires><senderName>吉安市气象台</senderName>
<headline>吉安市气象台发布暴雨红色预警[Ⅰ级/特别严重]</headline><description>预计未来3小时全市有强降雨。</description>
<area><areaDesc>吉安市</areaDesc>
<geocode><valueName>CPEAS Geographic Code</valueName><value>360800000000</value></geocode></area>
</info></alert>""".encode()


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_ten_kills_lose_nothing_and_flag_every_duplicate(
    database_url: str, tmp_path: Path, measured: Callable[[str], None]
) -> None:
    faults = {name: {"delay_s": 0.05} for name in ("sms", "gateway", "platform")}
    async with harness.city(tmp_path, faults) as played:
        ground = await harness.ground(
            database_url,
            tmp_path,
            played,
            OFFICERS,
            MINGLUO_CHANNELS__SMS__TWILIO__IN_FLIGHT="16",
            MINGLUO_CHANNELS__SMS__TWILIO__RATE="400",
        )
        store = open_store(database_url)
        try:
            await ground.send_in(red_for_the_city())
            doubts = [await _killed_in_the_middle(ground, store) for _ in range(KILLS)]
            measured(f"opened and unsettled at each kill: {doubts}")
            last = await ground.start()
            await _until_done(store, played)
            assert await last.end() == 0
            await _judge(store, played, doubts, measured)
        finally:
            await store.close()


async def _killed_in_the_middle(ground: Ground, store: Store) -> dict[str, int]:
    """Starts the service, waits until it has calls under way, kills it; what was then in doubt, by channel."""
    child = await ground.start()
    before = sum((await harness.states(store)).values()) and (await harness.states(store))[0]
    async with asyncio.timeout(60):
        while True:
            under_way = await harness.opened_and_unsettled(store)
            moved = (await harness.states(store))[0] != before
            if under_way.get("sms", 0) > 0 and moved:
                break
            await asyncio.sleep(0.01)
    await child.kill()
    return await harness.opened_and_unsettled(store)


async def _until_done(store: Store, played: City) -> None:
    async with asyncio.timeout(120):
        while True:
            found = await harness.states(store)
            if found and not found[0] and not found[1]:
                return
            await asyncio.sleep(0.1)


async def _judge(store: Store, played: City, doubts: list[dict[str, int]], measured: Callable[[str], None]) -> None:
    planned, flagged = await harness.planned_keys(store), await harness.flagged(store)
    packets = await harness.keys_by_packet(store)
    assert len(planned) > OFFICERS
    struck = [doubt for doubt in doubts if doubt.get("sms", 0) > 0]
    assert len(struck) >= KILLS - 2, "a result may come in between the look and the kill, but not every time"
    for doubt in doubts:
        assert all(number <= WINDOWS[channel] for channel, number in doubt.items())
    for channel, player in PLAYER.items():
        logged = Counter(packets[int(k[-16:])] if channel == "broadcast" else k for k in _keys(played, player))
        ours = {key for key in planned if key.split(".")[2] == channel}
        twice = {key for key, number in logged.items() if number > 1}
        measured(
            f"{channel}: planned {len(ours)}, logged {sum(logged.values())}, twice {len(twice)}, "
            f"flagged {_of(flagged, channel)}, lost {len(ours - set(logged))}"
        )
        assert not ours - set(logged), "lost"
        assert twice <= flagged, "a duplicate nobody was told of"
        allowed = sum(doubt.get(channel, 0) for doubt in doubts)
        assert sum(logged[key] - 1 for key in twice) <= allowed <= WINDOWS[channel] * KILLS
        assert _of(flagged, channel) <= allowed


def _keys(played: City, player: str) -> list[str]:
    return [str(line["key"]) for line in played.log(player)]


def _of(keys: set[str], channel: str) -> int:
    return sum(1 for key in keys if key.split(".")[2] == channel)
