"""The register as it stands in memory: areas, officers and their posts, offices, gateways, endpoints."""

from __future__ import annotations

from dataclasses import dataclass

from dispatcher.model.message import Point
from dispatcher.model.words import ROLES, Channel, Level, Post, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminArea:
    """行政区划. `code` has 6, 9 or 12 digits.

    `boundary` is a GeoJSON geometry (longitude first) as text, a sixth of what it costs as lists of numbers, or None.
    """

    code: str
    name: str
    short_name: str
    level: str
    kind: str
    parent: str
    point: Point
    population: int
    boundary: str | None
    synthetic: bool

    @property
    def park(self) -> bool:
        """工业园区."""
        return self.level == "township" and self.kind == "园区"


@dataclass(frozen=True, slots=True, kw_only=True)
class Officer:
    """灾害信息员, and whoever else holds a post. Phones stay in the database; `phone_index` finds equal ones."""

    id: str
    name: str
    home_code: str
    home: Point
    roles: int
    phone_index: int

    def has(self, role: Role) -> bool:
        return bool(self.roles >> ROLES.index(role) & 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostHeld:
    """`area_code` (6, 9 or 12 digits) has `officer_id` in `post`."""

    area_code: str
    post: Post
    officer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """乡镇应急办: the subscriber. Its duty phone gets the SMS."""

    id: str
    area_code: str
    name: str
    phone_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """区域订阅: an office hears what lies in its areas, of its hazards (none = all), at or above its least level."""

    id: str
    office_id: str
    area_codes: tuple[str, ...]
    hazards: tuple[str, ...]
    least_level: Level
    channels: tuple[Channel, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """播发网关: the adapter of a township, or the platform of a county or the city."""

    id: str
    ebrid: str
    area_code: str
    name: str
    level: str
    parent: str
    point: Point
    url: str
    online: bool
    villages: tuple[str, ...]
    """12-digit codes in which it has terminals, itself or through gateways below it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """党建平台端点: carries party branches by village."""

    id: str
    area_code: str
    name: str
    url: str
    branches: tuple[str, ...]
    """12-digit village codes that have a branch on it."""
