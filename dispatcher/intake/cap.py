"""CAP 1.2 → WarningMessage: the alert's head, the rules the schema cannot say, and which info block speaks.

A Chinese feed writes the English block first and the Chinese one after it: the Chinese one speaks, whatever its place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from lxml import etree

from dispatcher.intake import hazard, narrowing, rules, text, times
from dispatcher.intake.capinfo import Info, InfoReader, children, content
from dispatcher.intake.findings import Decoded, hold, note, refuse
from dispatcher.intake.hardened import CAP, cap_faults
from dispatcher.model import Area, Code, Finding, Kind, Reference, Scope, Status, WarningMessage
from dispatcher.settings import Hazards

SOURCE_FORMAT = "cap-1.2"
_SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}Signature"
_ADDRESS = re.compile(r'"([^"]*)"|(\S+)')
_NOT_SAID = {f"{{{CAP}}}derefUri"}


def read(root: etree._Element, hazards: Hazards) -> Decoded:
    """`root` is an `alert` of CAP 1.2 that came through hardened.parse."""
    if faults := cap_faults(root):
        return Decoded(message=None, findings=faults)
    findings: list[Finding] = []
    if found := _forbidden_anywhere(root):
        findings.append(refuse(Code.TEXT, f"含控制或方向字符 {found}，请去掉后重发"))
    reader = InfoReader()
    blocks = [reader.read(block, number) for number, block in enumerate(children(root, "info"), 1)]
    findings += reader.findings
    try:
        sent = times.parse(content(root, "sent"))
    except ValueError as error:
        return Decoded(message=None, findings=(*findings, refuse(Code.SCHEMA, f"sent：{error}")))
    findings += _other_times(blocks, sent)
    message = _message(root, sent, _speaking(blocks, findings), hazards, findings)
    findings += rules.check(message)
    return Decoded(message=message, findings=tuple(dict.fromkeys(findings)))


def _forbidden_anywhere(root: etree._Element) -> str | None:
    """In any block, not only in the one that speaks; embedded files aside."""
    said = (element.text for element in root.iter(f"{{{CAP}}}*") if element.tag not in _NOT_SAID)
    return text.forbidden("\n".join(part for part in said if part))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Speaker:
    """The block that speaks, with the areas of all blocks that say the same in its language."""

    info: Info
    areas: tuple[Area, ...]


def _speaking(blocks: Sequence[Info], findings: list[Finding]) -> _Speaker | None:
    if not blocks:
        return None
    info = min(blocks, key=lambda block: _rank(block.language))
    same = [block for block in blocks if block.language.lower() == info.language.lower()]
    if len({(block.event, _level_key(block)) for block in same}) > 1:
        findings.append(
            hold(Code.LEVEL_UNKNOWN, f"{info.language} 有 {len(same)} 个 info，灾种或级别不一致，请值班员分开处理")
        )
    if len({_level_key(block) for block in blocks}) > len({_level_key(block) for block in same}):
        findings.append(note(Code.LEVEL_UNKNOWN, f"各语种的级别不一致：按 {info.language} 处理"))
    areas = [area for block in same for area in block.areas]
    areas = areas or next((list(block.areas) for block in blocks if block.areas), [])
    return _Speaker(info=info, areas=tuple(dict.fromkeys(areas)))


def _level_key(block: Info) -> str:
    return str(hazard.level_of(block.severity, block.headline) or block.severity)


def _rank(language: str) -> int:
    """zh-CN, then any other mainland Chinese, then any Chinese, then the first block."""
    language = language.lower()
    if language == "zh-cn":
        return 0
    if language in ("zh", "zh-hans", "zh-hans-cn", "cmn", "cmn-hans", "cmn-hans-cn", "zho", "chi"):
        return 1
    return 2 if language.startswith(("zh-", "cmn-")) else 3


def _other_times(blocks: Sequence[Info], sent: datetime) -> list[Finding]:
    """A contradiction in any block is one: which of two expiries was meant is for the duty officer to ask."""
    sentence = "失效时间早于发布或生效时间，请与发布单位核对"
    wrong = [block for block in blocks if block.expires and block.expires < max(sent, block.effective or sent)]
    return [hold(Code.CLOCK, sentence)] if wrong else []


def _message(
    root: etree._Element, sent: datetime, speaker: _Speaker | None, hazards: Hazards, findings: list[Finding]
) -> WarningMessage:
    references = _references(content(root, "references"), findings)
    head = WarningMessage(
        source_format=SOURCE_FORMAT,
        sender=content(root, "sender").strip(),
        identifier=content(root, "identifier").strip(),
        sent=sent,
        status=Status(content(root, "status")),
        kind=Kind(content(root, "msgType")),
        scope=Scope(content(root, "scope")),
        note=text.plain(content(root, "note"), lines=True),
        restriction=text.plain(content(root, "restriction")),
        addresses=tuple(quoted or bare for quoted, bare in _ADDRESS.findall(content(root, "addresses"))),
        references=references,
        signature_present=next(root.iterchildren(_SIGNATURE), None) is not None,
    )
    return head if speaker is None else _with_info(head, speaker, hazards, findings)


def _with_info(head: WarningMessage, speaker: _Speaker, hazards: Hazards, findings: list[Finding]) -> WarningMessage:
    info = speaker.info
    asked = narrowing.read(info.parameters)
    findings += [refuse(Code.SCHEMA, fault) for fault in asked.faults]
    if found := rules.level_note(info.severity, info.headline):
        findings.append(found)
    return replace(
        head,
        sender_name=info.sender_name,
        event=info.event,
        hazard=hazard.hazard_of(hazards, info.event_codes, info.event),
        level=hazard.level_of(info.severity, info.headline),
        urgency=info.urgency,
        certainty=info.certainty,
        categories=info.categories,
        responses=info.responses,
        effective=info.effective,
        onset=info.onset,
        expires=info.expires,
        headline=info.headline,
        description=info.description,
        instruction=info.instruction,
        web=info.web,
        contact=info.contact,
        language=info.language,
        areas=speaker.areas,
        resources=info.resources,
        parameters=info.parameters,
        narrowing=asked.narrowing,
        sound_at_night=asked.sound_at_night,
        retraction=asked.retraction,
    )


def _references(written: str, findings: list[Finding]) -> tuple[Reference, ...]:
    """`sender,identifier,sent` triplets, split at any white space."""
    found = []
    for triplet in written.split():
        try:
            found.append(_reference(triplet))
        except ValueError as error:
            findings.append(refuse(Code.SCHEMA, f"references 的“{triplet[:80]}”：{error}"))
    return tuple(dict.fromkeys(found))


def _reference(triplet: str) -> Reference:
    parts = triplet.split(",")
    if len(parts) != 3 or not parts[0] or not parts[1]:
        raise ValueError("应写成“发布者,编号,时间”")
    return Reference(sender=parts[0], identifier=parts[1], sent=times.parse(parts[2]))
