"""HTTP for feeds and what they list: GET, conditional, within a limit of time and one of size.

It must survive peers that refuse, hang, trickle, cut the line, answer without end, send us elsewhere, or point us at our
own machines: only hosts that were named are asked, whatever a feed or a redirect says, and never in plain text where the
feed itself is read over TLS.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urljoin, urlsplit

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

from channels.addresses import Forbidden, Guard, Resolver
from channels.contract import Blame, TryAgain
from channels.transport import NOT_SENT, Answer, judge

MOST_REDIRECTS: Final = 3
AT_ONCE: Final = 4
"""Connections to one host."""
_LONGEST_MARK: Final = 500
_BUSY: Final = (429, 503)
_MOVED: Final = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What is wanted. `hosts`: all that may be asked; `tls`: only so. `etag` and `last_modified`: of what we have already."""

    url: str
    hosts: frozenset[str]
    tls: bool
    timeout_s: float
    most: int
    etag: str = ""
    last_modified: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """`url` is where it lay in the end."""

    body: bytes
    content_type: str
    url: str
    etag: str
    last_modified: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unchanged:
    """As we have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Nothing came; `reason` for a person. `after_s`: not sooner, says the peer. `busy`: it asks to be left alone."""

    reason: str
    after_s: float | None = None
    busy: bool = False


class Fetcher:
    """One for the process. `close()` it in the loop that used it."""

    def __init__(self, guard: Guard, *, tls: ssl.SSLContext | None = None) -> None:
        self._guard = guard
        self._tls = tls
        self._session: ClientSession | None = None

    async def get(self, ask: Ask, now: datetime) -> Document | Unchanged | Failed:
        """`ask.timeout_s` is for everything: redirects, and the last byte of the body."""
        try:
            async with asyncio.timeout(ask.timeout_s):
                return await self._follow(ask, now)
        except TimeoutError:
            return Failed(reason=f"{ask.timeout_s:g} 秒内没有读完，请检查网络和对方")
        except (ClientError, OSError) as error:
            return Failed(reason=_why(error))
        except ValueError:
            return Failed(reason="对方要我们改道的网址写法有误，请告诉对方")

    def refuses(self, url: str, ask: Ask) -> str:
        """Why `url` is not asked; '' where it is."""
        try:
            parts = urlsplit(url)
            if parts.hostname not in ask.hosts:
                return f"在另一台主机 {parts.hostname}：可信的话请写进 sources.yaml 的 feed.hosts"
            self._guard.check_url(url)
        except ValueError:
            return "网址写法有误，请告诉对方"
        except Forbidden as error:
            return str(error)
        if ask.tls and parts.scheme != "https":
            return "目录是 https，却要我们改用明文 http，不予理会，请告诉对方"
        return ""

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _follow(self, ask: Ask, now: datetime) -> Document | Unchanged | Failed:
        url, headers = ask.url, _headers(ask)
        for _ in range(MOST_REDIRECTS + 1):
            if why := self.refuses(url, ask):
                return Failed(reason=why)
            async with self._open().get(url, headers=headers, allow_redirects=False) as answer:
                to = answer.headers.get("Location", "")
                if answer.status not in _MOVED or not to:
                    return await _taken(answer, url, ask, now)
                url = urljoin(url, to)
        return Failed(reason=f"改道超过 {MOST_REDIRECTS} 次，请核对网址")

    def _open(self) -> ClientSession:
        """Made at the first request, because connections belong to the loop that runs."""
        if self._session is None:
            connector = TCPConnector(
                limit_per_host=AT_ONCE, resolver=Resolver(self._guard), ttl_dns_cache=30, ssl=self._tls or True
            )
            self._session = ClientSession(
                connector=connector,
                cookie_jar=DummyCookieJar(),
                headers={"User-Agent": "mingluo"},
                timeout=ClientTimeout(total=None),  # `get` has the limit, one for all redirects
            )
        return self._session


def _headers(ask: Ask) -> dict[str, str]:
    given = {"Accept": "application/atom+xml, application/rss+xml, application/cap+xml, application/xml, */*;q=0.5"}
    if ask.etag:
        given["If-None-Match"] = ask.etag
    if ask.last_modified:
        given["If-Modified-Since"] = ask.last_modified
    return given


async def _taken(answer: ClientResponse, url: str, ask: Ask, now: datetime) -> Document | Unchanged | Failed:
    if answer.status == 304 and (ask.etag or ask.last_modified):
        return Unchanged()
    if answer.status != 200:
        return _refused(answer, now)
    body = bytearray()
    async for piece in answer.content.iter_any():
        body += piece
        if len(body) > ask.most:
            return Failed(reason=f"超过 {ask.most} 字节，没有读完，请告诉对方")
    return Document(
        body=bytes(body),
        content_type=answer.headers.get("Content-Type", ""),
        url=url,
        etag=_mark(answer.headers, "ETag"),
        last_modified=_mark(answer.headers, "Last-Modified"),
    )


def _refused(answer: ClientResponse, now: datetime) -> Failed:
    """A state means here what it means of a provider; short of 400 nothing was refused, and nothing given."""
    if answer.status < 400:
        return Failed(reason=f"应答里没有内容（HTTP {answer.status}），请核对网址")
    said = judge(Answer(status=answer.status, headers=answer.headers, body=b""), now, blame=Blame.ADDRESS)
    assert said is not None
    after_s = said.after_s if isinstance(said, TryAgain) else None
    return Failed(reason=said.reason, after_s=after_s, busy=answer.status in _BUSY)


def _mark(headers: Mapping[str, str], name: str) -> str:
    """What is sent back as it came; one that could not be is as good as none."""
    value = headers.get(name, "")
    return value if value.isascii() and value.isprintable() and len(value) <= _LONGEST_MARK else ""


def _why(error: ClientError | OSError) -> str:
    cause = getattr(error, "os_error", error)
    if isinstance(cause, Forbidden):
        return str(cause)
    known = next((failure.reason for kinds, failure in NOT_SENT if isinstance(error, kinds)), "")
    return known or f"应答没有读完，连接中断（{type(error).__name__}）"
