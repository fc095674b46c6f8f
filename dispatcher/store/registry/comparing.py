"""What an import would change, counted before it changes anything.

It must not need a second register in memory: residents are compared by a fingerprint each, and no phone of
theirs is opened; their homes are.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from dispatcher.store.engine import Tx
from dispatcher.store.registry import homes
from dispatcher.store.registry.opening import exported
from dispatcher.store.registry.rows import TABLE_OF, ResidentRow, ResidentRows, Row, Sheets
from dispatcher.store.sealed import Seal
from dispatcher.store.tables import residents

_RESIDENT_FIELDS = tuple("phone_index" if name == "phone" else name for name in ResidentRow._fields)
_LAT = _RESIDENT_FIELDS.index("lat")
_AT_ONCE = 1000
"""Residents that are brought together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One table, named as in the database: rows new, changed, gone, and left as they are."""

    table: str
    added: int
    changed: int
    removed: int
    same: int


async def differences(tx: Tx, seal: Seal, sheets: Sheets) -> list[Difference]:
    """One a table that came; the residents are `compare_residents`'s."""
    found = []
    for kind, rows in sheets.tables.items():
        before = {_key(row): row for row in await exported(tx, seal, kind)}
        after = {_key(row): row for row in rows}
        same = sum(before.get(key) == row for key, row in after.items())
        found.append(_difference(TABLE_OF[kind].name, before.keys(), after.keys(), same))
    return found


async def resident_fingerprints(tx: Tx, seal: Seal) -> dict[int, int]:
    """Id → a number that changes with the row; of this process only."""
    columns = [residents.c[name] for name in (*_RESIDENT_FIELDS, "position")]
    found: dict[int, int] = {}
    async with tx.stream(select(*columns)) as more:
        while rows := await more(_AT_ONCE):
            found.update((row[0], hash(_as_in_a_file(seal, tuple(row)))) for row in rows)
    return found


def _as_in_a_file(seal: Seal, row: tuple[Any, ...]) -> tuple[Any, ...]:
    *before, lat, lon = row[: _LAT + 2]
    return (*before, *homes.opened(seal, lat, lon, row[-1]), *row[_LAT + 2 : -1])


async def resident_villages(tx: Tx) -> set[str]:
    return set((await tx.execute(select(residents.c.village_code).distinct())).scalars())


def compare_residents(before: dict[int, int], seal: Seal, rows: ResidentRows) -> Difference:
    """Needs no database: a million rows are read meanwhile."""
    seen: set[int] = set()
    same = 0
    for page in rows.pages():
        for row in page:
            seen.add(row.id)
            same += before.get(row.id) == hash((*row[:2], seal.index(row.phone), *row[3:]))
    return _difference(residents.name, before.keys(), seen, same)


def _difference(table: str, before: AbstractSet[object], after: AbstractSet[object], same: int) -> Difference:
    both = len(before & after)
    return Difference(table=table, added=len(after) - both, changed=both - same, removed=len(before) - both, same=same)


def _key(row: Row) -> tuple[object, ...]:
    return tuple(getattr(row, column.name) for column in TABLE_OF[type(row)].primary_key.columns)
