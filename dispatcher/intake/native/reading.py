"""Native JSON: bytes → WarningMessage.

Before the form sees it: UTF-8, depth, duplicate keys, NaN, numbers beyond 64 bits, half surrogates. Every fault is listed
with its path.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from dispatcher.intake import hazard, narrowing, rules, text
from dispatcher.intake.findings import Decoded, Unreadable, refuse
from dispatcher.intake.native.areas import areas_of
from dispatcher.intake.native.form import NarrowingIn, WarningIn
from dispatcher.model import Area, Code, Finding, Narrowing, Reference, WarningMessage
from dispatcher.settings import Hazards

SOURCE_FORMAT = "native-json"
DEEPEST = 32
_MOST_FAULTS = 20
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)


def read(body: bytes, hazards: Hazards) -> Decoded:
    """Raises Unreadable where there is no object that fits the model."""
    clean, words = _checked(body)
    try:
        said = WarningIn.model_validate_json(clean)
    except ValidationError as error:
        raise Unreadable(*_faults(error)) from error
    findings: list[Finding] = []
    message = _message(said, areas_of(said.areas, findings), hazards)
    if found := text.forbidden("\n".join(words)):
        findings.append(refuse(Code.TEXT, f"含控制或方向字符 {found}，请去掉后重发"))
    findings += [refuse(Code.SCHEMA, f"narrowing：{fault}") for fault in narrowing.unknown_words(message.narrowing)]
    findings += rules.check(message)
    return Decoded(message=message, findings=tuple(dict.fromkeys(findings)))


def _checked(body: bytes) -> tuple[str, list[str]]:
    """The text of it, and every word it says, with the escapes resolved."""
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
    return written, list(_words(found))


def _words(said: object) -> Iterator[str]:
    """Keys are not among them: those we do not know are refused."""
    match said:
        case str():
            yield said
        case list():
            for one in said:
                yield from _words(one)
        case dict():
            for one in said.values():
                yield from _words(one)


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
        found.append(refuse(Code.SCHEMA, f"{path}：{in_chinese(fault)}"))
    return found


def in_chinese(fault: ErrorDetails) -> str:
    """What is wrong with one field."""
    return _CHINESE.get(fault["type"]) or _expected(fault["type"], fault.get("ctx", {}), fault["msg"])


def _expected(kind: str, context: dict[str, Any], message: str) -> str:
    if kind in ("enum", "literal_error"):
        return f"只能是 {str(context.get('expected', '')).replace(' or ', '、').replace(', ', '、')}"
    return message


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
