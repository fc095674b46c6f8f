"""Native JSON, `application/vnd.mingluo.warning+json` → WarningMessage.

Before the model sees it: UTF-8, depth, duplicate keys, NaN, numbers beyond 64 bits, half surrogates. The model is strict
and knows no other fields; every fault is listed with its path. `json_schema()` is what integrators are given.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError, WithJsonSchema
from pydantic_core import PydanticCustomError

from dispatcher.intake import geometry, hazard, narrowing, rules, text, times
from dispatcher.intake.findings import Decoded, Unreadable, hold, refuse
from dispatcher.model import (
    Area,
    Circle,
    Code,
    Finding,
    Geocode,
    Kind,
    Level,
    Narrowing,
    Point,
    Reference,
    Role,
    Scope,
    Status,
    WarningMessage,
)
from dispatcher.settings import Hazards

SOURCE_FORMAT = "native-json"
CONTENT_TYPE = "application/vnd.mingluo.warning+json"
DEEPEST = 32
AREA_CODE = "CPEAS Geographic Code"
_MOST_FAULTS = 20
_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[+-][0-9]{2}:[0-9]{2}$"
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)


def _moment(value: object) -> datetime:
    if not isinstance(value, str):
        raise PydanticCustomError("time", "时间应写成文字，如 2026-06-12T20:06:55+08:00")
    try:
        return times.parse(value)
    except ValueError as error:
        raise PydanticCustomError("time", "{sentence}", {"sentence": str(error)}) from error


Moment = Annotated[
    datetime,
    PlainValidator(_moment),
    WithJsonSchema({"type": "string", "pattern": _TIME}),
]
Pair = tuple[float, float]
Category = Literal[
    "Geo", "Met", "Safety", "Security", "Rescue", "Fire", "Health", "Env", "Transport", "Infra", "CBRNE", "Other"
]  # fmt: skip
Response = Literal["Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor", "Assess", "AllClear", "None"]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class CircleIn(_Strict):
    lat: float
    lon: float
    radius_km: float


class AreaIn(_Strict):
    """Everything in an area, and all areas, form a union. Pairs are latitude first; the last equals the first."""

    description: str = Field(min_length=1)
    polygons: tuple[tuple[Pair, ...], ...] = ()
    circles: tuple[CircleIn, ...] = ()
    geocodes: tuple[Annotated[str, Field(pattern=r"^(?:[0-9]{6}|[0-9]{9}|[0-9]{12})$")], ...] = ()


class ReferenceIn(_Strict):
    sender: str
    identifier: str
    sent: Moment


class NarrowingIn(_Strict):
    """Tell only some of those in the area. Narrowing a red needs a reason."""

    roles: tuple[Role, ...] = ()
    groups: tuple[str, ...] = ()
    risk_tags: tuple[str, ...] = ()
    reason: str = ""


class WarningIn(_Strict):
    """A warning as native JSON. `hazard` is a code of either family; without it `event` is looked up by name."""

    sender: str
    identifier: str
    sent: Moment
    status: Status
    kind: Kind
    scope: Scope = Scope.PUBLIC
    sender_name: str = ""
    event: str = ""
    hazard: str | None = None
    level: Level | None = None
    urgency: Literal["Immediate", "Expected", "Future", "Past", "Unknown"] = "Unknown"
    certainty: Literal["Observed", "Likely", "Very Likely", "Possible", "Unlikely", "Unknown"] = "Unknown"
    categories: tuple[Category, ...] = ()
    responses: tuple[Response, ...] = ()
    effective: Moment | None = None
    onset: Moment | None = None
    expires: Moment | None = None
    headline: str = ""
    description: str = ""
    instruction: str = ""
    web: str = ""
    contact: str = ""
    note: str = ""
    language: str = Field(default="zh-CN", pattern=r"^[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*$")
    restriction: str = ""
    addresses: tuple[str, ...] = ()
    references: tuple[ReferenceIn, ...] = ()
    areas: tuple[AreaIn, ...] = ()
    narrowing: NarrowingIn = Field(default_factory=NarrowingIn)
    sound_at_night: bool = False
    retraction: bool = False


def json_schema() -> dict[str, Any]:
    """The published JSON Schema of the format."""
    return WarningIn.model_json_schema()


def read(body: bytes, hazards: Hazards) -> Decoded:
    """Raises Unreadable where there is no object that fits the model."""
    clean = _checked(body)
    try:
        said = WarningIn.model_validate_json(clean)
    except ValidationError as error:
        raise Unreadable(*_faults(error)) from error
    findings: list[Finding] = []
    message = _message(said, _areas(said.areas, findings), hazards)
    if found := text.forbidden(clean):
        findings.append(refuse(Code.TEXT, f"含控制或方向字符 {found}，请去掉后重发"))
    findings += [refuse(Code.SCHEMA, f"narrowing：{fault}") for fault in narrowing.unknown_words(message.narrowing)]
    findings += rules.check(message)
    return Decoded(message=message, findings=tuple(dict.fromkeys(findings)))


def _checked(body: bytes) -> str:
    try:
        written = body.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise Unreadable(refuse(Code.SCHEMA, f"第 {error.start + 1} 个字节不是 UTF-8，请按 UTF-8 重发")) from error
    if _depth(written) > DEEPEST:
        raise Unreadable(refuse(Code.SIZE, f"JSON 嵌套过深，最多 {DEEPEST} 层"))
    try:
        found = json.loads(
            written, object_pairs_hook=_no_twins, parse_int=_int64, parse_float=_finite, parse_constant=_no_constant
        )
        json.dumps(found, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise Unreadable(refuse(Code.TEXT, "含不成对的代理字符（\\ud800 之类），请去掉后重发")) from error
    except json.JSONDecodeError as error:
        where = f"第 {error.lineno} 行第 {error.colno} 列"
        raise Unreadable(refuse(Code.SCHEMA, f"不是完整的 JSON：{where}（{error.msg}）")) from error
    if not isinstance(found, dict):
        raise Unreadable(refuse(Code.SCHEMA, "最外层必须是一个 JSON 对象"))
    return written


def _depth(written: str) -> int:
    deepest = now = 0
    for mark in _STRING.sub("", written):
        if mark in "[{":
            now += 1
            deepest = max(deepest, now)
        elif mark in "]}":
            now -= 1
    return deepest


def _no_twins(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise Unreadable(refuse(Code.SCHEMA, f"{name[:60]} 写了两次"))
        found[name] = value
    return found


def _int64(written: str) -> int:
    if len(written) > 20 or not -(2**63) <= int(written) < 2**63:
        raise Unreadable(refuse(Code.SCHEMA, f"整数 {written[:30]} 超出 64 位范围"))
    return int(written)


def _finite(written: str) -> float:
    value = float(written)
    if value in (float("inf"), float("-inf")):
        raise Unreadable(refuse(Code.SCHEMA, f"数字 {written[:30]} 超出范围"))
    return value


def _no_constant(written: str) -> float:
    raise Unreadable(refuse(Code.SCHEMA, f"{written} 不是 JSON 数字"))


_CHINESE = {
    "missing": "缺少这一项",
    "extra_forbidden": "没有这一项（是不是拼错了？）",
    "string_type": "应为文字",
    "float_type": "应为数字",
    "bool_type": "应为 true 或 false",
    "tuple_type": "应为数组",
    "list_type": "应为数组",
    "model_type": "应为对象",
    "dict_type": "应为对象",
    "too_long": "元素过多",
    "string_too_short": "不能为空",
    "string_pattern_mismatch": "写法不对",
}


def _faults(error: ValidationError) -> list[Finding]:
    found = []
    for fault in error.errors(include_url=False, include_input=False)[:_MOST_FAULTS]:
        path = ".".join(str(part)[:60] for part in fault["loc"]) or "报文"
        sentence = _CHINESE.get(fault["type"]) or _expected(fault["type"], fault.get("ctx", {}), fault["msg"])
        found.append(refuse(Code.SCHEMA, f"{path}：{sentence}"))
    return found


def _expected(kind: str, context: dict[str, Any], message: str) -> str:
    if kind in ("enum", "literal_error"):
        return f"只能是 {str(context.get('expected', '')).replace(' or ', '、').replace(', ', '、')}"
    return message


def _areas(areas: Sequence[AreaIn], findings: list[Finding]) -> tuple[Area, ...]:
    rings = [ring for area in areas for ring in area.polygons]
    if sentence := geometry.too_many(len(rings), sum(map(len, rings))):
        raise Unreadable(refuse(Code.SIZE, sentence))
    return tuple(_area(area, f"areas.{number}", findings) for number, area in enumerate(areas))


def _area(area: AreaIn, where: str, findings: list[Finding]) -> Area:
    polygons, circles = [], []
    for number, pairs in enumerate(area.polygons):
        ring = tuple(Point(lat, lon) for lat, lon in pairs)
        try:
            geometry.check_ring(ring)
        except geometry.BadGeometry as error:
            findings.append(refuse(Code.GEOMETRY, f"{where}.polygons.{number}：{error}"))
            continue
        if geometry.crosses_itself(ring):
            findings.append(hold(Code.GEOMETRY, f"{where}.polygons.{number}：边线自相交或没有面积，请在地图上核对"))
        polygons.append(ring)
    for number, said in enumerate(area.circles):
        circle = Circle(Point(said.lat, said.lon), said.radius_km)
        try:
            geometry.check_circle(circle)
        except geometry.BadGeometry as error:
            findings.append(refuse(Code.GEOMETRY, f"{where}.circles.{number}：{error}"))
            continue
        circles.append(circle)
    return Area(
        description=text.plain(area.description),
        polygons=tuple(polygons),
        circles=tuple(circles),
        geocodes=tuple(Geocode(scheme=AREA_CODE, value=code) for code in area.geocodes),
    )


def _message(said: WarningIn, areas: tuple[Area, ...], hazards: Hazards) -> WarningMessage:
    event = text.plain(said.event)
    return WarningMessage(
        source_format=SOURCE_FORMAT,
        sender=said.sender,
        identifier=said.identifier,
        sent=said.sent,
        status=said.status,
        kind=said.kind,
        scope=said.scope,
        sender_name=text.plain(said.sender_name),
        event=event,
        hazard=hazard.hazard_of(hazards, (said.hazard,) if said.hazard else (), event),
        level=said.level,
        urgency=said.urgency,
        certainty="Likely" if said.certainty == "Very Likely" else said.certainty,
        categories=said.categories,
        responses=said.responses,
        effective=said.effective,
        onset=said.onset,
        expires=said.expires,
        headline=text.plain(said.headline),
        description=text.plain(said.description, lines=True),
        instruction=text.plain(said.instruction, lines=True),
        web=text.web_address(said.web),
        contact=text.plain(said.contact),
        note=text.plain(said.note, lines=True),
        language=said.language,
        restriction=text.plain(said.restriction),
        addresses=said.addresses,
        references=tuple(Reference(sender=r.sender, identifier=r.identifier, sent=r.sent) for r in said.references),
        areas=areas,
        narrowing=_narrowing(said.narrowing),
        sound_at_night=said.sound_at_night,
        retraction=said.retraction,
    )


def _narrowing(said: NarrowingIn) -> Narrowing:
    return Narrowing(roles=said.roles, groups=said.groups, risk_tags=said.risk_tags, reason=text.plain(said.reason))
