"""The published JSON Schema of native JSON (2020-12): what a county's integrator writes against.

It is made from the form; here stand the rules that join two fields, what the words of a list mean, and two whole warnings
as examples. It must never be laxer than the reader where a schema can say it.
"""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from dispatcher.intake.native.form import CONTENT_TYPE, WarningIn
from dispatcher.model import ROLES, Level

PLACE = "/api/schemas/warning.json"
_NOT_BLANK = {"pattern": r"\S"}
_SOME = {"minItems": 1}


class _Plain(GenerateJsonSchema):
    """Without the titles that repeat a field's name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def json_schema() -> dict[str, Any]:
    made = WarningIn.model_json_schema(schema_generator=_Plain)
    for name, one in made["$defs"].items():
        del one["title"]
        one["description"] = _WORDS[name]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": PLACE,
        **made,
        "title": "鸣锣预警（JSON 原生格式）",
        "description": _ABOUT,
        "allOf": _TOGETHER,
        "examples": [RAIN, LEAK],
    }


_ABOUT = (
    f"内容类型 {CONTENT_TYPE}，UTF-8，不超过 256 KB；经 POST /api/v1/warnings 或 RabbitMQ 交换机 warnings 送入，"
    "先用 POST /api/v1/warnings/preview 预览。经纬度一律 WGS-84（不是 GCJ-02），数组里纬度在前；距离用公里。"
    "没有列出的项、重复的键、NaN 都拒收；时间必须是真实存在的日期，多边形首尾相同，整份报文最多 100 个多边形（扇形也算）、"
    "10000 个点。合乎格式而区域、灾种或级别认不出的，留给值班员处理，不会发给所有人。"
)

_WORDS = {
    "AreaIn": "一块区域。一块里写的图形和代码合在一起（并集），各块之间也是并集：多写只会加大，不会缩小",
    "CircleIn": "一个圆",
    "SectorIn": "下风向扇形：从泄漏点或起火点起，向 bearing_deg 的方向张开 width_deg 度，远至 radius_km；收到后即转成多边形",
    "ReferenceIn": "所更新或解除的那一条；三项都照那一条原样写",
    "NarrowingIn": "只通知区域内的一部分对象；三项都空就是全部通知，值班室总会收到",
    "Status": "Actual 实战；Exercise 演练；System、Test、Draft 只登记，不对外发送",
    "Kind": "Alert 首次发布；Update 更新；Cancel 解除；Ack、Error 只登记",
    "Scope": "Public 公开；Restricted 内部，不通知住户、大喇叭和党建平台；Private 指定收件人，等值班员处理",
    "Level": "；".join(f"{level} {level.chinese}（{level.roman} 级）" for level in Level),
    "Role": "；".join(f"{role} {role.chinese}" for role in ROLES),
}

_TOGETHER = [
    {
        "if": {"properties": {"scope": {"const": "Restricted"}}, "required": ["scope"]},
        "then": {"properties": {"restriction": _NOT_BLANK}, "required": ["restriction"]},
    },
    {
        "if": {"properties": {"scope": {"const": "Private"}}, "required": ["scope"]},
        "then": {"properties": {"addresses": _SOME}, "required": ["addresses"]},
    },
    {
        "if": {"properties": {"retraction": {"const": True}}, "required": ["retraction"]},
        "then": {"properties": {"kind": {"const": "Cancel"}}},
    },
    {
        "if": {
            "properties": {
                "level": {"const": "red"},
                "narrowing": {
                    "anyOf": [
                        {"properties": {name: _SOME}, "required": [name]} for name in ("roles", "groups", "risk_tags")
                    ]
                },
            },
            "required": ["level", "narrowing"],
        },
        "then": {"properties": {"narrowing": {"properties": {"reason": _NOT_BLANK}, "required": ["reason"]}}},
    },
]

RAIN: dict[str, Any] = {
    "sender": "36082741600000",
    "identifier": "36082741600000_20260612200655",
    "sent": "2026-06-12T20:06:55+08:00",
    "status": "Actual",
    "kind": "Alert",
    "sender_name": "遂川县气象台",
    "event": "暴雨",
    "hazard": "11B03",
    "level": "red",
    "expires": "2026-06-13T02:06:55+08:00",
    "headline": "遂川县气象台发布暴雨红色预警",
    "description": "预计未来3小时碧洲镇降雨量将达100毫米以上。",
    "areas": [{"description": "遂川县碧洲镇", "geocodes": ["360827102"]}],
}

LEAK: dict[str, Any] = {
    "sender": "36080041700000",
    "identifier": "36080041700000_20260612090000",
    "sent": "2026-06-12T09:00:00+08:00",
    "status": "Actual",
    "kind": "Alert",
    "sender_name": "吉安市应急管理局",
    "event": "危险化学品泄漏",
    "level": "orange",
    "expires": "2026-06-12T15:00:00+08:00",
    "headline": "吉安市应急管理局发布危险化学品泄漏橙色预警",
    "description": "吉安高新技术产业园区一企业液氨泄漏，正刮西北风，烟气飘向东南。",
    "areas": [
        {
            "description": "吉安高新技术产业园区及其东南下风向4公里",
            "sectors": [
                {
                    "lat": 27.0104,
                    "lon": 114.8467,
                    "radius_km": 4,
                    "bearing_deg": 135,
                    "width_deg": 60,
                    "inner_km": 0.5,
                }
            ],
        }
    ],
}
