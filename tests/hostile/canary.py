"""A listener on loopback that nobody is to call: it counts who does all the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class Canary:
    """`calls`: connections it saw, whatever they wanted."""

    port: int = 0
    calls: int = 0


@asynccontextmanager
async def canary() -> AsyncIterator[Canary]:
    """Listens while the block lasts."""
    bird = Canary()

    async def called(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        bird.calls += 1
        writer.close()

    server = await asyncio.start_server(called, "127.0.0.1", 0)
    bird.port = server.sockets[0].getsockname()[1]
    try:
        yield bird
    finally:
        server.close()
        await server.wait_closed()
