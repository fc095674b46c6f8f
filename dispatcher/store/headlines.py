"""Warnings as lists show them, and which of them touch somebody's area."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Text, cast, or_, select

from dispatcher.model import Kind
from dispatcher.states import WarningState
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
class Akin:
    """What something may belong to: sent before it, no end itself, and of its `event` or for a place in its `counties`."""

    sent: datetime
    event: str
    counties: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """`before`: the id of the last one of the page before; `touching`: only those that touch a village whose code begins with
    one of these digits, and so does `county`; `said`: stands in its headline, event or identifier, or it touches one of
    `places`; `since`, `until`: when it came in; `valid_at`: in force then: not out of time, and no all-clear that was said."""

    limit: int = 50
    states: Sequence[str] = ()
    level: str = ""
    kind: str = ""
    drill: bool | None = None
    before: str = ""
    touching: Sequence[str] = ()
    county: str = ""
    said: str = ""
    places: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    valid_at: datetime | None = None
    akin: Akin | None = None


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
    statement = statement.where(*_sought(wanted))
    return [Headline(**row) for row in (await tx.execute(statement)).mappings()]


def _sought(wanted: Wanted) -> list[ColumnElement[bool]]:
    c, found = warnings.c, []
    if wanted.kind:
        found.append(c.kind == wanted.kind)
    if wanted.drill is not None:
        found.append(c.drill.is_(wanted.drill))
    if wanted.county:
        found.append(_touches([wanted.county]))
    if wanted.since is not None:
        found.append(c.received_at >= wanted.since)
    if wanted.until is not None:
        found.append(c.received_at < wanted.until)
    if wanted.valid_at is not None:
        found.append(or_(c.expires.is_(None), c.expires > wanted.valid_at))
        found.append(or_(c.kind != Kind.CANCEL, c.state != WarningState.COMPLETED))
    if wanted.said:
        words = [column.icontains(wanted.said, autoescape=True) for column in (c.headline, c.event, c.identifier)]
        found.append(or_(*words, *([_touches(wanted.places)] if wanted.places else [])))
    if wanted.akin is not None:
        near = [_touches(wanted.akin.counties)] if wanted.akin.counties else []
        found += [c.kind != Kind.CANCEL, c.sent < wanted.akin.sent, or_(c.event == wanted.akin.event, *near)]
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """What has to be known of one that waits: the villages it speaks for, and what the judge found."""

    villages: Sequence[str]
    findings: Sequence[Mapping[str, Any]]


async def matters(tx: Tx, warning_ids: Sequence[str]) -> dict[str, Matter]:
    c = warnings.c
    rows = await tx.execute(select(c.id, c.area, c.findings).where(c.id.in_(warning_ids)))
    return {row.id: Matter(villages=tuple(row.area.get("villages", ())), findings=tuple(row.findings)) for row in rows}


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
