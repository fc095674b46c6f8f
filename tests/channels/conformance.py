"""Plays every fault on a provider, over real sockets. A provider that passes may be trusted with a warning.

`Subject` says how to make the provider, what to send, and how its provider says yes and no. `promises` are the cases.
"""

from __future__ import annotations

import asyncio
import inspect
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import product
from pathlib import Path

import pytest
from msgspec import Struct
from msgspec.structs import replace

from channels.contract import (
    MIXED,
    Accepted,
    Blame,
    Bulletin,
    Callback,
    Forged,
    Malformed,
    Message,
    NotKnown,
    Outcome,
    Refused,
    TryAgain,
)
from channels.http1 import BODY_LIMIT
from channels.pacing import Paced
from channels.text import mark_drill
from channels.transport import Line, Transport

HEADLINE = "吉安市气象台发布暴雨红色预警"
NOW = datetime(2026, 6, 18, 14, 30, tzinfo=UTC)
HURRY_S = 0.4
PATIENT_S = 10.0
"""A busy machine may take half a second to connect to itself."""
TWO_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"


class Fault(StrEnum):
    NONE = "works"
    REFUSES = "refuses for good"
    THROTTLES = "answers 429 with Retry-After 7"
    BROKEN_BEFORE = "answers 503 before it reads the body"
    BROKEN_AFTER = "answers 503 after it read the body"
    HANGS = "reads and never answers"
    TRICKLES = "answers one byte at a time"
    GARBAGE = "answers 200 with nonsense"
    EMPTY = "answers 200 with nothing"
    ENDLESS = "answers without end"
    NOT_HTTP = "answers in another language"
    CUTS = "closes the line instead of answering"
    CUTS_INSIDE = "closes the line inside its answer"
    RESETS = "resets the line instead of answering"
    REDIRECTS = "sends us elsewhere"
    NOBODY = "is not there"


class Subject(Struct, frozen=True, kw_only=True):
    """One provider under test. `works` and `refuses`: request body → whole HTTP answer."""

    name: str
    make: Callable[[str, Transport], Paced]
    make_drill: Callable[[str, Transport], Paced]
    """The same kind as a drill's: with an account of its own."""
    message: Callable[[str], Message]
    works: Callable[[bytes], bytes]
    refuses: Callable[[bytes], bytes]
    state_is_proof: bool = False
    """A 2xx alone proves the arrival, whatever stands in the body."""
    secrets: tuple[str, ...] = ()
    """What must not appear in any trace or reason: tokens, numbers."""
    callback: Callable[[], Callback] | None = None
    """A genuine one about a message that was delivered."""


EXPECTED: dict[Fault, type[Accepted | TryAgain | NotKnown | Refused]] = {
    Fault.NONE: Accepted,
    Fault.REFUSES: Refused,
    Fault.THROTTLES: TryAgain,
    Fault.BROKEN_BEFORE: TryAgain,
    Fault.BROKEN_AFTER: TryAgain,
    Fault.HANGS: NotKnown,
    Fault.TRICKLES: NotKnown,
    Fault.GARBAGE: NotKnown,
    Fault.EMPTY: NotKnown,
    Fault.ENDLESS: NotKnown,
    Fault.NOT_HTTP: NotKnown,
    Fault.CUTS: NotKnown,
    Fault.CUTS_INSIDE: NotKnown,
    Fault.RESETS: NotKnown,
    Fault.REDIRECTS: Refused,
    Fault.NOBODY: TryAgain,
}
TWO_HUNDREDS = {Fault.TRICKLES, Fault.GARBAGE, Fault.EMPTY, Fault.ENDLESS, Fault.CUTS_INSIDE}


SILENT = {Fault.HANGS, Fault.TRICKLES}
"""Only the clock ends these."""


class Hurried(Transport):
    """Waits for a moment and no longer."""

    def line(self, *, in_flight: int, timeout_s: float, stranger: bool = False) -> Line:
        return super().line(in_flight=in_flight, timeout_s=min(timeout_s, HURRY_S), stranger=stranger)


@dataclass
class Peer:
    """A server that speaks just enough HTTP to misbehave exactly."""

    subject: Subject
    fault: Fault
    url: str = ""
    bodies: list[bytes] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.lines.append(head.split(b"\r\n")[0].decode())
            lengths = [h for h in head.lower().split(b"\r\n") if h.startswith(b"content-length")]
            length = int(lengths[0].split(b":")[1]) if lengths else 0
            if self.fault is Fault.BROKEN_BEFORE:
                writer.write(answer(503, b"down"))
                await writer.drain()
            self.bodies.append(await reader.readexactly(length))
            await self._misbehave(self.bodies[-1], writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the provider hung up first
        finally:
            writer.close()

    async def _misbehave(self, body: bytes, writer: asyncio.StreamWriter) -> None:
        match self.fault:
            case Fault.NONE:
                writer.write(self.subject.works(body))
            case Fault.REFUSES:
                writer.write(self.subject.refuses(body))
            case Fault.THROTTLES:
                writer.write(answer(429, b"slow down", "Retry-After: 7"))
            case Fault.BROKEN_AFTER:
                writer.write(answer(503, b"down"))
            case Fault.HANGS:
                await asyncio.sleep(HURRY_S * 10)
            case Fault.TRICKLES:
                _, _, rest = self.subject.works(body).partition(b"\r\n\r\n")
                writer.write(TWO_OK + b"Content-Length: 1000\r\n\r\n")
                for at in range(1000):
                    writer.write((rest or b"{")[at : at + 1] or b" ")
                    await writer.drain()
                    await asyncio.sleep(0.05)
            case Fault.GARBAGE:
                writer.write(answer(200, b"\x00\xff<html>OK</html>"))
            case Fault.EMPTY:
                writer.write(answer(200, b""))
            case Fault.ENDLESS:
                writer.write(TWO_OK + b"Transfer-Encoding: chunked\r\n\r\n")
                for _ in range(64):
                    writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
                    await writer.drain()
            case Fault.NOT_HTTP:
                writer.write(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
            case Fault.CUTS_INSIDE:
                writer.write(TWO_OK + b'Content-Length: 500\r\n\r\n{"half":')
            case Fault.RESETS:
                sock: socket.socket = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            case Fault.REDIRECTS:
                writer.write(answer(307, b"", f"Location: {self.url}/elsewhere"))
            case Fault.BROKEN_BEFORE | Fault.CUTS | Fault.NOBODY:
                pass
        await writer.drain()


def answer(status: int, body: bytes, *headers: str) -> bytes:
    extra = "".join(f"{line}\r\n" for line in headers)
    return f"HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {len(body)}\r\n{extra}\r\n".encode() + body


@asynccontextmanager
async def facing(subject: Subject, fault: Fault, *, drill: bool = False) -> AsyncIterator[tuple[Paced, Peer]]:
    """The provider (as a drill's, where `drill`), and a peer with that fault."""
    peer = Peer(subject, fault)
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    peer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    if fault is Fault.NOBODY:
        server.close()
    transport = (Hurried if fault in SILENT else Transport)(loopback_only=True)
    paced = (subject.make_drill if drill else subject.make)(peer.url, transport)
    try:
        yield paced, peer
    finally:
        await paced.close()
        await transport.close()
        server.close()


async def check_fault(subject: Subject, fault: Fault) -> Outcome:
    """One message against one fault: the right outcome, in time, asked once, and nothing secret in what is kept."""
    async with facing(subject, fault) as (paced, peer):
        async with asyncio.timeout(PATIENT_S):
            outcomes = await paced.send([subject.message(peer.url)], NOW)
    assert len(outcomes) == 1
    outcome = outcomes[0]
    proof = subject.state_is_proof and fault in TWO_HUNDREDS
    assert isinstance(outcome, Accepted if proof else EXPECTED[fault]), outcome
    assert len(peer.lines) == (0 if fault is Fault.NOBODY else 1), "a provider never retries and never follows"
    if fault is Fault.THROTTLES:
        assert isinstance(outcome, TryAgain)
        assert (outcome.throttled, outcome.after_s) == (True, 7)
    if isinstance(outcome, Accepted):
        assert outcome.delivered or outcome.ref, "what is accepted is delivered at once, or can be found again"
    else:
        assert outcome.code
        assert outcome.reason
    kept = repr(outcome)
    assert len(kept) < 6 * BODY_LIMIT / 64 + 20_000
    for secret in subject.secrets:
        assert secret not in kept
    return outcome


async def check_same_id(subject: Subject) -> None:
    """A second try of the same message says the same thing, byte for byte but for the time."""
    async with facing(subject, Fault.NONE) as (paced, peer):
        message = subject.message(peer.url)
        await paced.send([message], NOW)
        await paced.send([message], NOW)
        other = replace(message, id=message.id + "x", serial=message.serial + 1)
        await paced.send([other], NOW)
    first, again, other_body = (line.encode() + body for line, body in zip(peer.lines, peer.bodies, strict=True))
    assert first == again
    assert paced.max_batch >= 1
    assert first != other_body or subject.state_is_proof  # there the id stands in a header


async def check_drill_gate(subject: Subject) -> None:
    """Of flag, text and headline each may say drill or live: a drill's provider takes what is a drill in all three, any
    other what is real in all three; nothing else reaches the wire, nor a question about it. A drill's goes to its own base
    URL, whatever host the register names."""
    for is_drills in (False, True):
        async with facing(subject, Fault.NONE, drill=is_drills) as (paced, peer):
            live = subject.message("http://127.0.0.1:9" if is_drills else peer.url)
            for said in product((False, True), repeat=3):
                message = saying(live, *said)
                (outcome,) = await paced.send([message], NOW)
                if set(said) == {is_drills}:
                    assert isinstance(outcome, Accepted), outcome
                    assert len(peer.lines) == 1
                    peer.lines.clear()
                    continue
                assert isinstance(outcome, Refused)
                assert (outcome.code, outcome.blame) == (MIXED, Blame.MESSAGE)
                if paced.asks is not None:
                    (asked,) = await paced.asks.ask([message], NOW)
                    assert (asked.id, asked.code, asked.receipt) == (message.id, MIXED, None)
                assert not peer.lines


def saying(live: Message, flag: bool, text: bool, headline: bool) -> Message:
    """The message with each of the three saying drill or live."""
    about = live.bulletin
    about = replace(about, drill=flag, headline=mark_drill(about.headline) if headline else about.headline)
    return replace(live, bulletin=about, text=mark_drill(live.text) if text else live.text)


async def check_callbacks(subject: Subject) -> None:
    """A genuine callback gives receipts, twice the same; a forged or unreadable one gives none."""
    transport = Transport(loopback_only=True)
    paced = subject.make("http://127.0.0.1:9", transport)
    reader, genuine = paced.reads, subject.callback() if subject.callback else None
    if reader is None or genuine is None:
        assert reader is None
        assert genuine is None
        return
    reading = reader.read(genuine, NOW)
    assert reading.receipts
    assert 200 <= reading.reply.status < 300
    assert all(receipt.id or receipt.ref for receipt in reading.receipts)
    assert reader.read(genuine, NOW).receipts == reading.receipts
    unsigned = {name: value for name, value in genuine.headers.items() if "signature" not in name}
    for forged in (
        replace(genuine, body=b"", headers=unsigned, token=""),
        replace(genuine, token=genuine.token[:-1] + "x", url=genuine.url[:-1] + "x"),
        replace(genuine, headers={**unsigned, "x-twilio-signature": ""}, url="https://elsewhere.invalid/", token="x"),
    ):
        with pytest.raises((Forged, Malformed)):
            reader.read(forged, NOW)
    for nonsense in (b"\xff\xfe\x00", b"{", b"<EBD/>", b"a" * 1000):
        with pytest.raises((Forged, Malformed)):
            reader.read(replace(genuine, body=nonsense), NOW)
    await paced.close()


def check_file(provider: object) -> None:
    """One provider, one file of at most 150 lines, without a clock, a log, a retry or a database."""
    source = Path(inspect.getfile(type(provider))).read_text("utf-8")
    assert len(source.splitlines()) <= 150
    for banned in ("datetime.now", "import time", "logging", "structlog", "sqlalchemy", "asyncio.sleep", "dispatcher"):
        assert banned not in source, banned


def bulletin(**changes: object) -> Bulletin:
    """A red rainstorm warning as every message of it carries it; a drill says so in its headline."""
    given: dict[str, object] = {
        "warning_id": "0197f0c0a1b27000800000000000abcd",
        "chain_id": "0197f0c0a1b27000800000000000abcd",
        "identifier": "36080041600000_20260618223000",
        "kind": "Alert",
        "drill": False,
        "test": False,
        "level": "red",
        "rank": 1,
        "event": "暴雨",
        "event_code": "11B03",
        "headline": mark_drill(HEADLINE) if changes.get("drill") else HEADLINE,
        "sender": "36080041600000",
        "sender_name": "吉安市气象台",
        "sent": NOW - timedelta(minutes=1),
        "starts": NOW - timedelta(minutes=1),
        "expires": NOW + timedelta(hours=3),
        "broadcast_id": "33608000000000101010101202606180001",
    }
    return Bulletin(**{**given, **changes})  # type: ignore[arg-type]
