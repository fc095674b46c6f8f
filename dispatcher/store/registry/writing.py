"""Replaces tables of the register whole, in the caller's transaction: a broken import leaves the last good register.

A gateway's state is the file's: nothing hears its heartbeats yet. A million residents go through the driver's own bulk
door, sealed page by page on another thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence

from sqlalchemy import Table, delete, insert, text

from dispatcher.store.engine import Tx
from dispatcher.store.registry import homes
from dispatcher.store.registry.rows import TABLE_OF, OfficerRow, ResidentRow, ResidentRows, Row, Sheets
from dispatcher.store.sealed import Seal
from dispatcher.store.tables import residents

Tell = Callable[[str, int, int], None]
"""Told of progress: which table, rows done, rows in all."""

_BATCH = 5_000
_COPY_TIMEOUT_S = 60.0
_BUMP = text(
    "INSERT INTO facts (name, value) VALUES ('register_version', '1')"
    " ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(facts.value AS BIGINT) + 1 AS TEXT) RETURNING value"
)
_RESIDENT_COLUMNS = tuple(column.name for column in residents.columns)


def quiet(_what: str, _done: int, _total: int) -> None:
    """Nobody watches the progress."""


async def bump_version(tx: Tx) -> int:
    """The register changed: every process reads it anew. On PostgreSQL, imports wait here for one another."""
    return int((await tx.execute(_BUMP)).scalar_one())


async def replace(tx: Tx, seal: Seal, sheets: Sheets, tell: Tell = quiet) -> int:
    """Puts the sheets in the place of what their tables held; returns the register's new version."""
    version = await bump_version(tx)
    for kind, rows in sheets.tables.items():
        await _fill(tx, seal, TABLE_OF[kind], rows, tell)
    if sheets.residents is not None:
        await _fill_residents(tx, seal, sheets.residents, tell)
    return version


async def _fill(tx: Tx, seal: Seal, table: Table, rows: Sequence[Row], tell: Tell) -> None:
    await tx.execute(delete(table))
    tell(table.name, 0, len(rows))
    for start in range(0, len(rows), _BATCH):
        batch = rows[start : start + _BATCH]
        await tx.execute(insert(table), await asyncio.to_thread(_sealed_all, seal, batch))
        tell(table.name, start + len(batch), len(rows))


def _sealed_all(seal: Seal, rows: Sequence[Row]) -> list[dict[str, object]]:
    return [_sealed(seal, row) for row in rows]


def _sealed(seal: Seal, row: Row) -> dict[str, object]:
    values = row._asdict()
    if "phone" in values:
        values["phone_index"] = seal.index(values["phone"])
        values["phone"] = seal.seal(values["phone"])
    if "secrets" in values:
        values["secrets"] = seal.seal("\n".join(values["secrets"]))
    if isinstance(row, OfficerRow):
        values["lat"], values["lon"], values["position"] = homes.shut(seal, row.lat, row.lon)
    return values


async def _fill_residents(tx: Tx, seal: Seal, rows: ResidentRows, tell: Tell) -> None:
    await tx.execute(delete(residents))
    done = 0
    tell(residents.name, done, rows.total)
    pages = iter(rows.pages())
    while page := await asyncio.to_thread(_next_sealed, seal, pages):
        await _bulk(tx, page)
        done += len(page)
        tell(residents.name, done, rows.total)


def _next_sealed(seal: Seal, pages: Iterator[Sequence[ResidentRow]]) -> list[tuple[object, ...]]:
    """The next page in the order of the table's columns; empty after the last."""
    rows = []
    for number, name, phone, village, lat, lon, *rest in next(pages, ()):
        rough_lat, rough_lon, position = homes.shut(seal, lat, lon)
        rows.append((number, name, seal.seal(phone), seal.index(phone), village, rough_lat, rough_lon, *rest, position))
    return rows


async def _bulk(tx: Tx, rows: list[tuple[object, ...]]) -> None:
    """Past SQLAlchemy's handling of single values, which costs more than the insert: COPY, or one executemany."""
    if tx.dialect.name == "sqlite":
        marks = ", ".join("?" * len(_RESIDENT_COLUMNS))
        await tx.exec_driver_sql(f"INSERT INTO residents VALUES ({marks})", rows)  # noqa: S608 — marks only
        return
    connection = (await tx.get_raw_connection()).driver_connection
    assert connection is not None
    await connection.copy_records_to_table(
        residents.name, columns=_RESIDENT_COLUMNS, records=rows, timeout=_COPY_TIMEOUT_S
    )
