"""What officers on duty note down, offer to hand over, and take. Only ever added to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select

from dispatcher.store.engine import Tx
from dispatcher.store.tables import shift_log


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """`scope`: area codes of the duty room; `offer_id`: the offer that this step ends."""

    at: datetime
    account_id: str
    name: str
    step: str
    scope: tuple[str, ...]
    offer_id: int | None = None
    text: str = ""
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(Written):
    """As it is kept."""

    id: int


_KEPT = [shift_log.c[name] for name in Entry.__dataclass_fields__]


async def add(tx: Tx, one: Written) -> int:
    """Its number. IntegrityError where the offer has ended already."""
    values = {name: getattr(one, name) for name in Written.__dataclass_fields__}
    put = insert(shift_log).values({**values, "scope": list(one.scope), "detail": dict(one.detail)})
    return int((await tx.execute(put.returning(shift_log.c.id))).scalar_one())


async def one(tx: Tx, number: int) -> Entry | None:
    row = (await tx.execute(select(*_KEPT).where(shift_log.c.id == number))).mappings().one_or_none()
    return Entry(**{**row, "scope": tuple(row["scope"])}) if row else None


async def some(tx: Tx, numbers: Sequence[int]) -> dict[int, Entry]:
    return {one.id: one for one in await _read(tx, select(*_KEPT).where(shift_log.c.id.in_(numbers)))}


async def of_step(tx: Tx, step: str, *, limit: int, before: int = 0) -> list[Entry]:
    """Newest first; `before`: only those behind this one, 0 for all."""
    wanted = select(*_KEPT).where(shift_log.c.step == step).order_by(shift_log.c.id.desc()).limit(limit)
    return await _read(tx, wanted.where(shift_log.c.id < before) if before else wanted)


async def since(tx: Tx, step: str, at: datetime, limit: int = 200) -> list[Entry]:
    """Newest first."""
    wanted = select(*_KEPT).where(shift_log.c.step == step, shift_log.c.at >= at)
    return await _read(tx, wanted.order_by(shift_log.c.id.desc()).limit(limit))


async def still_open(tx: Tx, step: str) -> list[Entry]:
    """Of this step, what no later one has ended; oldest first."""
    later = shift_log.alias("later")
    ended = select(later.c.id).where(later.c.offer_id == shift_log.c.id)
    return await _read(tx, select(*_KEPT).where(shift_log.c.step == step, ~ended.exists()).order_by(shift_log.c.id))


async def _read(tx: Tx, wanted: Any) -> list[Entry]:
    rows = (await tx.execute(wanted)).mappings()
    return [Entry(**{**row, "scope": tuple(row["scope"])}) for row in rows]
