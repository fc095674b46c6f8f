"""HTTP requests to one provider: aiohttp's connections, names and TLS, kept open by us below its session.

A request is written in one piece, its head made once for each address. Measured side by side: a POST takes 0.22 of the CPU
that it takes through aiohttp's session; at a hundred thousand messages the HTTP client is what everything else waits for.

It must survive peers that refuse, hang, trickle, cut the line or answer without end (`http1.py`), and keeps no connection
whose answer was not read to its end.
"""

from __future__ import annotations

import asyncio
import math
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from aiohttp import ClientRequest, ClientTimeout, ConnectionTimeoutError, InvalidURL, TCPConnector
from yarl import URL

from channels.http1 import Answer, Http1, NotBegun, Outbox, StoodStill

KEEP_ALIVE_S: Final = 15.0
"""Shorter than servers use, so that we seldom write into a connection its owner is just closing."""
LOOK_S: Final = 0.05
"""How much later than its limit a request may end."""
MOST_TARGETS: Final = 4096
STOOD_STILL_S: Final = 0.5
"""A timer that is so late means that this process stood still."""


class Exchange:
    """Requests over the connections of one connector, `in_flight` of them at a time at the most. One request has one total
    limit; connecting ends before it does, because a total that runs out has written bytes.

    `may_leave`: whether what is to be sent is still ours. Making a message ready takes a moment too, and whoever was frozen
    in it looked before."""

    def __init__(
        self,
        connector: TCPConnector,
        tls: ssl.SSLContext | None,
        *,
        in_flight: int,
        timeout_s: float,
        may_leave: Callable[[], bool],
    ) -> None:
        self._connector = connector
        self._may_leave = may_leave
        self._tls = tls
        self._timeout_s = timeout_s
        self._places = _Places(in_flight)
        self._aims: dict[str, _Aim] = {}
        self._idle: dict[str, list[Http1]] = {}
        self._loop = asyncio.get_running_loop()
        self._outbox = Outbox()
        self._asking: dict[Http1, float] = {}
        """Until when each request waits for its answer."""
        self._watching: asyncio.TimerHandle | None = None
        self._sweeping: asyncio.TimerHandle | None = None

    async def request(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        """The answer whatever its state; raises ClientError or OSError, TimeoutError among them, where there is none."""
        aim = self._aims.get(url) or self._aim(url)
        head = _head(method, aim.target.url, tuple(headers.items()), None if body is None else len(body))
        if not self._may_leave():
            raise StoodStill
        now = self._loop.time()
        begins_by = now + self._timeout_s / 2
        if self._places.free:
            self._places.free -= 1
        else:
            await self._place(begins_by)
        try:
            connection = self._idle_one(aim.origin) or await self._connect(aim.target, begins_by)
            return await self._asked(aim.origin, connection, head + (body or b""), now)
        finally:
            self._places.leave()

    async def close(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._idle.clear()
        await self._connector.close()

    async def _asked(self, origin: str, connection: Http1, request: bytes, since: float) -> Answer:
        self._asking[connection] = since + self._timeout_s
        if self._watching is None:
            self._watching = self._loop.call_later(LOOK_S, self._watch)
        try:
            answer = await connection.ask(request, since)
        except StoodStill:
            self._keep(origin, connection)
            raise
        except BaseException:
            connection.close()
            raise
        finally:
            del self._asking[connection]
        self._keep(origin, connection)
        return answer

    def _watch(self) -> None:
        """One look a moment over all requests: a timer for each costs as much as its way through the parser."""
        now = self._loop.time()
        for connection in [one for one, ends in self._asking.items() if ends <= now]:
            connection.give_up()
        self._watching = self._loop.call_later(LOOK_S, self._watch) if self._asking else None

    async def _place(self, begins_by: float) -> None:
        try:
            async with asyncio.timeout_at(begins_by):
                await self._places.wait()
        except TimeoutError as error:
            raise ConnectionTimeoutError from error

    async def _connect(self, target: ClientRequest, begins_by: float) -> Http1:
        left = ClientTimeout(connect=max(begins_by - self._loop.time(), 0.001), ceil_threshold=math.inf)
        try:
            connection = await self._connector.connect(target, [], left)
        except TimeoutError as error:
            ours = self._loop.time() - begins_by > STOOD_STILL_S
            raise (StoodStill if ours else ConnectionTimeoutError)(str(error)) from error
        if connection.transport is None or connection.transport.is_closing():
            connection.close()
            raise NotBegun
        return Http1(connection, self._outbox)

    def _idle_one(self, origin: str) -> Http1 | None:
        """The one used last: the others may go."""
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if connection.usable and self._loop.time() - connection.used_at < KEEP_ALIVE_S:
                return connection
            connection.close()
        return None

    def _keep(self, origin: str, connection: Http1) -> None:
        if not connection.usable:
            connection.close()
            return
        self._idle.setdefault(origin, []).append(connection)
        if self._sweeping is None:
            self._sweeping = self._loop.call_later(KEEP_ALIVE_S, self._sweep)

    def _sweep(self) -> None:
        """Closes what nobody used for long."""
        before = self._loop.time() - KEEP_ALIVE_S
        for origin, idle in list(self._idle.items()):
            for connection in idle:
                if connection.used_at <= before:
                    connection.close()
            self._idle[origin] = [one for one in idle if one.usable]
            if not self._idle[origin]:
                del self._idle[origin]
        self._sweeping = self._loop.call_later(KEEP_ALIVE_S, self._sweep) if self._idle else None

    def _aim(self, url: str) -> _Aim:
        """What the connector wants to know of an address; only its origin matters there."""
        try:
            target = ClientRequest("POST", URL(url), loop=self._loop, ssl=self._tls or True)
        except ValueError as error:
            raise InvalidURL(url) from error
        aim = _Aim(target, str(target.url.origin()))
        if "?" not in url and len(self._aims) < MOST_TARGETS:  # a query is another one each time
            self._aims[url] = aim
        return aim


class _Places:
    """A semaphore whose free places are taken without a word: a coroutine for each costs a hundredth of the sending."""

    def __init__(self, number: int) -> None:
        self.free = number
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def wait(self) -> None:
        """For the place of somebody who leaves: it is handed over, so whoever gives up just then hands it on."""
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(mine)
        try:
            await mine
        except BaseException:
            if mine.done() and not mine.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        while self._waiting:
            next_one = self._waiting.popleft()
            if not next_one.done():
                next_one.set_result(None)
                return
        self.free += 1


@dataclass(frozen=True, slots=True)
class _Aim:
    target: ClientRequest
    origin: str


@lru_cache(maxsize=1024)
def _head(method: str, url: URL, headers: tuple[tuple[str, str], ...], length: int | None) -> bytes:
    """The head of a request; ValueError where a header would break out of its line."""
    lines = [f"{method} {url.raw_path_qs} HTTP/1.1", "User-Agent: mingluo", "Accept-Encoding: identity"]
    lines += [f"{name}: {value}" for name, value in headers]
    if not any(name.lower() == "host" for name, _ in headers):
        lines.insert(1, f"Host: {url.host_port_subcomponent}")
    if length is not None or method != "GET":
        lines.append(f"Content-Length: {length or 0}")
    if any(mark in line for line in lines for mark in "\r\n\0"):
        raise InvalidURL(url, "line break in a header")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
