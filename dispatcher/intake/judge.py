"""What the moment, the source and the area say against a message; and the verdict of everything that was said.

Pure: `now` comes in, the area comes resolved, whether the references are known comes from the store. It must fail
closed: an area nobody resolved is a hold, never everyone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from dispatcher.geofence import Resolved
from dispatcher.intake.findings import hold, note, refuse
from dispatcher.model import Code, Finding, Kind, Scope, Status, Verdict, WarningMessage
from dispatcher.settings import Source

SAYS_DRILL: Final = "此为演练"
"""What a text says of itself, and no text of a real event."""

_REPLIES = (Kind.ACK, Kind.ERROR)
_NEEDS_NO_CONTENT = (Kind.CANCEL, *_REPLIES)
_SHOWN = 5
_CALLED = {Kind.UPDATE: "更新", Kind.CANCEL: "解除", Kind.ACK: "收到回执", Kind.ERROR: "出错回执"}
"""What is held is read by officers, who know no field of a message by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """`resolved` is None where no area was resolved; `references_known` is whether every reference is in the store."""

    source: Source
    now: datetime
    tolerance_s: int
    resolved: Resolved | None
    references_known: bool


def judge(message: WarningMessage, circumstances: Circumstances) -> tuple[Finding, ...]:
    """Let the caller fill a missing `expires` from the policy first: without one nothing ever expires here."""
    return (
        *_references(message, circumstances),
        *_clock(message, circumstances),
        *_authority(message, circumstances),
        *_area(message, circumstances),
        *_content(message),
        *_drill(message, circumstances.source),
    )


def verdict_of(findings: Iterable[Finding]) -> tuple[Verdict, Code | None, str]:
    """A refusal beats a hold, then the lowest code; the reason lists all, the deciding one first.

    Accepted has no code; its reason is the notes.
    """
    order = {Verdict.REJECT: 0, Verdict.HOLD: 1, Verdict.ACCEPT: 2}
    ranked = sorted(dict.fromkeys(findings), key=lambda finding: (order[finding.verdict], finding.code))
    if not ranked:
        return Verdict.ACCEPT, None, ""
    reason = "；".join(f"{finding.code.value} {finding.reason}" for finding in ranked)
    first = ranked[0]
    return first.verdict, None if first.verdict is Verdict.ACCEPT else first.code, reason


def _references(message: WarningMessage, circumstances: Circumstances) -> Iterator[Finding]:
    if message.kind is Kind.ALERT:
        return
    if not message.references:
        yield hold(Code.REFERENCE_MISSING, f"{_CALLED[message.kind]}没有写明针对哪条预警，请值班员核对")
    elif circumstances.references_known or message.kind in _REPLIES:
        return
    elif message.kind is Kind.CANCEL:
        yield note(Code.REFERENCE_MISSING, "所解除的预警尚未收到：先记下，它到达时即作废，不再发送")
    elif circumstances.source.trusted:
        yield note(Code.REFERENCE_MISSING, "所更新的预警尚未收到：按首次发布处理，迟到的原预警视为已被取代")
    else:
        yield hold(Code.REFERENCE_MISSING, "所更新的预警尚未收到，请值班员核对后发布")


def _clock(message: WarningMessage, circumstances: Circumstances) -> Iterator[Finding]:
    if message.sent > circumstances.now + timedelta(seconds=circumstances.tolerance_s):
        yield hold(Code.CLOCK, "发布时间在将来，请与发布单位校对时钟")
    if message.expires is None or message.kind is Kind.CANCEL:
        return  # a call-off is obeyed however late it comes
    contradicts_itself = message.expires < max(message.sent, message.effective or message.sent)
    if message.expires <= circumstances.now and not contradicts_itself:
        yield refuse(Code.EXPIRED, "到达时已过有效期，请发布单位重新发布")


def _authority(message: WarningMessage, circumstances: Circumstances) -> Iterator[Finding]:
    source, resolved = circumstances.source, circumstances.resolved
    if source.senders and message.sender not in source.senders:
        yield refuse(Code.OUTSIDE_AUTHORITY, f"来源“{source.name}”不得以 {message.sender[:60]} 的名义发布")
    if resolved is not None and resolved.outside_codes:
        codes = _list(resolved.outside_codes)
        yield refuse(Code.OUTSIDE_AUTHORITY, f"区划代码 {codes} 不在来源“{source.name}”的管辖区域内")
    if resolved is not None and resolved.reaches_outside:
        yield hold(Code.OUTSIDE_AUTHORITY, "图形越出管辖区域：请裁剪到本县，或报市里发布")
    if message.scope is Scope.PRIVATE:
        yield hold(Code.APPROVAL_MISSING, "只给指定收件人的预警不自动发送，请值班员处理")


def _area(message: WarningMessage, circumstances: Circumstances) -> Iterator[Finding]:
    if message.kind in _NEEDS_NO_CONTENT:
        return
    resolved = circumstances.resolved
    if resolved is None or not resolved.villages:
        yield hold(Code.AREA_UNRESOLVED, "区域落不到任何一个村，请值班员在地图上划定")
        return
    if resolved.unknown_codes:
        yield hold(Code.AREA_UNRESOLVED, f"区划代码 {_list(resolved.unknown_codes)} 不在名录中，请值班员核对区域")
    if resolved.unread:
        yield hold(Code.AREA_UNRESOLVED, f"区域“{_list(resolved.unread)}”落不到任何一个村，请值班员补划")
    if resolved.unusable:
        yield hold(Code.AREA_UNRESOLVED, f"有 {resolved.unusable} 个图形没有面积或大得离谱，请值班员在地图上核对")
    if resolved.from_text:
        yield note(Code.AREA_UNRESOLVED, "没有区划代码和图形，区域由文字里的地名得出")


def _content(message: WarningMessage) -> Iterator[Finding]:
    if message.kind in _REPLIES:
        yield hold(Code.APPROVAL_MISSING, f"{_CALLED[message.kind]}只作登记，不对外发送，请值班员查看")
    if message.kind in _NEEDS_NO_CONTENT:
        return
    if message.level is None:
        yield hold(Code.LEVEL_UNKNOWN, "看不出预警级别（红、橙、黄、蓝），请值班员补全")
    if message.hazard is None:
        yield hold(Code.LEVEL_UNKNOWN, f"不认识灾种“{message.event[:40]}”，请值班员选定，或请管理员补入灾种表")


def _drill(message: WarningMessage, source: Source) -> Iterator[Finding]:
    if source.drill_only and message.status is not Status.EXERCISE:
        yield refuse(Code.DRILL_MIXED, f"来源“{source.name}”只用于演练，status 必须是 Exercise")
    if message.status is Status.ACTUAL and _says_drill(message):
        yield refuse(Code.DRILL_MIXED, "文字写明演练，status 却是 Actual：请改为 Exercise 重发")


def _says_drill(message: WarningMessage) -> bool:
    """A headline names what it issues; further down 演练 may be told of a real event, so there only the mark counts, and what
    says it of the text itself. Whatever goes into a text is looked at here: at the last door a real warning with the mark
    would be held back."""
    if "演练" in message.headline or "演练" in message.event:
        return True
    if SAYS_DRILL in message.description or SAYS_DRILL in message.instruction:
        return True
    spoken = (message.description, message.instruction, message.sender_name or "", message.sender)
    return any("【演练】" in said for said in spoken)


def _list(names: tuple[str, ...]) -> str:
    shown = "、".join(name[:40] for name in names[:_SHOWN])
    return f"{shown} 等 {len(names)} 个" if len(names) > _SHOWN else shown
