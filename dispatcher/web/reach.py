"""How far a warning has come, by channel, county and township: what the API says and the page shows.

Rows whose chunk nobody took in hand yet stand in the frozen plan alone; they count too, as pending, so that the table is
whole from the first second. A frozen chunk never changes, so each is opened once.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, assert_never

from dispatcher.model import county_of, township_of
from dispatcher.registry.register import Register
from dispatcher.states import DeliveryState
from dispatcher.store import headlines, ledger
from dispatcher.store.engine import Tx
from dispatcher.store.events import Recorded
from dispatcher.store.ledger import Count, Unplanned
from dispatcher.store.packing import unpack
from dispatcher.store.warnings import WarningRow
from dispatcher.web.shapes import TallyOut

CHUNKS_REMEMBERED = 2000

Spread = tuple[tuple[str, bool, int], ...]
"""Of a frozen chunk: (township, suppressed, rows)."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """Rows by state; a sum that grows while rows are counted."""

    pending: int = 0
    sent: int = 0
    delivered: int = 0
    undelivered: int = 0
    unknown: int = 0
    failed: int = 0
    ended: int = 0
    suppressed: int = 0

    def add(self, state: DeliveryState, rows: int) -> None:
        match state:
            case DeliveryState.PLANNED:
                self.pending += rows
            case DeliveryState.SENT:
                self.sent += rows
            case DeliveryState.DELIVERED:
                self.delivered += rows
            case DeliveryState.UNDELIVERED:
                self.undelivered += rows
            case DeliveryState.UNKNOWN:
                self.unknown += rows
            case DeliveryState.FAILED:
                self.failed += rows
            case DeliveryState.EXPIRED | DeliveryState.WITHDRAWN:
                self.ended += rows
            case DeliveryState.SUPPRESSED:
                self.suppressed += rows
            case _:
                assert_never(state)

    def join(self, other: Tally) -> None:
        for name in Tally.__dataclass_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def planned(self) -> int:
        return sum(getattr(self, name) for name in Tally.__dataclass_fields__)

    @property
    def due(self) -> int:
        """Those a message was meant to leave for."""
        return self.planned - self.suppressed

    @property
    def left(self) -> int:
        """已发出: the provider has it, whatever became of it."""
        return self.sent + self.delivered + self.undelivered + self.unknown

    @property
    def missed(self) -> int:
        """未送达: the provider had it, and it did not arrive or nobody knows."""
        return self.undelivered + self.unknown

    @property
    def reached(self) -> float | None:
        return self.delivered / self.due if self.due else None

    def out(self) -> TallyOut:
        numbers = {name: getattr(self, name) for name in Tally.__dataclass_fields__}
        reached = None if self.reached is None else round(self.reached, 4)
        return TallyOut(planned=self.planned, reached=reached, **numbers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    code: str
    name: str
    level: str
    in_area: bool
    tally: Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class County:
    """`unit` sums up the townships and the county's own posts."""

    unit: Unit
    townships: tuple[Unit, ...]


class Frozen:
    """What frozen chunks hold, by their hash; the oldest are forgotten first."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Spread] = OrderedDict()

    async def spreads(self, tx: Tx, chunks: Iterable[Unplanned]) -> list[Spread]:
        """One for each chunk, in their order; empty for one that has gone meanwhile."""
        chunks = list(chunks)
        known = {chunk.hash: self._known[chunk.hash] for chunk in chunks if chunk.hash in self._known}
        new = [chunk for chunk in chunks if chunk.hash not in known]
        if new:
            blobs = await ledger.packed(tx, [chunk.id for chunk in new])
            known |= await asyncio.to_thread(_open, {chunk.hash: blobs[chunk.id] for chunk in new if chunk.id in blobs})
            self._known.update(known)
        while len(self._known) > CHUNKS_REMEMBERED:
            self._known.popitem(last=False)
        return [known.get(chunk.hash, ()) for chunk in chunks]


def _open(blobs: Mapping[str, bytes]) -> dict[str, Spread]:
    found: dict[str, Spread] = {}
    for name, blob in blobs.items():
        rows = Counter((row.township, bool(row.suppressed)) for row in unpack(blob))
        found[name] = tuple((township, suppressed, number) for (township, suppressed), number in rows.items())
    return found


def by_channel(counts: Iterable[Count]) -> dict[str, Tally]:
    found: dict[str, Tally] = {}
    for count in counts:
        found.setdefault(count.channel, Tally()).add(count.state, count.rows)
    return found


def summed(tallies: Iterable[Tally]) -> Tally:
    total = Tally()
    for tally in tallies:
        total.join(tally)
    return total


async def by_unit(tx: Tx, frozen: Frozen, warning_id: str) -> dict[str, Tally]:
    """By the code a row counts under: 9 digits, or 6 for a county's own posts and the city's."""
    found: dict[str, Tally] = {}
    for township, _, state, rows in await ledger.by_township(tx, warning_id):
        found.setdefault(township, Tally()).add(state, rows)
    for spread in await frozen.spreads(tx, await ledger.unplanned(tx, warning_id)):
        for township, suppressed, rows in spread:
            state = DeliveryState.SUPPRESSED if suppressed else DeliveryState.PLANNED
            found.setdefault(township, Tally()).add(state, rows)
    return found


def under(own: tuple[str, ...], units: Mapping[str, Tally]) -> dict[str, Tally]:
    """`own`: what the codes begin with that whoever looks may see; none where it is all."""
    return {code: tally for code, tally in units.items() if not own or code.startswith(own)}


async def still_frozen(tx: Tx, frozen: Frozen, warning_id: str, own: tuple[str, ...]) -> int:
    """Rows that stand in no ledger yet, because nobody took their chunk in hand."""
    chunks = await ledger.unplanned(tx, warning_id)
    if not own:
        return sum(chunk.size for chunk in chunks)
    spreads = await frozen.spreads(tx, chunks)
    return sum(rows for spread in spreads for township, _, rows in spread if township.startswith(own))


def part_of(row: WarningRow, own: tuple[str, ...]) -> tuple[str, ...]:
    """What the codes begin with of whatever whoever looks may see of this warning; none where it lies in his area with all of
    it: whoever may sign it sees whatever he signs."""
    touched = row.area.get("touched") or row.area["villages"]
    return () if own and touched and all(str(code).startswith(own) for code in touched) else own


async def plan_of(tx: Tx, row: WarningRow, own: tuple[str, ...]) -> Mapping[str, Any]:
    """The summary of its plan; of a part of it what the ledger says, since the whole was summed up for everybody."""
    if not own:
        return row.plan
    unreachable = [place for place in row.plan.get("unreachable", ()) if place["area"].startswith(own)]
    channels: Counter[str] = Counter()
    for count in await ledger.counts(tx, row.id, under=own):
        channels[count.channel] += count.rows
    return {
        "channels": dict(channels),
        "reasons": await ledger.reasons(tx, row.id, under=own),
        "unreachable": unreachable,
        "unreachable_count": len(unreachable),
        "earlier": list(row.plan.get("earlier", ())),
    }


def events_of(every: Iterable[Recorded], *, partly: bool) -> list[Recorded]:
    """What became of a warning as a whole; whoever may see a part is told no numbers and nobody's name."""
    if not partly:
        return list(every)
    kept = [one for one in every if one.kind.startswith("warning.")]
    return [replace(one, detail={key: one.detail[key] for key in _TOLD if key in one.detail}) for one in kept]


_TOLD: Final = ("by", "state", "level", "code", "reason", "digest")


async def seen_of(tx: Tx, chain: Sequence[WarningRow], own: tuple[str, ...]) -> list[WarningRow]:
    """Of an event's warnings those that touch what whoever looks may see."""
    touching = await headlines.touching(tx, [one.id for one in chain], own) if own else set()
    return [one for one in chain if not own or one.id in touching]


def table(
    register: Register, row: WarningRow, units: Mapping[str, Tally], own: tuple[str, ...] = ()
) -> tuple[County, ...]:
    """Counties in order, each with its townships: those in the area, and those where somebody is told."""
    villages = [str(village) for village in row.area["villages"]]
    inside = {township_of(village) for village in villages if not own or village.startswith(own)}
    codes = inside | {code for code in units if len(code) == 9}
    counties = sorted({county_of(code) for code in codes} | {code for code in units if len(code) == 6})
    return tuple(_county(register, county, sorted(code for code in codes if county_of(code) == county), (inside, units))
                 for county in counties)  # fmt: skip


def _county(register: Register, code: str, towns: list[str], of: tuple[set[str], Mapping[str, Tally]]) -> County:
    inside, units = of
    townships = tuple(
        Unit(
            code=town,
            name=_name(register, town),
            level="township",
            in_area=town in inside,
            tally=units.get(town, Tally()),
        )
        for town in towns
    )
    own = units.get(code, Tally())
    unit = Unit(
        code=code,
        name=_name(register, code),
        level="city" if code == register.city else "county",
        in_area=any(town.in_area for town in townships),
        tally=summed([own, *(town.tally for town in townships)]),
    )
    return County(unit=unit, townships=townships)


def _name(register: Register, code: str) -> str:
    area = register.areas.get(code)
    return area.name if area else code
