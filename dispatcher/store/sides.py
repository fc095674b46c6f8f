"""Which side a warning stands on, in SQL: a drill's or the live one. Its chunks and deliveries stand where it does.

The column `drill` tells the sides apart. Where `status` says otherwise the warning is on neither, and whoever comes across it
refuses it: it must not wait for a provider that would not take it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sqlalchemy import ColumnElement, and_, or_, select

from dispatcher.model import Status
from dispatcher.store.engine import Tx
from dispatcher.store.tables import warnings
from dispatcher.store.warnings import WarningRow

NO_DRILL_PROVIDER: Final = "no_drill_provider"
"""Why a row of a drill is suppressed: its channel has no provider for drills, and a live one is out of the question."""

_LIVE: Final = warnings.c.drill.is_(False)
_EXERCISE: Final = warnings.c.status == Status.EXERCISE.value


def on_side(warning_id: ColumnElement[str], *, drill: bool) -> ColumnElement[bool]:
    """Whether that warning's column says drill, or live."""
    return _is(warning_id, ~_LIVE if drill else _LIVE)


def not_plainly_live(warning_id: ColumnElement[str]) -> ColumnElement[bool]:
    """A drill, or what contradicts itself about that."""
    return _is(warning_id, or_(~_LIVE, _EXERCISE))


def contradictory(warning_id: ColumnElement[str]) -> ColumnElement[bool]:
    return _is(warning_id, or_(and_(_LIVE, _EXERCISE), and_(~_LIVE, ~_EXERCISE)))


async def sides_of(tx: Tx, warning_ids: Collection[str]) -> dict[str, bool]:
    """Warning → whether it is a drill; those that exist."""
    found = await tx.execute(select(warnings.c.id, warnings.c.drill).where(warnings.c.id.in_(warning_ids)))
    return {row.id: row.drill for row in found}


async def chain_says_otherwise(tx: Tx, row: WarningRow) -> bool:
    """Whether a warning of its chain, which itself is of one mind, stands on the other side."""
    other = and_(_LIVE, ~_EXERCISE) if row.drill else and_(~_LIVE, _EXERCISE)
    found = await tx.execute(
        select(warnings.c.id)
        .where(
            warnings.c.chain_id == row.chain_id,
            warnings.c.id != row.id,
            warnings.c.released_at.is_not(None),
            other,
        )
        .limit(1)
    )
    return found.first() is not None


def _is(warning_id: ColumnElement[str], what: ColumnElement[bool]) -> ColumnElement[bool]:
    return select(warnings.c.id).where(warnings.c.id == warning_id, what).exists()
