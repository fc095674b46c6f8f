"""The reports a player makes later: status callbacks, pushed broadcast states.

They go out with bounded concurrency over kept connections and are repeated with backoff until they are taken, for a few
minutes, because the service that should hear them may be dead and starting again.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

WORKERS: Final = 16
FIRST_WAIT_S: Final = 0.2
LONGEST_WAIT_S: Final = 5.0
GIVE_UP_S: Final = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    url: str
    body: bytes
    headers: Mapping[str, str]
    due: float
    """On the loop's clock."""
    tries: int = 0


class Reports:
    """`later` from any handler; `run` in a TaskGroup sends them until it is cancelled."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Report] = asyncio.Queue()
        self.counts: Counter[str] = Counter()

    def later(self, report: Report) -> None:
        self.counts["planned"] += report.tries == 0
        asyncio.get_running_loop().call_at(report.due, self._queue.put_nowait, report)

    async def run(self) -> None:
        connector = TCPConnector(limit=WORKERS, keepalive_timeout=10)
        session = ClientSession(connector=connector, timeout=ClientTimeout(total=10))
        async with session, asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(self._work(session))

    async def _work(self, session: ClientSession) -> None:
        while True:
            report = await self._queue.get()
            if await self._taken(session, report):
                self.counts["taken"] += 1
                continue
            wait = min(FIRST_WAIT_S * 2**report.tries, LONGEST_WAIT_S)
            if report.tries * LONGEST_WAIT_S > GIVE_UP_S:
                self.counts["given_up"] += 1
                continue
            due = asyncio.get_running_loop().time() + wait
            self.later(replace(report, due=due, tries=report.tries + 1))

    async def _taken(self, session: ClientSession, report: Report) -> bool:
        try:
            async with session.post(report.url, data=report.body, headers=report.headers) as response:
                await response.read()
                return response.status < 300
        except (ClientError, TimeoutError, OSError):
            return False
