"""Which hazard and which level a warning speaks of.

A hazard is known by its code, of either family, or by its event name. The colour is the truth of a level: a colour word
in a Chinese headline is what the issuer signed, the CAP severity was derived from it by some converter on the way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from dispatcher.intake.findings import note
from dispatcher.model import Code, Finding, Hazard, Level, WarningMessage
from dispatcher.settings import HazardKind, Hazards

SEVERITIES = {"Extreme": Level.RED, "Severe": Level.ORANGE, "Moderate": Level.YELLOW, "Minor": Level.BLUE}
FAMILIES = ("NERP", "GBT35561")
_COLOURS = {"红": Level.RED, "橙": Level.ORANGE, "黄": Level.YELLOW, "蓝": Level.BLUE}
_COLOUR_WORD = re.compile(
    r"([红橙黄蓝])色(?:[（(\[【]?[一二三四ⅠⅡⅢⅣ]级[)）\]】]?)?预警|预警(?:信号)?[:：（(\[【\s]*([红橙黄蓝])色"
)
_ENDING = re.compile(r"(?:[红橙黄蓝]色)?(?:灾害)?(?:预警信号|预警|警报)?$")
_ENGLISH_ENDING = re.compile(r"\s+(?:warning signal|warning|alert)$")


def colour_word(headline: str) -> Level | None:
    """The one colour a headline warns with: 暴雨红色预警 → red. None where it names none, or several."""
    found = {_COLOURS[first or second] for first, second in _COLOUR_WORD.findall(headline)}
    return found.pop() if len(found) == 1 else None


def level_of(severity: str, headline: str) -> Level | None:
    return colour_word(headline) or SEVERITIES.get(severity)


def hazard_of(hazards: Hazards, codes: Iterable[str], event: str) -> Hazard | None:
    """By the first code that exactly one hazard carries, else by the event's name."""
    for code in (code.strip().upper() for code in codes):
        named = [(kind, scheme) for kind in hazards.hazards for scheme, its in kind.codes.items() if its == code]
        if len(named) == 1:
            kind, scheme = named[0]
            return Hazard(scheme=scheme, code=code, name=kind.name)
    wanted = _bare(event)
    if not wanted:
        return None
    return next(
        (_as_hazard(kind) for kind in hazards.hazards if wanted in map(_bare, (kind.name, *kind.aliases))), None
    )


def colour_note(hazards: Hazards, message: WarningMessage) -> Finding | None:
    """A colour that this hazard is not usually warned of with. Provinces differ: it is said, and holds nobody up."""
    kind = hazards.named(message.hazard.name) if message.hazard else None
    if kind is None or message.level is None or message.level in kind.colours:
        return None
    usual = "、".join(level.chinese for level in Level if level in kind.colours)
    return note(Code.LEVEL_UNKNOWN, f"{kind.name}通常只发{usual}，这次是{message.level.chinese}：照发，请留意是否写错")


def _as_hazard(kind: HazardKind) -> Hazard:
    for scheme in (*FAMILIES, *kind.codes):
        if code := kind.codes.get(scheme):
            return Hazard(scheme=scheme, code=code, name=kind.name)
    return Hazard(scheme="", code="", name=kind.name)


def _bare(name: str) -> str:
    """暴雨红色预警信号 → 暴雨, Rainstorm warning → rainstorm."""
    name = " ".join(name.split()).casefold()
    return _ENGLISH_ENDING.sub("", _ENDING.sub("", name)) or name
