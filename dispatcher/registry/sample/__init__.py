"""A synthetic Ji'an: real places, invented people, phones that can ring nobody.

Numbers stand in 154xxxxxxxx, which is assigned to no carrier. The same seed makes the same bytes; every table has a
random stream of its own, so that a bigger table moves no other. `places.py` reads config/jian, `people.py` makes officers
and residents, `devices.py` gateways and loudspeakers, `units.py` the posts, offices and party branches of the units.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dispatcher.registry.sample import devices, people, units
from dispatcher.registry.sample.places import Places
from dispatcher.store.registry import (
    AreaRow,
    BranchRow,
    EndpointRow,
    GatewayRow,
    OfficeRow,
    OfficerRow,
    PostRow,
    ResidentRows,
    Sheets,
    SubscriptionRow,
    TerminalRow,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What to make. Gateways and endpoints get their id after the bases, as in `{gateways_at}/GW360802100`."""

    gateways_at: str
    endpoints_at: str
    officers: int = 3_200
    residents: int = 0
    seed: int = 3608


class CannotMake(ValueError):
    """More or fewer people than the phone ranges and the posts allow."""


def make(folder: Path, wish: Wish) -> Sheets:
    """`folder`: config/jian. Hand the sheets to `importing.put`, which tells its progress."""
    places = Places.read(folder)
    least = people.unit_posts(places)
    if not least < wish.officers <= people.MOST_OFFICERS:
        raise CannotMake(f"灾害信息员人数应在 {least + 1} 到 {people.MOST_OFFICERS} 之间，请改 --officers")
    if not 0 <= wish.residents <= people.MOST_RESIDENTS:
        raise CannotMake(f"住户人数应在 0 到 {people.MOST_RESIDENTS} 之间，请改 --residents")
    officers, posts = people.officers(places, wish.officers, _stream(wish, 1))
    gateways, terminals = devices.gateways_and_terminals(places, wish.gateways_at, _stream(wish, 2))
    more_officers, more_posts = units.people(places, _stream(wish, 5))
    offices, subscriptions = units.offices(places)
    endpoints = units.endpoints(places, wish.endpoints_at, _stream(wish, 6))
    return Sheets(
        tables={
            AreaRow: places.areas,
            OfficerRow: officers + more_officers,
            PostRow: posts + more_posts,
            OfficeRow: offices,
            SubscriptionRow: subscriptions,
            GatewayRow: gateways,
            TerminalRow: terminals,
            EndpointRow: endpoints,
            BranchRow: units.branches(places, officers, _stream(wish, 7)),
        },
        residents=ResidentRows(
            total=wish.residents,
            pages=lambda: people.resident_pages(places, wish.residents, _stream(wish, 4)),
        ),
    )


def _stream(wish: Wish, table: int) -> np.random.Generator:
    """Streams 1, 2 and 4 are those of the first generator of this registry; 3, its shelters, is left free."""
    return np.random.Generator(np.random.PCG64([wish.seed, table]))
