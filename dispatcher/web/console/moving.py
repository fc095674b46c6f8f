"""What of a warning's page moves while it is under way: numbers, lanes, tiles, whom it did not reach, what happened.

It is asked for again and again by everybody who watches, so it reads what moves and nothing besides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dispatcher.model import Target
from dispatcher.registry.register import Register
from dispatcher.states import LIVE, SENDING, WarningState
from dispatcher.store import events, kin, ledger, warnings
from dispatcher.store.engine import Tx
from dispatcher.store.events import Recorded
from dispatcher.store.ledger import Entry, Retrying, Times, Trouble
from dispatcher.store.pace import Pace, paces
from dispatcher.store.warnings import WarningRow
from dispatcher.web import reach
from dispatcher.web.console import lanes, tiles
from dispatcher.web.console.lanes import Lane
from dispatcher.web.console.naming import KINDS, called, named
from dispatcher.web.console.tiles import Group
from dispatcher.web.parts import Parts
from dispatcher.web.reach import County, Tally, Unit

TROUBLED = 60
Own = tuple[str, ...]
"""What the codes begin with that whoever looks may see; none where it is all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """Somebody a message did not reach."""

    kind: str
    name: str
    place: str
    entry: Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Moving:
    """One warning, as it stands at `at`."""

    row: WarningRow
    at: datetime
    synthetic: bool
    under_way: bool
    in_force: bool
    bars: tuple[Lane, ...]
    total: Lane
    times: Times
    counties: tuple[County, ...]
    county: County | None
    groups: tuple[Group, ...]
    looks: str
    troubles: tuple[Trouble, ...]
    missed: tuple[Missed, ...]
    retrying: tuple[Retrying, ...]
    flagged: int
    chain: tuple[WarningRow, ...]
    events: tuple[Recorded, ...]

    @property
    def rows(self) -> Sequence[Unit]:
        """Of the table: counties, or the townships of the one chosen."""
        return self.county.townships if self.county else [county.unit for county in self.counties]

    @property
    def missing(self) -> int:
        """Rows that are known not to have arrived."""
        return self.total.tally.missed + self.total.tally.failed


async def moving(site: Parts, warning_id: str, county: str, own: Own = ()) -> Moving | None:
    """None where there is no such warning. `county`: 6 digits, or '' for all."""
    context = site.doors.context
    register = await context.register()
    async with context.store.read() as tx:
        row = await warnings.one(tx, warning_id)
        return None if row is None else await moved(tx, site, (row, own, county), register)


async def moved(tx: Tx, site: Parts, of: tuple[WarningRow, Own, str], register: Register) -> Moving:
    """In the caller's reading of the database, of a row it has read."""
    row, area, county = of
    now = site.doors.context.now()
    read = await _read(tx, site, (row, area), now)
    every = reach.table(register, row, read.units, area)
    chosen = next((one for one in every if one.unit.code == county), None)
    shown = (chosen,) if chosen else every
    return Moving(
        row=row,
        at=now,
        synthetic=register.synthetic,
        under_way=WarningState(row.state) in SENDING,
        in_force=WarningState(row.state) in LIVE,
        bars=lanes.lanes(read.channels, read.paces, now),
        total=lanes.moving_lane("", reach.summed(read.channels.values()), _whole(read.paces), now),
        times=_times(read.paces),
        counties=every,
        county=chosen,
        groups=tiles.groups(shown),
        looks=tiles.looks(every),
        troubles=tuple(read.troubles),
        missed=tuple(_missed(register, entry) for entry in read.troubled),
        retrying=tuple(read.retrying),
        flagged=read.flagged,
        chain=tuple(read.chain),
        events=tuple(read.events),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What one reading of the database brought."""

    channels: Mapping[str, Tally]
    units: Mapping[str, Tally]
    paces: Mapping[str, Pace]
    troubles: Sequence[Trouble]
    troubled: Sequence[Entry]
    retrying: Sequence[Retrying]
    flagged: int
    chain: Sequence[WarningRow]
    events: Sequence[Recorded]


async def _read(tx: Tx, site: Parts, of: tuple[WarningRow, Own], now: datetime) -> _Read:
    row, area = of
    own = reach.part_of(row, area)
    channels = reach.by_channel(await ledger.counts(tx, row.id, under=own))
    planned: Mapping[str, Any] = row.plan.get("channels", {}) if not own else {}
    troubles = await ledger.troubles(tx, row.id, under=own)
    return _Read(
        channels={**{name: Tally() for name in planned}, **channels},
        units=reach.under(area, await reach.by_unit(tx, site.frozen, row.id)),
        paces=await paces(tx, row.id, now - lanes.WINDOW, under=own),
        troubles=troubles,
        troubled=await ledger.troubled(tx, row.id, TROUBLED, under=own) if troubles else (),
        retrying=await ledger.retrying(tx, row.id, under=own),
        flagged=await ledger.flagged(tx, row.id, under=own),
        chain=await reach.seen_of(tx, await kin.whole_event(tx, row.chain_id), area),
        events=reach.events_of(await events.of_warning(tx, row.id), partly=bool(own)),
    )


def _times(every: Mapping[str, Pace]) -> Times:
    firsts = [one.first for one in every.values() if one.first is not None]
    lasts = [one.last for one in every.values() if one.last is not None]
    return Times(first_sent=min(firsts, default=None), last_sent=max(lasts, default=None))


def _whole(every: Mapping[str, Pace]) -> Pace:
    times = _times(every)
    return Pace(first=times.first_sent, last=times.last_sent, recent=sum(one.recent for one in every.values()))


def _missed(register: Register, entry: Entry) -> Missed:
    target = Target.parse(entry.target)
    return Missed(
        kind=KINDS[target.kind], name=named(register, target), place=called(register, entry.township), entry=entry
    )
