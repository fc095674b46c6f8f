"""Receipts by HTTP: believed only when signed, answered only after the commit, and never able to take a state back."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from io import BytesIO
from urllib.parse import quote, urlencode

import pytest
from prometheus_client import CollectorRegistry
from twilio.request_validator import RequestValidator

from dispatcher.states import DeliveryState
from dispatcher.store import ledger
from dispatcher.telemetry import REGISTRY
from tests.browser.standing import (
    DRILL_SMS,
    DRILL_TOKEN,
    TOKEN,
    TWILIO_DRILL_TOKEN,
    TWILIO_TOKEN,
    House,
    cap,
    code,
    standing,
    take_in_hand,
)

PATH = "/api/v1/callbacks/sms/twilio/"


@pytest.fixture
async def house(jian_sqlite_url: str) -> AsyncIterator[House]:
    async with standing(jian_sqlite_url) as opened:
        yield opened


async def sent(house: House, *, drill: bool = False) -> list[str]:
    """The keys of a small warning's SMS, all sent and waiting for their receipt."""
    status, token = ("Exercise", DRILL_TOKEN) if drill else ("Actual", TOKEN)
    _, said, _ = await house.post(cap(f"W{drill}", status=status, where=code("360827102")), token)
    await take_in_hand(house, "sms", lambda _row: (DeliveryState.SENT, ""), drill=drill)
    async with house.context.store.read() as tx:
        entries = await ledger.page(tx, said["warning_id"], None)
    return [f"{entry.warning_id}.{entry.target}.sms.0" for entry in entries]


async def state_of(house: House, key: str) -> tuple[str, str]:
    warning_id, target, _, _ = key.split(".")
    async with house.context.store.read() as tx:
        (entry,) = await ledger.of_target(tx, warning_id, target)
    return entry.state.label, entry.state_code


async def report(house: House, key: str, word: str, **more: str) -> tuple[int, str]:
    """As Twilio calls: the URL it was given, a form, and the signature over both. `token`: of which account."""
    form = {"MessageSid": "SM1", "MessageStatus": word, "AccountSid": "AC1"}
    signature, token, name = (
        more.pop(given, other) for given, other in (("signature", ""), ("token", TWILIO_TOKEN), ("name", "twilio"))
    )
    form.update(more)
    url = f"{house.url}/api/v1/callbacks/sms/{name}/{quote(key, safe='')}"
    signed = RequestValidator(token).compute_signature(url, form)
    headers = {"X-Twilio-Signature": signature or signed, "Content-Type": "application/x-www-form-urlencoded"}
    async with house.http.post(url, data=urlencode(form), headers=headers) as answer:
        return answer.status, await answer.text()


def number(name: str, **labels: str) -> float:
    registry: CollectorRegistry = REGISTRY
    return registry.get_sample_value(name, labels) or 0.0


async def test_a_signed_receipt_is_in_the_ledger_when_the_provider_reads_its_answer(house: House) -> None:
    first, second, *_ = await sent(house)
    assert await report(house, first, "delivered") == (204, "")
    assert await state_of(house, first) == ("delivered", "")
    assert (await report(house, second, "undelivered", ErrorCode="30003"))[0] == 204
    assert await state_of(house, second) == ("undelivered", "30003")


@pytest.mark.long
async def test_receipts_twice_late_and_out_of_order_only_move_forward(house: House) -> None:
    key, *_ = await sent(house)
    for word in ("delivered", "sent", "delivered", "failed", "queued"):
        assert (await report(house, key, word, ErrorCode="30008" if word == "failed" else ""))[0] == 204
        assert (await state_of(house, key))[0] == "delivered"
    async with house.context.store.read() as tx:
        heard = await ledger.receipts_of(tx, key.split(".", maxsplit=1)[0], key.split(".")[1])
    assert len(heard) == 5, "all of them stand on record"


async def test_a_forged_receipt_is_counted_and_changes_nothing(house: House) -> None:
    key, other, *_ = await sent(house)
    before = number("mingluo_callbacks_forged_total", provider="twilio")
    for forged in ("", "bm9ib2R5", "x" * 8000):
        status, said = await report(house, key, "delivered", signature=forged or "none")
        assert (status, '"forged"' in said) == (401, True)
    form = {"MessageSid": "SM1", "MessageStatus": "delivered", "AccountSid": "AC1"}
    for_another = RequestValidator(TWILIO_TOKEN).compute_signature(f"{house.url}{PATH}{other}", form)
    assert (await report(house, key, "delivered", signature=for_another))[0] == 401
    assert number("mingluo_callbacks_forged_total", provider="twilio") == before + 4
    assert await state_of(house, key) == ("sent", "")


@pytest.mark.long
async def test_a_drills_provider_is_found_by_its_name_and_speaks_for_drills_alone(jian_sqlite_url: str) -> None:
    practice = {"name": "twilio_drill", "token": TWILIO_DRILL_TOKEN, "AccountSid": "AC2"}
    listed = ", ".join(f"J{post}{number:05d}" for post in "AB" for number in range(1, 1000))
    async with standing(jian_sqlite_url, **DRILL_SMS, MINGLUO_DRILLS__PARTICIPANTS=f"[{listed}]") as house:
        (real, *_), practised = await sent(house), await sent(house, drill=True)
        drill = next(key for key in practised if ".officer-" in key)
        assert (await report(house, drill, "delivered", name="twilio_drill", token=TWILIO_TOKEN))[0] == 401
        assert (await report(house, real, "delivered", token=TWILIO_DRILL_TOKEN))[0] == 401
        assert (await report(house, real, "delivered", **practice))[0] == 204
        assert (await report(house, drill, "delivered"))[0] == 204
        assert await state_of(house, real) == await state_of(house, drill) == ("sent", "")
        assert (await report(house, drill, "delivered", **practice))[0] == 204
        assert (await report(house, real, "delivered"))[0] == 204
        assert await state_of(house, real) == await state_of(house, drill) == ("delivered", "")


async def test_what_cannot_be_read_is_answered_400_and_who_is_not_there_404(house: House) -> None:
    key, *_ = await sent(house)
    url = f"{house.url}{PATH}{key}"
    async with house.http.post(url, data=b"\xff\xfe\x00") as answer:
        assert (answer.status, (await answer.json(content_type=None))["code"]) == (400, "malformed")
    for path in ("sms/nobody/x", "smoke/twilio/x", "party/webhook/x", "sms/twilio"):
        async with house.http.post(f"{house.url}/api/v1/callbacks/{path}", data=b"") as answer:
            assert answer.status == 404, path
    for body in (BytesIO(bytes(1024 * 1024 + 1)), _without_length(1024 * 1024 + 1)):
        async with house.http.post(url, data=body) as answer:
            assert answer.status == 413


async def _without_length(size: int) -> AsyncIterator[bytes]:
    yield bytes(size)


async def test_a_receipt_for_nobody_is_answered_and_counted_apart(house: House) -> None:
    before = number("mingluo_receipts_total", channel="sms", known="no")
    assert (await report(house, "no-key-at-all", "delivered"))[0] == 204
    assert number("mingluo_receipts_total", channel="sms", known="no") == before + 1


async def test_a_hundred_receipts_at_once_are_all_committed(house: House) -> None:
    keys = await sent(house)
    answers = await asyncio.gather(*(report(house, key, "delivered") for key in keys))
    assert {status for status, _ in answers} == {204}
    assert {await state_of(house, key) for key in keys} == {("delivered", "")}


@pytest.mark.long
async def test_a_database_that_cannot_write_makes_the_provider_come_again_and_nothing_is_lost(house: House) -> None:
    key, *_ = await sent(house)
    path = house.context.settings.service.database_url.partition(":///")[2]
    with closing(sqlite3.connect(path, isolation_level=None)) as another:
        another.execute("BEGIN IMMEDIATE")
        assert (await report(house, key, "delivered"))[0] == 503
        assert await state_of(house, key) == ("sent", "")
        another.execute("ROLLBACK")  # and what was not committed in time may be now
    assert (await report(house, key, "delivered"))[0] == 204
    assert await state_of(house, key) == ("delivered", "")


async def test_behind_a_proxy_the_signature_is_over_the_public_url(jian_sqlite_url: str) -> None:
    async with standing(jian_sqlite_url, MINGLUO_PUBLIC_URL="https://console.jian.example/mingluo") as house:
        key, *_ = await sent(house)
        form = {"MessageSid": "SM1", "MessageStatus": "delivered", "AccountSid": "AC1"}
        public = f"https://console.jian.example/mingluo{PATH}{key}"
        signature = RequestValidator(TWILIO_TOKEN).compute_signature(public, form)
        headers = {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"}
        url = f"{house.url}{PATH}{key}"
        async with house.http.post(url, data=urlencode(form), headers=headers) as answer:
            assert answer.status == 204
        assert (await report(house, key, "failed"))[0] == 401, "signed for the inner address"
        assert await state_of(house, key) == ("delivered", "")
