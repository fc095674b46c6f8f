"""The reports a player makes later: status callbacks, pushed broadcast states.

They go out with bounded concurrency over kept connections and are repeated with backoff until they are taken, for a few
minutes, because the service that should hear them may be dead and starting again. The client is the least that does
it: it shares two cores with the service it is to measure, and a full one would cost more than the players themselves.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

WORKERS: Final = 64
LIMIT_S: Final = 10.0
FIRST_WAIT_S: Final = 0.2
LONGEST_WAIT_S: Final = 5.0
MOST_TRIES: Final = 60
"""About five minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """`url` is plain http."""

    url: str
    body: bytes
    headers: Mapping[str, str]
    due: float
    """On the loop's clock."""
    tries: int = 0


class Reports:
    """`later` from any handler; `run` sends them until it is cancelled."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Report] = asyncio.Queue()
        self.counts: Counter[str] = Counter()

    def later(self, report: Report) -> None:
        self.counts["planned"] += report.tries == 0
        asyncio.get_running_loop().call_at(report.due, self._queue.put_nowait, report)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(self._work())

    async def _work(self) -> None:
        line = _Line()
        try:
            while True:
                report = await self._queue.get()
                if await line.post(report):
                    self.counts["taken"] += 1
                elif report.tries >= MOST_TRIES:
                    self.counts["given_up"] += 1
                else:
                    wait = min(FIRST_WAIT_S * 2**report.tries, LONGEST_WAIT_S)
                    due = asyncio.get_running_loop().time() + wait
                    self.later(replace(report, due=due, tries=report.tries + 1))
        finally:
            line.close()


class _Line:
    """One kept connection, to whoever it was last."""

    def __init__(self) -> None:
        self._peer = ""
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, report: Report) -> bool:
        """Whether it was taken: a 2xx. After any fault the next one begins with a fresh connection."""
        url = urlsplit(report.url)
        head = "".join(f"{name}: {value}\r\n" for name, value in report.headers.items())
        request = (
            f"POST {url.path}{'?' + url.query if url.query else ''} HTTP/1.1\r\nHost: {url.netloc}\r\n{head}"
            f"Content-Length: {len(report.body)}\r\n\r\n"
        ).encode() + report.body
        try:
            async with asyncio.timeout(LIMIT_S):
                reader, writer = await self._open(url.netloc, url.hostname or "", url.port or 80)
                writer.write(request)
                status = await self._answer(reader)
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError):
            self.close()
            return False
        return 200 <= status < 300

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _open(self, peer: str, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None or peer != self._peer:
            self.close()
            self._peer, self._streams = peer, await asyncio.open_connection(host, port)
        return self._streams

    async def _answer(self, reader: asyncio.StreamReader) -> int:
        """The state; the body is read away. What says neither how long it is nor 204 ends the connection."""
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        status = int(head[9:12])
        length = head.partition(b"content-length:")[2].partition(b"\r\n")[0].strip()
        if length:
            await reader.readexactly(int(length))
        if (not length and status != 204) or b"connection: close" in head:
            self.close()
        return status
