"""What is built of the configuration: two sets of wires that share no provider, no account and no way from one to the other."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from sqlalchemy import text

from channels.transport import Transport
from dispatcher.model import Channel
from dispatcher.service.assembly import Providers, providers_of
from dispatcher.settings import BadConfiguration, load
from tests.browser.standing import DRILL_SMS, House, cap, code, standing
from tests.channels.subjects import WHSEC_DRILL

LIVE = {
    "MINGLUO_TWILIO_ACCOUNT_SID": "AC1",
    "MINGLUO_TWILIO_AUTH_TOKEN": "live-token",
    "MINGLUO_TWILIO_SENDER": "+15005550006",
    "MINGLUO_EBM_SECRET": "live-secret",
}
DRILLS = {
    **DRILL_SMS,
    "MINGLUO_DRILL_EBM_BASE_URL": "http://127.0.0.1:9",
    "MINGLUO_DRILL_EBM_SECRET": "drill-secret",
    "MINGLUO_DRILL_WEBHOOK_BASE_URL": "http://127.0.0.1:9",
    "MINGLUO_DRILL_WEBHOOK_SECRET": WHSEC_DRILL,
}
REACHED = {Channel.SMS, Channel.BROADCAST, Channel.PARTY}


def built(environment: Mapping[str, str]) -> Providers:
    return providers_of(load(environment), Transport(loopback=True), "http://127.0.0.1")


def test_no_provider_is_on_both_sides_and_each_says_on_which_it_is() -> None:
    wires = built({**LIVE, **DRILLS}).wires()
    assert {(channel, drill) for channel, drill in wires} == {
        (channel, drill) for channel in REACHED for drill in (0, 1)
    }
    assert all(wire.drill is drill for (_, drill), some in wires.items() for wire in some)
    ways = {
        drill: {id(wire.way) for (_, side), some in wires.items() if side is drill for wire in some} for drill in (0, 1)
    }
    assert not ways[0] & ways[1]


def test_what_is_shipped_has_no_way_out_for_a_drill_until_somebody_sets_one() -> None:
    found = built(LIVE)
    assert found.channels(drill=False) == REACHED
    assert found.channels(drill=True) == frozenset()
    for channel in REACHED:
        assert all("MINGLUO_DRILL_" in why for why in found.why_off(channel, drill=True))
        assert found.why_off(channel, drill=True)


def test_a_way_out_for_drills_is_none_for_what_is_real() -> None:
    found = built(DRILLS)
    assert found.channels(drill=True) == REACHED
    assert Channel.SMS not in found.channels(drill=False)
    assert not any("MINGLUO_DRILL_" in why for why in found.why_off(Channel.SMS, drill=False))


@pytest.mark.parametrize(
    ("same", "named"),
    [
        ({"MINGLUO_DRILL_TWILIO_AUTH_TOKEN": "live-token"}, r"sms\.twilio_drill\.auth_token.*sms\.twilio"),
        ({"MINGLUO_DRILL_EBM_SECRET": "live-secret"}, r"broadcast\.ebm_drill\.secret.*broadcast\.ebm"),
    ],
)
def test_a_drill_by_the_account_of_what_is_real_stops_the_start(same: dict[str, str], named: str) -> None:
    with pytest.raises(BadConfiguration, match=named):
        built({**LIVE, **DRILLS, **same})


async def test_the_service_without_a_way_out_for_drills_is_ready_and_says_which_are_off(jian_sqlite_url: str) -> None:
    async with standing(jian_sqlite_url) as house:
        assert house.context.drill_channels == frozenset()
        off = (await house.service.readiness()).providers_off
        assert {name for name in off if name.endswith("_drill")} == {
            "sms.aliyun_drill",
            "sms.twilio_drill",
            "broadcast.ebm_drill",
            "party.webhook_drill",
        }
        assert not [said for said in await _problems(house) if "演练" in said]


@pytest.mark.long
async def test_what_was_stopped_between_drill_and_live_is_said_by_the_health(jian_sqlite_url: str) -> None:
    async with standing(jian_sqlite_url, **DRILL_SMS) as house:
        assert house.context.drill_channels == {Channel.SMS}
        _, said, _ = await house.post(cap(where=code("360827102")))
        async with house.context.store.begin() as tx:
            await tx.execute(text("UPDATE warnings SET drill = true WHERE id = :w"), {"w": said["warning_id"]})
        assert not (await house.service.readiness()).notices
    async with standing(jian_sqlite_url, frozenset({"web", "send"}), **DRILL_SMS) as house:
        async with asyncio.timeout(20):
            while not (notices := (await house.service.readiness()).notices):
                await asyncio.sleep(0.05)
    assert "240" in notices[0]


async def _problems(house: House) -> tuple[str, ...]:
    return (await house.service.readiness()).problems
