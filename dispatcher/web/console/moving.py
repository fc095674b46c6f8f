"""What of a warning's page moves while it is under way: numbers, lanes, tiles, whom it did not reach, what happened.

It is asked for again and again by everybody who watches, so it reads what moves and nothing besides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from dispatcher.intake.canonical import digest, from_json
from dispatcher.model import Target
from dispatcher.registry.register import Register
from dispatcher.states import LIVE, SENDING, WarningState
from dispatcher.store import ledger
from dispatcher.store.engine import Tx
from dispatcher.store.events import Recorded
from dispatcher.store.ledger import Entry, Retrying, Times, Trouble
from dispatcher.store.warnings import WarningRow
from dispatcher.web import reach
from dispatcher.web.console import lanes, tiles
from dispatcher.web.console.lanes import Lane, Pace
from dispatcher.web.console.naming import KINDS, called, named
from dispatcher.web.console.reading import TROUBLED, Part, Reading, all_read, part_of, read, seen_events
from dispatcher.web.console.tiles import Group
from dispatcher.web.parts import Parts
from dispatcher.web.reach import County, Tally, Unit

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
    def digest(self) -> str:
        """Of its words and its area, as they are kept: whoever acts names those he has read."""
        return digest(from_json(self.row.message))

    @property
    def missing(self) -> int:
        """Rows that are known not to have arrived."""
        return self.total.tally.missed + self.total.tally.failed


async def moving(site: Parts, reading: Reading, county: str, own: Own = ()) -> Moving:
    """`county`: 6 digits, or '' for all; `own`: of whoever looks."""
    context = site.doors.context
    register = await context.register()
    part = part_of(reading, reach.part_of(reading.row, own))
    if all_read(reading, part) and not own:
        return _moved(register, reading, (part, part.units, tuple(reading.chain)), (county, own))
    async with context.store.read() as tx:
        return await _of_part(tx, register, (reading, part), (county, own))


async def moved(tx: Tx, site: Parts, of: tuple[WarningRow, Own, str], register: Register) -> Moving:
    """In the caller's reading of the database, of a row it has read."""
    row, own, county = of
    reading = await read(tx, site.frozen, row, site.doors.context.now())
    part = part_of(reading, reach.part_of(row, own))
    return await _of_part(tx, register, (reading, part), (county, own))


async def _of_part(tx: Tx, register: Register, of: tuple[Reading, Part], view: tuple[str, Own]) -> Moving:
    """With what of it has to be asked for by itself."""
    (reading, part), own = of, view[1]
    if not all_read(reading, part):
        troubled = await ledger.troubled(tx, reading.row.id, TROUBLED, under=reach.part_of(reading.row, own))
        part = replace(part, troubled=tuple(troubled))
    chain = tuple(await reach.seen_of(tx, reading.chain, own))
    # townships are cut by the area of whoever looks, as the table of the API is
    return _moved(register, reading, (part, reach.under(own, part.units), chain), view)


def _moved(
    register: Register,
    reading: Reading,
    of: tuple[Part, Mapping[str, Tally], tuple[WarningRow, ...]],
    view: tuple[str, Own],
) -> Moving:
    (part, units, chain), (county, own), row, now = of, view, reading.row, reading.at
    every = reach.table(register, row, units, own)
    chosen = next((one for one in every if one.unit.code == county), None)
    whole = not reach.part_of(row, own)
    planned = {name: Tally() for name in row.plan.get("channels", {})} if whole else {}
    pace = Pace(
        first=part.times.first_sent, last=part.times.last_sent, recent=sum(one.recent for one in part.paces.values())
    )
    return Moving(
        row=row,
        at=now,
        synthetic=register.synthetic,
        under_way=WarningState(row.state) in SENDING,
        in_force=WarningState(row.state) in LIVE,
        bars=lanes.lanes({**planned, **part.channels}, part.paces, now),
        total=lanes.moving_lane("", reach.summed(part.channels.values()), pace, now),
        times=part.times,
        counties=every,
        county=chosen,
        groups=tiles.groups((chosen,) if chosen else every),
        looks=tiles.looks(every),
        troubles=part.troubles,
        missed=tuple(_missed(register, entry) for entry in part.troubled),
        retrying=part.retrying,
        flagged=part.flagged,
        chain=chain,
        events=seen_events(reading, () if whole else own, chain),
    )


def _missed(register: Register, entry: Entry) -> Missed:
    target = Target.parse(entry.target)
    return Missed(
        kind=KINDS[target.kind], name=named(register, target), place=called(register, entry.township), entry=entry
    )
