"""Reach, holes and times of one warning, read from the ledger: what demo, page and report show alike.

It only reads, and counts nothing twice: every planned row stands in exactly one column, the rows of chunks that nobody
took in hand yet included.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from dispatcher.model import county_of
from dispatcher.registry.register import Register
from dispatcher.states import TERMINAL, DeliveryState
from dispatcher.store import ledger, warnings
from dispatcher.store.engine import Store, Tx
from dispatcher.store.ledger import Entry, Trouble
from dispatcher.store.warnings import WarningRow

ANSWERED = 0
"""叫应 comes with its own issue; until then nobody can have answered, and a receipt is never taken for an answer."""
PAGE = 5_000


@dataclass(slots=True, kw_only=True)
class Cell:
    """Rows of one channel or place by what became of them; a sum that grows while rows are counted."""

    waiting: int = 0
    """Planned, nothing known yet."""
    under_way: int = 0
    """The provider has it, no proof yet."""
    delivered: int = 0
    missed: int = 0
    """Sent, and it did not arrive or nobody knows."""
    failed: int = 0
    ended: int = 0
    """Called off or out of time before it left."""
    suppressed: int = 0

    def add(self, state: DeliveryState, rows: int) -> None:
        match state:
            case DeliveryState.PLANNED:
                self.waiting += rows
            case DeliveryState.SENT:
                self.under_way += rows
            case DeliveryState.DELIVERED:
                self.delivered += rows
            case DeliveryState.UNDELIVERED | DeliveryState.UNKNOWN:
                self.missed += rows
            case DeliveryState.FAILED:
                self.failed += rows
            case DeliveryState.EXPIRED | DeliveryState.WITHDRAWN:
                self.ended += rows
            case DeliveryState.SUPPRESSED:
                self.suppressed += rows
            case _:
                assert_never(state)

    @property
    def planned(self) -> int:
        return sum(getattr(self, name) for name in Cell.__dataclass_fields__)

    @property
    def sent(self) -> int:
        return self.under_way + self.delivered + self.missed

    @property
    def open(self) -> int:
        return self.waiting + self.under_way


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A county or a township; a county's own posts and those of its townships stand in its row."""

    code: str
    name: str
    channels: Mapping[str, Cell]

    @property
    def total(self) -> Cell:
        return summed(self.channels.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Of the first and the last message that a provider took, and how fast they went between."""

    first_sent: datetime | None
    last_sent: datetime | None
    messages_per_s: float
    accept_to_first_ms: float | None
    accept_to_last_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One warning version as it stands now."""

    warning: WarningRow
    channels: Mapping[str, Cell]
    counties: tuple[Place, ...]
    townships: tuple[Place, ...]
    times: Times
    troubles: tuple[Trouble, ...]
    flagged: int
    """Rows that may have arrived twice."""
    holes: tuple[tuple[str, str], ...]
    """(area, why): who could not be reached by what, known before anything was sent."""

    @property
    def total(self) -> Cell:
        return summed(self.channels.values())


async def summary(store: Store, register: Register, warning_id: str) -> Summary | None:
    """None where there is no such warning."""
    async with store.read() as tx:
        row = await warnings.one(tx, warning_id)
        if row is None:
            return None
        channels = by_channel(await ledger.counts(tx, warning_id))
        places = await _by_place(tx, warning_id)
        return Summary(
            warning=row,
            channels=channels,
            counties=_named(register, _counties(places)),
            townships=_named(register, {code: cells for code, cells in places.items() if len(code) == 9}),
            times=await _times(tx, row, summed(channels.values()).sent),
            troubles=tuple(await ledger.troubles(tx, warning_id)),
            flagged=await ledger.flagged(tx, warning_id),
            holes=tuple((str(hole["area"]), str(hole["why"])) for hole in row.plan.get("unreachable", [])),
        )


async def progress(store: Store, warning_id: str) -> dict[str, Cell]:
    """By channel, quickly: for whoever watches it land."""
    async with store.read() as tx:
        return by_channel(await ledger.counts(tx, warning_id))


async def entries(store: Store, warning_id: str) -> list[Entry]:
    """Every delivery of a warning, in key order."""
    found: list[Entry] = []
    after: tuple[str, str, int] | None = None
    async with store.read() as tx:
        while page := await ledger.page(tx, warning_id, after, PAGE):
            found += page
            after = (page[-1].channel, page[-1].target, page[-1].round)
    return found


def by_channel(counts: Iterable[ledger.Count]) -> dict[str, Cell]:
    found: dict[str, Cell] = {}
    for count in counts:
        found.setdefault(count.channel, Cell()).add(count.state, count.rows)
    return found


def summed(cells: Iterable[Cell]) -> Cell:
    total = Cell()
    for cell in cells:
        for name in Cell.__dataclass_fields__:
            setattr(total, name, getattr(total, name) + getattr(cell, name))
    return total


def excused(entry: Entry) -> bool:
    """Whether a row ended well: delivered, or not, and the ledger names why."""
    return entry.state in TERMINAL and (entry.state is DeliveryState.DELIVERED or entry.state_code != "")


async def _by_place(tx: Tx, warning_id: str) -> dict[str, dict[str, Cell]]:
    """By the code a row counts under: 9 digits, or 6 for a county's own posts and the city's."""
    found: dict[str, dict[str, Cell]] = {}
    for place, channel, state, rows in await ledger.by_township(tx, warning_id):
        found.setdefault(place, {}).setdefault(channel, Cell()).add(state, rows)
    return found


def _counties(places: Mapping[str, Mapping[str, Cell]]) -> dict[str, dict[str, Cell]]:
    found: dict[str, dict[str, list[Cell]]] = {}
    for code, cells in places.items():
        for channel, cell in cells.items():
            found.setdefault(county_of(code), {}).setdefault(channel, []).append(cell)
    return {code: {channel: summed(some) for channel, some in cells.items()} for code, cells in found.items()}


def _named(register: Register, places: Mapping[str, Mapping[str, Cell]]) -> tuple[Place, ...]:
    return tuple(
        Place(code=code, name=register.areas[code].name if code in register.areas else code, channels=cells)
        for code, cells in sorted(places.items())
    )


async def _times(tx: Tx, row: WarningRow, sent: int) -> Times:
    found = await ledger.times(tx, row.id)
    first, last = found.first_sent, found.last_sent
    seconds = (last - first).total_seconds() if first and last else 0.0
    return Times(
        first_sent=first,
        last_sent=last,
        messages_per_s=round(sent / seconds, 1) if seconds else 0.0,
        accept_to_first_ms=round((first - row.received_at).total_seconds() * 1000, 1) if first else None,
        accept_to_last_ms=round((last - row.received_at).total_seconds() * 1000, 1) if last else None,
    )
