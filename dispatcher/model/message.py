"""A warning as its issuer said it, whatever format it came in, and what may speak against it.

Points are WGS-84 and always `Point(lat, lon)`: whoever reads GeoJSON or an emergency-broadcasting packet (longitude
first) converts at the edge. Times are aware.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum

from dispatcher.model.words import Kind, Level, Role, Scope, Status


class Verdict(StrEnum):
    ACCEPT = "accept"
    HOLD = "hold"
    REJECT = "reject"


class Code(IntEnum):
    """Reject and hold codes: one table for HTTP, AMQP, preview and the docs."""

    DUPLICATE_CONFLICT = 201
    REFERENCE_MISSING = 207
    SIGNATURE = 208
    EXPIRED = 209
    GEOMETRY = 213
    OUTSIDE_AUTHORITY = 214
    AREA_UNRESOLVED = 215
    REACH_ABOVE_PREVIEW = 216
    SCHEMA = 220
    SIZE = 221
    TEXT = 222
    CLOCK = 230
    LEVEL_UNKNOWN = 231
    DRILL_MIXED = 240
    APPROVAL_MISSING = 250
    FORMAT = 260

    @property
    def chinese(self) -> str:
        return CODE_CHINESE[self]


CODE_CHINESE = {
    Code.DUPLICATE_CONFLICT: "同一编号已收过，内容不同",
    Code.REFERENCE_MISSING: "所引用的预警尚未收到",
    Code.SIGNATURE: "签名缺失或不符",
    Code.EXPIRED: "已过有效期",
    Code.GEOMETRY: "区域图形有误",
    Code.OUTSIDE_AUTHORITY: "超出发布单位的管辖区域",
    Code.AREA_UNRESOLVED: "区域无法落到任何一个村",
    Code.REACH_ABOVE_PREVIEW: "影响范围远大于预览",
    Code.SCHEMA: "格式不符合标准",
    Code.SIZE: "报文过大或嵌套过深",
    Code.TEXT: "文字含控制符或长度不符",
    Code.CLOCK: "时间不合理",
    Code.LEVEL_UNKNOWN: "级别或灾种无法识别",
    Code.DRILL_MIXED: "演练与实战混用",
    Code.APPROVAL_MISSING: "缺少审批",
    Code.FORMAT: "不支持的报文格式",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that speaks against a message. A refusal beats a hold, then the lowest code."""

    code: Code
    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True)
class Point:
    lat: float
    lon: float


@dataclass(frozen=True, slots=True)
class Circle:
    center: Point
    radius_km: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Geocode:
    scheme: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """One area block. Everything in it, and all blocks of a message, form a union."""

    description: str
    polygons: tuple[tuple[Point, ...], ...] = ()
    circles: tuple[Circle, ...] = ()
    geocodes: tuple[Geocode, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hazard:
    """灾种. Two code families occur, so scheme and code go together (`config/hazards.yaml`)."""

    scheme: str
    code: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    sender: str
    identifier: str
    sent: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    description: str
    mime_type: str
    size: int | None = None
    uri: str | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowing:
    """Tell only some of those in the area; empty means everyone. Narrowing a red needs a reason."""

    roles: tuple[Role, ...] = ()
    groups: tuple[str, ...] = ()
    risk_tags: tuple[str, ...] = ()
    reason: str = ""

    @property
    def active(self) -> bool:
        return bool(self.roles or self.groups or self.risk_tags)


@dataclass(frozen=True, slots=True, kw_only=True)
class WarningMessage:
    """预警信息: one version of a warning as its issuer said it, whatever format it came in.

    `level` and `hazard` are None where the text does not name one we know (held 231; a Cancel needs neither).
    `expires` is filled by intake where the issuer gave none.
    """

    source_format: str
    sender: str
    identifier: str
    sent: datetime
    status: Status
    kind: Kind
    scope: Scope
    sender_name: str = ""
    event: str = ""
    hazard: Hazard | None = None
    level: Level | None = None
    urgency: str = "Unknown"
    certainty: str = "Unknown"
    categories: tuple[str, ...] = ()
    responses: tuple[str, ...] = ()
    effective: datetime | None = None
    onset: datetime | None = None
    expires: datetime | None = None
    headline: str = ""
    description: str = ""
    instruction: str = ""
    web: str = ""
    contact: str = ""
    note: str = ""
    language: str = "zh-CN"
    restriction: str = ""
    addresses: tuple[str, ...] = ()
    references: tuple[Reference, ...] = ()
    areas: tuple[Area, ...] = ()
    resources: tuple[Resource, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()
    narrowing: Narrowing = field(default_factory=Narrowing)
    sound_at_night: bool = False
    retraction: bool = False
    """误发撤回: a Cancel of what should never have been issued, not of what is over."""
    signature_present: bool = False

    @property
    def drill(self) -> bool:
        return self.status is Status.EXERCISE
