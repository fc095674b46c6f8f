"""SQLAlchemy's engine and connection for a loop: each call runs in a greenlet, and whatever waits in there is awaited here.

The greenlets and drivers are SQLAlchemy's. `sqlalchemy.ext.asyncio` has these two classes as well, with the whole ORM behind
them: six megabytes that nothing here uses. It must give every connection back, whoever is cancelled in the middle: the one
that writes on SQLite has to be free of its transaction before the next one's turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar, TypeVarTuple, overload

from sqlalchemy import (
    URL,
    Connection,
    CursorResult,
    Dialect,
    Engine,
    Executable,
    PoolProxiedConnection,
    Row,
    create_engine,
)
from sqlalchemy.sql.selectable import TypedReturnsRows
from sqlalchemy.util import greenlet_spawn

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
More = Callable[[int], Awaitable[Sequence[Row[*tuple[Any, ...]]]]]
Given = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None


class AsyncConnection:
    """One connection, for one task at a time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def dialect(self) -> Dialect:
        return self._connection.dialect

    @property
    def info(self) -> dict[Any, Any]:
        """What we keep with the driver's connection; an error where that was cut off."""
        return self._connection.info

    @overload
    async def execute(self, statement: TypedReturnsRows[*Ts], given: Given = None) -> CursorResult[*Ts]: ...
    @overload
    async def execute(self, statement: Executable, given: Given = None) -> CursorResult[*tuple[Any, ...]]: ...
    async def execute(self, statement: Executable, given: Given = None) -> CursorResult[*tuple[Any, ...]]:
        """All rows are here when it returns."""
        return await greenlet_spawn(self._connection.execute, statement, given)

    async def exec_driver_sql(self, sql: str, given: Any = None) -> CursorResult[Any]:
        return await greenlet_spawn(self._connection.exec_driver_sql, sql, given)

    @asynccontextmanager
    async def stream(self, statement: Executable) -> AsyncIterator[More]:
        """What brings so many rows more, from the database's cursor; none at the end."""
        found = await greenlet_spawn(self._connection.execute, statement, execution_options={"stream_results": True})
        yield lambda number: greenlet_spawn(found.fetchmany, number)
        await _to_its_end(greenlet_spawn(found.close))  # after an error it ends with the connection

    async def run_sync(self, work: Callable[[Connection], T]) -> T:
        return await greenlet_spawn(work, self._connection)

    async def execution_options(self, **options: Any) -> None:
        await greenlet_spawn(self._connection.execution_options, **options)

    async def get_raw_connection(self) -> PoolProxiedConnection:
        return await greenlet_spawn(getattr, self._connection, "connection")

    async def invalidate(self) -> None:
        """The session ends, and does not go back to the pool."""
        await greenlet_spawn(self._connection.invalidate)

    async def close(self) -> None:
        """Back to the pool, rolled back where it was not committed, also if whoever waits is cancelled."""
        await _to_its_end(greenlet_spawn(self._connection.close))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Committed at the end of the block, rolled back if it raises."""
        transaction = await greenlet_spawn(self._connection.begin)
        transaction.__enter__()
        try:
            yield
        except BaseException as error:
            await greenlet_spawn(transaction.__exit__, type(error), error, error.__traceback__)
            raise
        await greenlet_spawn(transaction.__exit__, None, None, None)


class AsyncEngine:
    """A pool of connections. `sync_engine` is for listeners."""

    def __init__(self, url: URL, **how: Any) -> None:
        self.sync_engine: Engine = create_engine(url, **how)

    @property
    def dialect(self) -> Dialect:
        return self.sync_engine.dialect

    @property
    def url(self) -> URL:
        return self.sync_engine.url

    async def open(self) -> AsyncConnection:
        """`close` it."""
        return AsyncConnection(await greenlet_spawn(self.sync_engine.connect))

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        connection = await self.open()
        try:
            yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        async with self.connect() as connection, connection.transaction():
            yield connection

    async def dispose(self) -> None:
        await greenlet_spawn(self.sync_engine.dispose)


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Whoever is cancelled meanwhile is so when it is done, and not before."""
    cancelled: asyncio.CancelledError | None = None
    async with asyncio.TaskGroup() as tasks:
        doing = tasks.create_task(_fault(work))
        while not doing.done():
            try:
                await asyncio.shield(doing)
            except asyncio.CancelledError as error:
                cancelled = error
    fault = doing.result()
    if cancelled is not None:
        raise cancelled from fault
    if fault is not None:
        raise fault


async def _fault(work: Coroutine[Any, Any, None]) -> Exception | None:
    """What a group of tasks would wrap in another exception, which nobody looks for."""
    try:
        await work
    except Exception as error:  # noqa: BLE001 - raised by who waits
        return error
    return None
