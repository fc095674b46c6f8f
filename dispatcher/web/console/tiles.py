"""How each township stands, as its colour on the map and as a tile: 未达, then 已达.

A tile's stage is a name of its own, because two more come after it (已应, 已转移) once people answer: what the legend explains
is what `SHOWN` names, and no page invents a stage that nobody counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dispatcher.intake.canonical import from_json
from dispatcher.store.warnings import WarningRow
from dispatcher.web.console.sketch import Shape, Sketch, Window
from dispatcher.web.reach import County, Unit

_KINDS_OF_UNIT: Final = ("街道办事处", "街道", "民族乡", "畲族乡", "镇", "乡")


class Stage(StrEnum):
    """How far a township has come; each later one contains the earlier."""

    WAITING = "waiting"
    PARTLY = "partly"
    REACHED = "reached"

    @property
    def chinese(self) -> str:
        return _STAGE_CHINESE[self]


_STAGE_CHINESE: Final[Mapping[Stage, str]] = {
    Stage.WAITING: "未达",
    Stage.PARTLY: "部分送达",
    Stage.REACHED: "已达",
}
SHOWN: Final = tuple(Stage)
"""In the legend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A township. `look`: the colour's class, as on the map; `short`: its name without 镇 or 乡, where something is left."""

    unit: Unit
    short: str
    stage: Stage
    look: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A county's tiles."""

    code: str
    name: str
    reached: int
    tiles: tuple[Tile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """A township on the map: its outline, and how it stands."""

    shape: Shape
    look: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Map:
    window: Window
    patches: tuple[Patch, ...]
    counties: tuple[Shape, ...]
    drawn: str
    named: tuple[Shape, ...]
    """Townships whose names are written, where there is room."""

    @property
    def unit(self) -> float:
        """The size of small lettering, whatever part is shown."""
        return max(self.window.width, self.window.height) / 44


def groups(counties: Iterable[County]) -> tuple[Group, ...]:
    """Counties that have a township in the area, or one where somebody is told."""
    return tuple(
        Group(
            code=county.unit.code,
            name=county.unit.name,
            reached=sum(_stage(town) is Stage.REACHED for town in county.townships),
            tiles=tuple(_tile(town) for town in county.townships),
        )
        for county in counties
        if county.townships
    )


def looks(counties: Iterable[County]) -> str:
    """What the script needs to colour the map anew: `code:look`, those outside the area left out."""
    found = ((town.code, look_of(town)) for county in counties for town in county.townships)
    return " ".join(f"{code}:{look.replace(' ', '+')}" for code, look in found if look != "off")


def map_of(sketch: Sketch, row: WarningRow, counties: Sequence[County], chosen: County | None) -> Map | None:
    if not sketch.drawn:
        return None
    shown = [chosen.unit.code] if chosen else [one.unit.code for one in counties if one.unit.in_area]
    units = {unit.code: unit for county in counties for unit in county.townships}
    return Map(
        window=sketch.window(shown),
        patches=tuple(Patch(shape=one, look=look_of(units.get(one.code))) for one in sketch.townships),
        counties=sketch.counties,
        drawn=sketch.outline(from_json(row.message).areas),
        named=tuple(one for one in sketch.townships if shown == [one.parent]),
    )


def look_of(unit: Unit | None) -> str:
    """How much was delivered, in five steps; `bad` where somebody was missed for good."""
    if unit is None or not (unit.in_area or unit.tally.due):
        return "off"
    share, bad = unit.tally.reached, " bad" if unit.tally.missed + unit.tally.failed else ""
    if share is None:
        return "none"
    if share >= 1:
        return "r4"
    step = 0 if share <= 0 else 1 if share < 0.5 else 2 if share < 0.9 else 3
    return f"r{step}{bad}"


def _stage(unit: Unit) -> Stage:
    share = unit.tally.reached
    if not share:
        return Stage.WAITING
    return Stage.REACHED if share >= 1 else Stage.PARTLY


def _tile(unit: Unit) -> Tile:
    return Tile(unit=unit, short=_short(unit.name), stage=_stage(unit), look=look_of(unit))


def _short(name: str) -> str:
    """碧洲镇 → 碧洲; what would be one character keeps its whole name."""
    bare = next((name.removesuffix(kind) for kind in _KINDS_OF_UNIT if name.endswith(kind)), name)
    return bare if len(bare) > 1 else name
