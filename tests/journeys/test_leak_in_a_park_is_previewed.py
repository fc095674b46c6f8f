"""A chemical leak in a park of Ji'an, as a county's system would send it: previewed by HTTP before anybody is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from dispatcher.intake.native import CONTENT_TYPE
from dispatcher.intake.native.schema import LEAK
from dispatcher.store import warnings
from tests.browser.standing import SENT, TOKEN, House, filled, standing

PARK, DOWNWIND = "360821400", "360821103"
"""吉安高新技术产业园区, and 横江镇 to its south-east."""


@pytest.fixture
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    url = await filled(tmp_path_factory.mktemp("leak") / "mingluo.db")
    async with standing(url) as opened:
        yield opened


async def previewed(house: House, **sector: float) -> dict[str, Any]:
    """The sample warning of the published schema, as of now; `sector`: what is otherwise in its plume."""
    area = LEAK["areas"][0]
    plume = {**area["sectors"][0], **sector}
    times = {"sent": SENT.isoformat(), "expires": (SENT + timedelta(hours=6)).isoformat()}
    said = {**LEAK, **times, "areas": [{**area, "sectors": [plume]}]}
    headers = {"Content-Type": CONTENT_TYPE, "Authorization": f"Bearer {TOKEN}"}
    async with house.http.post(f"{house.url}/api/v1/warnings/preview", json=said, headers=headers) as answer:
        assert answer.status == 200
        found: dict[str, Any] = await answer.json()
        return found


@pytest.mark.long
async def test_a_leak_is_shown_to_reach_the_park_and_the_villages_downwind_and_to_say_which_way_to_go(
    house: House,
) -> None:
    seen = await previewed(house)
    assert (seen["verdict"], seen["level"], seen["hazard"]) == ("accept", "orange", "危险化学品泄漏")
    assert {village[:9] for village in seen["villages"]} == {PARK, DOWNWIND}
    assert len(seen["villages"]) >= 4
    assert seen["officers"] > 0
    (park,) = [text for text in seen["texts"] if "请报明泄漏物，停产撤人。" in text]
    assert "危险化学品泄漏橙色预警（Ⅱ级/重大）" in park
    heard = [text for text in seen["texts"] if "乡亲们请注意" in text]
    assert heard
    assert all("往侧风、上风方向撤离，不要进下风向" in text for text in heard)
    for text in seen["texts"]:
        assert not any(word in text for word in ("河道", "沟谷", "陡坡", "应转尽转")), text
    async with house.context.store.read() as tx:
        assert await warnings.latest(tx) == []


@pytest.mark.long
async def test_when_the_wind_turns_other_villages_are_shown(house: House) -> None:
    south_east, north_west = await previewed(house), await previewed(house, bearing_deg=315)
    assert {village[:9] for village in north_west["villages"]}.isdisjoint({DOWNWIND})
    both = set(south_east["villages"]) & set(north_west["villages"])
    assert {village[:9] for village in both} == {PARK}, "round the source everybody is told whatever the wind"


@pytest.mark.long
async def test_a_plume_that_cannot_be_is_refused_by_its_place_in_the_message(house: House) -> None:
    seen = await previewed(house, radius_km=80)
    assert (seen["verdict"], seen["code"]) == ("reject", 213)
    assert "areas.0.sectors.0：扇形的 radius_km 是 80，应在 0.1 到 50 之间" in seen["reason"]
