"""What is still to be done or watched when a shift ends, as a list that can be frozen.

Warnings that wait for a person, those in force and whom they did not reach, papers and reviews that are due, what is broken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from dispatcher.pipeline.context import Context
from dispatcher.signing import Act
from dispatcher.states import LIVE, DeliveryState, WarningState
from dispatcher.store import headlines, ledger, signatures
from dispatcher.store.engine import Tx
from dispatcher.store.headlines import Headline, Wanted

MOST: Final = 100
"""Warnings of a kind; who has more of them open has other worries than a list."""
_MISSED: Final = frozenset({DeliveryState.UNDELIVERED, DeliveryState.UNKNOWN, DeliveryState.FAILED})
_W = WarningState


class Kind(StrEnum):
    """What is to be done about it. The order is that of the list."""

    SUBMITTED = "submitted"
    HELD = "held"
    RETURNED = "returned"
    DRAFT = "draft"
    LIVE = "live"
    INK_SLIP = "ink_slip"
    REVIEW = "review"
    TROUBLE = "trouble"

    @property
    def chinese(self) -> str:
        return _CHINESE[self]


_CHINESE: Final[Mapping[Kind, str]] = {
    Kind.SUBMITTED: "待签发",
    Kind.HELD: "待核",
    Kind.RETURNED: "退回待改",
    Kind.DRAFT: "草稿",
    Kind.LIVE: "生效中",
    Kind.INK_SLIP: "签批单未补交",
    Kind.REVIEW: "放行待复核",
    Kind.TROUBLE: "系统故障",
}
_WAITS: Final = {_W.SUBMITTED: Kind.SUBMITTED, _W.HELD: Kind.HELD, _W.RETURNED: Kind.RETURNED, _W.DRAFT: Kind.DRAFT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """`missed`: of those in force, how many of `due` it did not reach. `words`: its headline, or what is broken."""

    kind: Kind
    words: str
    warning_id: str = ""
    level: str = ""
    drill: bool = False
    since: datetime | None = None
    due: int = 0
    missed: int = 0


async def open_matters(context: Context, tx: Tx, own: Sequence[str], troubles: Sequence[str]) -> tuple[Matter, ...]:
    """`own`: what the codes begin with that it is about, none where it is all; `troubles`: what is broken, a sentence each."""
    waiting = await headlines.headlines(tx, Wanted(limit=MOST, states=[one.value for one in _WAITS], touching=own))
    live = await headlines.headlines(tx, Wanted(limit=MOST, states=[one.value for one in LIVE], touching=own))
    found = [_matter(_WAITS[WarningState(one.state)], one) for one in waiting]
    for one in live:
        rows = await ledger.counts(tx, one.id, under=own)
        due = sum(count.rows for count in rows if count.state is not DeliveryState.SUPPRESSED)
        missed = sum(count.rows for count in rows if count.state in _MISSED)
        found.append(_matter(Kind.LIVE, one, due=due, missed=missed))
    found += await _owed(context, tx, own)
    order = list(Kind)
    found.sort(key=lambda one: (one.drill, order.index(one.kind), one.warning_id))
    return (*found, *(Matter(kind=Kind.TROUBLE, words=one) for one in troubles))


async def _owed(context: Context, tx: Tx, own: Sequence[str]) -> list[Matter]:
    """Papers of a sign-off by telephone, and reviews of what was released over the leaders' heads."""
    now = context.now()
    found = []
    for kind, act, unless in (
        (Kind.INK_SLIP, Act.TELEPHONE, Act.INK_SLIP),
        (Kind.REVIEW, Act.RELEASED, Act.REVIEWED),
    ):
        about = [one.warning_id for one in await signatures.acts_before(tx, act, now, unless)]
        seen = await headlines.touching(tx, about, own) if own else set(about)
        named = await headlines.named(tx, sorted(seen))
        found += [_matter(kind, one) for one in named.values()]
    return found


def _matter(kind: Kind, row: Headline, *, due: int = 0, missed: int = 0) -> Matter:
    return Matter(
        kind=kind,
        words=row.headline or row.event,
        warning_id=row.id,
        level=row.level or "",
        drill=row.drill,
        since=row.received_at,
        due=due,
        missed=missed,
    )


def frozen(matters: Sequence[Matter]) -> list[dict[str, Any]]:
    """As it is kept."""
    return [
        {name: getattr(one, name) for name in Matter.__dataclass_fields__ if name not in ("kind", "since")}
        | {"kind": one.kind.value, "since": one.since.isoformat() if one.since else None}
        for one in matters
    ]


def thawed(kept: Sequence[Mapping[str, Any]]) -> tuple[Matter, ...]:
    """As it was."""
    return tuple(
        Matter(
            **{name: one[name] for name in Matter.__dataclass_fields__ if name not in ("kind", "since")},
            kind=Kind(one["kind"]),
            since=datetime.fromisoformat(one["since"]) if one["since"] else None,
        )
        for one in kept
    )
