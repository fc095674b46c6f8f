"""Drills that read as real, and real warnings that read as drills.

The marks 【演练】 are added to every text of a drill, first and last. These rules ask what is left when a forwarded half, a
loudspeaker's middle or a tired eye loses them.
"""

from __future__ import annotations

from collections.abc import Iterator

from channels import text as sms
from dispatcher.linting.reading import found
from dispatcher.linting.remark import Remark, Rule, Said, note, warn
from dispatcher.model import Status

_FIELDS = {"headline": "标题", "event": "灾种", "description": "正文", "instruction": "防范指引"}
_HAS_NO_NOTE = "amp"
"""The national XML keeps its note for why something is called off."""


def check(said: Said) -> Iterator[Remark]:
    match said.message.status:
        case Status.EXERCISE:
            yield from _drill(said)
        case Status.ACTUAL:
            yield from _live(said)
        case Status.TEST | Status.SYSTEM | Status.DRAFT:
            return


def _drill(said: Said) -> Iterator[Remark]:
    for field, where, text in _parts(said):
        if denied := found(said.rules.drill_denied, text):
            yield warn(Rule.DRILL_DENIED, field, denied, f"演练的{where}里写了“{denied}”，会被当成真的：请删去")
        if panic := found(said.rules.drill_panic, text):
            yield warn(Rule.DRILL_PANIC, field, panic, f"演练的{where}里写了“{panic}”，会引起恐慌：请换平和的说法")
    bare = said.told.replace(sms.DRILL, "")
    if bare.strip() and said.chinese and not found(said.rules.says_drill, bare):
        yield warn(
            Rule.DRILL_READS_REAL,
            "description",
            said.message.description,
            "去掉首尾的【演练】，正文读起来就是真的：请在正文里写“此为演练”",
        )
    if said.issues and not said.message.note and not said.message.source_format.startswith(_HAS_NO_NOTE):
        yield note(Rule.DRILL_NOTE, "note", "", "演练没有写备注（note）：请写明演练名称和组织单位，便于对方核实")


def _live(said: Said) -> Iterator[Remark]:
    for field, where, text in _parts(said):
        if word := found(said.rules.live_drill, text):
            yield warn(
                Rule.LIVE_DRILL, field, word, f"真实预警的{where}里写了“{word}”，会被当成不是真的：请删去或换说法"
            )


def _parts(said: Said) -> Iterator[tuple[str, str, str]]:
    return ((field, where, getattr(said.message, field)) for field, where in _FIELDS.items())
