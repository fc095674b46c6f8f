"""One request on one connection: what goes over the wire, what is kept of the connection, and when it is given up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable

import pytest
from aiohttp import ClientError, InvalidURL

from channels.http1 import LEAVE_S, StoodStill
from tests.channels.exchanging import OK, exchanging, says


async def test_requests_are_whole_and_their_connection_is_used_again() -> None:
    requests = []

    async def serve(request: bytes, writer: asyncio.StreamWriter) -> None:
        requests.append(request)
        writer.write(OK)

    async with exchanging(serve) as (exchange, url, heard):
        for body in (b"{}", b"", None):
            answer = await exchange.request("POST", f"{url}/a%20b?q=1", body, {"X-One": "1"})
            assert (answer.status, answer.body, answer.whole) == (200, b"ok", True)
    assert heard == [3]
    host = url.removeprefix("http://").encode()
    assert requests[0] == (
        b"POST /a%20b?q=1 HTTP/1.1\r\nHost: "
        + host
        + b"\r\nUser-Agent: mingluo\r\nAccept-Encoding: identity\r\nX-One: 1\r\nContent-Length: 2\r\n\r\n{}"
    )
    assert b"Content-Length: 0\r\n" in requests[1]
    assert b"Content-Length: 0\r\n" in requests[2]


async def test_a_host_that_was_signed_stands_in_the_head_once_and_a_question_has_no_body() -> None:
    requests = []

    async def serve(request: bytes, writer: asyncio.StreamWriter) -> None:
        requests.append(request)
        writer.write(OK)

    async with exchanging(serve) as (exchange, url, _):
        await exchange.request("GET", url, None, {"host": "signed.example"})
    assert requests[0].lower().count(b"host:") == 1
    assert b"signed.example" in requests[0]
    assert b"content-length" not in requests[0].lower()


async def test_a_request_given_up_takes_its_connection_with_it() -> None:
    gate = asyncio.Event()

    async def serve(_request: bytes, writer: asyncio.StreamWriter) -> None:
        if not gate.is_set():
            gate.set()
            return
        writer.write(OK)

    async with exchanging(serve) as (exchange, url, heard), asyncio.TaskGroup() as tasks:
        hanging = tasks.create_task(exchange.request("POST", url, b"", {}))
        await gate.wait()
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging
        assert (await exchange.request("POST", url, b"", {})).body == b"ok"
    assert heard == [1, 1]


async def test_a_peer_that_says_nothing_is_a_time_limit_and_one_that_hangs_up_is_not() -> None:
    async def hang_up(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with exchanging(says(), timeout_s=0.1) as (exchange, url, _):
        with pytest.raises(TimeoutError):
            await exchange.request("POST", url, b"", {})
    async with exchanging(hang_up) as (exchange, url, _):
        with pytest.raises(ClientError):
            await exchange.request("POST", url, b"", {})


async def test_a_header_cannot_break_out_of_its_line() -> None:
    async with exchanging(says(OK)) as (exchange, url, heard):
        with pytest.raises(InvalidURL):
            await exchange.request("POST", url, b"", {"X-One": "1\r\nX-Two: 2"})
    assert heard == []


async def test_whoever_waited_for_a_place_writes_nothing_when_half_of_the_time_is_over() -> None:
    requests = []

    async def hold(request: bytes, writer: asyncio.StreamWriter) -> None:
        requests.append(request)

    async with exchanging(hold, timeout_s=0.4) as (exchange, url, _), asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(_said(exchange.request("POST", url, b"", {}))) for _ in range(6)]
        await asyncio.wait(asked)
        assert sorted(one.result() for one in asked) == ["ConnectionTimeoutError"] * 2 + ["TimeoutError"] * 4
    assert len(requests) == 4


async def _said(answer: Awaitable[object]) -> str:
    try:
        return str(await answer)
    except (OSError, ClientError) as error:
        return type(error).__name__


@pytest.mark.long
async def test_whoever_stood_still_while_connecting_neither_blames_the_peer_nor_sends() -> None:
    """What it was about to send may be another's by now."""
    async with exchanging(says(OK), timeout_s=0.4) as (exchange, url, heard):
        asyncio.get_running_loop().call_soon(time.sleep, 1.0)  # a machine that was paused
        with pytest.raises(StoodStill):
            await exchange.request("POST", url, b"", {})
        assert sum(heard) == 0


@pytest.mark.long
async def test_whoever_stood_still_between_connecting_and_writing_does_not_write() -> None:
    """Within the time for connecting, yet too long ago to be sure that it is still ours to send."""
    async with exchanging(says(OK), timeout_s=30) as (exchange, url, heard):
        asyncio.get_running_loop().call_soon(time.sleep, LEAVE_S + 0.2)
        with pytest.raises(StoodStill):
            await exchange.request("POST", url, b"", {})
        assert sum(heard) == 0
        assert (await exchange.request("POST", url, b"", {})).body == b"ok"
    assert heard == [1], "over the connection that was made"


@pytest.mark.long
async def test_whoever_stood_still_at_the_end_of_a_turn_of_the_loop_does_not_write() -> None:
    """What was asked in a turn leaves at its end."""
    async with exchanging(says(OK), timeout_s=30) as (exchange, url, heard):
        await exchange.request("POST", url, b"", {})
        async with asyncio.TaskGroup() as tasks:
            asked = tasks.create_task(_said(exchange.request("POST", url, b"", {})))
            asyncio.get_running_loop().call_soon(time.sleep, LEAVE_S + 0.2)
        assert asked.result() == "StoodStill"
        assert (await exchange.request("POST", url, b"", {})).body == b"ok"
    assert heard == [2]


async def test_whoever_gives_up_before_the_turn_of_the_loop_ends_does_not_write() -> None:
    async with exchanging(says(OK), timeout_s=30) as (exchange, url, heard):
        await exchange.request("POST", url, b"", {})
        async with asyncio.TaskGroup() as tasks:
            asked = tasks.create_task(exchange.request("POST", url, b"", {}))
            asyncio.get_running_loop().call_soon(asked.cancel)
        assert asked.cancelled()
        assert (await exchange.request("POST", url, b"", {})).body == b"ok"
    assert heard == [1, 1], "the connection of whoever gave up is not used again"


async def test_what_is_closed_before_the_turn_of_the_loop_ends_has_surely_sent_nothing() -> None:
    """Else it would count as perhaps sent, and whoever is not to hear twice would not hear at all."""
    async with exchanging(says(OK), timeout_s=30) as (exchange, url, heard):
        await exchange.request("POST", url, b"", {})
        async with asyncio.TaskGroup() as tasks:
            asked = tasks.create_task(_said(exchange.request("POST", url, b"", {})))
            tasks.create_task(exchange.close())
        assert asked.result() == "NotBegun"
    assert heard == [1]


async def test_whoever_lost_it_while_making_it_ready_does_not_send() -> None:
    """A packet is made between the last look and the request: a process frozen there wakes with what is another's."""
    still_ours = [False, True]
    async with exchanging(says(OK), may_leave=lambda: still_ours.pop(0)) as (exchange, url, heard):
        with pytest.raises(StoodStill):
            await exchange.request("POST", url, b"", {})
        assert heard == []
        assert (await exchange.request("POST", url, b"", {})).body == b"ok"


async def test_whoever_gives_up_just_as_a_place_is_handed_over_hands_it_on() -> None:
    gates = [asyncio.Event() for _ in range(4)]
    waiting = iter(gates)

    async def hold(_request: bytes, writer: asyncio.StreamWriter) -> None:
        if (gate := next(waiting, None)) is not None:
            await gate.wait()
        writer.write(OK)

    async with exchanging(hold, timeout_s=30) as (exchange, url, heard), asyncio.TaskGroup() as tasks:
        first = [tasks.create_task(exchange.request("POST", url, b"", {})) for _ in range(4)]
        while sum(heard) < 4:
            await asyncio.sleep(0)
        second, third = [tasks.create_task(exchange.request("POST", url, b"", {})) for _ in range(2)]
        await asyncio.sleep(0)
        for one in first:  # whoever is answered: its place is the second's by now
            one.add_done_callback(lambda _: second.cancel())
        gates[0].set()
        assert (await third).body == b"ok"
        assert second.cancelled()
        for gate in gates:
            gate.set()
