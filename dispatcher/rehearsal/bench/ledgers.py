"""P11: planning and settling by the store, beside bare asyncpg into tables of the same shape, a transaction each."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from dispatcher.rehearsal.bench import paired
from dispatcher.rehearsal.bench.bare_ledger import BareLedger
from dispatcher.rehearsal.bench.goals import Measured, at_least, not_measured
from dispatcher.rehearsal.bench.servers import create_database, drop_database, plain
from dispatcher.rehearsal.bench.yard import ROUNDS, Yard
from dispatcher.service.loop import settle_down
from dispatcher.states import DeliveryState
from dispatcher.store import deliveries
from dispatcher.store.chunks import Chunk, ChunkState
from dispatcher.store.deliveries import Attempt, Row, Settled
from dispatcher.store.engine import Store, open_store
from dispatcher.store.migrating import migrate
from dispatcher.store.packing import FrozenRow

ROWS: Final = 50_000
CHUNK: Final = 1_000
GROUP: Final = 500
OF_BARE: Final = 0.8
TOWNSHIP: Final = "360802001"


async def ledger(yard: Yard) -> Measured:
    """Both fill their own tables in one database, in turn."""
    server = yard.servers.postgres
    if not server:
        return not_measured("P11", "没有 PostgreSQL，没有可比的 asyncpg")
    url = await create_database(server)
    try:
        await migrate(url)
        store, bare = open_store(url), await BareLedger.opened(plain(url))
        settle_down()  # as in the service: both sides' rows would be walked through by the collector, ours more often
        try:
            ours, theirs = _Ours(store), _Bare(bare)
            for side in (ours, theirs):
                await side.plan()
                await side.settle()
            plans = await yard.in_turn(ROUNDS, {"store": _both(ours), "asyncpg": _both(theirs)})
        finally:
            await bare.close()
            await store.close()
    finally:
        await drop_database(server, url)
    return _measured(plans)


def _both(side: _Ours | _Bare) -> Callable[[], Awaitable[tuple[float, float]]]:
    async def once() -> tuple[float, float]:
        return await side.plan(), await side.settle()

    return once


def _measured(found: dict[str, list[tuple[float, float]]]) -> Measured:
    detail: dict[str, Any] = {"rows": ROWS, "chunk": CHUNK, "group": GROUP}
    checks = []
    for place, (name, chinese) in enumerate((("plan", "计划"), ("settle", "记结果（含尝试）"))):
        rates = {side: [one[place] for one in some] for side, some in found.items()}
        detail[name] = {side: paired.spread(some) for side, some in rates.items()}
        checks.append(at_least(f"{chinese} ÷ 裸 asyncpg", paired.ratio(rates["store"], rates["asyncpg"]), OF_BARE))
    return Measured(goal="P11", checks=tuple(checks), detail=detail)


class _Ours:
    """By the store: rows and results as the sender has them in memory."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._round = 0
        self._rows: list[tuple[int, list[Row]]] = []

    async def plan(self) -> float:
        """Rows a second."""
        self._round += 1
        warning_id, chunks = f"ours{self._round:04d}", ROWS // CHUNK
        frozen = [
            [FrozenRow(f"resident-{number * CHUNK + place}", 1, 0, TOWNSHIP) for place in range(CHUNK)]
            for number in range(chunks)
        ]
        some = [chunk_of(warning_id, self._round * 1000 + number) for number in range(chunks)]
        self._rows = []
        began = time.perf_counter()
        for chunk, rows in zip(some, frozen, strict=True):
            async with self._store.begin() as tx:
                self._rows.append((chunk.id, await deliveries.plan(tx, chunk, rows, 0, None)))
        return ROWS / (time.perf_counter() - began)

    async def settle(self) -> float:
        now = datetime.now(UTC)
        groups = [
            [settled(chunk_id, row, now, f"SM{row.pos:032x}") for row in rows[start : start + GROUP]]
            for chunk_id, rows in self._rows
            for start in range(0, CHUNK, GROUP)
        ]
        began = time.perf_counter()
        for group in groups:
            async with self._store.begin() as tx:
                await deliveries.settle(tx, group)
        return ROWS / (time.perf_counter() - began)


class _Bare:
    """By asyncpg alone."""

    def __init__(self, bare: BareLedger) -> None:
        self._bare = bare
        self._round = 0

    async def plan(self) -> float:
        self._round += 1
        rows = [
            [(f"resident-{number * CHUNK + place}", TOWNSHIP) for place in range(CHUNK)]
            for number in range(ROWS // CHUNK)
        ]
        began = time.perf_counter()
        for number, some in enumerate(rows):
            await self._bare.plan(f"bare{self._round:04d}", self._round * 1000 + number, some)
        return ROWS / (time.perf_counter() - began)

    async def settle(self) -> float:
        now = datetime.now(UTC)
        ended = now + timedelta(milliseconds=3)
        groups = [
            (number, [(place, f"resident-{number * CHUNK + place}", f"SM{place:032x}", now, ended) for place in some])
            for number in range(ROWS // CHUNK)
            for some in (range(start, start + GROUP) for start in range(0, CHUNK, GROUP))
        ]
        began = time.perf_counter()
        for number, results in groups:
            chunk_id = self._round * 1000 + number
            await self._bare.settle(chunk_id, results, int(DeliveryState.SENT))
        return ROWS / (time.perf_counter() - began)


def chunk_of(warning_id: str, number: int) -> Chunk:
    return Chunk(
        id=number,
        warning_id=warning_id,
        channel="sms",
        lane=1,
        seq=number,
        size=CHUNK,
        packed=b"",
        hash="",
        state=ChunkState.OPEN,
        owner="bench",
        epoch=1,
        lease_until=None,
        opened_to=0,
    )


def settled(chunk_id: int, row: Row, now: datetime, ref: str) -> Settled:
    row.calls, row.tries = 1, 1
    attempt = Attempt(
        no=1,
        provider="bench",
        started_at=now,
        ended_at=now + timedelta(milliseconds=3),
        outcome="accepted",
        provider_ref=ref,
    )
    return Settled(chunk_id=chunk_id, row=row, state=DeliveryState.SENT, at=now, attempt=attempt)
