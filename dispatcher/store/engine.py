"""The database: one engine, and `begin()`, the only place a transaction begins.

SQLite (WAL, synchronous FULL, BEGIN IMMEDIATE, one writer at a time in this process) and PostgreSQL (asyncpg, connect and
command time limits, because a ping alone hangs on a half-open line) behave alike to everything above.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Table, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, DisconnectionError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry

from dispatcher.store import sqlite_file
from dispatcher.store.awaited import AsyncConnection, AsyncEngine
from dispatcher.store.sqlite_file import OneWriter

T = TypeVar("T")
Tx = AsyncConnection
"""A connection inside a transaction begun by `Store.begin()`, or a reading one of `Store.read()`."""

LastWork = Callable[[Tx, list[Any]], Awaitable[None]]
_LAST = "mingluo.last"

COMMAND_TIMEOUT_S = 10.0
CONNECT_TIMEOUT_S = 3.0
STALLED_S = 8
"""How long a transaction may stand without a word. A process frozen in the middle of one holds its locks until then, and
nobody can take over the rows it holds, however long ago its lease ran out."""
BELIEVED_S = 1.0
"""A connection not used for longer is asked whether it still is one."""


class Store:
    """An open database. `close()` it in the loop that opened it."""

    def __init__(self, engine: AsyncEngine, one_writer: OneWriter | None = None) -> None:
        self._engine = engine
        self._one_writer = one_writer

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @property
    def engine(self) -> AsyncEngine:
        """For what knows its own transactions."""
        return self._engine

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Tx]:
        """A write transaction: committed at the end of the block, rolled back if it raises."""
        beginning = self._engine.begin() if self._one_writer is None else self._one_writer.begin()
        async with beginning as tx:
            left: dict[LastWork, list[Any]] = {}
            info = tx.info  # asked for once: a connection that was cut has none, and its own error must come out
            info[_LAST] = left
            try:
                yield tx
                for work, items in left.items():
                    await work(tx, items)
            finally:
                info.pop(_LAST, None)

    async def whole(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """On SQLite: `work` as one write transaction, run whole in a thread."""
        assert self._one_writer is not None
        return await self._one_writer.whole(work)

    async def in_one_go(self, work: Callable[[Connection], T]) -> T:
        """`work` as one write transaction of statements that wait for nothing else. On SQLite it runs whole in a thread:
        whoever comes in while the loop is busy sending does not wait for a turn of it at every statement."""
        if self._one_writer is not None:
            return await self._one_writer.in_one_go(work)
        async with self._engine.begin() as tx:
            return await tx.run_sync(work)

    @asynccontextmanager
    async def at_once(self) -> AsyncIterator[Tx]:
        """For single statements, each a transaction of its own: on PostgreSQL no word before it and none after it. Who
        writes so on SQLite is in a reading connection, and nothing is kept."""
        if self._one_writer is not None:
            async with self.read() as tx:
                yield tx
            return
        async with self._engine.connect() as tx:
            await tx.execution_options(isolation_level="AUTOCOMMIT")
            yield tx

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Tx]:
        """A reading connection with a consistent view; writes through it are a bug and are rolled back."""
        async with self._engine.connect() as tx:
            yield tx

    async def tidy(self) -> bool:
        """On SQLite: what was written over or deleted stands no more in the log beside the file either. False where somebody
        was reading for so long that it has to be done another time. PostgreSQL's vacuum does its own."""
        return self._one_writer is None or await self._one_writer.tidy()

    async def close(self) -> None:
        await self._engine.dispose()
        if self._one_writer is not None:
            await self._one_writer.close()


def open_store(url: str, *, limit_s: float | None = COMMAND_TIMEOUT_S) -> Store:
    """`sqlite+aiosqlite:///path` or `postgresql+asyncpg://…` → an open Store; ValueError for any other kind.

    `limit_s`: how long one statement may take on PostgreSQL; None for a migration, which builds indexes.
    """
    parsed = make_url(url)
    match parsed.get_backend_name():
        case "sqlite":
            return Store(*sqlite_file.opened(parsed.set(drivername="sqlite+aiosqlite")))
        case "postgresql":
            return Store(_postgresql(parsed.set(drivername="postgresql+asyncpg"), limit_s))
        case other:
            raise ValueError(f"数据库类型 {other} 不支持：请用 sqlite+aiosqlite 或 postgresql+asyncpg")


def _postgresql(url: URL, limit_s: float | None) -> AsyncEngine:
    engine = AsyncEngine(
        url,
        hide_parameters=True,  # an error message must not carry a row's content into a log
        pool_size=12,
        max_overflow=12,
        pool_timeout=COMMAND_TIMEOUT_S,
        pool_recycle=300,
        connect_args={
            "command_timeout": limit_s,
            "timeout": CONNECT_TIMEOUT_S,
            "server_settings": {"application_name": "mingluo", "idle_in_transaction_session_timeout": f"{STALLED_S}s"},
        },
    )

    @event.listens_for(engine.sync_engine, "checkin")
    def used(_connection: Any, record: ConnectionPoolEntry) -> None:
        record.info["used"] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def proven(connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
        """A ping before each use is a round trip a transaction; one that was used a moment ago is believed."""
        if time.monotonic() - record.info.get("used", 0.0) > BELIEVED_S:
            try:
                engine.dialect.do_ping(connection)
            except Exception as error:
                raise DisconnectionError(str(error)) from error

    return engine


def last(tx: Tx, work: LastWork, item: object) -> None:
    """`work` is done once before the commit, with all items that came for it: it holds what others wait for no longer than
    a commit takes. KeyError outside a transaction of `Store.begin()`."""
    tx.info[_LAST].setdefault(work, []).append(item)


def upsert(tx: Tx, table: Table) -> sqlite.Insert:
    """INSERT … ON CONFLICT: both dialects' have one shape; SQLite's type stands for both."""
    if tx.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)  # type: ignore[return-value]


_AWAY = ("08", "25", "28", "3D", "40", "53", "55", "57", "58", "XX")
"""SQLSTATE classes that pass: connection, read-only or timed out, sign-in, no such database, deadlock, resources, locks,
operator, system."""


def database_is_away(error: Exception) -> bool:
    """Whether waiting helps: the line is cut, the server restarts, the disk is full. A wrong statement is not that, nor a
    value that no column takes: whoever waited for those would wait for ever."""
    if isinstance(error, IntegrityError | ProgrammingError | DataError):
        return False
    if isinstance(error, sqlite3.Error):  # from the thread that writes a transaction whole
        wrong = isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError | sqlite3.DataError)
        return not wrong and getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR
    if isinstance(error, DBAPIError):
        said = getattr(error.orig, "sqlstate", None)  # asyncpg's class 22 reaches us as a bare DBAPIError
        if said is not None:
            return str(said).startswith(_AWAY)
        # what PostgreSQL calls a ProgrammingError: no such table, no such column
        return getattr(error.orig, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR
    return isinstance(error, PoolTimeout | OSError | TimeoutError)


def storable(said: str) -> str:
    """What others say may hold what no database takes (NUL, half a character): that stops nobody."""
    if said.isascii() and "\0" not in said:
        return said
    return said.replace("\0", "").encode("utf-8", "replace").decode()


class AlreadyThere(Exception):
    """A unique key is taken: somebody else kept the same thing first."""


@asynccontextmanager
async def unique() -> AsyncIterator[None]:
    """Inside, a broken unique key raises AlreadyThere, so that no caller needs to know the database's errors."""
    try:
        yield
    except IntegrityError as error:
        raise AlreadyThere(str(error.orig)) from error
