"""The players of the city, met as the service meets them: through the real providers, over real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from msgspec.structs import replace

from channels.catalog import build
from channels.contract import (
    Accepted,
    Bulletin,
    Callback,
    Message,
    NotKnown,
    Outcome,
    Receipt,
    ReceiptState,
    Refused,
    TryAgain,
)
from channels.pacing import Paced
from channels.transport import Transport
from dispatcher.rehearsal.faults import Faults
from dispatcher.rehearsal.log import digest
from dispatcher.rehearsal.server import City, Options, playing

NOW = datetime.now(UTC)
EBRID = "33608000000000101010101"
GATEWAY = "43608270000000103140101"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BULLETIN = Bulletin(
    warning_id="w1",
    chain_id="w1",
    identifier="i1",
    kind="Alert",
    drill=False,
    test=False,
    level="red",
    rank=1,
    event="暴雨",
    event_code="11B03",
    headline="暴雨红色预警",
    sender="36080041600000",
    sender_name="吉安市气象台",
    sent=NOW,
    starts=NOW,
    expires=NOW + timedelta(hours=3),
    broadcast_id=EBRID + "202606180001",
)
SETTINGS: dict[str, dict[str, Any]] = {
    "sms": {"kind": "twilio", "account_sid": "AC1", "auth_token": "t", "sender": "+15005550006"},
    "broadcast": {"kind": "ebm", "ebrid": EBRID, "sender_code": "1", "secret": "s"},
    "party": {"kind": "webhook"},
}
PLAYERS = {"sms": "sms", "broadcast": "gateway", "party": "platform"}


class House:
    """The service's side: its providers, and a door for what is reported back."""

    def __init__(self, city: City, public: str, transport: Transport) -> None:
        self.city = city
        self.heard: asyncio.Queue[Receipt] = asyncio.Queue()
        self.deaf = 0
        self.ways = {
            channel: build(
                channel,
                given["kind"],
                {"timeout_s": 0.5, "base_url": city.url(PLAYERS[channel]), **given},
                transport,
                public,
            )
            for channel, given in SETTINGS.items()
        }

    def way(self, channel: str) -> Paced:
        return self.ways[channel]

    async def send(self, channel: str, message: Message) -> Outcome:
        (outcome,) = await self.ways[channel].send([message], datetime.now(UTC))
        return outcome

    async def door(self, request: web.BaseRequest) -> web.Response:
        if self.deaf > 0:
            self.deaf -= 1
            return web.Response(status=503)
        channel, _, token = request.path.split("/", 4)[2:]
        callback = Callback(
            method="POST",
            url=str(request.url),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.read(),
            token=token,
        )
        reader = self.ways[channel].reads
        assert reader is not None
        reading = reader.read(callback, datetime.now(UTC))
        reply = reading.reply
        for receipt in reading.receipts:
            self.heard.put_nowait(receipt)
        return web.Response(
            status=reply.status, body=reply.body, content_type=reply.content_type, headers=dict(reply.headers)
        )

    async def hear(self, count: int) -> list[Receipt]:
        async with asyncio.timeout(5):
            return [await self.heard.get() for _ in range(count)]


@asynccontextmanager
async def house(folder: Path, **faults: Faults) -> AsyncIterator[House]:
    options = Options(folder=folder, account="AC1", token="t", secrets={"p1": [SECRET]}, faults=faults)
    async with playing(options) as city:
        transport = Transport(loopback_only=True)
        found: list[House] = []

        async def door(request: web.BaseRequest) -> web.Response:
            return await found[0].door(request)

        runner = web.ServerRunner(web.Server(door))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        found.append(House(city, f"http://127.0.0.1:{runner.addresses[0][1]}/cb", transport))
        try:
            yield found[0]
        finally:
            await transport.close()
            await runner.cleanup()


def sms(number: int = 1) -> Message:
    return Message(
        id=f"w1.officer-{number}.sms.0", to=f"+86154{number:08d}", text="【吉安应急】立即转移", bulletin=BULLETIN
    )


def broadcast() -> Message:
    return Message(
        id="w1.gateway-1.broadcast.0",
        to="/gateways/g1",
        peer=GATEWAY,
        areas=("360827100201",),
        serial=3,
        text="立即转移",
        bulletin=BULLETIN,
    )


def party() -> Message:
    return Message(
        id="w1.endpoint-p1.party.0",
        to="/platforms/p1",
        peer="p1",
        text="立即到岗",
        secrets=(SECRET,),
        bulletin=BULLETIN,
    )


MESSAGES = {"sms": sms(), "broadcast": broadcast(), "party": party()}


def lines(folder: Path, player: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{player}.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.long
async def test_every_player_writes_down_what_it_took_before_it_answers(tmp_path: Path) -> None:
    async with house(tmp_path, **{name: Faults(hang=1) for name in PLAYERS.values()}) as here:
        for channel, message in MESSAGES.items():
            assert isinstance(await here.send(channel, message), NotKnown)
            (line,) = lines(tmp_path, PLAYERS[channel])
            assert (line["text"], line["digest"]) == (message.text, digest(message.text))
            assert line["drill"] is False
            assert datetime.fromisoformat(line["at"]).tzinfo is not None
    assert [lines(tmp_path, player)[0]["recipient"] for player in PLAYERS.values()] == [sms().to, GATEWAY, "p1"]
    assert lines(tmp_path, "sms")[0]["key"] == sms().id
    assert lines(tmp_path, "platform")[0]["key"] == party().id
    assert lines(tmp_path, "gateway")[0]["ebm_id"] == BULLETIN.broadcast_id


async def test_twilio_reports_sent_then_delivered_under_its_signature(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        outcome = await here.send("sms", sms())
        assert isinstance(outcome, Accepted)
        receipts = await here.hear(2)
    assert [one.state for one in receipts] == [ReceiptState.SENT, ReceiptState.DELIVERED]
    assert {(one.id, one.ref) for one in receipts} == {(sms().id, outcome.ref)}


async def test_reports_are_repeated_until_the_service_is_back(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        here.deaf = 3
        await here.send("sms", sms())
        assert {one.state for one in await here.hear(2)} == {ReceiptState.SENT, ReceiptState.DELIVERED}
        assert here.city.sms.reports.counts["planned"] == 2


async def test_a_gateway_tells_us_when_it_plays_and_when_it_has_played(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        assert isinstance(await here.send("broadcast", broadcast()), Accepted)
        receipts = await here.hear(2)
    assert [(one.code, one.ref, one.peer) for one in receipts] == [
        ("playing", BULLETIN.broadcast_id, GATEWAY),
        ("played", BULLETIN.broadcast_id, GATEWAY),
    ]


async def test_some_reports_are_bad_and_some_come_twice(tmp_path: Path) -> None:
    async with house(tmp_path, sms=Faults(undelivered=1, repeat=1), gateway=Faults(undelivered=1)) as here:
        await here.send("sms", sms())
        states = [one.state for one in await here.hear(4)]
        assert sorted(states) == [
            ReceiptState.SENT,
            ReceiptState.SENT,
            ReceiptState.UNDELIVERED,
            ReceiptState.UNDELIVERED,
        ]
        await here.send("broadcast", broadcast())
        assert [one.code for one in await here.hear(2)] == ["playing", "failed"]


async def test_what_is_refused_or_out_of_order_is_in_no_log(tmp_path: Path) -> None:
    async with house(tmp_path, **{name: Faults(refuse=1) for name in PLAYERS.values()}) as here:
        for channel, message in MESSAGES.items():
            assert isinstance(await here.send(channel, message), Refused)
    async with house(tmp_path, **{name: Faults(fail=1) for name in PLAYERS.values()}) as here:
        for channel, message in MESSAGES.items():
            assert isinstance(await here.send(channel, message), TryAgain)
    assert not any(lines(tmp_path, player) for player in PLAYERS.values())


async def test_a_cut_or_a_lie_comes_after_the_message_was_taken(tmp_path: Path) -> None:
    async with house(tmp_path, **{name: Faults(cut=1) for name in PLAYERS.values()}) as here:
        for channel, message in MESSAGES.items():
            assert isinstance(await here.send(channel, message), NotKnown)
    async with house(tmp_path, **{name: Faults(lie=1) for name in ("sms", "gateway")}) as here:
        for channel in ("sms", "broadcast"):
            assert isinstance(await here.send(channel, MESSAGES[channel]), NotKnown)
    assert [len(lines(tmp_path, player)) for player in ("sms", "gateway", "platform")] == [2, 2, 1]


async def test_a_packet_or_event_that_comes_again_is_known_again(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        for channel in ("broadcast", "party"):
            for _ in range(2):
                assert isinstance(await here.send(channel, MESSAGES[channel]), Accepted)
    for player in ("gateway", "platform"):
        assert [line["repeat"] for line in lines(tmp_path, player)] == [False, True]


async def test_faults_can_be_changed_and_counted_while_it_plays(tmp_path: Path) -> None:
    async with house(tmp_path) as here, ClientSession() as session:
        for name in PLAYERS.values():
            async with session.post(f"{here.city.url(name)}/_rehearsal/faults", data='{"rate": 1}') as answer:
                assert answer.status == 204
        first = await here.send("sms", sms(1))
        second = await here.send("sms", sms(2))
        assert isinstance(first, Accepted)
        assert isinstance(second, TryAgain)
        assert (second.throttled, second.after_s) == (True, 1)
        async with session.get(f"{here.city.url('sms')}/_rehearsal/stats") as answer:
            assert (await answer.json(content_type=None))["requests"] == {"take": 1, "throttle": 1}
        async with session.post(f"{here.city.url('sms')}/_rehearsal/faults", data='{"rat": 1}') as answer:
            assert answer.status == 400
        async with session.get(f"{here.city.url('sms')}/_rehearsal/nothing") as answer:
            assert answer.status == 404


async def test_an_endpoint_is_known_by_the_secret_it_is_given_later(tmp_path: Path) -> None:
    async with house(tmp_path) as here, ClientSession() as session:
        stranger = replace(party(), to="/platforms/p2")
        assert isinstance(await here.send("party", stranger), Refused)
        url = f"{here.city.url('platform')}/_rehearsal/secrets"
        async with session.post(url, json={"p2": [SECRET]}) as answer:
            assert answer.status == 204
        assert isinstance(await here.send("party", stranger), Accepted)
        for wrong in ("[]", '{"p2": [""]}', "{"):
            async with session.post(url, data=wrong) as answer:
                assert answer.status == 400


async def test_what_no_provider_serves_is_not_served(tmp_path: Path) -> None:
    async with house(tmp_path) as here, ClientSession() as session:
        for player, path in (("sms", "/"), ("gateway", "/gateways/"), ("platform", "/platforms/p1/x/..")):
            async with session.get(here.city.url(player) + path) as answer:
                assert answer.status in (401, 404)
        async with session.post(f"{here.city.url('gateway')}/gateways/g1", data=b"?") as answer:
            assert answer.status == 400
        async with session.post(f"{here.city.url('sms')}/2010-04-01/Accounts/AC1/Messages.json") as answer:
            assert (answer.status, (await answer.json())["code"]) == (401, 20003)


async def test_an_error_inside_the_rehearsal_comes_out_as_itself(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="mine"):
        async with playing(Options(folder=tmp_path, account="AC1", token="t")):
            raise LookupError("mine")
