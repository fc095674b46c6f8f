"""Which addresses may be called, and how a name becomes one. What a hostile address looks like: tests/hostile/test_ssrf.py."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import pytest

from channels.addresses import Forbidden, Guard, Resolver, networks

STRANGER = Guard(stranger=True)


@pytest.mark.parametrize("url", ["https://hooks.example.com/a?b=c", "https://8.8.8.8/", "https://example.com:8443/"])
def test_a_strangers_public_https_address_is_called(url: str) -> None:
    STRANGER.check_url(url)


def test_the_operators_list_opens_the_government_network_and_nothing_more() -> None:
    guard = Guard(stranger=True, allow=networks(["10.36.0.0/16"]))
    guard.check_url("http://10.36.4.2:8081/hook")
    guard.check_address("10.36.255.255")
    for outside in ("10.37.0.1", "169.254.169.254", "127.0.0.1"):
        with pytest.raises(Forbidden):
            guard.check_address(outside)


def test_a_gateway_of_the_register_may_stand_in_the_inner_network_but_not_on_this_machine() -> None:
    Guard().check_url("http://10.36.4.2:8080/gateways/1")
    for never in ("http://127.0.0.1:8080/", "http://169.254.169.254/", "http://0.0.0.0/"):
        with pytest.raises(Forbidden):
            Guard().check_url(never)


def test_loopback_only_never_leaves_the_machine() -> None:
    guard = Guard(loopback_only=True, stranger=True)
    guard.check_url("http://127.0.0.1:8080/platforms/1")
    for away in ("http://10.36.4.2/", "https://8.8.8.8/"):
        with pytest.raises(Forbidden):
            guard.check_url(away)


def rows(*addresses: str) -> list[Any]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in addresses]


async def test_one_inner_address_condemns_a_name() -> None:
    resolver = Resolver(STRANGER, look_up=lambda *_, **__: rows("8.8.8.8", "10.0.0.1"))
    with pytest.raises(Forbidden):
        await resolver.resolve("rebinding.example", 443)


async def test_what_was_checked_is_what_is_connected_to() -> None:
    resolver = Resolver(STRANGER, look_up=lambda *_, **__: rows("8.8.8.8"))
    (found,) = await resolver.resolve("hooks.example", 443)
    assert (found["host"], found["hostname"], found["port"]) == ("8.8.8.8", "hooks.example", 443)


async def test_a_hanging_name_service_costs_its_deadline_and_holds_up_nobody() -> None:
    free = threading.Event()

    def look_up(host: str, *_: Any, **__: Any) -> list[Any]:
        if host == "hanging.example":
            free.wait(10)
        return rows("8.8.8.8")

    resolver = Resolver(STRANGER, deadline_s=0.05, look_up=look_up)
    try:
        async with asyncio.timeout(1):
            with pytest.raises(OSError, match="域名解析失败"):
                await resolver.resolve("hanging.example", 443)
            assert await resolver.resolve("other.example", 443)
    finally:
        free.set()


async def test_the_last_good_answer_serves_while_the_name_service_is_down() -> None:
    answers: list[Any] = [rows("8.8.8.8"), socket.gaierror(socket.EAI_AGAIN, "down")]

    def look_up(*_: Any, **__: Any) -> list[Any]:
        found = answers.pop(0)
        if isinstance(found, OSError):
            raise found
        return list(found)

    resolver = Resolver(STRANGER, look_up=look_up)
    first = await resolver.resolve("hooks.example", 443)
    assert await resolver.resolve("hooks.example", 443) == first
    await resolver.close()


def test_a_wrong_network_in_the_list_is_named() -> None:
    with pytest.raises(ValueError, match=r"10\.36"):
        networks(["10.36"])
