"""One HTTP/1.1 connection with a peer: a request out in one piece, the answer in, one at a time.

The bytes are read by llhttp (httptools), straight into the answer. It must survive peers that hang, trickle, cut the line,
answer without end or without being asked, and is not used again unless the answer was read to its end and nothing after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from aiohttp import ClientError, ClientOSError, ClientPayloadError, ConnectionTimeoutError, ServerDisconnectedError
from aiohttp.connector import Connection
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from msgspec import Struct
from multidict import CIMultiDict

HEAD_LIMIT: Final = 64 * 1024
BODY_LIMIT: Final = 256 * 1024
ANSWER_LIMIT: Final = HEAD_LIMIT + 8 * BODY_LIMIT
"""Of all that comes in an answer: chunks of one byte bear six of framing, and behind the last there may be trailers."""
LEAVE_S: Final = 3.0
"""Not older than this is the caller's leave to send when the first byte is written: a process that was frozen while it
connected may have lost to another what it was about to send. The connection stays, for the next try."""


class StoodStill(ConnectionTimeoutError):
    """It was we who stood still past the limit: a paused machine, not the peer. Nothing is begun anew here, because whoever
    stood still may have lost what it was about to send to another."""


class Answer(Struct, frozen=True):
    """What the peer said. `whole` is False where its body was cut, too slow or too long: the state is known anyway."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool = True

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


class NotBegun(ClientError):
    """The connection was gone, or not to be trusted, before a byte was written."""


class Http1(asyncio.Protocol):
    """Takes a connection over from aiohttp, which made it: `ask`, as long as it is `usable`; `close` it in the end."""

    def __init__(self, connection: Connection, outbox: Outbox) -> None:
        transport, made_by = connection.transport, connection.protocol
        assert transport is not None
        assert made_by is not None
        self._connection, self._transport, self._made_by = connection, transport, made_by
        self._outbox = outbox
        self._loop = asyncio.get_running_loop()
        self._parser: HttpResponseParser | None = HttpResponseParser(self)
        self._waiter: asyncio.Future[Answer] | None = None
        self._written = False
        self._status, self._heard = 0, 0
        self._head: list[tuple[str, str]] = []
        self._body: list[bytes] = []
        self._length = 0
        self._usable = True
        self.used_at = self._loop.time()
        transport.set_protocol(self)

    @property
    def usable(self) -> bool:
        """Whether another request may go out."""
        return self._usable and not self._transport.is_closing()

    async def ask(self, request: bytes, since: float) -> Answer:
        """The answer whatever its state. `since`: when the caller had leave to send. Raises ClientError or OSError,
        TimeoutError (`give_up`) among them, where there is none. Whoever gives up waiting closes it."""
        self._written, self._status, self._heard = False, 0, 0
        waiter: asyncio.Future[Answer] = self._loop.create_future()
        self._waiter = waiter
        try:
            self._outbox.put(self, request, since)
            return await waiter
        finally:
            self._waiter = None
            if self._written:
                self.used_at = self._loop.time()

    def send(self, request: bytes, since: float) -> None:
        """Writes what was asked, unless nobody waits for the answer any more. Until here it surely has not left."""
        if self._waiter is None or self._waiter.done():
            return
        if self._transport.is_closing():
            self._end(NotBegun())
        elif self._loop.time() - since > LEAVE_S:
            self._waiter.set_exception(StoodStill())
        else:
            self._write(request)

    def _write(self, request: bytes) -> None:
        self._written = True
        try:
            self._transport.write(request)
        except Exception as error:  # noqa: BLE001 - whatever hinders it, the others of this turn leave
            self._end(ClientOSError(str(error)))

    def give_up(self) -> None:
        """Nobody waits any longer for what the peer has not said by now, or for us to ask: then it was we who stood still."""
        self._end(TimeoutError() if self._written else StoodStill())

    def close(self) -> None:
        self._usable = False
        self._transport.abort()
        self._connection.close()

    # ── called by the transport ─────────────────────────────────────────────────────────────────────────────────────

    def data_received(self, data: bytes) -> None:
        if self._waiter is None or self._parser is None or not self._written:
            self._end(NotBegun())  # nobody asked: it must not pass for the answer to what is still to be written
            return
        self._heard += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._end(ClientPayloadError(str(error)))
        if self._heard > (ANSWER_LIMIT if self._status else HEAD_LIMIT):
            self._end(ClientPayloadError("endless answer"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._made_by.connection_lost(exc)
        if self._status and exc is None and self._until_the_end:
            self._answered(whole=True)
        cut = ClientOSError(str(exc)) if exc else ServerDisconnectedError()
        self._end(cut if self._written else NotBegun())
        self._parser = None  # it holds us: whole TLS buffers would wait for a collector that seldom comes

    # ── called by the parser ────────────────────────────────────────────────────────────────────────────────────────

    def on_message_begin(self) -> None:
        if self._waiter is None or self._waiter.done():
            self._usable = False  # more than was asked for
        self._head, self._body, self._length = [], [], 0

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._status:  # else a trailer
            self._head.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        assert self._parser is not None
        status = self._parser.get_status_code()
        self._status = status if status >= 200 else 0

    def on_body(self, body: bytes) -> None:
        self._body.append(body)
        self._length += len(body)
        if self._length > BODY_LIMIT:
            self._end(ClientPayloadError("endless body"))

    def on_message_complete(self) -> None:
        if self._status and self._parser is not None:
            self._usable = self._usable and self._parser.should_keep_alive()
            self._answered(whole=True)

    # ── the end of an exchange ──────────────────────────────────────────────────────────────────────────────────────

    @property
    def _until_the_end(self) -> bool:
        """Whether the body ends where the connection does."""
        names = {name.lower() for name, _ in self._head}
        return not names & {"content-length", "transfer-encoding"}

    def _answered(self, *, whole: bool) -> None:
        if self._waiter is not None and not self._waiter.done():
            body = b"".join(self._body)[:BODY_LIMIT]
            self._waiter.set_result(Answer(self._status, CIMultiDict(self._head), body, whole))

    def _end(self, error: Exception) -> None:
        """Nothing more comes. A body that is cut, trickles or never ends does not undo the state that came before it."""
        if self._status:
            self._answered(whole=False)
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)
        self.close()


class Outbox:
    """What is asked in one turn of the loop leaves together at the beginning of the next: written one by one, each request
    wakes its peer anew, and that took a twelfth of the whole sending. In between the loop hears what peers say."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[Http1, bytes, float]] = []

    def put(self, connection: Http1, request: bytes, since: float) -> None:
        if not self._waiting:
            self._loop.call_soon(self._send)
        self._waiting.append((connection, request, since))

    def _send(self) -> None:
        waiting, self._waiting = self._waiting, []
        for connection, request, since in waiting:
            connection.send(request, since)
