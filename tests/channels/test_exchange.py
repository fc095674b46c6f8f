"""One request on one connection: what goes over the wire, what is kept of the connection, and when it is given up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientError, InvalidURL, TCPConnector

from channels.exchange import Exchange

Serve = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def exchanging(serve: Serve, timeout_s: float = 2.0) -> AsyncIterator[tuple[Exchange, str, list[int]]]:
    """An exchange, its peer's address, and the requests heard on each connection."""
    heard: list[int] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(0)
        number = len(heard) - 1
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or b"0")
            heard[number] += 1
            await serve(head + await reader.readexactly(length), writer)

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(guarded, "127.0.0.1", 0)
    exchange = Exchange(TCPConnector(limit=4), None, timeout_s)
    try:
        yield exchange, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", heard
    finally:
        await exchange.close()
        server.close()


def says(*pieces: bytes) -> Serve:
    async def serve(_request: bytes, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()

    return serve


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


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
        + b"\r\nUser-Agent: mingluo\r\nX-One: 1\r\nContent-Length: 2\r\n\r\n{}"
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


@pytest.mark.parametrize(
    "reply",
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n", b"1\r\nk\r\n0\r\n\r\n"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", OK),
        (b"HTTP/1.1 200 OK\r\nContent-Len", b"gth: 2\r\n\r\no", b"k"),
    ],
)
async def test_an_answer_in_any_lawful_shape_is_read(reply: tuple[bytes, ...]) -> None:
    async with exchanging(says(*reply)) as (exchange, url, heard):
        for _ in range(2):
            answer = await exchange.request("GET", url, None, {})
            assert (answer.status, answer.body, answer.whole) == (200, b"ok", True)
    assert heard == [2]


async def test_a_connection_whose_answer_was_not_read_to_its_end_is_not_used_again() -> None:
    cut = b"HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\nhalf"
    async with exchanging(says(cut), timeout_s=0.3) as (exchange, url, heard):
        for _ in range(2):
            answer = await exchange.request("POST", url, b"", {})
            assert (answer.status, answer.whole) == (503, False)
    assert heard == [1, 1]


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
