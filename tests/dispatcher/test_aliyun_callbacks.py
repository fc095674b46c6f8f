"""Aliyun's pushes by HTTP: believed only at the address with the token, answered only after the commit."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import select

from dispatcher.model import Channel
from dispatcher.states import DeliveryState
from dispatcher.store import ledger, tables, uplinks
from dispatcher.telemetry import REGISTRY
from tests.browser.standing import SEAL, House, cap, code, standing, take_in_hand

TOKEN = "nobody-guesses-0123456789"
ACCOUNT = {
    "MINGLUO_ALIYUN_ACCESS_KEY_ID": "LTAI1",
    "MINGLUO_ALIYUN_ACCESS_KEY_SECRET": "secret",
    "MINGLUO_ALIYUN_SIGN_NAME": "吉安应急",
    "MINGLUO_ALIYUN_TEMPLATE_CODE": "SMS_1",
    "MINGLUO_ALIYUN_CALLBACK_TOKEN": TOKEN,
}


@pytest.fixture
async def house(jian_sqlite_url: str) -> AsyncIterator[House]:
    async with standing(jian_sqlite_url, **ACCOUNT) as opened:
        yield opened


async def push(house: House, *items: dict[str, Any], token: str = TOKEN) -> tuple[int, Any]:
    url = f"{house.url}/api/v1/callbacks/sms/aliyun/{token}"
    async with house.http.post(url, data=json.dumps(items), headers={"Content-Type": "application/json"}) as answer:
        return answer.status, await answer.json(content_type=None)


async def sent(house: House) -> tuple[str, dict[str, str]]:
    """A small warning whose SMS are sent: its id, and the officers' targets with their phones."""
    _, said, _ = await house.post(cap(where=code("360827102")))
    await take_in_hand(house, "sms", lambda _row: (DeliveryState.SENT, ""))
    async with house.context.store.read() as tx:
        told = {entry.target for entry in await ledger.page(tx, said["warning_id"], None)}
        rows = await tx.execute(select(tables.officers.c.id, tables.officers.c.phone))
        phones = {f"officer-{row.id}": SEAL.open(row.phone) for row in rows if f"officer-{row.id}" in told}
    return said["warning_id"], phones


def report(warning_id: str, phone: str, **changes: Any) -> dict[str, Any]:
    return {"phone_number": phone[3:], "success": True, "err_code": "DELIVERED", "biz_id": "9^0", **changes} | {
        "out_id": f"{warning_id}.0123456789abcdef"
    }


async def state_of(house: House, warning_id: str, target: str) -> tuple[str, str]:
    async with house.context.store.read() as tx:
        (entry,) = await ledger.of_target(tx, warning_id, target)
    return entry.state.label, entry.state_code


def number(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_a_push_is_in_the_ledger_when_aliyun_reads_its_answer(house: House) -> None:
    warning_id, phones = await sent(house)
    (first, its), (second, others), *_ = phones.items()
    bad = report(warning_id, others, success=False, err_code="MOBILE_NOT_ON_SERVICE")
    before = number("mingluo_receipts_total", channel="sms", known="no")
    stranger = report("no-such-warning", its)
    assert await push(house, report(warning_id, its), bad, stranger) == (200, {"code": 0, "msg": "成功"})
    assert await state_of(house, warning_id, first) == ("delivered", "")
    assert await state_of(house, warning_id, second) == ("undelivered", "MOBILE_NOT_ON_SERVICE")
    assert number("mingluo_receipts_total", channel="sms", known="no") == before + 1
    assert (await push(house, bad, report(warning_id, its)))[0] == 200
    assert await state_of(house, warning_id, first) == ("delivered", "")


async def test_a_push_without_the_token_is_counted_and_changes_nothing(house: House) -> None:
    warning_id, phones = await sent(house)
    (target, phone), *_ = phones.items()
    before = number("mingluo_callbacks_forged_total", provider="aliyun")
    for token in ("", TOKEN[:-1], TOKEN + "x", "x"):
        assert (await push(house, report(warning_id, phone), token=token))[0] == 401
    assert number("mingluo_callbacks_forged_total", provider="aliyun") == before + 4
    assert await state_of(house, warning_id, target) == ("sent", "")
    assert (await push(house, {"what": "is this"}))[0] == 400


async def test_a_reply_is_kept_before_aliyun_is_answered_and_a_repetition_is_kept_once(house: House) -> None:
    said = {"phone_number": "15400000001", "content": "收到", "send_time": "2026-06-18 22:31:00", "dest_code": "12"}
    before = number("mingluo_uplinks_total", provider="aliyun")
    for _ in range(2):
        assert await push(house, {**said, "sequence_id": "77"}) == (200, {"code": 0, "msg": "成功"})
    async with house.context.store.read() as tx:
        (kept,) = await uplinks.from_phone(tx, house.context.seal, "+8615400000001")
    assert (kept.channel, kept.provider, kept.number, kept.text) == ("sms", "aliyun", "77", "收到")
    assert number("mingluo_uplinks_total", provider="aliyun") == before + 1


@pytest.mark.long
async def test_a_database_that_cannot_write_makes_aliyun_come_again_and_no_reply_is_lost(house: House) -> None:
    said = {"phone_number": "15400000001", "content": "收到", "sequence_id": "78"}
    path = house.context.settings.service.database_url.partition(":///")[2]
    with closing(sqlite3.connect(path, isolation_level=None)) as another:
        another.execute("BEGIN IMMEDIATE")
        assert (await push(house, said))[0] == 503
        another.execute("ROLLBACK")
    assert (await push(house, said))[0] == 200
    async with house.context.store.read() as tx:
        assert len(await uplinks.from_phone(tx, house.context.seal, "+8615400000001")) == 1


async def test_aliyun_goes_first_and_twilio_is_its_reserve(house: House) -> None:
    wires = house.service.parts.providers.wires()
    assert [wire.name for wire in wires[Channel.SMS, False]] == ["aliyun", "twilio"]
    assert not any(drill for _, drill in wires), "nobody has set an account for drills"
