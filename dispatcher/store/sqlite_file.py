"""SQLite's side of the database: many who read, and one connection that writes.

All writing goes over one connection, so that its pages stay in memory: with two, each commit of the one made the other read
everything anew, and half of a message's CPU went there. It must survive others who open the same file (another process that
migrates, a backup), and whoever gives up in the middle of a transaction.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any, Final, TypeVar

import aiosqlite
from sqlalchemy import URL, Connection, Engine, StaticPool, create_engine, event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

T = TypeVar("T")

BUSY_MS: Final = 5_000
TIDY_S: Final = 0.3
"""How long emptying the log waits for who reads: whoever wants to write waits for it, and a warning must not."""
WRITERS_PAGES_KIB: Final = 32 * 1024
"""What the writing connection keeps of the file: the hot ends of all tables and indexes of a city's warning."""
SWITCH_INTERVAL_S: Final = 0.0005
LEFT_S: Final = 5.0
"""How long a closing waits for the threads of connections that were given up in the middle of a statement."""


class _Made:
    """Makes a connection, in its thread. Not ours to write on yet: its pragmas may fail, or whoever wanted it be gone."""

    connection: sqlite3.Connection

    def __call__(self, *given: Any, **more: Any) -> sqlite3.Connection:
        self.connection = sqlite3.Connection(*given, **more)
        self.connection.execute(f"PRAGMA cache_size=-{WRITERS_PAGES_KIB}")
        return self.connection


class OneWriter:
    """The connection that writes, one transaction at a time: statement by statement, or whole in a thread."""

    def __init__(self, url: URL, threads: set[Thread]) -> None:
        self._threads = threads
        shared = {"check_same_thread": False}  # by its thread and by ours, one after the other
        self._engine = _engine(url, "BEGIN IMMEDIATE", shared, threads, pool_size=1, max_overflow=0)
        self._turn = asyncio.Lock()
        self._thread: ThreadPoolExecutor | None = None
        self._raw: sqlite3.Connection | None = None
        self._plain: Engine | None = None
        """The same connection without the loop, for what runs in the thread."""
        event.listen(self._engine.sync_engine, "do_connect", self._wanted)
        event.listen(self._engine.sync_engine, "connect", self._ready)  # behind the one that sets the pragmas
        event.listen(self._engine.sync_engine, "close", self._gone)
        event.listen(self._engine.sync_engine, "close_detached", self._gone)

    def _wanted(self, _dialect: object, record: ConnectionPoolEntry, _given: object, more: dict[str, Any]) -> None:
        """Each is made in a place of its own: the thread of whoever gave up may still make one, beside the next one's."""
        more["factory"] = record.info["made"] = _Made()

    def _ready(self, _connection: object, record: ConnectionPoolEntry) -> None:
        self._raw = record.info["made"].connection
        self._plain = _without_loop(self._raw)

    def _gone(self, *_: object) -> None:
        self._raw = self._plain = None

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        async with self._turn, self._engine.begin() as tx:
            yield tx

    async def whole(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Statement by statement each goes to a thread and back through a loop that is busy sending, and five of them took
        longer than what they wrote. Whoever gives up waiting leaves the transaction to its end, and the next one waits."""
        return await self._in_thread(lambda: _transaction(self._raw, work))

    async def in_one_go(self, work: Callable[[Connection], T]) -> T:
        """The same for statements of SQLAlchemy."""
        return await self._in_thread(lambda: _begun(self._plain, work))

    async def _in_thread(self, run: Callable[[], T]) -> T:
        await self._turn.acquire()
        try:
            if self._raw is None:
                async with self._engine.connect():
                    pass
            self._thread = self._thread or ThreadPoolExecutor(1, "sqlite-writer")
            done = asyncio.get_running_loop().run_in_executor(self._thread, run)
        except BaseException:
            self._turn.release()
            raise
        done.add_done_callback(lambda _: self._turn.release())
        return await asyncio.shield(done)

    async def tidy(self) -> bool:
        """Empties the write-ahead log into the file; False where a reader kept it."""
        async with self._turn:
            return await asyncio.to_thread(_emptied, str(self._engine.url.database))

    async def close(self) -> None:
        """The last to close: whoever gave up in the middle of a statement left a thread at the file, and what it brings is
        for a loop that must still be there."""
        async with self._turn:
            await self._engine.dispose()
            if self._thread is not None:
                self._thread.shutdown(wait=False)
                self._thread = None
        await asyncio.to_thread(_joined, self._threads)


def opened(url: URL) -> tuple[AsyncEngine, OneWriter]:
    """Who reads, and who writes."""
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    # SQLite runs in threads: each statement hands over four times, and each time a busy event loop would keep the
    # interpreter for its whole switch interval. Measured: a group commit of 64 rows took 200 ms at the default 5 ms.
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    threads: set[Thread] = set()
    reading = _engine(url, "BEGIN", {}, threads, pool_size=8, max_overflow=8)
    return reading, OneWriter(url, threads)


def _engine(url: URL, how: str, given: Mapping[str, Any], threads: set[Thread], **pool: int) -> AsyncEngine:
    """`how` a transaction begins; `given`: for the driver; `threads`: gains that of every connection."""
    engine = create_async_engine(
        url,
        connect_args={"timeout": BUSY_MS / 1000, "async_creator_fn": partial(_connection, threads), **given},
        hide_parameters=True,  # an error message must not carry a row's content into a log
        **pool,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        _set_pragmas(connection)

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql(how)

    return engine


def _connection(threads: set[Thread], *given: Any, **more: Any) -> aiosqlite.Connection:
    """A connection yet to be opened; its thread is kept, also if whoever wanted it gives up before it is."""
    connection = aiosqlite.connect(*given, **more)
    thread = connection._thread  # named nowhere else
    thread.daemon = True  # as SQLAlchemy has it: a statement under way keeps no process from ending
    threads.difference_update([one for one in threads if one.ident is not None and not one.is_alive()])
    threads.add(thread)
    return connection


def _joined(threads: set[Thread]) -> None:
    until = time.monotonic() + LEFT_S
    for thread in threads:
        if thread.ident is not None:  # begun: it may have been given up before
            thread.join(max(0.0, until - time.monotonic()))


def _without_loop(connection: sqlite3.Connection) -> Engine:
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool, hide_parameters=True)

    @event.listens_for(engine, "begin")
    def begin(begun: Connection) -> None:
        begun.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _begun(engine: Engine | None, work: Callable[[Connection], T]) -> T:
    assert engine is not None
    with engine.begin() as tx:
        return work(tx)


def _transaction(connection: sqlite3.Connection | None, work: Callable[[sqlite3.Connection], T]) -> T:
    assert connection is not None
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk may have ended it already
            connection.execute("ROLLBACK")
        raise
    return result


def _emptied(path: str) -> bool:
    with closing(sqlite3.connect(path, timeout=TIDY_S, isolation_level=None)) as connection:
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy


def _set_pragmas(connection: Any) -> None:
    cursor = connection.cursor()
    _write_ahead(cursor)
    for pragma in (
        "synchronous=FULL",
        f"busy_timeout={BUSY_MS}",
        "foreign_keys=ON",
        "recursive_triggers=ON",
        "secure_delete=ON",  # who was erased must not lie on in free pages
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _write_ahead(cursor: Any) -> None:
    """Turns a new file to WAL. SQLite does not wait for others there, whatever its busy timeout: two who open it at once."""
    until = time.monotonic() + BUSY_MS / 1000
    while not _turned(cursor, time.monotonic() > until):
        time.sleep(0.01)


def _turned(cursor: Any, last: bool) -> bool:
    try:
        cursor.execute("PRAGMA journal_mode=WAL")
    except sqlite3.OperationalError as error:
        if last or error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True
