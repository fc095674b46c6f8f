"""The register in memory: what must be instant while a warning is resolved or an area is drawn.

Residents stand in arrays of at most 32 bytes each; their names and phones are read by page, only for the hits. It must
survive an import while it is in use: a Register never changes, a new one takes its place (`load`, `current`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dispatcher.geofence import Geofence
from dispatcher.model import AdminArea, Endpoint, Gateway, Office, Officer, PostHeld, Subscription
from dispatcher.store import registry as rows
from dispatcher.store.engine import Store, Tx
from dispatcher.store.sealed import Seal

_DEGREE = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Residents:
    """One row a resident who may be told (opted in), all arrays of one length, sorted by `village`."""

    id: NDArray[np.int64]
    village: NDArray[np.int32]
    """Index into `Geofence.village_codes`."""
    lat: NDArray[np.int32]
    lon: NDArray[np.int32]
    """Degrees × 10⁷."""
    phone_index: NDArray[np.int64]
    groups: NDArray[np.uint8]
    risk_tags: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Register:
    """One version of everything."""

    version: int
    city: str
    synthetic: bool
    geofence: Geofence
    areas: dict[str, AdminArea]
    officers: dict[str, Officer]
    posts: tuple[PostHeld, ...]
    offices: dict[str, Office]
    subscriptions: tuple[Subscription, ...]
    gateways: dict[str, Gateway]
    endpoints: dict[str, Endpoint]
    residents: Residents


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """Township units as counted in the data, not as a bulletin of some year says."""

    streets: int
    towns: int
    townships: int
    """乡, the ethnic ones (民族乡) included."""
    parks: int
    farms_and_others: int

    @property
    def proper(self) -> int:
        return self.streets + self.towns + self.townships

    @property
    def others(self) -> int:
        return self.parks + self.farms_and_others

    @property
    def total(self) -> int:
        return self.proper + self.others


class BrokenRegister(Exception):
    """The database holds a register no import of ours would have let in."""


def count_units(areas: Iterable[AdminArea]) -> Units:
    kinds = [area.kind for area in areas if area.level == "township"]
    streets, towns, parks = kinds.count("街道"), kinds.count("镇"), kinds.count("园区")
    townships = kinds.count("乡") + kinds.count("民族乡")
    return Units(
        streets=streets,
        towns=towns,
        townships=townships,
        parks=parks,
        farms_and_others=len(kinds) - streets - towns - townships - parks,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """What a start says of a register before it is loaded."""

    empty: bool
    synthetic: bool


async def glance(store: Store) -> Glance:
    async with store.read() as tx:
        return Glance(empty=not await rows.any_area(tx), synthetic=await rows.any_synthetic(tx))


async def load(store: Store, seal: Seal) -> Register:
    """Everything, from one consistent view. An empty database makes an empty register, whose version is 0."""
    async with store.read() as tx:
        await rows.hold_still(tx)
        return await _load(tx, seal)


async def current(store: Store, seal: Seal, known: Register | None) -> Register:
    """`known` while it is the newest; else what took its place."""
    async with store.read() as tx:
        await rows.hold_still(tx)
        if known is not None and known.version == await rows.version(tx):
            return known
        return await _load(tx, seal)


async def _load(tx: Tx, seal: Seal) -> Register:
    areas = await rows.areas(tx)
    geofence = Geofence(areas)
    return Register(
        version=await rows.version(tx),
        city=next((area.code for area in areas if area.level == "city"), ""),
        synthetic=await rows.any_synthetic(tx),
        geofence=geofence,
        areas={area.code: area for area in areas},
        officers={officer.id: officer for officer in await rows.officers(tx, seal)},
        posts=tuple(await rows.posts(tx)),
        offices={office.id: office for office in await rows.offices(tx)},
        subscriptions=tuple(await rows.subscriptions(tx)),
        gateways={gateway.id: gateway for gateway in await rows.gateways(tx)},
        endpoints={endpoint.id: endpoint for endpoint in await rows.endpoints(tx)},
        residents=await _residents(tx, seal, geofence.village_codes),
    )


async def _residents(tx: Tx, seal: Seal, village_codes: tuple[str, ...]) -> Residents:
    """Filled page by page, then sorted by village (and id within it) one column at a time."""
    place = {code: no for no, code in enumerate(village_codes)}
    count = await rows.count_told_residents(tx)
    found = _room(count)
    done = 0
    async for page in rows.resident_pages(tx, seal):
        span = slice(done, done + len(page.id))
        try:
            found.village[span] = [place[code] for code in page.village_code]
        except KeyError as missing:
            raise BrokenRegister(
                f"登记册里有住户属于村 {missing.args[0]}，但区划里没有这个村：请重新导入住户或区划"
            ) from missing
        found.id[span] = page.id
        found.lat[span] = np.rint(np.asarray(page.lat) * _DEGREE)
        found.lon[span] = np.rint(np.asarray(page.lon) * _DEGREE)
        found.phone_index[span] = page.phone_index
        found.groups[span] = page.groups
        found.risk_tags[span] = page.risk_tags
        done = span.stop
    order = np.argsort(found.village, kind="stable")
    for column in (found.id, found.village, found.lat, found.lon, found.phone_index, found.groups, found.risk_tags):
        column[:] = column[order]
        column.flags.writeable = False
    return found


def _room(count: int) -> Residents:
    return Residents(
        id=np.empty(count, np.int64),
        village=np.empty(count, np.int32),
        lat=np.empty(count, np.int32),
        lon=np.empty(count, np.int32),
        phone_index=np.empty(count, np.int64),
        groups=np.empty(count, np.uint8),
        risk_tags=np.empty(count, np.uint8),
    )
