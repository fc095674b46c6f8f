"""Levels, colours and hazards that contradict one another.

A text may well speak of another level: that a yellow was raised to this orange, which response the flood headquarters has
begun. So a field is mixed only where it names levels and none of them is the warning's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from channels import text as marks
from dispatcher.linting.reading import any_of, is_chinese
from dispatcher.linting.remark import Remark, Rule, Said, note, warn
from dispatcher.model import Code, Level, Verdict
from dispatcher.settings import HazardKind

_COLOURS = {level.chinese[0]: level for level in Level}
_ANY_COLOUR = re.compile(r"([红橙黄蓝])色")
_OF_A_WARNING = re.compile(r"[红橙黄蓝]色[^，。；;\n]{0,8}?预警|预警(?:信号)?[:：（(\[【\s]*[红橙黄蓝]色")
_CLAUSE = re.compile(r"[^，。；;\n]+")
_RESPONSE = "响应"
_NUMERAL = re.compile(r"([ⅠⅡⅢⅣ]|(?<![A-Za-z])(?:IV|I{1,3}))\s*级|[（(\[【]([一二三四])级|([一二三四])级预警")
_GRADE = re.compile(r"级\s*[/／、]\s*(特别严重|特别重大|严重|重大|较重|较大|一般)")
_RANKS = {"Ⅰ": 1, "Ⅱ": 2, "Ⅲ": 3, "Ⅳ": 4, "I": 1, "II": 2, "III": 3, "IV": 4, "一": 1, "二": 2, "三": 3, "四": 4}
_GRADES = {"特别严重": 1, "特别重大": 1, "严重": 2, "重大": 2, "较重": 3, "较大": 3, "一般": 4}
_FIELDS = {"headline": "标题", "description": "正文", "instruction": "防范指引"}


def check(said: Said) -> Iterator[Remark]:
    level = said.message.level
    for finding in said.findings:
        if finding.code is Code.LEVEL_UNKNOWN and finding.verdict is Verdict.ACCEPT:
            yield warn(Rule.MIXED_LEVELS, "severity", "", f"{finding.reason}。请改成一致再发")
    if level is not None:
        for field in _FIELDS:
            yield from _level(said, field, level)
        yield from _unusual(said, level)
    yield from _hazards(said)


def _level(said: Said, field: str, level: Level) -> Iterator[Remark]:
    text: str = getattr(said.message, field)
    where, own = _FIELDS[field], f"{level.chinese}（{level.roman}级）"
    named = _OF_A_WARNING.search(text)
    if named and level not in {_COLOURS[sign] for sign in _ANY_COLOUR.findall(text)}:
        yield warn(Rule.MIXED_LEVELS, field, named[0], f"{where}写“{named[0]}”，预警级别却是{own}：请改成一致")
    clauses = [clause for clause in _CLAUSE.findall(text) if _RESPONSE not in clause]
    for pattern, ranks in ((_NUMERAL, _RANKS), (_GRADE, _GRADES)):
        hits = [hit for clause in clauses for hit in pattern.finditer(clause)]
        if hits and level.rank not in {ranks[next(filter(None, hit.groups()))] for hit in hits}:
            wrong = hits[0][0].strip("（([【")
            yield warn(Rule.MIXED_LEVELS, field, wrong, f"{where}写“{wrong}”，预警级别却是{own}：请改成一致")


def _unusual(said: Said, level: Level) -> Iterator[Remark]:
    kind = _own(said)
    if kind is not None and level not in kind.colours:
        usual = "、".join(colour.chinese for colour in kind.colours)
        yield note(
            Rule.UNUSUAL_COLOUR,
            "level",
            level.chinese,
            f"{kind.name}预警一般只有{usual}，这一份是{level.chinese}：请核对级别",
        )


def names_of(said: Said) -> tuple[str, ...]:
    """What the warning's hazard may be called: its name, the issuer's word, the Chinese aliases."""
    kind, event = _own(said), said.message.event
    known = () if kind is None else (kind.name, *(alias for alias in kind.aliases if is_chinese(alias)))
    hazard = said.message.hazard.name if said.message.hazard else ""
    return tuple(name for name in dict.fromkeys((hazard, *known[:1], event, *known[1:])) if name)


def _own(said: Said) -> HazardKind | None:
    hazard = said.message.hazard
    return next((kind for kind in said.hazards.hazards if hazard and kind.name == hazard.name), None)


def _hazards(said: Said) -> Iterator[Remark]:
    own = said.message.hazard
    if own is None:
        return
    meant = _meanings(said)
    reading = any_of(tuple(meant))
    sender = said.message.sender_name or said.message.sender
    headline = said.message.headline.replace(sender, "").replace(marks.DRILL, "")
    for field, where, text in (("headline", "标题", headline), ("event", "灾种一栏", said.message.event)):
        names = reading.findall(text)
        if names and own.name not in set().union(*(meant[name] for name in names)):
            yield warn(Rule.MIXED_HAZARDS, field, names[0], f"{where}写“{names[0]}”，灾种却是{own.name}：请改成一致")


def _meanings(said: Said) -> dict[str, set[str]]:
    """Chinese name or alias → the hazards it may mean."""
    found: dict[str, set[str]] = {}
    for kind in said.hazards.hazards:
        for name in (kind.name, *kind.aliases):
            if is_chinese(name):
                found.setdefault(name, set()).add(kind.name)
    return found
