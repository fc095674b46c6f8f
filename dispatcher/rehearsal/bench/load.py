"""Receipts by the thousand from a raw asyncio process: the same load for our door and for a bare one.

Requests are written and signed before the clock starts, as Twilio signs them; a connection sends one, waits for its answer,
and sends the next. What is not answered 2xx is counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast
from urllib.parse import quote, urlencode, urlsplit

from dispatcher.rehearsal.bench.orders import live, now_s, obey
from dispatcher.rehearsal.bench.sink import length_of
from dispatcher.rehearsal.sms import signature

PATH: Final = "/api/v1/callbacks/sms/twilio/"


@dataclass(slots=True)
class Score:
    """What came of one volley."""

    good: int = 0
    bad: int = 0
    first_bad: str = ""


class Caller(asyncio.Protocol):
    """One connection."""

    def __init__(self, requests: Iterator[bytes], score: Score, done: asyncio.Future[None]) -> None:
        self._requests = requests
        self._score = score
        self._done = done
        self._had = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop has a class of its own
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(exc or ConnectionResetError("the door hung up"))

    def data_received(self, data: bytes) -> None:
        self._had += data
        end = self._had.find(b"\r\n\r\n")
        if end < 0 or len(self._had) < (whole := end + 4 + length_of(self._had, end)):
            return
        if self._had.startswith(b"HTTP/1.1 2"):
            self._score.good += 1
        else:
            self._score.bad += 1
            self._score.first_bad = self._score.first_bad or self._had[:200].decode("ascii", "replace")
        self._had = self._had[whole:]
        self._next()

    def _next(self) -> None:
        assert self._transport is not None
        request = next(self._requests, None)
        if request is not None:
            self._transport.write(request)
        elif not self._done.done():
            self._done.set_result(None)


async def fire(order: Mapping[str, Any]) -> Mapping[str, Any]:
    """One receipt a key, to `url`; `public` is the address that is signed."""
    requests = [_request(order, key, number) for number, key in enumerate(order["keys"])]
    host, port = urlsplit(order["url"]).hostname, urlsplit(order["url"]).port
    loop, score, left = asyncio.get_running_loop(), Score(), iter(requests)
    waiting: list[asyncio.Future[None]] = [loop.create_future() for _ in range(int(order["connections"]))]
    began = now_s()
    opened = [await loop.create_connection(partial(Caller, left, score, done), host, port) for done in waiting]
    await asyncio.gather(*waiting)
    took = now_s() - began
    for transport, _ in opened:
        transport.close()
    return {"took_s": took, "good": score.good, "bad": score.bad, "first_bad": score.first_bad}


def _request(order: Mapping[str, Any], key: str, number: int) -> bytes:
    path = PATH + quote(key, safe="")
    form = {
        "MessageSid": f"SM{number:032x}",
        "MessageStatus": "delivered",
        "To": "+8615400000000",
        "From": "+15005550006",
        "AccountSid": order["account"],
        "ApiVersion": "2010-04-01",
    }
    body = urlencode(form).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {urlsplit(order['url']).netloc}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"X-Twilio-Signature: {signature(order['token'], order['public'] + path, form)}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


if __name__ == "__main__":
    live(obey({"fire": fire}, {}))
