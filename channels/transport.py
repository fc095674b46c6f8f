"""One HTTP way out for all providers: time limit, status → outcome, guard of addresses, trace with secrets blotted.

It must survive peers that refuse, hang, trickle, cut the line, redirect or answer without end, and must never confuse
"it did not leave" with "it may have left". Every provider has a line of its own (connections, names, time limit), so a
dead gateway cannot eat the slots of the SMS.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientConnectorSSLError,
    ClientError,
    ConnectionTimeoutError,
    InvalidURL,
    TCPConnector,
)

from channels.addresses import Forbidden, Guard, Network, Resolver
from channels.blotting import blotted
from channels.contract import STOOD_STILL, Blame, NotKnown, Refused, TryAgain
from channels.exchange import Exchange
from channels.http1 import Answer as Answer
from channels.http1 import NotBegun, StoodStill

Failure = TryAgain | NotKnown | Refused

TRACE_LIMIT: Final = 8 * 1024
LONGEST_WAIT_S: Final = 3600.0
"""Nobody is left alone for longer, whatever his Retry-After says."""

MOST_CHECKED: Final = 4096

NOT_SENT: Final[tuple[tuple[tuple[type[Exception], ...], Failure], ...]] = (
    ((InvalidURL,), Refused(code="bad_url", reason="网址写法有误，请改正", blame=Blame.ADDRESS)),
    ((StoodStill,), TryAgain(code=STOOD_STILL, reason="本机停顿了片刻，没有发出，随即再试")),
    ((ConnectionTimeoutError,), TryAgain(code="connect_timeout", reason="连接对方超时，请检查网络")),
    (
        # TLS is never given up for plain text: slow retries and an alarm.
        (ClientConnectorCertificateError, ClientConnectorSSLError),
        TryAgain(code="tls_config", reason="对方证书有误或过期，没有发出，请检查证书", after_s=60.0),
    ),
    ((ClientConnectorDNSError,), TryAgain(code="name_unknown", reason="域名解析不出，请检查网址和域名服务")),
    ((ClientConnectorError, NotBegun), TryAgain(code="no_connection", reason="连不上对方，请检查网址和网络")),
)
"""Faults that come before the first byte of a request; the first that fits."""

_MESSAGE_STATES: Final = frozenset({400, 413, 414, 415, 422, 431})


class Line:
    """The connections of one provider. One request has one total limit; of it, at most half is for connecting."""

    def __init__(
        self,
        *,
        guard: Guard,
        tls: ssl.SSLContext | None,
        may_leave: Callable[[], bool],
        in_flight: int,
        timeout_s: float,
    ) -> None:
        self._guard = guard
        self._tls = tls
        self._may_leave = may_leave
        self._in_flight = in_flight
        self._timeout_s = timeout_s
        self._exchange: Exchange | None = None
        self._checked: set[str] = set()

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Awaitable[Answer | Failure]:
        return self.request("POST", url, body, headers)

    async def request(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Answer | Failure:
        """The answer whatever its state (see `judge`), or why there is none. Redirects are not followed."""
        try:
            if url not in self._checked:
                self._check(url)
            return await (self._exchange or self._open()).request(method, url, body, headers)
        except (ClientError, OSError) as error:
            return _without_answer(error)

    async def close(self) -> None:
        if self._exchange is not None:
            await self._exchange.close()
            self._exchange = None

    def _check(self, url: str) -> None:
        """Once for each address: what a name resolves to is checked at every connection anyway."""
        self._guard.check_url(url)
        if "?" not in url and len(self._checked) < MOST_CHECKED:  # a query is another one each time
            self._checked.add(url)

    def _open(self) -> Exchange:
        """Made at the first request, because connections belong to the loop that runs."""
        connector = TCPConnector(
            limit=0,  # the exchange counts
            resolver=Resolver(self._guard),
            ttl_dns_cache=30,
            ssl=self._tls or True,
        )
        self._exchange = Exchange(
            connector, self._tls, in_flight=self._in_flight, timeout_s=self._timeout_s, may_leave=self._may_leave
        )
        return self._exchange


class Transport:
    """Gives every provider its line, and closes them all.

    `loopback_only`: nothing but this machine is ever called (demo, tests). `loopback`: this machine may be called too
    (profile test). `allow`: networks that a third party's address may lie in although they are private. `may_leave`: asked
    before each request; while it says no, nothing leaves.
    """

    def __init__(
        self,
        *,
        loopback_only: bool = False,
        loopback: bool = False,
        allow: tuple[Network, ...] = (),
        tls: ssl.SSLContext | None = None,
        may_leave: Callable[[], bool] = lambda: True,
    ) -> None:
        self._may_leave = may_leave
        self._loopback_only = loopback_only
        self._loopback = loopback
        self._allow = allow
        self._tls = tls
        self._lines: list[Line] = []

    def line(self, *, in_flight: int, timeout_s: float, stranger: bool = False) -> Line:
        """`stranger`: the addresses come from a third party, so they are watched more closely."""
        guard = Guard(loopback_only=self._loopback_only, loopback=self._loopback, stranger=stranger, allow=self._allow)
        line = Line(guard=guard, tls=self._tls, may_leave=self._may_leave, in_flight=in_flight, timeout_s=timeout_s)
        self._lines.append(line)
        return line

    async def close(self) -> None:
        for line in self._lines:
            await line.close()
        self._lines.clear()


def judge(answer: Answer, now: datetime, *, blame: Blame) -> Failure | None:
    """HTTP state → outcome, once for all providers; None for 2xx. `blame`: who errs where the state names nobody."""
    status = answer.status
    if 200 <= status < 300:
        return None
    code = f"http_{status}"
    if status == 429:
        return TryAgain(code=code, reason="对方限流", after_s=retry_after(answer, now), throttled=True)
    if status == 408 or status >= 500:
        return TryAgain(code=code, reason=f"对方故障（HTTP {status}）", after_s=retry_after(answer, now))
    if status in _MESSAGE_STATES:
        return Refused(code=code, reason=f"对方不接受这条内容（HTTP {status}）", blame=Blame.MESSAGE)
    if 300 <= status < 400:
        return Refused(code="redirect", reason="对方要求改道，不予跟随，请改正网址", blame=blame)
    return Refused(code=code, reason=f"对方拒绝（HTTP {status}），请核对网址和凭据", blame=blame)


def retry_after(answer: Answer, now: datetime) -> float | None:
    """Seconds to wait as the peer asks, in seconds or as a date; at most an hour, whatever it says."""
    value = answer.headers.get("Retry-After", "").strip()
    if value.isdigit() and len(value) < 10:
        return min(float(value), LONGEST_WAIT_S)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    return min(max((at - now).total_seconds(), 0.0), LONGEST_WAIT_S) if at.tzinfo is not None else None


def located(base_url: str, to: str) -> str:
    """A gateway's or endpoint's address: as the register has it, or, where that is a path, under the base URL."""
    return base_url.rstrip("/") + to if to.startswith("/") else to


def trace(request: str, answer: Answer | None, blot: tuple[str, ...] = ()) -> str:
    """What went over the wire, for the ledger: shortened, with secrets and numbers blotted."""
    said = "（没有应答）" if answer is None else f"HTTP {answer.status}\n{answer.text}"
    return f"{_short(blotted(request, blot))}\n\n{_short(blotted(said, blot))}"


def _without_answer(error: ClientError | OSError) -> Failure:
    """Whether it left. What is not in the table happened after bytes were written."""
    cause = error.os_error if isinstance(error, ClientConnectorError) else error
    if isinstance(cause, Forbidden):
        return Refused(code="forbidden_address", reason=str(cause), blame=Blame.ADDRESS)
    for kinds, failure in NOT_SENT:
        if isinstance(error, kinds):
            return failure
    if isinstance(error, TimeoutError):
        return NotKnown(code="timeout", reason="已发出请求，对方未在时限内应答")
    return NotKnown(code="cut", reason=f"已发出请求，连接中断（{type(error).__name__}）")


def _short(text: str) -> str:
    return text if len(text) <= TRACE_LIMIT else text[:TRACE_LIMIT] + "…（已截短）"
