"""One connection: any lawful answer is read, and whatever else a peer does ends it without a hang."""

from __future__ import annotations

import asyncio
import gc

import pytest
from aiohttp import ClientError

from channels.http1 import ANSWER_LIMIT, BODY_LIMIT, HEAD_LIMIT, Http1, NotBegun
from tests.channels.exchanging import OK, exchanging, says


@pytest.mark.parametrize(
    "reply",
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n", b"1\r\nk\r\n0\r\n\r\n"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", OK),
        (b"HTTP/1.1 200 OK\r\nContent-Len", b"gth: 2\r\n\r\no", b"k"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + OK,),
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


async def test_a_body_without_a_length_ends_with_its_connection() -> None:
    async def serve(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nok")
        writer.close()

    async with exchanging(serve) as (exchange, url, heard):
        for _ in range(2):
            answer = await exchange.request("GET", url, None, {})
            assert (answer.status, answer.body, answer.whole) == (200, b"ok", True)
    assert heard == [1, 1]


@pytest.mark.parametrize(
    "more",
    [
        OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
        OK + OK,
        OK + b"rubbish",
    ],
)
async def test_a_connection_that_says_it_ends_or_says_more_than_was_asked_is_not_used_again(more: bytes) -> None:
    async with exchanging(says(more)) as (exchange, url, heard):
        for _ in range(2):
            answer = await exchange.request("GET", url, None, {})
            assert (answer.status, answer.body) == (200, b"ok")
    assert heard == [1, 1]


async def test_whoever_speaks_without_being_asked_is_hung_up_on_and_not_believed() -> None:
    """What comes before a request is written is no answer to it: somebody would stand as told who was never called."""

    async def serve(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        await asyncio.sleep(0)
        writer.write(OK)

    answered = 0
    async with exchanging(serve) as (exchange, url, heard):
        for _ in range(300):
            try:
                answered += (await exchange.request("GET", url, None, {})).body == b"ok"
            except NotBegun:
                continue
        assert answered == sum(heard)
    assert len(heard) > 1


@pytest.mark.parametrize("garbage", [b"SMTP hello\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"y" * (HEAD_LIMIT + 1)])
async def test_what_is_no_answer_is_an_error_and_no_hang(garbage: bytes) -> None:
    async with exchanging(says(garbage), timeout_s=30) as (exchange, url, heard):
        for _ in range(2):
            with pytest.raises(ClientError):
                await exchange.request("GET", url, None, {})
    assert heard == [1, 1]


async def test_an_endless_body_is_cut_and_its_state_is_known() -> None:
    async def serve(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 500 Oops\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x" * 65536)
            await writer.drain()

    async with exchanging(serve, timeout_s=30) as (exchange, url, _):
        answer = await exchange.request("GET", url, None, {})
    assert (answer.status, answer.whole, len(answer.body)) == (500, False, BODY_LIMIT)


async def test_endless_trailers_end_the_connection_and_stand_in_no_header() -> None:
    async def serve(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n")
        sent = 0
        while not writer.is_closing() and sent < 4 * ANSWER_LIMIT:
            writer.write(b"a: b\r\n" * 10_000)
            sent += 60_000
            await writer.drain()

    async with exchanging(serve, timeout_s=30) as (exchange, url, _):
        answer = await exchange.request("GET", url, None, {})
    assert (answer.status, answer.whole, answer.body) == (200, False, b"ok")
    assert list(answer.headers) == ["Transfer-Encoding"]


async def test_a_body_in_chunks_of_one_byte_is_put_together() -> None:
    many = b"1\r\nx\r\n" * 20_000
    reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + many + b"0\r\n\r\n"
    async with exchanging(says(reply), timeout_s=30) as (exchange, url, _):
        answer = await exchange.request("GET", url, None, {})
    assert (answer.body, answer.whole) == (b"x" * 20_000, True)


@pytest.mark.long
async def test_a_connection_that_is_over_waits_for_no_collector() -> None:
    """The collector seldom comes in a process that serves; a TLS connection holds a quarter of a megabyte."""
    gc.collect()
    gc.disable()
    try:
        async with exchanging(says(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))) as (exchange, url, _):
            for _ in range(3):
                await exchange.request("GET", url, None, {})
        await asyncio.sleep(0)
        assert [one for one in gc.get_objects() if isinstance(one, Http1) and not one.usable] == []
    finally:
        gc.enable()
