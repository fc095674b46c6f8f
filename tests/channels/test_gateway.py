"""The gateway provider against a real server on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from channels.broadcast import ebm
from channels.broadcast.gateway import EBDIDS
from channels.catalog import build
from channels.contract import Accepted, Forged, Message, ReceiptState, Refused
from channels.pacing import Paced
from channels.transport import Transport
from dispatcher.rehearsal.gateway import PLAY_S
from dispatcher.rehearsal.server import City, Options, playing
from tests.channels.conformance import NOW, Fault, bulletin, facing
from tests.channels.subjects import (
    EBM_SECRET,
    GATEWAY,
    OURS,
    PUBLIC,
    SUBJECTS,
    gateway,
    gateway_callback,
    gateway_message,
    pushed,
)

SUBJECT = SUBJECTS["broadcast", "ebm"]
FIRST = bulletin().broadcast_id
CANCEL = bulletin(kind="Cancel", broadcast_id=ebm.numbered(FIRST, 8), earlier=(FIRST,))


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now.timestamp()


@asynccontextmanager
async def city(folder: Path, clock: Clock) -> AsyncIterator[tuple[City, Paced, Message]]:
    """A real gateway on loopback, the provider, and a message for it. Nothing is pushed: no secret is set."""
    async with playing(Options(folder=folder, account="AC1", token="t"), clock=clock) as here:
        transport = Transport(loopback_only=True)
        settings = {"ebrid": OURS, "sender_code": "36080041700000", "base_url": here.url("gateway")}
        yield (
            here,
            build("broadcast", "ebm", settings, transport, PUBLIC),
            replace(gateway_message(""), to="/gateways/g1"),
        )
        await transport.close()


async def asked(paced: Paced, message: Message) -> tuple[ReceiptState, str]:
    assert paced.asks is not None
    (found,) = await paced.asks.ask([message], NOW)
    assert found.receipt is not None
    assert "<EBMStateRequest>" in found.trace
    assert "<BrdStateCode>" in found.trace
    assert (found.id, found.receipt.id, found.receipt.peer) == (message.id, message.id, message.peer)
    return found.receipt.state, found.receipt.code


async def test_a_message_is_taken_then_playing_then_played(tmp_path: Path) -> None:
    clock = Clock()
    async with city(tmp_path, clock) as (_, paced, message):
        (outcome,) = await paced.send([message], NOW)
        assert isinstance(outcome, Accepted)
        assert outcome.ref == ebm.ebd_id(OURS, message.serial * EBDIDS)
        assert not outcome.delivered
        assert "<MsgDesc>紧急通知。请立即转移。</MsgDesc>" in outcome.trace
        assert "<ResultCode>1</ResultCode>" in outcome.trace
        assert await asked(paced, message) == (ReceiptState.SENT, "playing")
        clock.now += timedelta(seconds=PLAY_S)
        assert await asked(paced, message) == (ReceiptState.DELIVERED, "played")


async def test_a_cancel_stops_what_plays_and_is_proven_by_silence(tmp_path: Path) -> None:
    async with city(tmp_path, Clock()) as (_, paced, message):
        await paced.send([message], NOW)
        cancel = replace(message, id=message.id + "c", serial=8, bulletin=CANCEL)
        (outcome,) = await paced.send([cancel], NOW)
        assert isinstance(outcome, Accepted)
        assert await asked(paced, cancel) == (ReceiptState.DELIVERED, "cancelled")
        assert await asked(paced, message) == (ReceiptState.FAILED, "cancelled")


async def test_a_cancel_that_comes_first_keeps_the_loudspeaker_silent(tmp_path: Path) -> None:
    clock = Clock()
    async with city(tmp_path, clock) as (_, paced, message):
        (early,) = await paced.send([replace(message, serial=8, bulletin=CANCEL)], NOW)
        assert isinstance(early, Refused)
        assert "没有这条消息" in early.reason
        await paced.send([message], NOW)
        clock.now += timedelta(seconds=PLAY_S)
        assert await asked(paced, message) == (ReceiptState.FAILED, "cancelled")


async def test_one_dead_gateway_does_not_hide_what_the_others_say(tmp_path: Path) -> None:
    async with city(tmp_path, Clock()) as (_, paced, message):
        await paced.send([message], NOW)
        dead = replace(message, id="dead", to="http://127.0.0.1:9/gateways/g2", peer=GATEWAY[:-1] + "2")
        assert paced.asks is not None
        silent, found = await paced.asks.ask([dead, message], NOW)
        assert (silent.id, silent.receipt, silent.code) == ("dead", None, "no_connection")
        assert "<EBMStateRequest>" in silent.trace
        assert found.receipt is not None
        assert await paced.asks.ask([], NOW) == []


async def test_an_update_stops_what_it_replaces_and_a_cancel_stops_both(tmp_path: Path) -> None:
    async with city(tmp_path, Clock()) as (_, paced, message):
        await paced.send([message], NOW)
        second = bulletin(kind="Update", broadcast_id=ebm.numbered(FIRST, 1), earlier=(FIRST,))
        update = replace(message, id=message.id + "u", serial=8, bulletin=second, told=(FIRST,))
        (outcome,) = await paced.send([update], NOW)
        assert isinstance(outcome, Accepted)
        assert outcome.trace.count("<EBDType>EBM</EBDType>") == 2
        assert await asked(paced, message) == (ReceiptState.FAILED, "cancelled")
        assert await asked(paced, update) == (ReceiptState.SENT, "playing")
        both = replace(CANCEL, earlier=(FIRST, second.broadcast_id))
        cancel = replace(message, id=message.id + "c", serial=9, bulletin=both, told=both.earlier)
        (outcome,) = await paced.send([cancel], NOW)
        assert isinstance(outcome, Accepted)
        assert await asked(paced, update) == (ReceiptState.FAILED, "cancelled")
        assert await asked(paced, cancel) == (ReceiptState.DELIVERED, "cancelled")


async def test_what_a_gateway_refuses_to_play_replaces_nothing() -> None:
    async with facing(SUBJECT, Fault.REFUSES) as (paced, peer):
        second = bulletin(kind="Update", broadcast_id=ebm.numbered(FIRST, 1), earlier=(FIRST,))
        (outcome,) = await paced.send([replace(gateway_message(peer.url), bulletin=second, told=(FIRST,))], NOW)
    assert isinstance(outcome, Refused)
    assert len(peer.lines) == 1


async def test_a_text_that_no_packet_can_carry_is_refused_before_it_is_sent() -> None:
    async with facing(SUBJECT, Fault.NONE) as (paced, peer):
        for wrong in (
            replace(gateway_message(peer.url), text="请转移\x07"),
            replace(gateway_message(peer.url), areas=()),
            replace(gateway_message(peer.url), bulletin=bulletin(broadcast_id="")),
        ):
            (outcome,) = await paced.send([wrong], NOW)
            assert isinstance(outcome, Refused)
            assert outcome.code == "bad_packet"
        assert not peer.lines


async def test_the_ledger_never_shows_the_key_to_our_door() -> None:
    async with facing(SUBJECT, Fault.NONE) as (paced, peer):
        (outcome,) = await paced.send([gateway_message(peer.url)], NOW)
    seal = gateway_callback().token.partition(".")[2]
    assert seal.encode() in peer.bodies[0]
    assert seal not in outcome.trace
    assert EBM_SECRET not in outcome.trace


def test_a_pushed_state_becomes_a_receipt_and_gets_its_answer() -> None:
    reader = gateway("", Transport()).reads
    assert reader is not None
    reading = reader.read(gateway_callback(), NOW)
    (receipt,) = reading.receipts
    assert (receipt.state, receipt.ref, receipt.peer) == (ReceiptState.DELIVERED, bulletin().broadcast_id, GATEWAY)
    said = ebm.read(reading.reply.body)
    assert said.body == ebm.Response(result=ebm.Result.OK, text="已接收")
    assert said.related == ebm.ebd_id(GATEWAY, 3)
    assert said.target == GATEWAY


def test_a_gateway_speaks_for_itself_alone() -> None:
    reader, genuine = gateway("", Transport()).reads, gateway_callback()
    assert reader is not None
    state = ebm.StateResponse(ebm_id=bulletin().broadcast_id, state=ebm.State.SUCCESS)
    other = pushed(state, source=GATEWAY[:-1] + "9")
    with pytest.raises(Forged):
        reader.read(replace(genuine, body=other, headers={}), NOW)


def test_without_a_secret_nothing_pushed_is_believed() -> None:
    settings = {"ebrid": OURS, "sender_code": "1", "secret": None}
    reader = build("broadcast", "ebm", settings, Transport(), PUBLIC).reads
    assert reader is not None
    for token in (gateway_callback().token, f"{GATEWAY}.", GATEWAY, "."):
        with pytest.raises(Forged):
            reader.read(replace(gateway_callback(), token=token), NOW)


@pytest.mark.parametrize(
    ("body", "result"),
    [(ebm.ConnectionCheck(), ebm.Result.OK), (ebm.StateRequest(ebm_id="3" * 35), ebm.Result.OTHER_ERROR)],
)
def test_a_heartbeat_is_answered_and_what_we_do_not_serve_is_said_so(body: ebm.Body, result: ebm.Result) -> None:
    reader = gateway("", Transport()).reads
    assert reader is not None
    reading = reader.read(replace(gateway_callback(), body=pushed(body), headers={}), NOW)
    answer = ebm.read(reading.reply.body).body
    assert reading.receipts == ()
    assert isinstance(answer, ebm.Response)
    assert answer.result is result
