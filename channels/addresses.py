"""Which addresses may be called, and how a name becomes one.

It must survive an endpoint that points us at our own machines (SSRF), a name that changes between check and connect
(only what was checked is connected to), and a resolver that hangs: a lookup has its own thread and two seconds, and
the last good answer serves while the name service is down.
"""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
LookUp = Callable[..., list[Any]]

DEADLINE_S: Final = 2.0
MOST_LOOKUPS: Final = 8
_NAT64: Final = IPv6Network("64:ff9b::/96")
_METADATA: Final = frozenset({IPv4Address("100.100.100.200"), IPv6Address("fd00:ec2::254")})
"""Where a cloud tells its machines their keys, and it is no link-local address."""
_NUMBER_LAST: Final = re.compile(r"(?:.*\.)?(?:0[xX][0-9a-fA-F]*|[0-9]+)\.?")
"""`127.1`, `2130706433`, `0x7f.0.0.1`: no name ends so, and the system's resolver takes it for an address."""
_STRANGER_PORTS: Final = frozenset({443, 8443})


class Forbidden(OSError):
    """An address we may not call; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """Which addresses may be called.

    `loopback_only`: demo, drills at the desk and tests never leave the machine. `loopback`: profile test.
    `stranger`: the URL came from a third party, so https, a public address and a harmless port, or the allow-list.
    """

    loopback_only: bool = False
    loopback: bool = False
    stranger: bool = False
    allow: tuple[Network, ...] = ()

    def check_url(self, url: str) -> None:
        """Raises Forbidden. What a name resolves to is checked later, by `check_address`."""
        if any(char <= " " for char in url):
            raise Forbidden("网址必须以 https:// 或 http:// 开头，请改正")
        try:
            parts = urlsplit(url)
            # as it is connected to: `127。0。0。1` and `①②⑦.0.0.1` are addresses by then, and no name is asked for
            host, port = URL(url).raw_host, parts.port
        except ValueError as error:
            raise Forbidden("网址写法有误，请改正") from error
        if parts.scheme not in ("http", "https") or not host:
            raise Forbidden("网址必须以 https:// 或 http:// 开头，请改正")
        if parts.username is not None or parts.password is not None:
            raise Forbidden("网址里不能带用户名或口令，请改正")
        literal = _literal(host)
        if literal is None and _NUMBER_LAST.fullmatch(host):
            raise Forbidden("网址写法有误，请改正")
        if literal is not None:
            self._check(literal)
        if not self.stranger or (literal is not None and self._named(literal)):
            return
        if parts.scheme != "https" and not self.loopback_only:
            raise Forbidden("对方网址必须是 https，或由管理员列入允许名单")
        if port is not None and port < 1024 and port not in _STRANGER_PORTS:
            raise Forbidden(f"对方网址的端口 {port} 不允许，请改用 443")

    def check_address(self, address: str) -> None:
        """Raises Forbidden for a resolved address that may not be called."""
        literal = _literal(address)
        if literal is None:
            raise Forbidden("解析结果不是地址")
        self._check(literal)

    def _named(self, address: Address) -> bool:
        """Whether the operator allowed this very address, by list or by profile."""
        if address.is_loopback and (self.loopback or self.loopback_only):
            return True
        return any(address.version == network.version and address in network for network in self.allow)

    def _check(self, address: Address) -> None:
        if self._named(address):
            return
        if self.loopback_only:
            raise Forbidden("演示和测试只许连接本机（127.0.0.1）")
        if address.is_loopback:
            raise Forbidden("正式环境不许连接本机地址")
        local = address.is_link_local or address.is_multicast or address.is_unspecified or address.is_reserved
        if local or address in _METADATA:
            raise Forbidden("链路本地、组播和云主机元数据地址一律不许连接")
        if self.stranger and not address.is_global:
            raise Forbidden("对方网址指向内网，须由管理员列入允许名单")


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """The allow-list: `10.36.0.0/16` or one address each; ValueError names the wrong one."""
    return tuple(ip_network(text) for text in texts)


class Resolver(AbstractResolver):
    """Names → checked addresses. aiohttp's cache above it merges concurrent lookups of one name."""

    def __init__(self, guard: Guard, *, deadline_s: float = DEADLINE_S, look_up: LookUp = socket.getaddrinfo) -> None:
        self._guard = guard
        self._deadline_s = deadline_s
        self._look_up = look_up
        self._known: dict[tuple[str, int], list[ResolveResult]] = {}
        self._under_way = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """All addresses of the name, each of them checked: one bad one condemns the name. Raises OSError."""
        try:
            found = await self._ask(host, port, family)
        except OSError as error:
            if (host, port) in self._known:
                return self._known[host, port]
            raise OSError(f"域名解析失败：{error}") from error
        for item in found:
            self._guard.check_address(item["host"])
        self._known[host, port] = found
        return found

    async def close(self) -> None:
        self._known.clear()

    async def _ask(self, host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
        """A thread a lookup, not a shared pool: a resolver that hangs holds up nobody else, and no exit either."""
        if self._under_way >= MOST_LOOKUPS:
            raise OSError("域名服务没有响应")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[Any]] = loop.create_future()

        def settle(found: list[Any] | OSError) -> None:
            self._under_way -= 1
            if answer.done():
                return
            if isinstance(found, OSError):
                answer.set_exception(found)
            else:
                answer.set_result(found)

        def run() -> None:
            result: list[Any] | OSError
            try:
                result = self._look_up(host, port, family=family, type=socket.SOCK_STREAM)
            except (OSError, UnicodeError) as error:
                result = error if isinstance(error, OSError) else OSError(str(error))
            with suppress(RuntimeError):  # the loop has ended: nobody waits any more
                loop.call_soon_threadsafe(settle, result)

        self._under_way += 1
        threading.Thread(target=run, name="name-lookup", daemon=True).start()
        async with asyncio.timeout(self._deadline_s):
            rows = await answer
        return [_result(host, port, row) for row in rows]


def _result(host: str, port: int, row: Any) -> ResolveResult:
    family, _, protocol, _, address = row
    return ResolveResult(
        hostname=host, host=address[0], port=port, family=family, proto=protocol, flags=socket.AI_NUMERICHOST
    )


def _literal(host: str) -> Address | None:
    """The address written in `host`, an IPv4 one hidden in IPv6 laid bare; None for a name."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address
