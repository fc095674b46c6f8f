"""Codes on their way to a phone by SMS: asked for by whoever serves the console, sent by whoever sends pages.

The words are sealed, and lie here only while they wait: they go in the statement by which a code leaves, is given up, runs out,
or is overtaken by a newer one. The row stays for an hour, so that all processes count together how often somebody asked.
Whoever sends one claims it first for a while; a crash in between sends it once more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import delete, insert, select, update

from dispatcher.store.engine import Tx
from dispatcher.store.tables import code_texts


class Fate(StrEnum):
    """What became of it, as whoever waits for it is told."""

    WAITING = "waiting"
    SENT = "sent"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewText:
    """`words`: the code, sealed."""

    account_id: str
    words: bytes
    at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeText:
    """As it is kept. `words` and `due_at` None: it has left, or will not."""

    id: int
    account_id: str
    words: bytes | None
    at: datetime
    ends_at: datetime
    due_at: datetime | None
    tries: int
    sent_at: datetime | None

    @property
    def fate(self) -> Fate:
        if self.sent_at is not None:
            return Fate.SENT
        return Fate.WAITING if self.words is not None else Fate.LOST


async def put(tx: Tx, new: NewText) -> None:
    """Due at once."""
    values = {name: getattr(new, name) for name in NewText.__dataclass_fields__}
    await tx.execute(insert(code_texts).values(**values, due_at=new.at, tries=0, sent_at=None))


async def end(tx: Tx, account_id: str, now: datetime) -> None:
    """None of this account's is worth sending any more: one was used, a newer one takes its place, the account was reset."""
    his = (code_texts.c.account_id == account_id, code_texts.c.ends_at > now)
    await tx.execute(update(code_texts).where(*his).values(words=None, due_at=None, ends_at=now))


async def asked(tx: Tx, account_id: str, since: datetime) -> list[datetime]:
    """When one was asked for, newest first."""
    wanted = select(code_texts.c.at).where(code_texts.c.account_id == account_id, code_texts.c.at > since)
    return list((await tx.execute(wanted.order_by(code_texts.c.at.desc()))).scalars())


async def current(tx: Tx, account_id: str, now: datetime) -> CodeText | None:
    """The one whose code is good now."""
    his = (code_texts.c.account_id == account_id, code_texts.c.ends_at > now)
    found = (await tx.execute(select(code_texts).where(*his).order_by(code_texts.c.id.desc()).limit(1))).mappings()
    return next((CodeText(**row) for row in found), None)


async def due(tx: Tx, now: datetime, limit: int) -> list[CodeText]:
    """Those that ran out too: their words have to go."""
    wanted = select(code_texts).where(code_texts.c.due_at <= now).order_by(code_texts.c.due_at).limit(limit)
    return [CodeText(**row) for row in (await tx.execute(wanted)).mappings()]


async def claim(tx: Tx, one: CodeText, until: datetime) -> bool:
    """Nobody else sends it until then; False where somebody else has claimed it, or it was overtaken."""
    mine = (code_texts.c.id == one.id, code_texts.c.tries == one.tries, code_texts.c.due_at.is_not(None))
    return (await tx.execute(update(code_texts).where(*mine).values(tries=one.tries + 1, due_at=until))).rowcount == 1


async def again(tx: Tx, text_id: int, at: datetime) -> None:
    """Unless it was overtaken meanwhile."""
    waits = (code_texts.c.id == text_id, code_texts.c.due_at.is_not(None))
    await tx.execute(update(code_texts).where(*waits).values(due_at=at))


async def done(tx: Tx, text_id: int, sent_at: datetime | None) -> None:
    """It has left, or never will (None)."""
    await tx.execute(
        update(code_texts).where(code_texts.c.id == text_id).values(words=None, due_at=None, sent_at=sent_at)
    )


async def forget(tx: Tx, before: datetime) -> None:
    await tx.execute(delete(code_texts).where(code_texts.c.at < before))
