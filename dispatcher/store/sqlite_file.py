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
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any, Final, Self, TypeVar

import aiosqlite
from sqlalchemy import URL, Connection, Engine, StaticPool, create_engine, event
from sqlalchemy.pool import ConnectionPoolEntry

from dispatcher.store.awaited import AsyncConnection, AsyncEngine

T = TypeVar("T")
Execute = Callable[..., sqlite3.Cursor]

IMMEDIATELY: Final = "BEGIN IMMEDIATE"

BUSY_MS: Final = 5_000
TIDY_S: Final = 0.3
"""How long emptying the log waits for who reads: whoever wants to write waits for it, and a warning must not."""
WRITERS_PAGES_KIB: Final = 32 * 1024
"""What the writing connection keeps of the file: the hot ends of all tables and indexes of a city's warning."""
SWITCH_INTERVAL_S: Final = 0.0005
AT_ONCE: Final = 1000
"""Rows that a statement brings with it."""
LEFT_S: Final = 5.0
"""How long a closing waits for the threads of connections that were given up in the middle of a statement."""


class _Made:
    """Makes a connection, in its thread. Not ours to write on yet: its pragmas may fail, or whoever wanted it be gone."""

    connection: sqlite3.Connection

    def __call__(self, *given: Any, **more: Any) -> sqlite3.Connection:
        self.connection = sqlite3.Connection(*given, **more)
        self.connection.execute(f"PRAGMA cache_size=-{WRITERS_PAGES_KIB}")
        self.connection.execute("PRAGMA temp_store=MEMORY")  # else each list of rows makes a file for its own undoing
        return self.connection


class OneWriter:
    """The connection that writes, one transaction at a time: statement by statement, or whole in a thread."""

    def __init__(self, url: URL, threads: set[Thread]) -> None:
        self._threads = threads
        shared = {"check_same_thread": False}  # by its thread and by ours, one after the other
        self._engine = _engine(url, IMMEDIATELY, shared, threads, pool_size=1, max_overflow=0)
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
        """What comes of it is heard of in one turn of the loop: by way of the executor's own future it would be three."""
        await self._turn.acquire()
        loop = asyncio.get_running_loop()
        heard: asyncio.Future[T] = loop.create_future()

        def over(done: Future[T]) -> None:
            self._turn.release()
            error = done.exception()
            if not heard.done():
                heard.set_result(done.result()) if error is None else heard.set_exception(error)
            elif error is not None:  # whoever waited has given up
                loop.call_exception_handler({"message": "SQLite: nobody waits for it any more", "exception": error})

        try:
            if self._raw is None:
                async with self._engine.connect():
                    pass
            self._thread = self._thread or ThreadPoolExecutor(1, "sqlite-writer")
            done = self._thread.submit(run)
        except BaseException:
            self._turn.release()
            raise
        done.add_done_callback(lambda done: loop.call_soon_threadsafe(over, done))
        return await heard

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
    engine = AsyncEngine(
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
        if how == IMMEDIATELY:  # before whoever writes looks at anything, in memory or here
            connection.exec_driver_sql(how)
            return
        ours = connection.connection.driver_connection
        assert isinstance(ours, _Connection)
        ours.begins = how

    return engine


class _Cursor:
    """What SQLAlchemy asks of aiosqlite's cursor, in one trip to the thread: making it, executing, fetching and closing took
    four, and each comes back through a loop that is busy sending. Of more rows than AT_ONCE the others are fetched as they
    are asked for."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self._open: sqlite3.Cursor | None = None
        self._rows: deque[Any] = deque()
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, sql: str, parameters: Iterable[Any] = ()) -> Self:
        return await self._run(sqlite3.Cursor.execute, sql, parameters)

    async def executemany(self, sql: str, parameters: Iterable[Iterable[Any]]) -> Self:
        return await self._run(sqlite3.Cursor.executemany, sql, parameters)

    async def _run(self, how: Execute, *given: Any) -> Self:
        await self.close()
        cursor, rows, more = await self._connection.executed(how, given)
        self.description, self.rowcount, self.lastrowid = cursor.description, cursor.rowcount, cursor.lastrowid
        self._open = cursor if more else None
        self._rows.extend(rows)
        return self

    async def fetchmany(self, size: int | None = None) -> list[Any]:
        size = size or self.arraysize
        if self._open is not None and len(self._rows) < size:
            self._rows.extend(await self._connection.in_thread(self._open.fetchmany, size))
        return [self._rows.popleft() for _ in range(min(size, len(self._rows)))]

    async def fetchall(self) -> list[Any]:
        more = [] if self._open is None else await self._connection.in_thread(self._open.fetchall)
        rows = [*self._rows, *more]
        self._rows.clear()
        return rows

    async def close(self) -> None:
        still, self._open = self._open, None
        self._rows.clear()
        if still is not None:
            await self._connection.in_thread(still.close)


class _Connection(aiosqlite.Connection):
    """Who reads begins in the trip of the first statement, and a transaction that is over is not rolled back once more."""

    begins = ""
    """How the transaction is to begin that SQLAlchemy has begun; '' where it has, or there is none."""
    _left = False
    """Whether anything was sent to the thread since the last transaction ended: whoever gave up does not know what ran."""

    def cursor(self) -> _Cursor:  # type: ignore[override]
        return _Cursor(self)

    async def executed(self, how: Execute, given: Iterable[Any]) -> tuple[sqlite3.Cursor, list[Any], bool]:
        self._left = True
        done = await self.in_thread(_executed, self._conn, self.begins, how, given)
        self.begins = ""
        return done

    async def in_thread(self, run: Callable[..., T], *given: Any) -> T:
        result: T = await self._execute(run, *given)  # type: ignore[no-untyped-call]
        return result

    async def commit(self) -> None:
        self.begins = ""
        if self._left:
            await super().commit()
            self._left = False

    async def rollback(self) -> None:
        self.begins = ""
        if self._left:
            await super().rollback()
            self._left = False


def _executed(
    connection: sqlite3.Connection, begins: str, how: Execute, given: Iterable[Any]
) -> tuple[sqlite3.Cursor, list[Any], bool]:
    """The cursor, the first rows, and whether there may be more."""
    if begins and not connection.in_transaction:
        connection.execute(begins)
    cursor = how(connection.cursor(), *given)
    rows = cursor.fetchmany(AT_ONCE) if cursor.description else []
    more = len(rows) == AT_ONCE
    if not more:
        cursor.close()
    return cursor, rows, more


def _connection(threads: set[Thread], *given: Any, **more: Any) -> aiosqlite.Connection:
    """A connection yet to be opened; its thread is kept, also if whoever wanted it gives up before it is."""
    connection = _Connection(partial(sqlite3.connect, *given, **more), AT_ONCE)
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
        begun.exec_driver_sql(IMMEDIATELY)

    return engine


def _begun(engine: Engine | None, work: Callable[[Connection], T]) -> T:
    assert engine is not None
    with engine.begin() as tx:
        return work(tx)


def _transaction(connection: sqlite3.Connection | None, work: Callable[[sqlite3.Connection], T]) -> T:
    assert connection is not None
    connection.execute(IMMEDIATELY)
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
