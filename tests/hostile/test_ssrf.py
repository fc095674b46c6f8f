"""Addresses that a third party gives us to call, by the name of the attack: each is refused, and nobody inside is called.

They come in as a platform's address does: the party platform's own file, by the transport of profile production. A listener
that counts stands on loopback at the port they point to. Which addresses may be called is in tests/channels/test_addresses.py;
what a feed may lead us to, in tests/dispatcher/test_polling_fetching.py.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import ClientConnectorError, ClientSession, ServerDisconnectedError, TCPConnector, web
from msgspec.structs import replace

from channels.addresses import Forbidden, Guard, Resolver
from channels.contract import Accepted, Blame, Outcome, Refused
from channels.transport import Transport
from tests.channels.subjects import webhook, webhook_message
from tests.hostile.canary import canary

NOW = datetime(2026, 4, 2, 18, 39, tzinfo=UTC)
LOOPBACK = "正式环境不许连接本机地址"
LOCAL = "链路本地、组播和云主机元数据地址一律不许连接"
INNER = "对方网址指向内网，须由管理员列入允许名单"
BROKEN = "网址写法有误，请改正"
SCHEME = "网址必须以 https:// 或 http:// 开头，请改正"
USER = "网址里不能带用户名或口令，请改正"
PLAIN = "对方网址必须是 https，或由管理员列入允许名单"


async def told(url: str, transport: Transport) -> Outcome:
    """What becomes of an event for a platform that stands at `url`."""
    platform = webhook("", transport)
    message = replace(webhook_message(""), to=url)
    try:
        (outcome,) = await platform.provider.send([message], NOW)
        return outcome
    finally:
        await transport.close()


HOSTS = {
    "loopback": ("127.0.0.1", LOOPBACK),
    "loopback-short": ("127.1", BROKEN),
    "loopback-three-parts": ("127.0.1", BROKEN),
    "loopback-elsewhere-in-127": ("127.255.255.254", LOOPBACK),
    "zero": ("0", BROKEN),
    "zero-whole": ("0.0.0.0", LOCAL),
    "decimal": ("2130706433", BROKEN),
    "octal": ("017700000001", BROKEN),
    "octal-parts": ("0177.0.0.1", BROKEN),
    "hexadecimal": ("0x7f000001", BROKEN),
    "hexadecimal-parts": ("0x7f.0.0.1", BROKEN),
    "trailing-dot": ("127.0.0.1.", BROKEN),
    "circled-digits": ("①②⑦.⓪.⓪.①", LOOPBACK),
    "full-width-digits": ("１２７.０.０.１", LOOPBACK),
    "full-width-stops": ("127．0．0．1", LOOPBACK),
    "chinese-stops": ("127。0。0。1", LOOPBACK),
    "half-width-stops": ("127｡0｡0｡1", LOOPBACK),
    "circled-letters": ("ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", LOOPBACK),
    "localhost": ("localhost", LOOPBACK),
    "localhost-in-capitals": ("LOCALHOST", LOOPBACK),
    "ipv6-loopback": ("[::1]", LOOPBACK),
    "ipv6-loopback-in-full": ("[0:0:0:0:0:0:0:1]", LOOPBACK),
    "ipv6-zone": ("[::1%25lo]", LOOPBACK),
    "ipv6-unspecified": ("[::]", LOCAL),
    "ipv4-mapped-loopback": ("[::ffff:127.0.0.1]", LOOPBACK),
    "ipv4-mapped-hexadecimal": ("[::ffff:7f00:1]", LOOPBACK),
    "ipv4-mapped-metadata": ("[::ffff:169.254.169.254]", LOCAL),
    "ipv4-compatible": ("[::127.0.0.1]", LOCAL),
    "nat64": ("[64:ff9b::7f00:1]", LOOPBACK),
    "6to4": ("[2002:7f00:1::]", LOOPBACK),
    "teredo": ("[2001:0:7f00:1::]", INNER),
    "link-local": ("[fe80::1]", LOCAL),
    "unique-local": ("[fd00::1]", INNER),
    "multicast": ("224.0.0.1", LOCAL),
    "broadcast": ("255.255.255.255", LOCAL),
    "metadata": ("169.254.169.254", LOCAL),
    "metadata-of-aliyun": ("100.100.100.200", LOCAL),
    "metadata-of-aws-over-ipv6": ("[fd00:ec2::254]", LOCAL),
    "private-10": ("10.0.0.8", INNER),
    "private-172": ("172.16.0.1", INNER),
    "private-192": ("192.168.1.1", INNER),
    "carriers-nat": ("100.64.0.1", INNER),
    "userinfo": ("hooks.example@127.0.0.1", USER),
    "userinfo-with-password": ("hooks.example:443@127.0.0.1", USER),
    "userinfo-empty": ("@127.0.0.1", USER),
    "userinfo-behind-a-backslash": ("hooks.example\\@127.0.0.1", BROKEN),
    "blank-in-front": (" 127.0.0.1", SCHEME),
    "tab-behind": ("127.0.0.1\t", SCHEME),
    "line-break": ("127.0.0.1\r\nX-Injected: 1", SCHEME),
}


@pytest.mark.parametrize(("host", "why"), HOSTS.values(), ids=HOSTS)
async def test_a_host_that_points_inside_is_refused_and_not_called(host: str, why: str) -> None:
    async with canary() as bird:
        outcome = await told(f"https://{host}:{bird.port}/hook", Transport())
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.reason, outcome.blame) == ("forbidden_address", why, Blame.ADDRESS)
    assert bird.calls == 0


URLS = {
    "http": ("http://8.8.8.8/hook", PLAIN),
    "http-to-a-name": ("http://203.0.113.9.example/hook", PLAIN),
    "gopher": ("gopher://127.0.0.1:{port}/_GET", SCHEME),
    "file": ("file:///etc/passwd", SCHEME),
    "ftp": ("ftp://127.0.0.1:{port}/", SCHEME),
    "dict": ("dict://127.0.0.1:{port}/d:x", SCHEME),
    "ldap": ("ldap://127.0.0.1:{port}/", SCHEME),
    "unix-socket": ("unix:///run/docker.sock", SCHEME),
    "javascript": ("javascript:alert(1)", SCHEME),
    "data": ("data:text/plain,hello", SCHEME),
    "no-scheme": ("//127.0.0.1:{port}/", SCHEME),
    "path-alone": ("/hook", SCHEME),
    "nothing": ("", SCHEME),
    "no-host": ("https:///hook", SCHEME),
    "ssh-port": ("https://8.8.8.8:22/", "对方网址的端口 22 不允许，请改用 443"),
    "smtp-port": ("https://8.8.8.8:25/", "对方网址的端口 25 不允许，请改用 443"),
    "plain-http-port": ("https://8.8.8.8:80/", "对方网址的端口 80 不允许，请改用 443"),
    "port-zero": ("https://8.8.8.8:0/", "对方网址的端口 0 不允许，请改用 443"),
    "port-beyond-all": ("https://8.8.8.8:99999/", BROKEN),
    "bracket-left-open": ("https://[::1", BROKEN),
}


@pytest.mark.parametrize(("url", "why"), URLS.values(), ids=URLS)
async def test_a_scheme_or_port_of_something_else_is_refused_and_not_called(url: str, why: str) -> None:
    async with canary() as bird:
        outcome = await told(url.format(port=bird.port), Transport())
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.reason) == ("forbidden_address", why)
    assert bird.calls == 0


@asynccontextmanager
async def answered_by(status: int, **headers: str) -> AsyncIterator[str]:
    """The address of a platform on this machine that always says this."""

    async def says(_request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=status, headers=headers)

    runner = web.ServerRunner(web.Server(says, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("to", ["http://127.0.0.1:{port}/", "http://169.254.169.254/", "//127.0.0.1:{port}/"])
async def test_a_redirect_inside_is_not_followed(status: int, to: str) -> None:
    async with canary() as bird, answered_by(status, Location=to.format(port=bird.port)) as platform:
        outcome = await told(platform, Transport(loopback=True))
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.reason) == ("redirect", "对方要求改道，不予跟随，请改正网址")
    assert bird.calls == 0


@pytest.mark.parametrize("name", ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"])
async def test_a_proxy_in_the_environment_is_not_gone_through(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with canary() as bird, answered_by(204) as platform:
        monkeypatch.setenv(name, f"http://127.0.0.1:{bird.port}")
        outcome = await told(platform, Transport(loopback=True))
    assert isinstance(outcome, Accepted)
    assert bird.calls == 0


def answering(*answers: str) -> Any:
    """A name service that changes its mind: each question gets the next address, the last one for ever."""
    left = list(answers)

    def look_up(_host: str, port: int, **_: Any) -> list[Any]:
        address = left.pop(0) if len(left) > 1 else left[0]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port))]

    return look_up


@pytest.mark.parametrize("second", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1"])
async def test_a_name_that_is_public_first_and_private_then_is_refused_the_second_time(second: str) -> None:
    resolver = Resolver(Guard(stranger=True), look_up=answering("8.8.8.8", second))
    assert [one["host"] for one in await resolver.resolve("rebinding.example", 443)] == ["8.8.8.8"]
    with pytest.raises(Forbidden):
        await resolver.resolve("rebinding.example", 443)


async def test_a_name_that_turns_private_between_two_calls_is_called_once() -> None:
    """Each connection asks anew and is checked anew: what was good a moment ago proves nothing."""
    async with canary() as bird:
        resolver = Resolver(Guard(loopback_only=True), look_up=answering("127.0.0.1", "10.0.0.1"))
        connector = TCPConnector(resolver=resolver, use_dns_cache=False)
        url = f"http://rebinding.example:{bird.port}/"
        async with ClientSession(connector=connector) as session:
            with pytest.raises(ServerDisconnectedError):
                await session.post(url)
            with pytest.raises(ClientConnectorError) as second:
                await session.post(url)
    assert isinstance(second.value.os_error, Forbidden)
    assert bird.calls == 1
