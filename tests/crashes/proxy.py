"""A line that can be made bad: a TCP proxy that passes, delays, swallows (accepts and hangs), cuts or resets.

What was swallowed once stays swallowed: a connection that lost a byte is a half-open one, and nobody is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of no time: closing sends RST, and what waited is thrown away."""

GOODBYE_S = 5.0


class Proxy:
    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._swallowing = False
        self._delay_s = 0.0
        self._ends: set[asyncio.StreamWriter] = set()
        self.port = 0

    def pass_on(self) -> None:
        self._swallowing, self._delay_s = False, 0.0

    def delay(self, seconds: float) -> None:
        self._delay_s = seconds

    def swallow(self) -> None:
        """From now on bytes are read and lost, old connections' and new ones' alike."""
        self._swallowing = True

    def cut(self) -> None:
        """Ends every connection, as whoever closes in good order does."""
        for end in self._ends:
            end.close()

    def reset(self) -> None:
        """Breaks every connection off, in the middle of whatever was being said."""
        for end in self._ends:
            end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            end.transport.abort()

    async def close(self) -> None:
        self.reset()
        async with asyncio.timeout(GOODBYE_S):
            while self._ends:
                await asyncio.sleep(0.01)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._ends.add(writer)
        try:
            with contextlib.suppress(OSError):
                await self._join(reader, writer)
        finally:
            self._ends.discard(writer)
            writer.close()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._swallowing:
            while await reader.read(65536):
                continue
            return
        there_reader, there_writer = await asyncio.open_connection(self._host, self._port)
        self._ends.add(there_writer)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, there_writer))
                both.create_task(self._pump(there_reader, writer))
        finally:
            self._ends.discard(there_writer)
            there_writer.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        broken = False
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                if self._delay_s:
                    await asyncio.sleep(self._delay_s)
                broken = broken or self._swallowing
                if not broken:
                    sink.write(data)
                    await sink.drain()
        sink.close()


@contextlib.asynccontextmanager
async def proxy_to(host: str, port: int, at: int = 0) -> AsyncIterator[Proxy]:
    """`at`: the port to listen on, as one that comes back does."""
    proxy = Proxy(host, port)
    server = await asyncio.start_server(proxy._handle, "127.0.0.1", at)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
