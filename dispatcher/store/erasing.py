"""Whoever asks to be forgotten goes: out of the register, and out of what is kept of what was said to him and by him.

What stays is a bare number in the ledger, which nothing leads back from. It must survive being done twice, and a phone that
others on the register have too: what came from it is theirs as well, and goes with its time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select

from dispatcher.model import Target, TargetKind
from dispatcher.states import LIVE
from dispatcher.store import ledger
from dispatcher.store.engine import Tx, upsert
from dispatcher.store.registry import bump_version
from dispatcher.store.retaining import emptied, uplinks_may_leave
from dispatcher.store.tables import attempts, erasures, officers, offices, questions, residents, uplinks, warnings

_ALL = 1_000_000
"""More tries than anybody was ever sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """`shared`: others have the phone too, so what was written from it stays until its time."""

    uplinks: int
    traces: int
    shared: bool


async def in_force(tx: Tx, target: Target) -> list[str]:
    """Warnings in force that have him on their list, sent to or not yet."""
    live = select(warnings.c.id).where(warnings.c.state.in_([state.value for state in LIVE]))
    return [one for one in (await tx.execute(live)).scalars() if await ledger.of_target(tx, one, str(target))]


async def note(tx: Tx, target: Target, now: datetime) -> None:
    """He is taken off when the last of those warnings has ended."""
    await tx.execute(upsert(tx, erasures).values(target=str(target), asked_at=now).on_conflict_do_nothing())


async def asked(tx: Tx) -> Sequence[Target]:
    found = await tx.execute(select(erasures.c.target).order_by(erasures.c.asked_at, erasures.c.target))
    return [Target.parse(one) for one in found.scalars()]


async def forget(tx: Tx, target: Target) -> Forgotten | None:
    """None where nobody of that number is in the register (any more)."""
    assert target.kind is TargetKind.RESIDENT
    number = int(target.id)
    index = (await tx.execute(select(residents.c.phone_index).where(residents.c.id == number))).scalar_one_or_none()
    await tx.execute(delete(erasures).where(erasures.c.target == str(target)))
    if index is None:
        return None
    await tx.execute(delete(residents).where(residents.c.id == number))
    await bump_version(tx)
    traces = 0
    for table in (attempts, questions):  # by warning: that is how their keys begin
        his = table.c.warning_id.in_(select(warnings.c.id)) & (table.c.target == str(target))
        traces += (await tx.execute(emptied(table, his, _ALL))).rowcount
    shared = await _others(tx, index) > 0
    gone = 0
    if not shared:
        async with uplinks_may_leave(tx):
            gone = (await tx.execute(delete(uplinks).where(uplinks.c.phone_index == index))).rowcount
    return Forgotten(uplinks=gone, traces=traces, shared=shared)


async def _others(tx: Tx, index: int) -> int:
    counts = [
        select(func.count()).select_from(table).where(table.c.phone_index == index)
        for table in (officers, offices, residents)
    ]
    return sum([int((await tx.execute(one)).scalar_one()) for one in counts])
