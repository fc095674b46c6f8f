"""What a whole run of the benchmark shares: its folder, the servers, the sink, and the grounds made so far.

It must leave nothing behind: every database, virtual host, process and file goes with the block, however it ends.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, TypeVar

from dispatcher.rehearsal.bench import engine as engines
from dispatcher.rehearsal.bench import paired, servers
from dispatcher.rehearsal.bench.engine import Engine, Wish
from dispatcher.rehearsal.bench.ground import Ground, People, ground
from dispatcher.rehearsal.bench.orders import BenchFailed, Hand, hired
from dispatcher.rehearsal.bench.paired import Tell
from dispatcher.rehearsal.bench.servers import Servers

REAL: Final = "PostgreSQL+RabbitMQ"
EMBEDDED: Final = "SQLite+embedded"
ROUNDS: Final = 5
FEW: Final = 3
WHOLE_S: Final = 25 * 60.0
LONGEST_S: Final = 150.0
SHORTEST_S: Final = 20.0
T = TypeVar("T")
NIGHT: Final = People(officers=2_136)
"""3,200 rows by SMS: 2,136 officers, their units' other posts, and the offices."""
TOWN: Final = People(officers=2_136, residents=17_346)
"""20,000 rows with the residents; 3,200 without."""
CITY: Final = People(officers=2_136, residents=100_000)


class Yard:
    """Use it inside `opened`. `tell` is told of every step that takes long."""

    def __init__(self, folder: Path, given: Servers, tell: Tell, stack: AsyncExitStack) -> None:
        self.folder = folder
        self.servers = given
        self.tell = tell
        self.short: list[str] = []
        """Comparisons of the goal under way that time cut short: its median is of fewer rounds than promised."""
        self.failed = False
        """Something was not measured: the logs say why, and stay."""
        self._stack = stack
        self._grounds: dict[tuple[str, People], Ground] = {}
        self._hosts: list[str] = []
        self._number = 0
        self._began = time.monotonic()
        self._sink: Hand | None = None
        self._loops: Hand | None = None

    @property
    def kinds(self) -> tuple[str, ...]:
        """The pairs that can be measured here."""
        return (EMBEDDED,) if self.servers.missing else (REAL, EMBEDDED)

    @property
    def best(self) -> str:
        """The pair for goals that name none: the real one where it is there."""
        return self.kinds[0]

    @property
    def missing(self) -> tuple[str, ...]:
        """What has to be said of a goal that is about both pairs."""
        return (f"{self.servers.missing}，没有量 {REAL}",) if self.servers.missing else ()

    @property
    def patience_s(self) -> float:
        """How long one comparison may take, so that the whole ends in WHOLE_S even on a slow machine."""
        left = WHOLE_S - (time.monotonic() - self._began)
        return min(LONGEST_S, max(SHORTEST_S, left / 8))

    async def in_turn(self, rounds: int, sides: Mapping[str, Callable[[], Awaitable[T]]]) -> dict[str, list[T]]:
        """Both or all sides of a comparison, round by round."""
        found = await paired.in_turn(rounds, sides, self.tell, self.patience_s)
        made = min(len(some) for some in found.values())
        if made < rounds:
            self.short.append(f"时间到了，只量了 {made} 轮，不是 {rounds} 轮")
        return found

    def log(self, name: str) -> Path:
        self._number += 1
        return self.folder / f"{self._number:03d}-{name}.log"

    async def sink(self) -> Hand:
        """One for the whole run."""
        if self._sink is None:
            self._sink = await self._stack.enter_async_context(hired("sink", self.log("sink")))
        return self._sink

    async def loops(self) -> Hand:
        if self._loops is None:
            self._loops = await self._stack.enter_async_context(hired("loops", self.log("loops")))
        return self._loops

    async def ground(self, kind: str, people: People) -> Ground:
        """Made at first, then kept till the end."""
        if (kind, people) not in self._grounds:
            self.tell(f"登记册：{people.officers:,} 名信息员、{people.residents:,} 户（{kind}）", 0, 1)
            server = self.servers.postgres if kind == REAL else ""
            folder = self.folder / f"ground-{len(self._grounds)}"
            made = ground(folder, server, secrets.token_hex(32), people)
            self._grounds[kind, people] = await self._stack.enter_async_context(made)
        return self._grounds[kind, people]

    @asynccontextmanager
    async def engine(self, kind: str, people: People, wish: Wish, sink: Hand | None = None) -> AsyncIterator[Engine]:
        """A running engine of its own. `sink`: another than the run's own."""
        base = await self.ground(kind, people)
        sink = sink or await self.sink()
        async with AsyncExitStack() as opened:
            amqp = await opened.enter_async_context(self.host_of(kind))
            yield await opened.enter_async_context(engines.engine(base, amqp, sink, wish, self.log("engine")))

    @asynccontextmanager
    async def host_of(self, kind: str) -> AsyncIterator[str]:
        """A virtual host that nobody else uses meanwhile ('' for the embedded broker). Making one takes the broker a
        second, so they are kept."""
        if kind != REAL:
            yield ""
            return
        if not self._hosts:
            self._hosts.append(await self._stack.enter_async_context(servers.virtual_host(self.servers)))
        mine = self._hosts.pop()
        try:
            yield mine
        finally:
            self._hosts.append(mine)


@asynccontextmanager
async def opened(folder: Path, given: Servers, tell: Tell) -> AsyncIterator[Yard]:
    """A yard for one run of the benchmark, gone with the block; logs stay where something failed."""
    try:
        await asyncio.to_thread(folder.mkdir, parents=True)
    except OSError as error:
        raise BenchFailed(f"建不了基准测试的文件夹 {folder}（{error.strerror}）：请检查权限和磁盘空间") from error
    async with AsyncExitStack() as stack:
        yard = Yard(folder, given, tell, stack)
        yield yard
    if not yard.failed:
        shutil.rmtree(folder, ignore_errors=True)
