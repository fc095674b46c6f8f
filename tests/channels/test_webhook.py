"""Standard Webhooks to party platforms."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace
from standardwebhooks.webhooks import Webhook

from channels.catalog import build
from channels.contract import Accepted, Blame, Refused
from channels.party.webhook import LIMIT, event
from channels.transport import Transport
from dispatcher.model import BEIJING
from dispatcher.rehearsal.server import Options, playing
from tests.channels.conformance import NOW, Fault, bulletin, facing
from tests.channels.subjects import PUBLIC, SUBJECTS, WHSEC, webhook, webhook_message

SUBJECT = SUBJECTS["party", "webhook"]
NEW = "whsec_" + base64.b64encode(b"n" * 32).decode()


def test_the_event_says_what_a_platform_needs() -> None:
    said = json.loads(event(webhook_message(""), NOW))
    assert (said["type"], said["timestamp"]) == ("warning.issued", "2026-06-18T14:30:00+00:00")
    assert said["data"]["areas"] == ["360827100201"]
    assert (said["data"]["level"], said["data"]["drill"], said["data"]["text"]) == (
        "red",
        False,
        webhook_message("").text,
    )
    cancel = replace(webhook_message(""), bulletin=bulletin(kind="Cancel"))
    assert json.loads(event(cancel, NOW))["type"] == "warning.cancelled"


async def test_both_secrets_sign_during_a_rotation(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    for known in (WHSEC, NEW):
        options = Options(folder=tmp_path, account="AC1", token="t", secrets={"p1": [known]})
        async with playing(options) as city:
            transport = Transport(loopback_only=True)
            message = replace(webhook_message(city.url("platform")), secrets=(WHSEC, NEW))
            (outcome,) = await webhook("", transport).send([message], now)
            await transport.close()
        assert isinstance(outcome, Accepted)
        assert outcome.delivered


async def test_a_time_in_beijing_is_signed_right(tmp_path: Path) -> None:
    """The library forgets the zone of an aware time: eight hours off would be refused everywhere."""
    options = Options(folder=tmp_path, account="AC1", token="t", secrets={"p1": [WHSEC]})
    async with playing(options) as city:
        transport = Transport(loopback_only=True)
        paced = webhook("", transport)
        (outcome,) = await paced.send([webhook_message(city.url("platform"))], datetime.now(BEIJING))
        await transport.close()
    assert isinstance(outcome, Accepted)


def test_the_signature_is_the_standards() -> None:
    key = base64.b64decode(WHSEC.removeprefix("whsec_"))
    body = event(webhook_message(""), NOW)
    by_hand = hmac.new(key, f"msg_1.{int(NOW.timestamp())}.{body}".encode(), hashlib.sha256).digest()
    assert Webhook(WHSEC).sign("msg_1", NOW, body) == "v1," + base64.b64encode(by_hand).decode()


async def test_a_forged_event_is_turned_away_by_the_platform(tmp_path: Path) -> None:
    options = Options(folder=tmp_path, account="AC1", token="t", secrets={"p1": [NEW]})
    async with playing(options) as city:
        transport = Transport(loopback_only=True)
        paced = webhook("", transport)
        (outcome,) = await paced.send([webhook_message(city.url("platform"))], datetime.now(UTC))
        await transport.close()
    assert isinstance(outcome, Refused)
    assert outcome.blame is Blame.ADDRESS


@pytest.mark.parametrize("secrets", [(), ("",), ("whsec_",), ("whsec_é",)])
async def test_an_endpoint_without_a_secret_gets_nothing(secrets: tuple[str, ...]) -> None:
    async with facing(SUBJECT, Fault.NONE) as (paced, peer):
        (outcome,) = await paced.send([replace(webhook_message(peer.url), secrets=secrets)], NOW)
        assert not peer.lines
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.blame) == ("no_secret", Blame.ACCOUNT)


async def test_410_ends_the_endpoint_and_an_event_too_large_is_never_sent() -> None:
    async with facing(SUBJECT, Fault.REFUSES) as (paced, peer):
        (outcome,) = await paced.send([webhook_message(peer.url)], NOW)
        assert isinstance(outcome, Refused)
        assert (outcome.code, outcome.blame) == ("gone", Blame.ADDRESS)
        (large,) = await paced.send([replace(webhook_message(peer.url), text="转" * LIMIT)], NOW)
        assert isinstance(large, Refused)
        assert large.code == "too_large"
        assert len(peer.lines) == 1


async def test_a_strangers_inner_address_is_refused_in_production() -> None:
    transport = Transport()
    paced = build("party", "webhook", {}, transport, PUBLIC)
    for url in ("http://127.0.0.1:9", "https://10.0.0.8", "https://169.254.169.254", "http://party.example"):
        (outcome,) = await paced.send([webhook_message(url)], NOW)
        assert isinstance(outcome, Refused)
        assert outcome.code == "forbidden_address"
    await transport.close()


async def test_five_hundred_villages_fit_into_one_event() -> None:
    villages = tuple(f"3608271{number:05d}" for number in range(500))
    message = replace(webhook_message(""), areas=villages, text="转移" * 500)
    assert len(event(message, NOW).encode()) < LIMIT
