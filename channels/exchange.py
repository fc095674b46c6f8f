"""One HTTP request and its answer: aiohttp's connections, names, TLS and parser, below its session.

A request is written in one piece by us, its head made once for each address. Measured: a POST through aiohttp's session
costs 52 µs of CPU, this 15; at a hundred thousand messages the HTTP client is what everything else waits for.

It must survive peers that refuse, hang, trickle, cut the line or answer without end, and never leaves a connection in the
pool whose answer was not read to its end.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from aiohttp import (
    ClientError,
    ClientPayloadError,
    ClientRequest,
    ClientTimeout,
    ConnectionTimeoutError,
    InvalidURL,
    StreamReader,
    TCPConnector,
)
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawResponseMessage
from yarl import URL

BODY_LIMIT: Final = 256 * 1024
MOST_TARGETS: Final = 4096


class NotBegun(ClientError):
    """The connection was gone before a byte was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the peer said. `whole` is False where its body was cut, too slow or too long: the state is known anyway."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool = True

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


class Exchange:
    """Requests over the connections of one connector. One request has one total limit; connecting ends before it does,
    because a total that runs out has written bytes."""

    def __init__(self, connector: TCPConnector, tls: ssl.SSLContext | None, timeout_s: float) -> None:
        self._connector = connector
        self._tls = tls
        self._timeout_s = timeout_s
        self._connecting = ClientTimeout(connect=timeout_s / 2, ceil_threshold=float("inf"))
        self._targets: dict[str, ClientRequest] = {}
        self._loop = asyncio.get_running_loop()

    async def request(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        """The answer whatever its state; raises ClientError or OSError, TimeoutError among them, where there is none."""
        target = self._targets.get(url) or self._aim(url)
        head = _head(method, target.url, tuple(headers.items()), None if body is None else len(body))
        ends = self._loop.time() + self._timeout_s
        try:
            connection = await self._connector.connect(target, [], self._connecting)
        except TimeoutError as error:
            raise ConnectionTimeoutError(str(error)) from error
        try:
            answer = await self._ask(connection, head + (body or b""), ends)
        except BaseException:
            connection.close()
            raise
        if answer.whole:
            connection.release()
        else:
            connection.close()
        return answer

    async def close(self) -> None:
        await self._connector.close()

    async def _ask(self, connection: Connection, request: bytes, ends: float) -> Answer:
        transport, protocol = connection.transport, connection.protocol
        if transport is None or protocol is None or transport.is_closing():
            raise NotBegun
        limit = _Limit(transport.abort)
        timer = self._loop.call_at(ends, limit.reached)
        try:
            protocol.set_response_params(read_until_eof=True)
            transport.write(request)
            message, payload = await protocol.read()
            while message.code < 200:
                message, payload = await protocol.read()
            return await _answer(message, payload)
        except HttpProcessingError as error:
            raise ClientPayloadError(error.message) from error
        except ClientError as error:
            if limit.is_reached:
                raise TimeoutError from error
            raise
        finally:
            timer.cancel()

    def _aim(self, url: str) -> ClientRequest:
        """What the connector wants to know of an address; only its origin matters there."""
        try:
            target = ClientRequest("POST", URL(url), loop=self._loop, ssl=self._tls or True)
        except ValueError as error:
            raise InvalidURL(url) from error
        if "?" not in url and len(self._targets) < MOST_TARGETS:  # a query is another one each time
            self._targets[url] = target
        return target


class _Limit:
    """Cuts the connection when the time is over, and remembers that it did."""

    __slots__ = ("_cut", "is_reached")

    def __init__(self, cut: Callable[[], None]) -> None:
        self._cut = cut
        self.is_reached = False

    def reached(self) -> None:
        self.is_reached = True
        self._cut()


@lru_cache(maxsize=1024)
def _head(method: str, url: URL, headers: tuple[tuple[str, str], ...], length: int | None) -> bytes:
    """The head of a request; ValueError where a header would break out of its line."""
    lines = [f"{method} {url.raw_path_qs} HTTP/1.1", "User-Agent: mingluo"]
    lines += [f"{name}: {value}" for name, value in headers]
    if not any(name.lower() == "host" for name, _ in headers):
        lines.insert(1, f"Host: {url.host_port_subcomponent}")
    if length is not None or method != "GET":
        lines.append(f"Content-Length: {length or 0}")
    if any(mark in line for line in lines for mark in "\r\n\0"):
        raise InvalidURL(url, "line break in a header")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


async def _answer(message: RawResponseMessage, payload: StreamReader) -> Answer:
    """A body that is cut, trickles or never ends does not undo the state that came before it."""
    body, whole = b"", True
    length = message.headers.get("Content-Length", "")
    try:
        if length.isdigit() and int(length) <= BODY_LIMIT and not message.compression:
            return Answer(status=message.code, headers=message.headers, body=await payload.read())
        async for piece in payload.iter_any():
            body += piece
            if len(body) > BODY_LIMIT:
                body, whole = body[:BODY_LIMIT], False
                break
    except (TimeoutError, ClientError, OSError):
        whole = False
    return Answer(status=message.code, headers=message.headers, body=body, whole=whole)
