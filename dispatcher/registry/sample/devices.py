"""Gateways (the city's and counties' platforms, the townships' adapters) and the loudspeakers below them.

All speak HTTP here. The order of the `rng` calls is part of the result, as in `people.py`.
"""

from __future__ import annotations

import numpy as np

from dispatcher.model import code12
from dispatcher.registry.sample.places import Places
from dispatcher.states import GatewayState
from dispatcher.store.registry import AreaRow, GatewayRow, TerminalRow

PLATFORM = "0101"
LOUDSPEAKERS = "0314"
_LEVEL_DIGIT = {"city": 3, "county": 4, "township": 5, "village": 6}
_KINDS = ("音柱", "高音喇叭", "收扩机")
_WATTS = (60, 50, 100)


def ebrid(area: AreaRow, kind: str, no: int, part: str) -> str:
    """应急广播资源编码, 23 digits: level, area of 12, type of 4 and its number, subtype and its number (01)."""
    return f"{_LEVEL_DIGIT[area.level]}{code12(area.code)}{kind}{no:02d}{part}01"


def gateways_and_terminals(
    places: Places, gateways_at: str, rng: np.random.Generator
) -> tuple[list[GatewayRow], list[TerminalRow]]:
    units = places.codes("city") + places.codes("county") + sorted(set(places.town.tolist()))
    return [_gateway(places.by_code[code], gateways_at, rng) for code in units], _terminals(places, rng)


def _gateway(area: AreaRow, gateways_at: str, rng: np.random.Generator) -> GatewayRow:
    rng.random()  # the protocol: three kinds were drawn once, all are HTTP now
    online = rng.random() < 0.98
    township = area.level == "township"
    return GatewayRow(
        id=f"GW{area.code}",
        # number 02: the city's 01 is the platform this service itself speaks as
        ebrid=ebrid(area, LOUDSPEAKERS, 1, "02") if township else ebrid(area, PLATFORM, 2, "01"),
        area_code=area.code,
        name=area.name + ("应急广播适配器" if township else "应急广播平台"),
        level=area.level,
        parent=f"GW{area.parent}" if area.parent else "",
        lat=area.lat,
        lon=area.lon,
        protocol="http",
        url=f"{gateways_at}/GW{area.code}",
        state=GatewayState.ONLINE if online else GatewayState.OFFLINE,
        proven_at=None,
        synthetic=True,
    )


def _terminals(places: Places, rng: np.random.Generator) -> list[TerminalRow]:
    """2 to 24 a village, by its population."""
    per_village = np.clip((places.population / 260).astype(int) + 2, 2, 24)
    village = np.repeat(np.arange(len(per_village)), per_village)
    spots = np.round(places.sample(village, rng, 0.9), 5).tolist()
    kind = (rng.random(len(village)) * 3).astype(int).tolist()
    up = (rng.random(len(village)) < 0.965).tolist()
    number = (np.arange(len(village)) - np.searchsorted(village, village) + 1).tolist()
    codes, towns = places.villages.tolist(), places.town.tolist()
    return [
        TerminalRow(
            id=f"TM{codes[place]}{number[no]:02d}",
            gateway_id=f"GW{towns[place]}",
            village_code=codes[place],
            lat=spots[no][1],
            lon=spots[no][0],
            kind=_KINDS[kind[no]],
            watt=_WATTS[kind[no]],
            online=up[no],
            synthetic=True,
        )
        for no, place in enumerate(village.tolist())
    ]
