"""The database: one engine, and `begin()`, the only place a transaction begins.

SQLite (WAL, synchronous FULL, BEGIN IMMEDIATE, one writer at a time in this process) and PostgreSQL (asyncpg, connect and
command time limits, because a ping alone hangs on a half-open line) behave alike to everything above.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Table, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, DisconnectionError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

T = TypeVar("T")
Tx = AsyncConnection
"""A connection inside a transaction begun by `Store.begin()`, or a reading one of `Store.read()`."""

COMMAND_TIMEOUT_S = 10.0
CONNECT_TIMEOUT_S = 3.0
STALLED_S = 8
"""How long a transaction may stand without a word. A process frozen in the middle of one holds its locks until then, and
nobody can take over the rows it holds, however long ago its lease ran out."""
SQLITE_BUSY_MS = 5_000
BELIEVED_S = 1.0
"""A connection not used for longer is asked whether it still is one."""
SWITCH_INTERVAL_S = 0.0005


class Store:
    """An open database. `close()` it in the loop that opened it."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._one_writer = asyncio.Lock() if engine.dialect.name == "sqlite" else None
        self._thread: ThreadPoolExecutor | None = None
        self._writing: sqlite3.Connection | None = None

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @property
    def engine(self) -> AsyncEngine:
        """For migrations, which know their own transactions."""
        return self._engine

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Tx]:
        """A write transaction: committed at the end of the block, rolled back if it raises."""
        if self._one_writer is None:
            async with self._engine.begin() as tx:
                yield tx
            return
        async with self._one_writer, self._engine.begin() as tx:
            yield tx

    async def whole(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """On SQLite: `work` as one write transaction, run whole in a thread. Statement by statement each goes there and back
        through a loop that is busy sending, and five of them took longer than what they wrote."""
        assert self._one_writer is not None
        async with self._one_writer:
            self._thread = self._thread or ThreadPoolExecutor(1, "sqlite-writer")
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._in_thread, work)

    def _in_thread(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._writing is None:
            path = self._engine.url.database
            self._writing = sqlite3.connect(str(path), timeout=SQLITE_BUSY_MS / 1000, isolation_level=None)
            _set_pragmas(self._writing)
        self._writing.execute("BEGIN IMMEDIATE")
        try:
            result = work(self._writing)
            self._writing.execute("COMMIT")
        except BaseException:
            if self._writing.in_transaction:  # a full disk may have ended it already
                self._writing.execute("ROLLBACK")
            raise
        return result

    def _end_thread(self) -> None:
        if self._writing is not None:
            self._writing.close()
            self._writing = None

    @asynccontextmanager
    async def at_once(self) -> AsyncIterator[Tx]:
        """For one statement that is a transaction of its own, on PostgreSQL: no word before it and none after it."""
        assert self._one_writer is None
        async with self._engine.connect() as tx:
            await tx.execution_options(isolation_level="AUTOCOMMIT")
            yield tx

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Tx]:
        """A reading connection with a consistent view; writes through it are a bug and are rolled back."""
        async with self._engine.connect() as tx:
            if self._one_writer is not None:
                await tx.execution_options(mingluo_read=True)
            yield tx
            await tx.rollback()

    async def close(self) -> None:
        if self._thread is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._end_thread)
            self._thread.shutdown(wait=False)
            self._thread = None
        await self._engine.dispose()


def open_store(url: str) -> Store:
    """`sqlite+aiosqlite:///path` or `postgresql+asyncpg://…` → an open Store; ValueError for any other kind."""
    parsed = make_url(url)
    match parsed.get_backend_name():
        case "sqlite":
            return Store(_sqlite(parsed.set(drivername="sqlite+aiosqlite")))
        case "postgresql":
            return Store(_postgresql(parsed.set(drivername="postgresql+asyncpg")))
        case other:
            raise ValueError(f"数据库类型 {other} 不支持：请用 sqlite+aiosqlite 或 postgresql+asyncpg")


def _sqlite(url: URL) -> AsyncEngine:
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    # SQLite runs in threads: each statement hands over four times, and each time a busy event loop would keep the
    # interpreter for its whole switch interval. Measured: a group commit of 64 rows took 200 ms at the default 5 ms.
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    engine = create_async_engine(
        url,
        connect_args={"timeout": SQLITE_BUSY_MS / 1000},
        hide_parameters=True,  # an error message must not carry a row's content into a log
        pool_size=8,
        max_overflow=8,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        _set_pragmas(connection)

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Any) -> None:
        reading = connection.get_execution_options().get("mingluo_read")
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def _set_pragmas(connection: Any) -> None:
    cursor = connection.cursor()
    _write_ahead(cursor)
    for pragma in (
        "synchronous=FULL",
        f"busy_timeout={SQLITE_BUSY_MS}",
        "foreign_keys=ON",
        "recursive_triggers=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _write_ahead(cursor: Any) -> None:
    """Turns a new file to WAL. SQLite does not wait for others there, whatever its busy timeout: two who open it at once."""
    until = time.monotonic() + SQLITE_BUSY_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)


def _postgresql(url: URL) -> AsyncEngine:
    engine = create_async_engine(
        url,
        hide_parameters=True,  # an error message must not carry a row's content into a log
        pool_size=12,
        max_overflow=12,
        pool_timeout=COMMAND_TIMEOUT_S,
        pool_recycle=300,
        connect_args={
            "command_timeout": COMMAND_TIMEOUT_S,
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
