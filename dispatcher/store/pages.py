"""What somebody at the console has to be told at once: kept with what it is about, sent until it has left.

Each is put once for a person, a warning, a purpose and what it is about. Whoever sends one claims it first for a while, so that
two processes do not send it both; a crash in between sends it once more, for a page too many is better than none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update

from dispatcher.store.engine import Tx, upsert
from dispatcher.store.tables import pages


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPage:
    """For one account. `purpose`, and `about` (a plan's hash), say what makes it another."""

    warning_id: str
    account_id: str
    purpose: str
    about: str
    drill: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """As it is kept. `due_at` None: sent, or given up, as `outcome` says."""

    id: int
    warning_id: str
    account_id: str
    purpose: str
    about: str
    drill: bool
    text: str
    at: datetime
    due_at: datetime | None
    tries: int
    sent_at: datetime | None
    outcome: str


async def put(tx: Tx, new: NewPage, now: datetime) -> bool:
    """False where it was put before."""
    values = {name: getattr(new, name) for name in NewPage.__dataclass_fields__}
    row = {**values, "at": now, "due_at": now, "tries": 0, "sent_at": None, "outcome": ""}
    return (await tx.execute(upsert(tx, pages).values(row).on_conflict_do_nothing())).rowcount == 1


async def due(tx: Tx, now: datetime, limit: int) -> list[Page]:
    rows = await tx.execute(select(pages).where(pages.c.due_at <= now).order_by(pages.c.due_at).limit(limit))
    return [Page(**row) for row in rows.mappings()]


async def of_warning(tx: Tx, warning_id: str) -> list[Page]:
    """Oldest first."""
    rows = await tx.execute(select(pages).where(pages.c.warning_id == warning_id).order_by(pages.c.id))
    return [Page(**row) for row in rows.mappings()]


async def claim(tx: Tx, page: Page, until: datetime) -> bool:
    """Nobody else sends it until then; False where somebody else has claimed it."""
    mine = (pages.c.id == page.id, pages.c.tries == page.tries, pages.c.due_at.is_not(None))
    return (await tx.execute(update(pages).where(*mine).values(tries=page.tries + 1, due_at=until))).rowcount == 1


async def settle(tx: Tx, page_id: int, outcome: str, *, sent_at: datetime | None, again_at: datetime | None) -> None:
    await tx.execute(
        update(pages).where(pages.c.id == page_id).values(outcome=outcome, sent_at=sent_at, due_at=again_at)
    )


async def paged(tx: Tx, warning_id: str, purpose: str, about: str) -> Sequence[str]:
    """Accounts that were."""
    rows = await tx.execute(
        select(pages.c.account_id).where(
            pages.c.warning_id == warning_id, pages.c.purpose == purpose, pages.c.about == about
        )
    )
    return [row.account_id for row in rows]
