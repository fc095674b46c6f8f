"""Where people live, sealed: the exact place lies in `position`, and lat and lon keep a hundredth of a degree of it.

A hundredth is about a kilometre, which says no more than the village's code beside it. It must survive a place that cannot be
opened and one that nobody sealed yet (rows from before, or written by a process of the version before): either costs
accuracy, never a person, because the rough place is read instead.
"""

from __future__ import annotations

from typing import Final

import structlog
from sqlalchemy import Table, Update, bindparam, func, select, update

from dispatcher.store.engine import Tx
from dispatcher.store.sealed import Seal, WrongKey
from dispatcher.store.tables import officers, residents

log = structlog.get_logger()

WITH_HOMES: Final[tuple[Table, ...]] = (officers, residents)
_ROUGH: Final = 2
"""Decimals that stay open."""


def shut(seal: Seal, lat: float, lon: float) -> tuple[float, float, bytes]:
    """What is written of a home: the rough place, and the exact one sealed."""
    return round(lat, _ROUGH), round(lon, _ROUGH), seal.seal_place(lat, lon)


def opened(seal: Seal, lat: float, lon: float, position: bytes | None) -> tuple[float, float]:
    """The exact place; the rough one where there is no other."""
    if position is None:
        return lat, lon
    try:
        return seal.open_place(position)
    except WrongKey:
        log.warning("一个住处打不开，按约一公里的概略位置处理，请核对登记册")
        return lat, lon


async def unsealed(tx: Tx) -> int:
    """How many homes still stand open."""
    counts = [select(func.count()).select_from(table).where(table.c.position.is_(None)) for table in WITH_HOMES]
    return sum([int((await tx.execute(one)).scalar_one()) for one in counts])


async def seal_some(tx: Tx, seal: Seal, limit: int) -> int:
    """Seals up to `limit` homes of a table that stand open; returns how many those were. Whoever is stopped in the middle
    goes on where this one ended."""
    for table in WITH_HOMES:
        c = table.c
        found = (await tx.execute(select(c.id, c.lat, c.lon).where(c.position.is_(None)).limit(limit))).all()
        if found:
            rows = [dict(zip(_BOUND, (row.id, *shut(seal, row.lat, row.lon)), strict=True)) for row in found]
            await tx.execute(_sealing(table), rows)
            return len(found)
    return 0


_BOUND: Final = ("the_id", "the_lat", "the_lon", "the_position")


def _sealing(table: Table) -> Update:
    return (
        update(table)
        .where(table.c.id == bindparam("the_id"), table.c.position.is_(None))
        .values(lat=bindparam("the_lat"), lon=bindparam("the_lon"), position=bindparam("the_position"))
    )
