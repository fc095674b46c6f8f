"""The cheapest honest provider: a bare HTTP/1.1 protocol in a process of its own, which must never be the limit.

It answers what the request's path asks for, and counts by path what it got: how many, how many bytes, when the first came
and when the last. The first part of the path may be a behaviour: `slow` (50 ms), `late` (as long as it was told to wait),
`hang` (no answer), `limited` (429 above a rate a second). With `keys` it also writes down each request with its delivery key,
in the order they came and before it answers: the other half of lost and doubled, and of who was told what, when.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from dispatcher.rehearsal.bench.orders import live, obey

HOST: Final = "127.0.0.1"
SLOW_S: Final = 0.05
_OK: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n" + b'{"status":"ok"}'
_LATER: Final = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n"
_SMS: Final = (
    '{"account_sid": "AC00000000000000000000000000000001", "api_version": "2010-04-01", "body": "", "date_created": '
    '"Thu, 24 Aug 2026 05:01:45 +0000", "date_sent": null, "date_updated": "Thu, 24 Aug 2026 05:01:45 +0000", '
    '"direction": "outbound-api", "error_code": null, "error_message": null, "from": "+15005550006", '
    '"num_media": "0", "num_segments": "2", "price": null, "price_unit": null, "messaging_service_sid": null, '
    '"sid": "SM%032x", "status": "queued", "subresource_uris": {"media": "/2010-04-01/Accounts/AC/Messages/Media.json"},'
    ' "tags": null, "to": "+8615400000000", "uri": "/2010-04-01/Accounts/AC/Messages/SM.json"}'
)
_NUMBER: Final = b"+86"


@dataclass(slots=True)
class Tally:
    """What came to one path."""

    count: int = 0
    numbers: int = 0
    body_bytes: int = 0
    first: float = 0.0
    last: float = 0.0

    def facts(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("count", "numbers", "body_bytes", "first", "last")}


class Sink:
    """What all connections share."""

    def __init__(self, *, keys: bool) -> None:
        self.tallies: dict[bytes, Tally] = {}
        self.log: list[tuple[bytes, bytes, float]] | None = [] if keys else None
        """Delivery key, path, and when it came."""
        self.limit = 1000.0
        self.waits_s = {b"slow": SLOW_S, b"late": 0.0}
        self.taken: deque[float] = deque()
        self.arrivals: list[float] = []
        self.throttled = 0
        self._sids = 0

    def answer(self, path: bytes, body: bytes) -> tuple[bytes, float]:
        """What to say and how many seconds later; negative: never."""
        now = time.monotonic()
        tally = self.tallies.get(path)
        if tally is None:
            tally = self.tallies[path] = Tally(first=now)
        tally.count += 1
        tally.body_bytes += len(body)
        tally.last = now
        behaviour = path[1 : path.find(b"/", 1)]
        if behaviour == b"hang":
            return b"", -1.0
        if behaviour == b"limited" and self._too_many(now):
            return _LATER, 0.0
        if self.log is not None and (key := _key_in(body)):
            self.log.append((key, path, now))
        delay = self.waits_s.get(behaviour, 0.0)
        if path.endswith(b"/batch"):
            tally.numbers += body.count(_NUMBER)
        if path.endswith(b".json"):
            self._sids += 1
            said = (_SMS % self._sids).encode()
            head = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(said)
            return head + said, delay
        return _OK, delay

    def _too_many(self, now: float) -> bool:
        """As providers count: so many in any second that ends now."""
        self.arrivals.append(now)
        while self.taken and self.taken[0] <= now - 1.0:
            self.taken.popleft()
        if len(self.taken) >= self.limit:
            self.throttled += 1
            return True
        self.taken.append(now)
        return False

    async def take(self, _order: Mapping[str, Any]) -> Mapping[str, Any]:
        """What came since the last time, and begins anew."""
        found = {path.decode("ascii", "replace"): tally.facts() for path, tally in self.tallies.items()}
        arrivals, throttled = self.arrivals, self.throttled
        self.tallies, self.arrivals, self.throttled = {}, [], 0
        self.taken.clear()
        return {"paths": found, "arrivals": arrivals, "throttled": throttled}

    async def look(self, _order: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"paths": {path.decode("ascii", "replace"): tally.facts() for path, tally in self.tallies.items()}}

    async def set_limit(self, order: Mapping[str, Any]) -> Mapping[str, Any]:
        self.limit = float(order["limit"])
        return {}

    async def set_late(self, order: Mapping[str, Any]) -> Mapping[str, Any]:
        """How long `late` waits with whatever comes from now on."""
        self.waits_s[b"late"] = float(order["after_s"])
        return {}

    async def take_keys(self, _order: Mapping[str, Any]) -> Mapping[str, Any]:
        """Each delivery key and how often it came; begins anew."""
        return {"keys": Counter([key for key, _path, _at in self._log_anew()])}

    async def take_log(self, _order: Mapping[str, Any]) -> Mapping[str, Any]:
        """Each request in the order they came: delivery key, path, when; begins anew."""
        return {"log": self._log_anew()}

    def _log_anew(self) -> list[tuple[str, str, float]]:
        assert self.log is not None
        found, self.log = self.log, []
        return [(key.decode("ascii", "replace"), path.decode("ascii", "replace"), at) for key, path, at in found]


class Connection(asyncio.Protocol):
    """One keep-alive connection: requests one after the other, each with a length."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._had = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop has a class of its own

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        had = self._had + data if self._had else data
        while (end := had.find(b"\r\n\r\n")) >= 0:
            whole = end + 4 + length_of(had, end)
            if len(had) < whole:
                break
            path = had[had.find(b" ") + 1 : had.find(b" HTTP/")]
            said, after_s = self._sink.answer(path, had[end + 4 : whole])
            if after_s > 0:
                asyncio.get_running_loop().call_later(after_s, self._say, said)
            elif after_s == 0:
                self._say(said)
            had = had[whole:]
        self._had = had

    def _say(self, said: bytes) -> None:
        if self._transport is not None:
            self._transport.write(said)


def _key_in(body: bytes) -> bytes:
    start = body.find(b"Key=")
    if start < 0:
        return b""
    end = body.find(b"&", start)
    return body[start + 4 : end if end >= 0 else len(body)]


def length_of(head: bytes, end: int) -> int:
    """Content-Length, however it is written; 0 where there is none."""
    place = head.find(b"Content-Length:", 0, end)
    if place < 0:
        place = head.lower().find(b"content-length:", 0, end)
    return int(head[place + 15 : head.find(b"\r\n", place)]) if place >= 0 else 0


async def _run(*, keys: bool) -> None:
    sink = Sink(keys=keys)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(sink), HOST, 0, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    orders = {
        "take": sink.take,
        "look": sink.look,
        "limit": sink.set_limit,
        "late": sink.set_late,
        "keys": sink.take_keys,
        "log": sink.take_log,
    }
    await obey(orders, {"url": f"http://{HOST}:{port}"})


if __name__ == "__main__":
    live(_run(keys="--keys" in sys.argv))
