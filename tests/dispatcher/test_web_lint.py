"""The lint by its own door: the three formats, the texts as people would get them, within a typist's patience; it holds
nothing and writes nothing."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest

from dispatcher.model import BEIJING
from dispatcher.store import rejects, warnings
from tests.browser.standing import HELD_TOKEN, SENT, TOKEN, House, cap, code, standing
from tests.dispatcher.test_intake_amp import ALERT, AREA

PATH = "/api/v1/warnings/lint"
PATIENCE_MS = 20
AMP = ALERT.format(
    root="alert", identifier="36080041600000_20210628143000", sendTime="2021-06-28 14:30:00+08:00", status="Actual",
    msgType="Alert", secret="None", note="", references="", eventType="11B03", severity="Red", certainty="Unknown",
    headline="吉安市气象局发布暴雨橙色预警", area=AREA.format(polygon="", circle="", geocode="360802000000"),
).encode()  # fmt: skip
NATIVE = {
    "sender": "36080041600000",
    "identifier": "json-1",
    "sent": SENT.isoformat(),
    "status": "Actual",
    "kind": "Alert",
    "event": "暴雨",
    "level": "red",
    "sender_name": "吉安市气象台",
    "headline": "吉安市气象台发布暴雨红色预警",
    "description": "碧洲镇三小时内有大暴雨，山洪风险高。",
    "areas": [{"description": "碧洲镇", "geocodes": ["360827102"]}],
}


@pytest.fixture
async def house(jian_sqlite_url: str) -> AsyncIterator[House]:
    async with standing(jian_sqlite_url) as opened:
        yield opened


async def linted(house: House, body: bytes, content_type: str = "application/cap+xml") -> Any:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": content_type}
    async with house.http.post(house.url + PATH, data=body, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


def rules(said: Any) -> dict[str, Any]:
    return {remark["rule"]: remark for remark in said["remarks"]}


async def test_of_a_warning_that_is_well_written_only_the_texts_come_back(house: House) -> None:
    said = await linted(house, cap(where=code("360827102")))
    assert (said["remarks"], said["findings"]) == ([], [])
    assert {text["channel"] for text in said["texts"]} == {"sms", "broadcast", "party"}
    for text in said["texts"]:
        assert "遂川县碧洲镇" in text["text"]
        assert text["units"] == len(text["text"])
        assert (text["segments"] > 0) == (text["channel"] == "sms")
        assert (text["seconds"] > 0) == (text["channel"] == "broadcast")
        assert text["lost"] == ""


async def test_each_format_is_read_as_at_the_other_doors(house: House) -> None:
    assert set(rules(await linted(house, AMP, "application/xml"))) == {"mixed_levels"}
    native = "application/vnd.mingluo.warning+json"
    said = rules(await linted(house, json.dumps(NATIVE).encode(), native))
    assert {rule: remark["severity"] for rule, remark in said.items()} == {"time": "note", "action": "note"}


@pytest.mark.long
async def test_what_does_not_fit_comes_back_with_the_part_that_is_lost(house: House) -> None:
    long = cap(where=code("360827102")).replace(
        "<senderName>吉安市气象台".encode(), f"<senderName>{'吉安市气象台' * 30}".encode()
    )
    said = await linted(house, long)
    assert [text for text in said["texts"] if text["lost"]] == []
    assert rules(said)["segments"]["field"] == "sms"
    longer = long.replace("吉安市气象台".encode(), "吉安市气象台及遂川县气象局".encode())
    said = await linted(house, longer)
    assert all(text["segments"] == 5 for text in said["texts"] if text["lost"])
    assert any("应转尽转" in text["lost"] for text in said["texts"])
    assert rules(said)["cut"]["severity"] == "warn"


async def test_the_longest_name_in_the_area_stands_in_the_texts(house: House) -> None:
    register = await house.context.register()
    longest = max(
        len(register.areas[area.parent].name + area.name)
        for area in register.areas.values()
        if area.level == "township" and area.code.startswith("360827")
    )
    said = await linted(house, cap(where=code("360827")))
    places = {text["text"].split("：")[1].split("。")[0] for text in said["texts"] if text["channel"] == "sms"}
    assert {len(place) for place in places} == {longest}


async def test_a_cancel_without_words_borrows_those_of_what_it_calls_off(house: House) -> None:
    _, first, _ = await house.post(cap(where=code("360827102")))
    assert first["verdict"] == "accept"
    sent = SENT.astimezone(BEIJING)
    cancel = f"""<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>off</identifier>
<sender>36080041600000</sender><sent>{(sent + timedelta(minutes=1)).isoformat()}</sent><status>Actual</status>
<msgType>Cancel</msgType><scope>Public</scope>
<references>36080041600000,36080041600000_20260403023830,{sent.isoformat()}</references></alert>"""
    said = await linted(house, cancel.encode())
    assert said["remarks"] == []
    assert all("吉安市气象台" in text["text"] for text in said["texts"])
    assert any("解除暴雨红色预警（遂川县碧洲镇）" in text["text"] for text in said["texts"])
    assert [text["to"] for text in said["texts"] if text["channel"] == "sms"] == ["岗位人员", "住户"]


async def test_bytes_nobody_can_read_say_why_and_nothing_of_their_words(house: House) -> None:
    said = await linted(house, b"<alert")
    assert (said["remarks"], said["texts"]) == ([], [])
    assert said["findings"][0]["code"] == 220


async def test_a_warning_whose_level_nobody_knows_is_still_read(house: House) -> None:
    said = await linted(house, json.dumps({**NATIVE, "level": None, "event": "不知什么"}).encode(), "application/json")
    assert said["texts"] == []
    assert "action" in rules(said)


async def test_only_a_source_may_ask(house: House) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {HELD_TOKEN}"}):
        async with house.http.post(house.url + PATH, data=cap(), headers=headers) as answer:
            assert answer.status == 401, headers
    async with house.http.get(house.url + PATH) as answer:
        assert answer.status == 404, "no warning has this id"


async def test_nothing_is_written_and_nothing_is_held(house: House) -> None:
    mixed = cap(headline="吉安市气象台发布高温红色预警", where=code("360827102"))
    assert "mixed_hazards" in rules(await linted(house, mixed))
    async with house.context.store.read() as tx:
        assert (await warnings.latest(tx), await rejects.latest(tx)) == ([], [])
    status, said, _ = await house.post(mixed)
    assert (status, said["verdict"], said["findings"]) == (202, "accept", [])
    _, detail, _ = await house.get(f"/api/v1/warnings/{said['warning_id']}")
    assert "mixed_hazards" in rules(detail), "whoever looks later is told too"


async def test_a_preview_says_the_same(house: House) -> None:
    body = cap(headline="吉安市气象台发布高温红色预警[Ⅱ级/严重]", where=code("360827102"))
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/cap+xml"}
    async with house.http.post(f"{house.url}/api/v1/warnings/preview", data=body, headers=headers) as answer:
        seen = await answer.json()
    assert seen["remarks"] == (await linted(house, body))["remarks"] != []


async def test_a_red_for_the_whole_city_is_read_within_a_typists_patience(
    house: House, measured: Callable[[str], None]
) -> None:
    """By the processor's time of both sides, so that a busy machine is no fault of ours."""
    took, worked = [], []
    for _ in range(15):
        begun, busy = time.perf_counter(), time.process_time()
        said = await linted(house, cap())
        took.append((time.perf_counter() - begun) * 1000)
        worked.append((time.process_time() - busy) * 1000)
    assert len(said["texts"]) == 10
    measured(f"全市红色预警的文字检查：最快 {min(took):.1f} ms，中位 {sorted(took)[7]:.1f} ms（限 {PATIENCE_MS}）")
    assert min(worked) < PATIENCE_MS
