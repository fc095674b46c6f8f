"""What stands on every page of whoever is signed in: what is in force, what waits, what is broken, what time it is.

One reading of the database serves everybody of an area for a moment; only what waits for oneself is worked out for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from dispatcher.accounts.authority import Action, Principal, may_once_awake
from dispatcher.approval import is_signer
from dispatcher.model import Level
from dispatcher.pipeline.context import Context
from dispatcher.signing import hands
from dispatcher.states import LIVE, WAITING, WarningState
from dispatcher.store import signatures
from dispatcher.store.headlines import Headline, Wanted, headlines, matters

MOST: Final = 500
"""Of what is in force at once; beyond that the number says no more."""
MOST_WAITING: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Something that waits for a person. `findings`: why; `wrote`: whoever had a hand in it, and may not sign it."""

    row: Headline
    villages: Sequence[str]
    findings: Sequence[Mapping[str, Any]]
    wrote: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Of one area, as it stood at `at`. Newest first."""

    at: datetime
    live: tuple[Headline, ...]
    drills: tuple[Headline, ...]
    waiting: tuple[Waiting, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The bar of one reader. `reds` and `due`: ids, so that a script hears of a new one; `unanswered`: call-outs of a red that
    nobody answered, counted by whoever keeps them (none yet)."""

    at: datetime
    live: int
    highest: str | None
    reds: tuple[str, ...]
    drills: int
    awaiting: int
    due: tuple[str, ...]
    held: int
    problems: tuple[str, ...]
    unanswered: int = 0

    @property
    def now_ms(self) -> int:
        return int(self.at.timestamp() * 1000)


async def overview(context: Context, own: tuple[str, ...]) -> Overview:
    """`own`: what the codes begin with that whoever looks may see; none where it is all."""
    now = context.now()
    async with context.store.read() as tx:
        live = await headlines(tx, Wanted(limit=MOST, states=list(LIVE), touching=own, valid_at=now))
        # by themselves: whoever floods the desk with what has to be held must not hide what waits for a signature
        put = await headlines(tx, Wanted(limit=MOST_WAITING, states=[WarningState.SUBMITTED], touching=own))
        others = await headlines(
            tx, Wanted(limit=MOST_WAITING, states=list(WAITING - {WarningState.SUBMITTED}), touching=own)
        )
        waits = sorted([*put, *others], key=lambda row: row.id, reverse=True)
        ids = [row.id for row in waits]
        known, signed = await matters(tx, ids), await signatures.of_many(tx, ids)
    return Overview(
        at=now,
        live=tuple(row for row in live if not row.drill),
        drills=tuple(row for row in live if row.drill),
        waiting=tuple(
            Waiting(
                row=row,
                villages=known[row.id].villages,
                findings=known[row.id].findings,
                wrote=hands(signed.get(row.id, ())),
            )
            for row in waits
        ),
    )


def status(seen: Overview, context: Context, who: tuple[Principal, str], problems: Iterable[str]) -> Status:
    """`who`: the reader, and his login, '' where he has none."""
    ranks = [Level(row.level) for row in seen.live if row.level]
    return Status(
        at=context.now(),
        live=len(seen.live),
        highest=min(ranks, key=lambda level: level.rank) if ranks else None,
        reds=tuple(row.id for row in seen.live if row.level == Level.RED and row.kind != "Cancel"),
        drills=len(seen.drills),
        awaiting=sum(one.row.state == WarningState.SUBMITTED for one in seen.waiting),
        due=due(seen, context, who),
        held=sum(one.row.state == WarningState.HELD for one in seen.waiting),
        problems=tuple(problems),
    )


def due(seen: Overview, context: Context, who: tuple[Principal, str]) -> tuple[str, ...]:
    """What waits for this reader's signature; decided again when he signs."""
    principal, login = who
    return tuple(
        one.row.id
        for one in seen.waiting
        if one.row.state == WarningState.SUBMITTED
        and principal.id not in one.wrote
        and is_signer(context.settings.policy.approval, one.row.level, login)
        and may_once_awake(principal, Action.APPROVE, one.villages)
    )
