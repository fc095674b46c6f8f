"""The rows of the register as files and the sample hand them over: phones and secrets readable, nothing sealed yet.

They are named tuples, not dataclasses, because a million residents go from the sample to the driver as they are. A
field has the name of its column in `tables.py`; sealing adds `phone_index`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Table

from dispatcher.model import Channel, Level, Post
from dispatcher.states import GatewayState
from dispatcher.store import tables


class AreaRow(NamedTuple):
    code: str
    name: str
    short_name: str
    level: str
    kind: str
    parent: str
    lat: float
    lon: float
    population: int
    boundary: dict[str, object] | None
    synthetic: bool


class OfficerRow(NamedTuple):
    id: str
    name: str
    phone: str
    home_code: str
    lat: float
    lon: float
    roles: int
    party_member: bool
    synthetic: bool


class PostRow(NamedTuple):
    area_code: str
    post: Post
    officer_id: str


class OfficeRow(NamedTuple):
    id: str
    area_code: str
    name: str
    phone: str
    synthetic: bool


class SubscriptionRow(NamedTuple):
    id: str
    office_id: str
    area_codes: tuple[str, ...]
    hazards: tuple[str, ...]
    least_level: Level
    channels: tuple[Channel, ...]


class GatewayRow(NamedTuple):
    id: str
    ebrid: str
    area_code: str
    name: str
    level: str
    parent: str
    lat: float
    lon: float
    protocol: str
    url: str
    state: GatewayState
    proven_at: datetime | None
    synthetic: bool


class TerminalRow(NamedTuple):
    id: str
    gateway_id: str
    village_code: str
    lat: float
    lon: float
    kind: str
    watt: int
    online: bool
    synthetic: bool


class EndpointRow(NamedTuple):
    id: str
    area_code: str
    name: str
    url: str
    secrets: tuple[str, ...]
    disabled_reason: str
    synthetic: bool


class BranchRow(NamedTuple):
    id: str
    endpoint_id: str
    village_code: str
    name: str
    members: int


class ResidentRow(NamedTuple):
    id: int
    name: str
    phone: str
    village_code: str
    lat: float
    lon: float
    household: int
    groups: int
    risk_tags: int
    opt_in: bool
    synthetic: bool


Row = (
    AreaRow
    | OfficerRow
    | PostRow
    | OfficeRow
    | SubscriptionRow
    | GatewayRow
    | TerminalRow
    | EndpointRow
    | BranchRow
    | ResidentRow
)

TABLE_OF: Final[dict[type[Row], Table]] = {
    AreaRow: tables.areas,
    OfficerRow: tables.officers,
    PostRow: tables.posts,
    OfficeRow: tables.offices,
    SubscriptionRow: tables.subscriptions,
    GatewayRow: tables.gateways,
    TerminalRow: tables.terminals,
    EndpointRow: tables.endpoints,
    BranchRow: tables.branches,
    ResidentRow: tables.residents,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidentRows:
    """Residents by page: a million of them never stand in memory as rows. `pages()` may be called more than once."""

    total: int
    pages: Callable[[], Iterable[Sequence[ResidentRow]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheets:
    """A register as it comes in. A table that is not here stays as it is; one without rows is emptied."""

    tables: Mapping[type[Row], Sequence[Row]]
    """All but the residents'."""
    residents: ResidentRows | None = None
