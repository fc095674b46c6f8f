"""An exchange and a peer that answers byte by byte as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import TCPConnector

from channels.exchange import Exchange

Serve = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def exchanging(
    serve: Serve, timeout_s: float = 2.0, may_leave: Callable[[], bool] = lambda: True
) -> AsyncIterator[tuple[Exchange, str, list[int]]]:
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
    exchange = Exchange(TCPConnector(limit=0), None, in_flight=4, timeout_s=timeout_s, may_leave=may_leave)
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
