"""Who runs, under which epoch; numbers never used twice; and when each canary was last seen."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select, update

from dispatcher.store.engine import Tx, upsert
from dispatcher.store.tables import canaries, facts, nodes, sequences


async def enter(tx: Tx, name: str, now: datetime) -> int:
    """A node starts: its next epoch. Whatever it owned under an older one it may take back at once."""
    statement = (
        upsert(tx, nodes)
        .values(name=name, epoch=1, seen_at=now)
        .on_conflict_do_update(index_elements=[nodes.c.name], set_={"epoch": nodes.c.epoch + 1, "seen_at": now})
        .returning(nodes.c.epoch)
    )
    return int((await tx.execute(statement)).scalar_one())


async def reserve(tx: Tx, name: str, count: int) -> int:
    """Takes `count` numbers of a sequence that starts at 1; returns the first of them."""
    statement = (
        upsert(tx, sequences)
        .values(name=name, value=count)
        .on_conflict_do_update(index_elements=[sequences.c.name], set_={"value": sequences.c.value + count})
        .returning(sequences.c.value)
    )
    return int((await tx.execute(statement)).scalar_one()) - count + 1


async def canary_seen(tx: Tx, name: str, now: datetime) -> None:
    await tx.execute(
        upsert(tx, canaries)
        .values(name=name, seen_at=now)
        .on_conflict_do_update(index_elements=[canaries.c.name], set_={"seen_at": now})
    )


async def canary_times(tx: Tx) -> dict[str, datetime]:
    rows = await tx.execute(select(canaries.c.name, canaries.c.seen_at))
    return {row.name: row.seen_at for row in rows}


async def set_fact(tx: Tx, name: str, value: str) -> None:
    await tx.execute(
        upsert(tx, facts)
        .values(name=name, value=value)
        .on_conflict_do_update(index_elements=[facts.c.name], set_={"value": value})
    )


async def fact(tx: Tx, name: str) -> str | None:
    return (await tx.execute(select(facts.c.value).where(facts.c.name == name))).scalar_one_or_none()


async def database_now(tx: Tx) -> datetime:
    """The database's clock, to show how far ours is off; SQLite has the same clock as we."""
    return (await tx.execute(select(func.now()))).scalar_one()


async def touch(tx: Tx, name: str, now: datetime) -> None:
    await tx.execute(update(nodes).where(nodes.c.name == name).values(seen_at=now))
