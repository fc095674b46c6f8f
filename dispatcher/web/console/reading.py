"""What one reading of the database says of a warning, for whoever looks at whatever part of it.

Two hundred townships each see their own part of one warning: it is read once for all of them, and cut in memory.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from dispatcher.states import DeliveryState
from dispatcher.store import accounts, events, kin, ledger
from dispatcher.store.engine import Tx
from dispatcher.store.events import Recorded
from dispatcher.store.ledger import Entry, Retrying, Times, Trouble
from dispatcher.store.standings import Blocked, Standing, blocked, standings
from dispatcher.store.warnings import WarningRow
from dispatcher.web import reach
from dispatcher.web.console import lanes
from dispatcher.web.console.lanes import Pace
from dispatcher.web.reach import Frozen, Spread, Tally

TROUBLED = 60
_ID: Final = re.compile(r"[0-9a-f]{32}")
SYSTEM: Final = "系统令牌"
"""Who did it where no account is found under the id."""
SHARED = 2000
"""Of those who were missed, how many are read for all who look; of a part that has more, its own are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """`spreads`: by channel, what nobody took in hand yet."""

    row: WarningRow
    at: datetime
    standings: Sequence[Standing]
    spreads: Mapping[str, Sequence[Spread]]
    blocked: Sequence[Blocked]
    troubled: Sequence[Entry]
    chain: Sequence[WarningRow]
    events: Sequence[Recorded]


async def read(tx: Tx, frozen: Frozen, row: WarningRow, now: datetime) -> Reading:
    waiting = await ledger.unplanned(tx, row.id)
    stopped = await blocked(tx, row.id)
    some = any(one.state is not DeliveryState.PLANNED for one in stopped)
    return Reading(
        row=row,
        at=now,
        standings=await standings(tx, row.id, now - lanes.WINDOW),
        spreads={
            channel: await frozen.spreads(tx, [one for one in waiting if one.channel == channel])
            for channel in dict.fromkeys(one.channel for one in waiting)
        },
        blocked=stopped,
        troubled=await ledger.troubled(tx, row.id, SHARED) if some else (),
        chain=await kin.whole_event(tx, row.chain_id),
        events=await _named(tx, await events.of_warning(tx, row.id)),
    )


async def _named(tx: Tx, found: Sequence[Recorded]) -> list[Recorded]:
    """An id says nothing to whoever reads: the name of who acted stands instead. A source has words."""
    ids = {by for one in found if "act" in one.detail and _ID.fullmatch(by := _by(one))}
    names = await accounts.names(tx, sorted(ids)) if ids else {}
    return [
        replace(one, detail={**one.detail, "by": "", "name": names.get(_by(one), SYSTEM)}) if _by(one) in ids else one
        for one in found
    ]


def _by(one: Recorded) -> str:
    return str(one.detail.get("by", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Of a reading, what lies where the codes begin so; all of it where none is named."""

    channels: Mapping[str, Tally]
    units: Mapping[str, Tally]
    paces: Mapping[str, Pace]
    times: Times
    flagged: int
    troubles: tuple[Trouble, ...]
    retrying: tuple[Retrying, ...]
    troubled: tuple[Entry, ...]


def part_of(reading: Reading, own: tuple[str, ...]) -> Part:
    def mine(township: str) -> bool:
        return not own or township.startswith(own)

    rows = [one for one in reading.standings if mine(one.township)]
    channels: dict[str, Tally] = {}
    units: dict[str, Tally] = {}
    for one in rows:
        channels.setdefault(one.channel, Tally()).add(one.state, one.rows)
        units.setdefault(one.township, Tally()).add(one.state, one.rows)
    for channel, spreads in reading.spreads.items():
        for township, suppressed, number in (entry for spread in spreads for entry in spread if mine(entry[0])):
            state = DeliveryState.SUPPRESSED if suppressed else DeliveryState.PLANNED
            channels.setdefault(channel, Tally()).add(state, number)
            units.setdefault(township, Tally()).add(state, number)
    return Part(
        channels=channels,
        units=units,
        paces={channel: _pace([one for one in rows if one.channel == channel]) for channel in channels},
        times=_times(rows),
        flagged=sum(one.flagged for one in rows),
        troubles=_troubles(reading, mine),
        retrying=_retrying(reading, mine),
        troubled=tuple(one for one in reading.troubled if mine(one.township))[:TROUBLED],
    )


def all_read(reading: Reading, part: Part) -> bool:
    """Whether the list of whom it did not reach is as long as it can be; else the part's own are read."""
    due = min(TROUBLED, sum(one.rows for one in part.troubles))
    return len(reading.troubled) < SHARED or len(part.troubled) >= due


def _pace(rows: Sequence[Standing]) -> Pace:
    times = _times(rows)
    return Pace(first=times.first_sent, last=times.last_sent, recent=sum(one.recent for one in rows))


def _times(rows: Sequence[Standing]) -> Times:
    firsts = [one.first for one in rows if one.first is not None]
    lasts = [one.last for one in rows if one.last is not None]
    return Times(first_sent=min(firsts, default=None), last_sent=max(lasts, default=None))


def _troubles(reading: Reading, mine: Callable[[str], bool]) -> tuple[Trouble, ...]:
    """The commonest first."""
    counted: Counter[tuple[str, DeliveryState, str]] = Counter()
    for one in reading.blocked:
        if one.state is not DeliveryState.PLANNED and mine(one.township):
            counted[one.channel, one.state, one.code] += one.rows
    ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Trouble(channel=channel, state=state, code=code, rows=n) for (channel, state, code), n in ordered)


def _retrying(reading: Reading, mine: Callable[[str], bool]) -> tuple[Retrying, ...]:
    """The commonest first."""
    waits: dict[tuple[str, str], list[Blocked]] = {}
    for one in reading.blocked:
        if one.state is DeliveryState.PLANNED and one.due is not None and mine(one.township):
            waits.setdefault((one.channel, one.code), []).append(one)
    found = [
        Retrying(
            channel=channel,
            code=code,
            rows=sum(one.rows for one in some),
            next_due=min(one.due for one in some if one.due is not None),
        )
        for (channel, code), some in waits.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.rows, one.channel, one.code)))


def seen_events(reading: Reading, own: tuple[str, ...], chain: Sequence[WarningRow]) -> tuple[Recorded, ...]:
    """`chain`: what whoever looks may see of it. A warning that ended another is named by its words, or not at all."""
    words = {row.id: f"“{row.headline or row.event}”" for row in chain}
    return tuple(
        replace(one, detail={**one.detail, "by": words.get(_by(one), "")}) if _ID.fullmatch(_by(one)) else one
        for one in reach.events_of(reading.events, partly=bool(own))
    )
