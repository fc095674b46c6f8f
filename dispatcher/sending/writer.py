"""The sender's one writer: results, and with them the marks that let the next slice go, in group commits; new plans beside it.

It must survive a database that goes away: results wait in memory and are written when it is back; a commit that was answered
by silence is written again (guarded updates and natural keys make that harmless). Results of a chunk that is no longer ours
are dropped: whoever took it over will settle its rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import structlog
from msgspec.structs import replace

from dispatcher.store import deliveries
from dispatcher.store.chunks import Holder
from dispatcher.store.deliveries import Planned, Settled
from dispatcher.store.engine import Store, Tx, database_is_away

GROUP_S = 0.025
"""How long a result may wait for company."""
PAUSES_S = (0.1, 0.2, 0.5, 1.0, 2.0)

T = TypeVar("T")
log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class _Mark:
    chunk_id: int
    position: int
    then: Callable[[bool], None]


@dataclass(slots=True, kw_only=True)
class _Work:
    run: Callable[[Tx], Awaitable[Any]]
    done: asyncio.Future[Any]


@dataclass(slots=True)
class _Batch:
    results: list[Settled] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)
    marks: list[_Mark] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.results or self.closed or self.marks)


class Writer:
    """Run it in a task of its own; every method may be called from any other task of the loop."""

    def __init__(self, store: Store, holder: Callable[[], Holder], now: Callable[[], datetime]) -> None:
        self._store = store
        self._holder = holder
        self._now = now
        self._waiting = _Batch()
        self._writing = _Batch()
        self._work: list[_Work] = []
        self._wake = asyncio.Event()
        self._enough = 64

    def settle(self, results: list[Settled], closed: list[int]) -> None:
        """Takes results and the chunks they complete. A mark asked for after this is durable no sooner than they are."""
        self._waiting.results += results
        self._waiting.closed += closed
        self._wake.set()

    def open(self, chunk_id: int, position: int, then: Callable[[bool], None]) -> None:
        """Durably moves a chunk's mark, then says so, in the order in which marks were asked for: False where it is no longer
        ours or its warning was called off. At once, and not by a future: beside fifty senders each turn of the loop takes
        milliseconds, and the window runs empty meanwhile."""
        self._waiting.marks.append(_Mark(chunk_id=chunk_id, position=position, then=then))
        self._wake.set()

    async def within(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Runs `work` in a transaction of its own, after the results that came before it. It may run more than once."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._work.append(_Work(run=work, done=done))
        self._wake.set()
        return await done

    async def beside(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Runs `work` in a transaction of its own, beside the results and not between them: planning a thousand rows takes
        as long as sending two hundred, and the window must not run empty meanwhile. SQLite has one writer anyway."""
        return await self._persist(work)

    async def lay_down(self, planned: Planned) -> bool:
        """Writes a chunk's rows beside the results; False where another was quicker, or its warning was called off."""
        return await patiently(lambda: self._store.in_one_go(partial(planned.write, self._holder())))

    @property
    def unwritten(self) -> int:
        """Results that are not durable yet."""
        return len(self._waiting.results) + len(self._writing.results)

    @property
    def closing(self) -> set[int]:
        """Chunks that end with what is not durable yet."""
        return {*self._waiting.closed, *self._writing.closed}

    @property
    def idle(self) -> bool:
        return not (self._waiting or self._writing or self._work)

    @property
    def _pressing(self) -> bool:
        """Somebody waits for a mark or a plan, a chunk is over (after the last one nobody comes), or there is enough."""
        waiting = self._waiting
        return bool(self._work or waiting.marks or waiting.closed) or len(waiting.results) >= self._enough

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._wake.wait()
            if not self._pressing:
                await self._company()
            self._wake.clear()
            await self.flush()

    async def flush(self) -> None:
        """Writes everything that waits; returns when it is durable."""
        self._writing, self._waiting = self._waiting, _Batch()
        if self._writing:
            opened = await self._persist_batch(self._writing)
            for mark in self._writing.marks:
                mark.then(opened.get(mark.chunk_id, False))
        self._writing = _Batch()
        work, self._work = self._work, []
        for item in work:
            await self._do(item)

    async def _persist_batch(self, batch: _Batch) -> dict[int, bool]:
        """A value that no column takes must not stop the city: then the results are written without anybody's words."""
        try:
            return await patiently(lambda: self._commit(batch))
        except Exception:
            log.exception("发送结果里有数据库不收的内容，去掉对方的原话再写", results=len(batch.results))
            batch.results = [_bare(result) for result in batch.results]
            return await patiently(lambda: self._commit(batch))

    async def _company(self) -> None:
        """Waits a moment for more results; whatever is pressing ends the wait."""
        self._wake.clear()
        try:
            async with asyncio.timeout(GROUP_S):
                while not self._pressing:
                    await self._wake.wait()
                    self._wake.clear()
        except TimeoutError:
            return

    async def _commit(self, batch: _Batch) -> dict[int, bool]:
        marks = dict.fromkeys([*(result.chunk_id for result in batch.results), *batch.closed], 0)
        for mark in batch.marks:
            marks[mark.chunk_id] = max(mark.position, marks.get(mark.chunk_id, 0))
        return await deliveries.group_commit(self._store, self._holder(), marks, batch.results, batch.closed)

    async def _do(self, item: _Work) -> None:
        if item.done.done():
            return
        try:
            result = await self._persist(item.run)
        except Exception as error:  # noqa: BLE001 - handed to whoever asked for the work
            if not item.done.done():
                item.done.set_exception(error)
            return
        if not item.done.done():
            item.done.set_result(result)

    async def _persist(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Runs `work` in a transaction, again and again while the database is away."""

        async def once() -> T:
            async with self._store.begin() as tx:
                return await work(tx)

        return await patiently(once)


def _bare(result: Settled) -> Settled:
    attempt = result.attempt and replace(result.attempt, code="", reason="", provider_ref="", trace="")
    return replace(result, code="", attempt=attempt)


async def patiently(work: Callable[[], Awaitable[T]]) -> T:
    """Runs `work` until the database is there; what is not the database's absence is raised."""
    for pause in _pauses():
        try:
            return await work()
        except Exception as error:
            if not database_is_away(error):
                raise
            log.warning("数据库暂时不可用，结果留在内存里，稍后再试", error=type(error).__name__, retry_s=pause)
            await asyncio.sleep(pause)
    raise AssertionError("the pauses never end")


def _pauses() -> Iterator[float]:
    yield from PAUSES_S
    while True:
        yield PAUSES_S[-1]
