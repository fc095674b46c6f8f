"""A transaction is whole or not there, on SQLite and PostgreSQL; eight who change one number at once lose none of it."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from sqlalchemy import Connection, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.util import await_only

from dispatcher.store.chunks import LEASE_S
from dispatcher.store.engine import AlreadyThere, Store, Tx, database_is_away, open_store, unique, upsert
from dispatcher.store.many import Inserted
from dispatcher.store.tables import facts, nodes, sequences

PUT = Inserted(sequences, ("name", "value"))


async def value(tx: Tx, name: str = "n") -> int | None:
    found = (await tx.execute(select(sequences.c.value).where(sequences.c.name == name))).scalar()
    return None if found is None else int(found)


async def started(store: Store) -> None:
    async with store.begin() as tx:
        await tx.execute(insert(sequences).values(name="n", value=0))


async def add_one(store: Store) -> None:
    """Reads, thinks, writes: what loses updates where two may read before either writes."""
    async with store.begin() as tx:
        query = select(sequences.c.value).where(sequences.c.name == "n").with_for_update()
        before = (await tx.execute(query)).scalar_one()
        await asyncio.sleep(0)
        await tx.execute(update(sequences).values(value=before + 1))


def add_one_in_one_go(tx: Connection) -> int:
    query = select(sequences.c.value).where(sequences.c.name == "n").with_for_update()
    before = int(tx.execute(query).scalar_one())
    tx.execute(update(sequences).values(value=before + 1))
    return before + 1


class Stumble(Exception):
    """Something went wrong in the middle of a transaction."""


# ── transactions ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_eight_who_count_at_once_lose_no_count(store: Store) -> None:
    await started(store)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(8):
            tasks.create_task(add_one(store))
    async with store.read() as tx:
        assert await value(tx) == 8


async def test_two_processes_that_count_at_once_lose_no_count(database_url: str) -> None:
    """Two stores on one database, as `serve` and `warn` are: there the lock in memory does not help."""
    stores = [open_store(database_url), open_store(database_url)]
    await started(stores[0])
    async with asyncio.TaskGroup() as tasks:
        for number in range(8):
            tasks.create_task(add_one(stores[number % 2]))
    async with stores[0].read() as tx:
        assert await value(tx) == 8
    for store in stores:
        await store.close()


async def test_what_was_committed_is_there_for_who_opens_the_database_next(database_url: str) -> None:
    first = open_store(database_url)
    await started(first)
    await first.close()
    second = open_store(database_url)
    async with second.read() as tx:
        assert await value(tx) == 0
    await second.close()


async def test_a_transaction_that_stumbles_leaves_nothing(store: Store) -> None:
    async def stumble() -> None:
        async with store.begin() as tx:
            await tx.execute(insert(sequences).values(name="n", value=1))
            raise Stumble

    with pytest.raises(Stumble):
        await stumble()
    async with store.read() as tx:
        assert await value(tx) is None


async def test_those_who_count_in_one_go_and_step_by_step_lose_no_count_among_them(store: Store) -> None:
    await started(store)
    async with asyncio.TaskGroup() as tasks:
        told = [tasks.create_task(store.in_one_go(add_one_in_one_go)) for _ in range(8)]
        for _ in range(8):
            tasks.create_task(add_one(store))
    assert len({task.result() for task in told}) == 8
    async with store.read() as tx:
        assert await value(tx) == 16


async def test_whoever_stumbles_in_one_go_leaves_nothing_and_holds_nobody_up(store: Store) -> None:
    def stumble(tx: Connection) -> None:
        tx.execute(insert(sequences).values(name="n", value=1))
        raise Stumble

    for _ in range(20):
        with pytest.raises(Stumble):
            await store.in_one_go(stumble)
    await started(store)
    assert await store.in_one_go(add_one_in_one_go) == 1


async def test_a_key_that_is_taken_leaves_nothing_in_one_go_either(store: Store) -> None:
    await started(store)

    def twice(tx: Connection) -> None:
        add_one_in_one_go(tx)
        tx.execute(insert(sequences).values(name="n", value=1))

    with pytest.raises(IntegrityError):
        await store.in_one_go(twice)
    async with store.read() as tx:
        assert await value(tx) == 0


async def test_on_sqlite_who_gives_up_waiting_leaves_it_to_its_end_and_the_next_waits(sqlite_store: Store) -> None:
    await started(sqlite_store)
    inside, go = threading.Event(), threading.Event()

    def slow(tx: Connection) -> None:
        inside.set()
        assert go.wait(10)
        add_one_in_one_go(tx)

    async with asyncio.TaskGroup() as tasks:
        gave_up = tasks.create_task(sqlite_store.in_one_go(slow))
        assert await asyncio.to_thread(inside.wait, 10)
        gave_up.cancel()
        following = tasks.create_task(sqlite_store.in_one_go(add_one_in_one_go))
        await asyncio.sleep(0)
        go.set()
    assert gave_up.cancelled()
    assert following.result() == 2


async def test_after_a_stumble_the_next_transaction_is_not_held_up(store: Store) -> None:
    for _ in range(20):
        with pytest.raises(Stumble):
            async with store.begin():
                raise Stumble
    await started(store)


async def test_a_cancelled_transaction_leaves_nothing_and_lets_go(store: Store) -> None:
    inside = asyncio.Event()

    async def stuck() -> None:
        async with store.begin() as tx:
            await tx.execute(insert(sequences).values(name="n", value=1))
            inside.set()
            await asyncio.Event().wait()

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(stuck())
        await inside.wait()
        task.cancel()
    async with store.begin() as tx:
        assert await value(tx) is None


async def test_whoever_is_cancelled_while_a_connection_goes_back_waits_until_it_has(store: Store) -> None:
    closing, go = asyncio.Event(), asyncio.Event()

    async def reading() -> None:
        async with store.read() as tx:
            await value(tx)
            back = tx._connection.close

            def slowly() -> None:
                closing.set()
                await_only(go.wait())
                back()

            tx._connection.close = slowly  # type: ignore[method-assign]

    task = asyncio.get_running_loop().create_task(reading())
    await closing.wait()
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert store.engine.sync_engine.pool.status().endswith("connections: 0")


async def test_what_fails_while_a_connection_goes_back_comes_out_as_it_is(store: Store) -> None:
    async def reading() -> None:
        async with store.read() as tx:
            await value(tx)
            back = tx._connection.close

            def stumbling() -> None:
                back()
                raise Stumble

            tx._connection.close = stumbling  # type: ignore[method-assign]

    with pytest.raises(Stumble):
        await reading()


async def test_a_reader_sees_one_moment_and_does_not_wait_for_who_writes(store: Store) -> None:
    await started(store)
    async with store.begin() as writing:
        await writing.execute(update(sequences).values(value=7))
        async with asyncio.timeout(3), store.read() as tx:
            assert await value(tx) == 0
    async with store.read() as tx:
        assert await value(tx) == 7


async def test_what_is_written_through_a_reading_connection_is_not_kept(store: Store) -> None:
    async with store.read() as tx:
        await tx.execute(insert(sequences).values(name="n", value=1))
    async with store.read() as tx:
        assert await value(tx) is None


# ── kept apart ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_key_that_is_taken_is_said_in_our_own_word(store: Store) -> None:
    await started(store)
    with pytest.raises(AlreadyThere):
        async with unique(), store.begin() as tx:
            await tx.execute(insert(sequences).values(name="n", value=5))
    async with store.read() as tx:
        assert await value(tx) == 0


async def test_insert_or_replace_is_one_statement_on_both(store: Store) -> None:
    for number in (1, 2):
        async with store.begin() as tx:
            statement = upsert(tx, facts).values(name="city", value=str(number))
            await tx.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": str(number)}))
    async with store.read() as tx:
        assert (await tx.execute(select(facts.c.value).where(facts.c.name == "city"))).scalar_one() == "2"


async def test_a_time_comes_back_as_the_same_instant_and_aware(store: Store) -> None:
    at = datetime(2026, 4, 3, 2, 39, tzinfo=timezone(timedelta(hours=8)))
    async with store.begin() as tx:
        await tx.execute(insert(nodes).values(name="n", epoch=1, seen_at=at))
        found = (await tx.execute(select(nodes.c.seen_at))).scalar_one()
    assert found == at
    assert found.utcoffset() == timedelta(0)


async def test_a_time_without_a_zone_never_reaches_the_database(store: Store) -> None:
    with pytest.raises(Exception, match="naive"):
        async with store.begin() as tx:
            await tx.execute(insert(nodes).values(name="n", epoch=1, seen_at=datetime.now(UTC).replace(tzinfo=None)))


async def test_an_error_of_the_database_repeats_no_row(store: Store) -> None:
    """A phone in a failing statement would stand in the log otherwise."""
    await started(store)
    with pytest.raises(DBAPIError) as failed:
        async with store.begin() as tx:
            await tx.execute(insert(sequences), [{"name": "n", "value": 15400000001}])
    assert "15400000001" not in str(failed.value)


# ── SQLite ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_sqlite_survives_a_power_cut_and_keeps_its_keys(sqlite_store: Store) -> None:
    async with sqlite_store.read() as tx:
        told = {
            name: (await tx.execute(text(f"PRAGMA {name}"))).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert told == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}


async def test_those_who_open_a_new_sqlite_file_at_once_all_get_in(tmp_path: Path) -> None:
    for number in range(30):
        stores = [open_store(f"sqlite+aiosqlite:///{tmp_path}/{number}.db") for _ in range(4)]
        async with asyncio.TaskGroup() as tasks:
            modes = [tasks.create_task(_journal_mode(store)) for store in stores]
        assert [mode.result() for mode in modes] == ["wal"] * 4
        for store in stores:
            await store.close()


async def _journal_mode(store: Store) -> str:
    async with store.begin() as tx:
        return str((await tx.execute(text("PRAGMA journal_mode"))).scalar())


async def test_sqlite_takes_the_write_lock_at_the_beginning(sqlite_url: str) -> None:
    """A transaction that reads first and writes later would fail then, when it is too late to begin again."""
    store = open_store(sqlite_url)
    path = sqlite_url.partition(":///")[2]
    async with store.begin():
        other = sqlite3.connect(path, timeout=0, isolation_level=None)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()
    await store.close()


async def test_sqlite_makes_the_folder_it_stands_in(tmp_path: Path) -> None:
    store = open_store(f"sqlite+aiosqlite:///{tmp_path}/新 文件夹/deep/mingluo.db")
    async with store.begin() as tx:
        await tx.execute(text("CREATE TABLE t (a INTEGER)"))
    await store.close()
    assert (tmp_path / "新 文件夹" / "deep" / "mingluo.db").exists()


def rules(connection: sqlite3.Connection) -> list[int]:
    """What no connection keeps to before its pragmas are set."""
    return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("foreign_keys", "recursive_triggers")]


async def test_a_connection_whose_pragmas_failed_is_never_written_on(tmp_path: Path) -> None:
    path = tmp_path / "mingluo.db"
    path.write_bytes(b"not a database" * 100)
    store = open_store(f"sqlite+aiosqlite:///{path}")
    with pytest.raises(DBAPIError, match="not a database"):
        await store.whole(rules)
    path.write_bytes(b"")
    assert await store.whole(rules) == [1, 1]
    await store.close()


async def test_a_connection_whose_opener_gave_up_is_never_written_on(tmp_path: Path) -> None:
    path = tmp_path / "mingluo.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # so that nobody else can turn the file to WAL
    store = open_store(f"sqlite+aiosqlite:///{path}")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await store.whole(rules)
    other.close()
    assert await store.whole(rules) == [1, 1]
    await store.close()


async def test_whoever_gives_up_opening_at_whatever_moment_spoils_nothing_for_the_next(sqlite_url: str) -> None:
    """Its connection may still be made in its own thread, while the next one is being opened."""
    for number in range(200):
        store = open_store(sqlite_url)
        async with asyncio.TaskGroup() as tasks:
            opener = tasks.create_task(store.whole(rules))
            for _ in range(number % 8):
                await asyncio.sleep(0)
            opener.cancel()
        assert await store.whole(rules) == [1, 1]
        await store.close()


@pytest.mark.parametrize("turns", range(12))
def test_an_opening_given_up_leaves_no_thread_behind_a_closed_store(sqlite_url: str, turns: int) -> None:
    """Such a thread brought its answer to a loop that was gone, and threw in the face of whoever ran next."""

    async def give_up_after(turns: int) -> None:
        store = open_store(sqlite_url)
        async with asyncio.TaskGroup() as tasks:
            opener = tasks.create_task(store.whole(rules))
            for _ in range(turns):
                await asyncio.sleep(0)
            opener.cancel()
        await store.close()

    before = set(threading.enumerate())
    asyncio.run(give_up_after(turns))
    assert not [thread for thread in threading.enumerate() if thread not in before and "worker" in thread.name]


# ── which fault is it ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("url", ["mysql+aiomysql://u@h/d", "oracle://h/d"])
def test_any_other_database_is_refused_with_what_to_use(url: str) -> None:
    with pytest.raises(ValueError, match=r"sqlite\+aiosqlite.*postgresql\+asyncpg"):
        open_store(url)


async def test_a_database_that_is_not_there_is_away(unused_tcp_port: int) -> None:
    store = open_store(f"postgresql+asyncpg://u:p@127.0.0.1:{unused_tcp_port}/d")
    with pytest.raises(Exception, match=r".*") as failed:
        async with store.read():
            pass
    assert database_is_away(failed.value)
    await store.close()


async def test_a_locked_sqlite_is_away_and_not_broken(sqlite_url: str) -> None:
    path = sqlite_url.partition(":///")[2]
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store = open_store(sqlite_url)
    async with store.read() as tx:
        await tx.execute(text("PRAGMA busy_timeout=0"))
        with pytest.raises(DBAPIError) as failed:
            await tx.execute(text("DELETE FROM sequences"))
    assert database_is_away(failed.value)
    other.close()
    await store.close()


def test_a_wrong_statement_is_a_fault_of_ours_and_waiting_does_not_help() -> None:
    cause = Exception("x")
    assert not database_is_away(IntegrityError("s", {}, cause))
    assert not database_is_away(ProgrammingError("s", {}, cause))
    assert not database_is_away(ValueError("x"))
    assert database_is_away(PoolTimeout())
    assert database_is_away(ConnectionResetError())
    assert database_is_away(TimeoutError())


async def test_a_missing_table_is_a_fault_of_ours_on_both(store: Store) -> None:
    """Else the writer would wait for ever for a table that never comes."""
    with pytest.raises(DBAPIError) as failed:
        async with store.read() as tx:
            await tx.execute(text("SELECT * FROM no_such_table"))
    assert not database_is_away(failed.value)


async def test_a_value_no_column_takes_is_no_reason_to_wait_for_the_database(postgres_store: Store) -> None:
    for value in ("a\0b", "\ud800"):
        with pytest.raises(DBAPIError) as refused:
            async with postgres_store.begin() as tx:
                await tx.execute(insert(sequences).values(name=value, value=1))
        assert not database_is_away(refused.value)
    with pytest.raises(DBAPIError) as refused:
        async with postgres_store.begin() as tx:
            await tx.execute(insert(sequences).values(name="n", value=2**70))
    assert not database_is_away(refused.value)


async def test_a_line_that_is_cut_is_a_reason_to_wait(postgres_store: Store) -> None:
    with pytest.raises(DBAPIError) as cut:
        async with postgres_store.begin() as tx:
            await tx.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    assert database_is_away(cut.value)


async def test_whoever_freezes_in_a_transaction_keeps_its_locks_no_longer_than_a_dead_one_its_lease(
    postgres_store: Store,
) -> None:
    """Stranded rows are found within 15 s; locked ones can be taken over by nobody."""
    async with postgres_store.read() as tx:
        setting = "SELECT extract(epoch FROM current_setting('idle_in_transaction_session_timeout')::interval)"
        assert 0 < (await tx.execute(text(setting))).scalar_one() <= 15 - LEASE_S


async def test_a_transaction_that_cannot_be_committed_leaves_the_next_one_free(sqlite_store: Store) -> None:
    def refused_at_commit(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA defer_foreign_keys = ON")
        connection.execute("CREATE TABLE parents (id INTEGER PRIMARY KEY)")
        connection.execute("CREATE TABLE children (parent INTEGER REFERENCES parents (id))")
        connection.execute("INSERT INTO children VALUES (1)")

    with pytest.raises(sqlite3.IntegrityError):
        await sqlite_store.whole(refused_at_commit)
    assert await sqlite_store.whole(lambda connection: connection.execute("SELECT 1").fetchone()) == (1,)


async def test_on_sqlite_a_statement_is_one_trip_to_its_thread_and_nothing_is_rolled_back_twice(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await started(sqlite_store)
    async with sqlite_store.read() as tx:  # the connection is there
        await value(tx)
    trips: list[str] = []
    execute = aiosqlite.Connection._execute

    async def counted(self: aiosqlite.Connection, work: Any, *given: Any, **more: Any) -> Any:
        trips.append(getattr(work, "__name__", ""))
        return await execute(self, work, *given, **more)

    monkeypatch.setattr(aiosqlite.Connection, "_execute", counted)
    async with sqlite_store.begin() as tx:
        await tx.execute(update(sequences).values(value=3))
        assert await value(tx) == 3
    assert trips == ["_executed"] * 3 + ["commit"]
    trips.clear()
    async with sqlite_store.read() as tx:
        assert await value(tx) == 3
    assert trips == ["_executed", "rollback"]
    trips.clear()
    async with sqlite_store.read():
        pass
    assert trips == []


@pytest.mark.parametrize("number", [0, 1, 999, 1_000, 1_001, 2_500])
async def test_all_rows_come_also_where_they_are_fetched_bit_by_bit(sqlite_store: Store, number: int) -> None:
    async with sqlite_store.begin() as tx:
        await PUT.run(tx, [(f"n{one:05}", one) for one in range(number)])
    wanted = select(sequences.c.value).order_by(sequences.c.name)
    async with sqlite_store.read() as tx:
        assert list((await tx.execute(wanted)).scalars()) == list(range(number))
        came: list[int] = []
        async with tx.stream(wanted) as more:
            while rows := await more(700):
                came += [row[0] for row in rows]
        assert came == list(range(number))
        async with tx.stream(wanted) as more:  # given up in the middle
            assert await more(7) == [(one,) for one in range(min(number, 7))]
    async with sqlite_store.begin() as tx:
        await tx.execute(update(sequences).values(value=0))
