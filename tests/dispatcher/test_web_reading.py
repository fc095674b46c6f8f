"""What the API says of a warning: every row once, the columns add up, no phone, and pages that lose nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from dispatcher.states import DeliveryState
from dispatcher.store.deliveries import Row
from tests.browser.standing import House, cap, code, standing, take_in_hand

KEYS = (
    "delivery_key", "warning_id", "target", "channel", "round", "why", "state", "attempts", "possible_duplicate",
)  # fmt: skip
ATTEMPT_KEYS = ("no", "key", "started", "ended", "outcome", "provider_ref")


@pytest.fixture
async def house(jian_sqlite_url: str) -> AsyncIterator[House]:
    async with standing(jian_sqlite_url) as opened:
        yield opened


def every_fourth_fails(row: Row) -> tuple[DeliveryState, str]:
    return (DeliveryState.FAILED, "30003") if row.pos % 4 == 0 else (DeliveryState.DELIVERED, "")


async def accepted(house: House, **changes: str) -> str:
    _, said, _ = await house.post(cap(**changes))
    return str(said["warning_id"])


async def lines(house: House, path: str) -> tuple[list[Any], Any]:
    status, text, headers = await house.text(path)
    assert status == 200, text
    return [json.loads(line) for line in text.splitlines()], headers


async def test_the_ledger_has_a_line_a_row_with_the_keys_that_stay_stable(house: House) -> None:
    warning_id = await accepted(house)
    _, headers = await lines(house, f"/api/v1/warnings/{warning_id}/deliveries")
    unplanned = int(headers["X-Unplanned"])
    taken = await take_in_hand(house, "sms", every_fourth_fails)
    found, headers = await lines(house, f"/api/v1/warnings/{warning_id}/deliveries")
    assert headers["Content-Type"] == "application/x-ndjson; charset=utf-8"
    assert (len(found), int(headers["X-Unplanned"])) == (taken, unplanned - taken)
    for line in found:
        assert set(KEYS) <= line.keys()
        assert line["delivery_key"] == f"{warning_id}.{line['target']}.{line['channel']}.{line['round']}"
        (attempt,) = line["attempts"]
        assert set(ATTEMPT_KEYS) <= attempt.keys()
        assert attempt["key"] == line["delivery_key"]
    assert {line["state"] for line in found} == {"failed", "delivered"}
    assert len({line["delivery_key"] for line in found}) == taken


async def test_pages_put_together_are_the_whole_ledger(house: House) -> None:
    warning_id = await accepted(house)
    for channel in ("sms", "broadcast", "party"):
        await take_in_hand(house, channel, every_fourth_fails)
    whole, _ = await lines(house, f"/api/v1/warnings/{warning_id}/deliveries")
    put_together: list[Any] = []
    cursor = ""
    while True:
        page, headers = await lines(house, f"/api/v1/warnings/{warning_id}/deliveries?limit=97&cursor={cursor}")
        put_together += page
        cursor = headers.get("X-Next-Cursor", "")
        if not cursor:
            break
        assert len(page) == 97
    assert put_together == whole
    for wrong in ("x", "sms~officer-1", "smoke~officer-1~0", "sms~1~0", "sms~officer-1~one"):
        status, _, _ = await house.text(f"/api/v1/warnings/{warning_id}/deliveries?cursor={wrong}")
        assert status == 400, wrong


async def test_no_phone_number_leaves_the_house(house: House) -> None:
    warning_id = await accepted(house)
    for channel in ("sms", "broadcast", "party"):
        await take_in_hand(house, channel, every_fourth_fails)
    said = ""
    for path in ("", "/deliveries", "/townships", "/why/officer-JA00001"):
        said += (await house.text(f"/api/v1/warnings/{warning_id}{path}"))[1]
    said += (await house.text("/api/v1/gateways"))[1] + (await house.text(f"/warnings/{warning_id}"))[1]
    assert "154****1234" in said, "a provider's own sentence named one"
    assert "15400001234" not in said


async def test_the_columns_add_up_before_during_and_after(house: House) -> None:
    warning_id = await accepted(house)
    for channel in ("", "sms", "broadcast", "party"):
        if channel:
            await take_in_hand(house, channel, every_fourth_fails)
        _, detail, _ = await house.get(f"/api/v1/warnings/{warning_id}")
        _, table, _ = await house.get(f"/api/v1/warnings/{warning_id}/townships")
        total = detail["total"]
        parts = [number for name, number in total.items() if name not in ("planned", "reached")]
        assert total["planned"] == sum(parts) == detail["warning"]["rows_planned"]
        assert table["total"] == total
        for name in total:
            if name != "reached":
                assert sum(tally[name] for tally in detail["channels"].values()) == total[name]
                assert sum(county["county"]["tally"][name] for county in table["counties"]) == total[name]
    assert {one["code"] for one in detail["troubles"]} == {"30003"}


async def test_a_countys_row_holds_its_own_posts_and_marks_who_is_outside(house: House) -> None:
    warning_id = await accepted(house, where=code("360827102"))
    _, table, _ = await house.get(f"/api/v1/warnings/{warning_id}/townships")
    (county,) = table["counties"]
    assert (county["county"]["name"], county["county"]["in_area"]) == ("遂川县", True)
    inside = [one["code"] for one in county["townships"] if one["in_area"]]
    assert inside == ["360827102"]
    of_towns = sum(one["tally"]["planned"] for one in county["townships"])
    assert county["county"]["tally"]["planned"] > of_towns > 0


async def test_the_list_filters_and_pages(house: House) -> None:
    numbers = [await accepted(house, identifier=f"no-{number}", where=code("360827102")) for number in range(3)]
    held = (await house.post(cap("held", where=code("360827102")), "county-token-0123456789"))[1]["warning_id"]
    _, said, _ = await house.get("/api/v1/warnings?limit=2")
    assert [one["id"] for one in said["warnings"]] == [held, numbers[2]]
    _, rest, _ = await house.get(f"/api/v1/warnings?limit=2&before={said['next_before']}")
    assert ([one["id"] for one in rest["warnings"]], rest["next_before"]) == ([numbers[1], numbers[0]], None)
    _, said, _ = await house.get("/api/v1/warnings?state=held")
    assert [one["id"] for one in said["warnings"]] == [held]
    _, said, _ = await house.get("/api/v1/warnings?level=blue")
    assert said["warnings"] == []


async def test_a_chain_shows_all_versions_and_who_ended_whom(house: House) -> None:
    first = await accepted(house, where=code("360827102"))
    _, detail, _ = await house.get(f"/api/v1/warnings/{first}")
    message = detail["message"]
    sent = cap().partition(b"<sent>")[2].partition(b"</sent>")[0].decode()
    reference = f"<references>{message['sender']},{message['identifier']},{sent}</references>"
    second = await accepted(house, identifier="second", kind="Update", references=reference, where=code("360827102"))
    _, detail, _ = await house.get(f"/api/v1/warnings/{first}")
    assert [(one["id"], one["state"]) for one in detail["chain"]] == [(first, "superseded"), (second, "approved")]
    assert detail["chain"][0]["ended_by"] == second
    assert detail["times"]["ended"]
    assert "warning.superseded" in [event["kind"] for event in detail["events"]]


async def test_why_tells_the_rule_the_text_and_the_attempts_or_why_not(house: House) -> None:
    warning_id = await accepted(house, where=code("360827102"))
    await take_in_hand(house, "sms", every_fourth_fails)
    found, _ = await lines(house, f"/api/v1/warnings/{warning_id}/deliveries")
    told = next(line["target"] for line in found if line["target"].startswith("officer"))
    _, said, _ = await house.get(f"/api/v1/warnings/{warning_id}/why/{told}")
    (story,) = said["told"]
    assert "暴雨" in story["text"]
    assert story["why_text"]
    assert len(story["attempts"]) == 1
    register = await house.context.register()
    outside = next(f"officer-{one.id}" for one in register.officers.values() if f"officer-{one.id}" not in
                   {line["target"] for line in found})  # fmt: skip
    _, said, _ = await house.get(f"/api/v1/warnings/{warning_id}/why/{outside}")
    assert said["told"] == []
    assert said["reason"]
    assert (await house.get(f"/api/v1/warnings/{warning_id}/why/nobody"))[0] == 404
    assert (await house.get(f"/api/v1/warnings/{'0' * 32}/why/{told}"))[0] == 404


async def test_a_gateway_shows_every_packet_and_its_answer_once(house: House) -> None:
    numbers = [await accepted(house, identifier=f"no-{number}", where=code("360827102")) for number in range(3)]
    for _ in numbers:
        await take_in_hand(house, "broadcast", lambda _row: (DeliveryState.DELIVERED, ""))
    _, said, _ = await house.get("/api/v1/gateways")
    assert len(said["gateways"]) == 266
    assert said["synthetic"] is True
    ledger, _ = await lines(house, f"/api/v1/warnings/{numbers[0]}/deliveries")
    gateway = next(line["target"] for line in ledger if line["channel"] == "broadcast").removeprefix("gateway-")
    whole, _ = await lines(house, f"/api/v1/gateways/{gateway}/commands")
    assert [line["warning_id"] for line in whole] == numbers
    assert all(line["ebm_id"] and line["trace"] and line["outcome"] == "accepted" for line in whole)
    one, headers = await lines(house, f"/api/v1/gateways/{gateway}/commands?limit=2")
    two, rest = await lines(house, f"/api/v1/gateways/{gateway}/commands?limit=2&cursor={headers['X-Next-Cursor']}")
    assert one + two == whole
    assert "X-Next-Cursor" not in rest
    assert (await house.text("/api/v1/gateways/GW360800/commands"))[0:2] == (200, "")


async def test_refused_messages_are_listed_without_their_bytes(house: House) -> None:
    for number in range(3):
        await house.post(b"rubbish %d" % number)
    _, said, _ = await house.get("/api/v1/rejects?limit=2")
    assert len(said["rejects"]) == 2
    assert said["rejects"][0]["size"] == len(b"rubbish 0")
    assert "rubbish" not in json.dumps(said)
    _, rest, _ = await house.get(f"/api/v1/rejects?before={said['next_before']}")
    assert (len(rest["rejects"]), rest["next_before"]) == (1, None)
