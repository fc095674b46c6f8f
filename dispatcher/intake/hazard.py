"""Which hazard and which level a warning speaks of.

A hazard is known by its code, of either family, or by its event name. The colour is the truth of a level: a colour word
in a Chinese headline is what the issuer signed, the CAP severity was derived from it by some converter on the way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from dispatcher.model import Hazard, Level
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


def _as_hazard(kind: HazardKind) -> Hazard:
    for scheme in (*FAMILIES, *kind.codes):
        if code := kind.codes.get(scheme):
            return Hazard(scheme=scheme, code=code, name=kind.name)
    return Hazard(scheme="", code="", name=kind.name)


def _bare(name: str) -> str:
    """暴雨红色预警信号 → 暴雨, Rainstorm warning → rainstorm."""
    name = " ".join(name.split()).casefold()
    return _ENGLISH_ENDING.sub("", _ENDING.sub("", name)) or name
