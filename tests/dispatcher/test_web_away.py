"""The database is away: whoever brings something is asked to come again, whoever looks is told, nobody waits for long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlencode

import aiohttp
import pytest
from twilio.request_validator import RequestValidator

from dispatcher.web.problems import RETRY_AFTER_S
from tests.browser.standing import TOKEN, TWILIO_TOKEN, cap, without_database

KEY = f"{'0' * 32}.officer-JA00001.sms.0"


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session:
        yield session


async def test_a_warning_and_a_receipt_are_asked_to_come_again(http: aiohttp.ClientSession) -> None:
    async with without_database() as url:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/cap+xml"}
        for more in ({}, {"Idempotency-Key": "1"}):
            async with http.post(f"{url}/api/v1/warnings", data=cap(), headers={**headers, **more}) as answer:
                said = await answer.json(content_type=None)
                assert (answer.status, said["code"], answer.headers["Retry-After"]) == (
                    503,
                    "unavailable",
                    RETRY_AFTER_S,
                )
        receipt = f"{url}/api/v1/callbacks/sms/twilio/{KEY}"
        form = {"MessageSid": "SM1", "MessageStatus": "delivered", "AccountSid": "AC1"}
        signed = RequestValidator(TWILIO_TOKEN).compute_signature(receipt, form)
        headers = {"X-Twilio-Signature": signed, "Content-Type": "application/x-www-form-urlencoded"}
        async with http.post(receipt, data=urlencode(form), headers=headers) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, RETRY_AFTER_S)


async def test_a_reader_is_told_in_words_and_health_says_which(http: aiohttp.ClientSession) -> None:
    async with without_database() as url:
        for path in ("/api/v1/warnings", f"/api/v1/warnings/{'0' * 32}/deliveries", "/api/v1/rejects"):
            async with http.get(url + path) as answer:
                assert (answer.status, (await answer.json(content_type=None))["code"]) == (503, "unavailable"), path
        async with http.get(url, headers={"Accept": "text/html"}) as answer:
            assert (answer.status, answer.content_type) == (503, "text/html")
            assert "数据库暂时不可用" in await answer.text()
        async with http.get(f"{url}/health/ready") as answer:
            assert (answer.status, (await answer.json())["problems"]) == (503, ["数据库没有应答"])
        async with http.get(f"{url}/health/live") as answer:
            assert answer.status == 200


async def test_a_viewer_of_the_live_stream_is_told_and_stays_connected(http: aiohttp.ClientSession) -> None:
    shown = {"Authorization": f"Bearer {TOKEN}"}
    async with without_database() as url, http.get(f"{url}/api/v1/live", headers=shown) as answer, asyncio.timeout(10):
        lines = [(await answer.content.readline()).decode().strip() for _ in range(7)]
    assert answer.status == 200
    assert "event: trouble" in lines
    assert any(line.startswith("data: 数据库") for line in lines)
