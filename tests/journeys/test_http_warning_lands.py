"""From a POST to the last receipt: a whole city on loopback is told, reports back by signed callbacks, and the API says so."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from dispatcher.rehearsal.server import Options, playing
from dispatcher.store.engine import open_store
from dispatcher.store.registry import EndpointRow, exported
from tests.browser.standing import SEAL, House, cap, code, filled, standing
from tests.browser.standing import TOKEN as SOURCE_TOKEN

ACCOUNT, TOKEN = "AC00000000000000000000000000000001", "rehearsal-token"


async def secrets_of(database_url: str) -> dict[str, list[str]]:
    """What each party platform knows of us."""
    store = open_store(database_url)
    async with store.read() as tx:
        rows = await exported(tx, SEAL, EndpointRow)
    await store.close()
    return {row.id: list(row.secrets) for row in rows if isinstance(row, EndpointRow)}


async def completed(house: House, warning_id: str) -> None:
    """Until the live stream says so."""
    shown = {"Last-Event-ID": "0", "Authorization": f"Bearer {SOURCE_TOKEN}"}
    async with house.http.get(f"{house.url}/api/v1/live", headers=shown) as answer:
        async with asyncio.timeout(40):
            async for line in answer.content:
                if line.startswith(b"data: {"):
                    said = json.loads(line[6:])
                    if said.get("kind") == "warning.completed" and said["warning_id"] == warning_id:
                        return
    raise AssertionError("the stream ended first")


@pytest.mark.timeout(120)
async def test_a_warning_posted_by_http_is_delivered_to_everyone_and_the_api_shows_it(tmp_path: Path) -> None:
    async with playing(Options(folder=tmp_path, account=ACCOUNT, token=TOKEN)) as city:
        url = await filled(tmp_path / "mingluo.db", 700, city.url("gateway"), city.url("platform"))
        city.platform.know(await secrets_of(url))
        environment = {
            "MINGLUO_TWILIO_ACCOUNT_SID": ACCOUNT,
            "MINGLUO_TWILIO_AUTH_TOKEN": TOKEN,
            "MINGLUO_CHANNELS__SMS__TWILIO__BASE_URL": city.url("sms"),
        }
        roles = frozenset({"web", "send", "timers"})
        async with standing(url, roles=roles, **environment) as house:
            status, said, _ = await house.post(cap(where=code("360827102") + code("360827103")))
            assert status == 202
            warning_id = said["warning_id"]
            await completed(house, warning_id)
            _, detail, _ = await house.get(f"/api/v1/warnings/{warning_id}")
            total = detail["total"]
            assert detail["warning"]["state"] == "completed"
            assert not detail["troubles"], detail["troubles"]
            assert total["planned"] == total["delivered"] == detail["warning"]["rows_planned"] > 10
            assert set(detail["channels"]) == {"sms", "broadcast", "party"}
            assert [event["kind"] for event in detail["events"]] == [
                f"warning.{word}" for word in ("accepted", "approved", "dispatched", "completed")
            ]
            _, text_, headers = await house.text(f"/api/v1/warnings/{warning_id}/deliveries")
            rows = [json.loads(line) for line in text_.splitlines()]
            assert (len(rows), headers["X-Unplanned"]) == (total["planned"], "0")
            assert {row["state"] for row in rows} == {"delivered"}
            assert not any(row["possible_duplicate"] for row in rows)
            gateway = next(row["target"] for row in rows if row["channel"] == "broadcast").removeprefix("gateway-")
            _, pushed, _ = await house.text(f"/api/v1/gateways/{gateway}/commands")
            packet = json.loads(pushed.splitlines()[0])
            assert "EBD" in packet["trace"]
            assert packet["receipts"][-1]["state"] == "delivered"
            status, page, _ = await house.text(f"/warnings/{warning_id}")
            assert (status, "已办结" in page, "100%" in page) == (200, True, True)
