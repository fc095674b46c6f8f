"""What may stand in native JSON, field by field. The published schema is made from this, so that it cannot say otherwise.

The model is strict and knows no other fields. What only a whole message can show to be wrong (a ring that is open, a text
that is too long once it is tidied) is judged after it, with its own code; the limits stand here for whoever writes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from dispatcher.intake import geometry, rules, sector, times
from dispatcher.intake.text import LONGEST
from dispatcher.model import GROUPS, RISK_TAGS, Kind, Level, Role, Scope, Status
from dispatcher.settings.hazards import Category

CONTENT_TYPE = "application/vnd.mingluo.warning+json"
AREA_CODE = "CPEAS Geographic Code"
_DAY = "(?:(?:19|20|21)[0-9]{2}|2200)-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_TIME = rf"^{_DAY}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9][+-](?:0[0-9]|1[0-4]):[0-5][0-9]$"
_AT = "2026-06-12T20:06:55+08:00"


def _moment(value: object) -> datetime:
    if not isinstance(value, str):
        raise PydanticCustomError("time", "{sentence}", {"sentence": f"时间应写成文字，如 {_AT}"})
    try:
        return times.parse(value)
    except ValueError as error:
        raise PydanticCustomError("time", "{sentence}", {"sentence": str(error)}) from error


def _said(description: str, *examples: object, default: Any = ..., **limits: Any) -> Any:
    """A field as whoever writes it must know it. `limits` stand in the schema; the reader judges them after the model."""
    return Field(default, description=description, examples=list(examples) or None, json_schema_extra=limits or None)


def _text(description: str, *examples: object, limit: str) -> Any:
    return _said(description, *examples, default="", maxLength=LONGEST[limit])


def _name(description: str, *examples: object) -> Any:
    limits = {"minLength": 1, "maxLength": LONGEST["identifier"], "pattern": r"^[^\s,<&]+$"}
    return _said(description, *examples, **limits)


def _number(description: str, example: float, least: float, most: float) -> Any:
    return _said(description, example, minimum=least, maximum=most)


Moment = Annotated[
    datetime, PlainValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time", "pattern": _TIME})
]
Lat = Annotated[float, Field(json_schema_extra={"minimum": -90, "maximum": 90})]
Lon = Annotated[float, Field(json_schema_extra={"minimum": -180, "maximum": 180})]
Pair = tuple[Lat, Lon]
Ring = Annotated[tuple[Pair, ...], Field(json_schema_extra={"minItems": 4, "maxItems": geometry.MOST_POINTS})]
Group = Annotated[str, Field(json_schema_extra={"enum": list(GROUPS)})]
Tag = Annotated[str, Field(json_schema_extra={"enum": list(RISK_TAGS)})]
AreaCode = Annotated[str, Field(pattern=r"^(?:[0-9]{6}|[0-9]{9}|[0-9]{12})$")]
Response = Literal["Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor", "Assess", "AllClear", "None"]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class CircleIn(_Strict):
    """A disc."""

    lat: float = _number("圆心纬度，WGS-84，单位度", 26.3142, -90, 90)
    lon: float = _number("圆心经度，WGS-84，单位度", 114.5163, -180, 180)
    radius_km: float = _number("半径，单位公里（不是米）", 3, 0, geometry.LONGEST_RADIUS_KM)


class SectorIn(_Strict):
    """Downwind of a source. Towards where it drifts, never where the wind comes from."""

    lat: float = _number("源点纬度，WGS-84，单位度", 27.0104, -sector.MOST_LAT, sector.MOST_LAT)
    lon: float = _number("源点经度，WGS-84，单位度", 114.8467, -sector.MOST_LON, sector.MOST_LON)
    radius_km: float = _number(
        "扇形的半径，单位公里：烟气可能飘到多远", 4, sector.LEAST_RADIUS_KM, sector.LONGEST_RADIUS_KM
    )
    bearing_deg: float = _number(
        "扇形中线的方位，单位度，正北为 0，顺时针（东 90、南 180、西 270）。是烟气飘去的方向，不是风的来向："
        "刮北风时飘向南，写 180",
        180,
        0,
        360,
    )
    width_deg: float = _number(
        "扇形的总张角，单位度，中线两边各一半；风向不定时放宽，360 为整圆（359 以上按整圆）",
        60,
        sector.LEAST_WIDTH,
        sector.WHOLE,
    )
    inner_km: float | None = _said(
        "源点四周不分风向都要避险的圆，半径，单位公里，不超过 radius_km；源点所在的园区或村要收到就写上，不写就没有",
        0.5,
        default=None,
        exclusiveMinimum=0,
        maximum=sector.LONGEST_RADIUS_KM,
    )


class AreaIn(_Strict):
    """Everything in an area, and all areas, form a union. Pairs are latitude first; the last equals the first."""

    description: str = Field(
        min_length=1,
        description="区域的文字说明；没有图形和代码时，靠其中的乡镇、村名落区",
        examples=["遂川县碧洲镇"],
        json_schema_extra={"maxLength": LONGEST["area"]},
    )
    polygons: tuple[Ring, ...] = _said(
        "多边形，每个是一圈坐标：[纬度, 经度]，纬度在前（与 GeoJSON 相反），WGS-84；首尾两点相同，至少 4 对",
        [[[26.30, 114.40], [26.40, 114.40], [26.40, 114.60], [26.30, 114.40]]],
        default=(),
        maxItems=geometry.MOST_POLYGONS,
    )
    circles: tuple[CircleIn, ...] = _said("圆", default=())
    sectors: tuple[SectorIn, ...] = _said(
        "下风向扇形，多用于危险化学品泄漏", default=(), maxItems=geometry.MOST_POLYGONS
    )
    geocodes: tuple[AreaCode, ...] = _said(
        "行政区划代码：6 位到县、9 位到乡镇、12 位到村，不补零成 14 位",
        ["360827102", "360827103201"],
        default=(),
        maxItems=rules.MOST_GEOCODES,
    )


class ReferenceIn(_Strict):
    """The version that is changed or called off."""

    sender: str = _name("那一条的 sender", "36082741600000")
    identifier: str = _name("那一条的 identifier", "36082741600000_20260612200655")
    sent: Moment = _said("那一条的 sent", _AT)


class NarrowingIn(_Strict):
    """Tell only some of those in the area. Narrowing a red needs a reason."""

    roles: tuple[Role, ...] = _said("只通知有这些职责的人", ["reservoir_keeper"], default=())
    groups: tuple[Group, ...] = _said("住户只通知这些人群", ["独居老人"], default=())
    risk_tags: tuple[Tag, ...] = _said("住户只通知有这些风险标签的", ["水库下游"], default=())
    reason: str = _text("理由；红色预警缩小对象必须写", "只涉及水库下游", limit="reason")


class WarningIn(_Strict):
    """A warning. `hazard` is a code of either family; without it `event` is looked up by name."""

    sender: str = _name("发布单位编码，与 identifier、sent 一起认定这一条；不含空白、逗号、< 和 &", "36082741600000")
    identifier: str = _name("预警编号，同一单位内不重复；重发同一条用同一编号", "36082741600000_20260612200655")
    sent: Moment = _said("发布时间，精确到秒，带时区，不用 Z；不能晚于现在 5 分钟以上", _AT)
    status: Status = _said("Actual 是真的；演练必须写 Exercise，不能再改成真的", "Actual")
    kind: Kind = _said("Alert 首次发布，Update 更新（要写 references），Cancel 解除（要写 references）", "Alert")
    scope: Scope = _said(
        "公开范围；Restricted 要写 restriction，Private 要写 addresses", "Public", default=Scope.PUBLIC
    )
    sender_name: str = _text("发布单位名称，原样出现在短信和广播里", "遂川县气象台", limit="sender_name")
    event: str = _text("灾种名称；没有 hazard 代码时按名称认", "暴雨", limit="event")
    hazard: str | None = _said(
        "灾种代码，五位：国家应急平台代码（如 11B03）或 GB/T 35561（如 10203）；90000 是其它，要靠 event 认",
        "11B03",
        default=None,
    )
    level: Level | None = _said("预警颜色，存档以颜色为准；不写就等值班员补", "red", default=None)
    urgency: Literal["Immediate", "Expected", "Future", "Past", "Unknown"] = _said(
        "CAP 紧急程度", "Immediate", default="Unknown"
    )
    certainty: Literal["Observed", "Likely", "Very Likely", "Possible", "Unlikely", "Unknown"] = _said(
        "CAP 确定程度；Very Likely 按 Likely 收", "Observed", default="Unknown"
    )
    categories: tuple[Category, ...] = _said("CAP 类别；不写，对外就用灾种自己的", ["Met"], default=())
    responses: tuple[Response, ...] = _said("CAP 应对方式", ["Evacuate"], default=())
    effective: Moment | None = _said("生效时间；不写就是 sent", _AT, default=None)
    onset: Moment | None = _said("预计灾害开始的时间", _AT, default=None)
    expires: Moment | None = _said(
        "失效时间，过后不再发送；不写就用灾种的常用时长", "2026-06-13T02:06:55+08:00", default=None
    )
    headline: str = _text("标题", "遂川县气象台发布暴雨红色预警", limit="headline")
    description: str = _text("险情说明，广播里原样播报，请写完整的句子", limit="description")
    instruction: str = _text("防御指引，附在通用提示之后", limit="instruction")
    web: str = _text("详情网址，只收 http 和 https", limit="web")
    contact: str = _text("联系方式", limit="contact")
    note: str = _text("备注，不对外", limit="note")
    language: str = Field(
        default="zh-CN",
        pattern=r"^[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*$",
        description="文字的语言，RFC 5646",
        examples=["zh-CN"],
    )
    restriction: str = _text("限定范围的说明，scope 为 Restricted 时必须写", limit="restriction")
    addresses: tuple[str, ...] = _said(
        "指定收件人，scope 为 Private 时必须写", default=(), maxItems=rules.MOST_ADDRESSES
    )
    references: tuple[ReferenceIn, ...] = _said("更新或解除的是哪几条", default=(), maxItems=rules.MOST_REFERENCES)
    areas: tuple[AreaIn, ...] = _said("预警区域", default=(), maxItems=rules.MOST_AREAS)
    narrowing: NarrowingIn = Field(default_factory=NarrowingIn, description="只通知一部分对象")
    sound_at_night: bool = _said("黄色、蓝色预警夜里（22 时至 6 时）也响大喇叭", False, default=False)
    retraction: bool = _said(
        "误发撤回：所引用的预警本不该发布，只与 kind 为 Cancel 同用；按固定用语告知原来通知到的人", False, default=False
    )
