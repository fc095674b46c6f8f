"""Warnings of different sources that are of one event: candidates, links, and what of them is still in force."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import and_, insert, select, union

from dispatcher.model import Kind
from dispatcher.states import LIVE
from dispatcher.store import warnings as warning_store
from dispatcher.store.engine import Tx
from dispatcher.store.tables import kin, warnings
from dispatcher.store.warnings import WarningRow

_IN_FORCE = and_(
    warnings.c.state.in_([state.value for state in LIVE]),
    warnings.c.released_at.is_not(None),
    warnings.c.kind.in_([Kind.ALERT.value, Kind.UPDATE.value]),
)


async def candidates(tx: Tx, event: str, *, drill: bool, now: datetime) -> list[WarningRow]:
    """Whatever is in force of a hazard, oldest first."""
    rows = await tx.execute(
        select(warnings)
        .where(_IN_FORCE, warnings.c.event == event, warnings.c.drill.is_(drill), warnings.c.expires > now)
        .order_by(warnings.c.sent)
    )
    return [WarningRow(**row) for row in rows.mappings()]


async def link(tx: Tx, warning_id: str, others: Sequence[str]) -> None:
    if others:
        await tx.execute(insert(kin), [{"warning_id": warning_id, "kin_id": one} for one in others])


async def linked(tx: Tx, warning_ids: Sequence[str]) -> list[WarningRow]:
    """Every version of the other sources' chains that one of these versions of a chain is of one event with."""
    there = select(kin.c.kin_id).where(kin.c.warning_id.in_(warning_ids))
    back = select(kin.c.warning_id).where(kin.c.kin_id.in_(warning_ids))
    chains = select(warnings.c.chain_id).where(warnings.c.id.in_(union(there, back)))
    rows = await tx.execute(
        select(warnings)
        .where(warnings.c.chain_id.in_(chains), warnings.c.id.not_in(warning_ids), warnings.c.released_at.is_not(None))
        .order_by(warnings.c.sent)
    )
    return [WarningRow(**row) for row in rows.mappings()]


async def whole_event(tx: Tx, chain_id: str) -> list[WarningRow]:
    """A chain's versions and those of other sources of the same event, as they came in."""
    own = await warning_store.chain(tx, chain_id)
    others = await linked(tx, [row.id for row in own])
    return sorted([*own, *others], key=lambda row: row.received_at)
