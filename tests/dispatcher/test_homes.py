"""Where people live lies sealed (`store/registry/homes.py`, `service/keys.py`): whoever has the database has a kilometre."""

from __future__ import annotations

import sqlite3
import struct
from pathlib import Path

import pytest
from sqlalchemy import select, update

from dispatcher.registry import importing
from dispatcher.registry.register import load
from dispatcher.service import keys
from dispatcher.service.keys import seal_homes
from dispatcher.store.engine import Store, open_store
from dispatcher.store.registry import OfficerRow, ResidentRow, ResidentRows, Sheets, exported, homes, resident_rows
from dispatcher.store.sealed import Seal, WrongKey
from dispatcher.store.tables import officers, residents
from tests.dispatcher.test_registry import SEAL, SMALL

LAT, LON = 26.3141592, 114.2718281
OFFICER = OfficerRow("JA1", "张三", "+8615400000001", "360827102200", LAT, LON, 1, False, True)


def sheets(count: int = 3) -> Sheets:
    living = [
        ResidentRow(n, "李四", f"+86154000010{n:02d}", "360827102200", LAT + n / 1e6, LON, 1, 0, 0, True, True)
        for n in range(count)
    ]
    tables = {**SMALL.tables, OfficerRow: [OFFICER]}
    return Sheets(tables=tables, residents=ResidentRows(total=count, pages=lambda: [living]))


async def open_again(store: Store) -> None:
    """As an import of the version before leaves it."""
    async with store.begin() as tx:
        for table in (officers, residents):
            await tx.execute(update(table).values(lat=LAT, lon=LON, position=None))


async def rows_of(store: Store) -> list[tuple[float, float, bytes | None]]:
    async with store.read() as tx:
        return [
            (row.lat, row.lon, row.position)
            for table in (officers, residents)
            for row in await tx.execute(select(table.c.lat, table.c.lon, table.c.position))
        ]


def test_a_place_opens_to_the_last_bit_and_by_no_other_key() -> None:
    sealed = SEAL.seal_place(LAT, LON)
    assert SEAL.open_place(sealed) == (LAT, LON)
    assert SEAL.seal_place(LAT, LON) != sealed
    for broken in (b"", sealed[:20], sealed[:-1] + bytes([sealed[-1] ^ 1]), SEAL.seal("+8615400000001")):
        with pytest.raises(WrongKey):
            SEAL.open_place(broken)
    with pytest.raises(WrongKey):
        Seal(bytes(32)).open_place(sealed)


async def test_the_database_knows_a_home_to_a_kilometre_and_memory_and_export_to_the_metre(store: Store) -> None:
    await importing.put(store, SEAL, sheets())
    for lat, lon, position in await rows_of(store):
        assert (lat, lon) == (26.31, 114.27)
        assert position is not None
    register = await load(store, SEAL)
    assert (register.officers["JA1"].home.lat, register.officers["JA1"].home.lon) == (LAT, LON)
    assert register.residents.lat.tolist() == [263141592, 263141602, 263141612]
    async with store.read() as tx:
        (officer,) = await exported(tx, SEAL, OfficerRow)
        (page,) = [page async for page in resident_rows(tx, SEAL)]
    assert officer == OFFICER
    assert [(row.lat, row.lon) for row in page] == [(LAT + n / 1e6, LON) for n in range(3)]


async def test_an_older_registers_homes_are_sealed_at_the_next_start_and_only_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "HOMES_AT_ONCE", 2)  # more than one transaction
    await importing.put(store, SEAL, sheets(5))
    await open_again(store)
    assert await seal_homes(store, SEAL) == 6
    assert {row[:2] for row in await rows_of(store)} == {(26.31, 114.27)}
    assert set((await load(store, SEAL)).residents.lat.tolist()) == {263141592}
    await open_again(store)  # by hand, past the register's version: not looked for again
    assert await seal_homes(store, SEAL) == 0


async def test_a_sealing_that_was_stopped_in_the_middle_goes_on_where_it_ended(store: Store) -> None:
    await importing.put(store, SEAL, sheets(5))
    await open_again(store)
    async with store.begin() as tx:
        assert await homes.seal_some(tx, SEAL, 1) == 1
    async with store.read() as tx:
        assert await homes.unsealed(tx) == 5
    register = await load(store, SEAL)
    assert len(register.residents.id) == 5, "half sealed, and nobody is lost"
    assert await seal_homes(store, SEAL) == 5


async def test_a_home_that_cannot_be_opened_costs_a_kilometre_and_never_the_person(store: Store) -> None:
    await importing.put(store, SEAL, sheets(1))
    async with store.begin() as tx:
        for table in (officers, residents):
            await tx.execute(update(table).values(position=b"torn"))
    register = await load(store, SEAL)
    assert register.residents.lat.tolist() == [263100000]
    assert register.officers["JA1"].home.lon == 114.27


async def test_what_stood_open_is_overwritten_in_the_file_and_in_its_log(sqlite_url: str, tmp_path: Path) -> None:
    store = open_store(sqlite_url)
    await importing.put(store, SEAL, sheets(40))
    await open_again(store)
    await seal_homes(store, SEAL)
    await store.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("mingluo.db*"))
    assert struct.pack(">d", LAT) not in kept
    with sqlite3.connect(tmp_path / "mingluo.db") as looking:
        assert looking.execute("SELECT count(*) FROM residents WHERE position IS NULL").fetchone() == (0,)
    looking.close()
