"""What holds for a warning whatever format it came in, seen from the message alone: no clock, no source, no store."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dispatcher.intake.findings import hold, note, refuse
from dispatcher.intake.hazard import SEVERITIES, colour_word
from dispatcher.intake.text import LONGEST, forbidden, too_long
from dispatcher.model import Code, Finding, Kind, Level, Scope, WarningMessage

MOST_AREAS = 500
MOST_GEOCODES = 5_000
MOST_REFERENCES = 1_000
MOST_PARAMETERS = 500
MOST_ADDRESSES = 1_000
_TEXTS = ("event", "headline", "sender_name", "description", "instruction", "contact", "web", "note", "restriction")
_NAME = re.compile(r"[^\s,<&]+")


def check(message: WarningMessage) -> list[Finding]:
    """Text, names, times within the message, reach of a narrowing, numbers of things."""
    return [*_names(message), *_texts(message), *_sizes(message), *_times(message), *_contradictions(message)]


def bad_name(field: str, value: str) -> str | None:
    """Why `value` cannot be an identifier or a sender: they stand in references, separated by commas and blanks."""
    if not value:
        return f"{field} 不能为空"
    if not _NAME.fullmatch(value) or not value.isprintable():
        return f"{field} 里不能有空白、逗号、< 或 &：“{value[:60]}”"
    return too_long(field, value)


def level_note(severity: str, headline: str) -> Finding | None:
    """The colour word wins over the severity, and it is said that it did."""
    colour, derived = colour_word(headline), SEVERITIES.get(severity)
    if colour is None or derived is None or colour is derived:
        return None
    return note(
        Code.LEVEL_UNKNOWN, f"标题写{colour.chinese}，severity 是 {severity}（{derived.chinese}）：按标题的颜色处理"
    )


def _names(message: WarningMessage) -> Iterator[Finding]:
    for field, value in (("identifier", message.identifier), ("sender", message.sender)):
        if fault := bad_name(field, value):
            yield refuse(Code.SCHEMA, fault)
    for reference in message.references:
        for value in (reference.sender, reference.identifier):
            if fault := bad_name("identifier", value):
                yield refuse(Code.SCHEMA, f"references：{fault}")


def _fields(message: WarningMessage) -> Iterator[tuple[str, str]]:
    """Every text a person may come to see, under the name of its limit."""
    yield from ((name, getattr(message, name)) for name in _TEXTS)
    yield from (("area", area.description) for area in message.areas)
    yield from (("address", address) for address in message.addresses)
    yield from (("parameter", part) for pair in message.parameters for part in pair)
    yield from (("resource", resource.description) for resource in message.resources)
    yield from (
        ("reason", text) for text in (message.narrowing.reason, message.urgency, message.certainty, message.language)
    )
    yield from (("resource", geocode.value) for area in message.areas for geocode in area.geocodes)


def _texts(message: WarningMessage) -> Iterator[Finding]:
    for field, value in _fields(message):
        if len(value) > LONGEST[field]:
            yield refuse(Code.TEXT, f"{too_long(field, value)}，请缩短后重发")
        elif found := forbidden(value):
            yield refuse(Code.TEXT, f"{field} 含控制或方向字符 {found}，请去掉后重发")


def _sizes(message: WarningMessage) -> Iterator[Finding]:
    for what, number, most in (
        ("area", len(message.areas), MOST_AREAS),
        ("geocode", sum(len(area.geocodes) for area in message.areas), MOST_GEOCODES),
        ("references", len(message.references), MOST_REFERENCES),
        ("parameter", len(message.parameters), MOST_PARAMETERS),
        ("addresses", len(message.addresses), MOST_ADDRESSES),
    ):
        if number > most:
            yield refuse(Code.SIZE, f"{what} 有 {number} 个，最多 {most} 个")


def _times(message: WarningMessage) -> Iterator[Finding]:
    called_off = message.kind is Kind.CANCEL  # however it words its own hours
    ends, begins = message.expires, max(message.sent, message.effective or message.sent)
    if ends is not None and ends < begins and not called_off:
        yield hold(Code.CLOCK, "失效时间早于发布或生效时间，请与发布单位核对")
    for reference in message.references:
        if reference.sent > message.sent:
            yield hold(Code.CLOCK, f"所引用的 {reference.identifier} 比本报文还晚，请与发布单位核对")


def _contradictions(message: WarningMessage) -> Iterator[Finding]:
    own = (message.sender, message.identifier, message.sent)
    if any((reference.sender, reference.identifier, reference.sent) == own for reference in message.references):
        yield hold(Code.REFERENCE_MISSING, "报文引用了它自己，请值班员核对它针对哪条预警")
    if message.scope is Scope.RESTRICTED and not message.restriction:
        yield refuse(Code.SCHEMA, "scope 为 Restricted 时必须写 restriction")
    if message.scope is Scope.PRIVATE and not message.addresses:
        yield refuse(Code.SCHEMA, "scope 为 Private 时必须写 addresses")
    if message.retraction and message.kind is not Kind.CANCEL:
        yield refuse(Code.SCHEMA, "只有解除（Cancel）才能标为误发撤回（mingluo:retraction）")
    if message.narrowing.active and message.level is Level.RED and not message.narrowing.reason:
        yield refuse(Code.SCHEMA, "红色预警缩小发送对象必须写明理由（mingluo:reason）")
