"""Warnings as lists show them, and which of them touch somebody's area."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Text, cast, or_, select

from dispatcher.store.engine import Tx
from dispatcher.store.tables import warnings


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """A warning as lists show it, without its bytes and its text."""

    id: str
    chain_id: str
    source: str
    door: str
    sender: str
    identifier: str
    sent: datetime
    kind: str
    status: str
    drill: bool
    event: str
    level: str | None
    headline: str
    expires: datetime | None
    state: str
    rows_planned: int
    received_at: datetime
    dispatched_at: datetime | None
    completed_at: datetime | None


_HEADLINE = [warnings.c[name] for name in Headline.__dataclass_fields__]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """`before`: the id of the last one of the page before; `touching`: only those that touch a village whose code begins with
    one of these digits."""

    limit: int = 50
    states: Sequence[str] = ()
    level: str = ""
    before: str = ""
    touching: Sequence[str] = ()


async def headlines(tx: Tx, wanted: Wanted) -> list[Headline]:
    """Newest first."""
    statement = select(*_HEADLINE).order_by(warnings.c.id.desc()).limit(wanted.limit)
    if wanted.touching:
        statement = statement.where(_touches(wanted.touching))
    if wanted.states:
        statement = statement.where(warnings.c.state.in_(wanted.states))
    if wanted.level:
        statement = statement.where(warnings.c.level == wanted.level)
    if wanted.before:
        statement = statement.where(warnings.c.id < wanted.before)
    return [Headline(**row) for row in (await tx.execute(statement)).mappings()]


async def touched(tx: Tx, warning_id: str) -> list[str] | None:
    """The villages it touches; None where there is no such warning."""
    area = (await tx.execute(select(warnings.c.area).where(warnings.c.id == warning_id))).scalar_one_or_none()
    return None if area is None else list(area.get("touched", ()))


def _touches(stems: Sequence[str]) -> ColumnElement[bool]:
    """A code is twelve digits between quotes, and nothing else in an area begins like one."""
    return or_(*(cast(warnings.c.area, Text).like(f'%"{int(one)}%') for one in stems))


async def touching(tx: Tx, warning_ids: Sequence[str], stems: Sequence[str]) -> set[str]:
    """Those of them that touch a village whose code begins with one of these digits."""
    rows = await tx.execute(select(warnings.c.id).where(warnings.c.id.in_(warning_ids), _touches(stems)))
    return {row.id for row in rows}


async def named(tx: Tx, warning_ids: Sequence[str]) -> dict[str, Headline]:
    rows = await tx.execute(select(*_HEADLINE).where(warnings.c.id.in_(warning_ids)))
    return {row["id"]: Headline(**row) for row in rows.mappings()}
