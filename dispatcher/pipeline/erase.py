"""A resident asks to be forgotten (个人信息保护法 47 条): at once, or when the last warning that has him on its list has ended.

Nobody is lost for a live warning because he asked a moment too early: he still hears how it ends, and is taken off then. It
must survive a stop between asking and ending: who asked stands in a table. The log says that it was done, and names a number.
"""

from __future__ import annotations

from dataclasses import dataclass

from dispatcher.model import Target
from dispatcher.pipeline.context import Context
from dispatcher.store import audit, erasing
from dispatcher.store.audit import Act
from dispatcher.store.engine import Tx
from dispatcher.store.erasing import Forgotten


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """`waits_for`: the warnings in force that have him on their list; he is taken off when they have ended."""

    target: Target
    waits_for: tuple[str, ...] = ()
    forgotten: Forgotten | None = None


async def erase(context: Context, target: Target, actor: str) -> Erased:
    """`target` is a resident. Returns after the commit."""
    async with context.store.begin() as tx:
        waits_for = tuple(await erasing.in_force(tx, target))
        if waits_for:
            now = context.now()
            await erasing.note(tx, target, now)
            detail = {"warnings": len(waits_for)}
            audit.append(tx, now, Act(actor=actor, action="registry.erasure_asked", subject=str(target), detail=detail))
            return Erased(target=target, waits_for=waits_for)
        forgotten = await _forget(context, tx, target, actor)
    await context.store.tidy()
    return Erased(target=target, forgotten=forgotten)


async def erase_waiting(context: Context) -> list[Target]:
    """Takes off whoever asked while a warning was in force, and is on the list of none any more."""
    async with context.store.read() as tx:
        waiting = await erasing.asked(tx)
    done = []
    for target in waiting:
        async with context.store.begin() as tx:
            if await erasing.in_force(tx, target):
                continue
            await _forget(context, tx, target, "system")
        done.append(target)
    if done:
        await context.store.tidy()
    return done


async def _forget(context: Context, tx: Tx, target: Target, actor: str) -> Forgotten | None:
    forgotten = await erasing.forget(tx, target)
    if forgotten is not None:
        detail = {"uplinks": forgotten.uplinks, "traces": forgotten.traces}
        audit.append(tx, context.now(), Act(actor=actor, action="registry.erased", subject=str(target), detail=detail))
    return forgotten
