"""Place names in a warning that carries neither code nor geometry → area codes.

It must never widen: a township counts by its full name, within the issuer's area; a village only straight after its
township; a whole county only where the text says so plainly (the area is called by its name, or 全县 is said of it).
The county in the issuer's own name ("泰和县气象台") is no area.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from dispatcher.model import AdminArea, short_code, township_of

_WHOLE: Final = r"全(?:境|域|县|市|区)"
_AFTER_WHOLE: Final = r"(?=范围|境内|各地|各乡|各镇|各街道|所有乡|大部|普降|普遍|均|都|将有|将出现|将受|将遭|可能)"
_PLAINLY: Final = re.compile(rf"(?<![安健完保]){_WHOLE}{_AFTER_WHOLE}")
_BETWEEN_VILLAGES: Final = re.compile(r"\s*(?:[、，,；;和及与]|以及)\s*")
_CLAUSE: Final = re.compile(r"[^，。；,;\n]*[，。；,;\n]?")
_PAST: Final = re.compile(r"过去|截至|累计|实况|已(?:经|出现|达|降|有|发生)|前\s*\d+\s*(?:小时|分钟)")
_AHEAD: Final = re.compile(r"预计|预报|将|可能|请|注意|防范")
_OF: Final = re.compile(r"\s*的?\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Codes of 6, 9 or 12 digits; `unread` are the area descriptions that named none."""

    codes: tuple[str, ...]
    unread: tuple[str, ...]


def stem(code: str) -> str:
    """The digits every code below `code` begins with: 4 for a city, 6, 9 or 12 below it."""
    short = short_code(code)
    if len(short) == 6 and short.endswith("00"):
        return short[:2] if short.endswith("0000") else short[:4]
    return short


def below(code: str, stems: Iterable[str]) -> bool:
    """Whether `code` is, or lies in, a unit with one of these stems."""
    own = stem(code)
    return any(own.startswith(one) for one in stems)


class Names:
    """The names of one city's units and villages."""

    def __init__(self, areas: Iterable[AdminArea]) -> None:
        self._units: dict[str, str] = {}
        self._towns: dict[str, list[str]] = defaultdict(list)
        self._short_towns: dict[str, list[str]] = defaultdict(list)
        self._villages: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for area in areas:
            if area.level in ("city", "county"):
                self._units[area.name] = area.code
            elif area.level == "township":
                self._towns[area.name].append(area.code)
                self._short_towns[area.short_name].append(area.code)
            elif area.level == "village":
                self._villages[township_of(area.code)] += [(name, area.code) for name in _village_names(area)]
        for villages in self._villages.values():
            villages.sort(key=lambda named: -len(named[0]))
        known = sorted({*self._units, *self._towns}, key=lambda name: (-len(name), name))
        self._known = re.compile("|".join(map(re.escape, known)) or r"(?!)")

    def find(self, descriptions: Sequence[str], text: str, stems: tuple[str, ...]) -> Named:
        """Townships and villages in the area descriptions; else 全县 said plainly; else townships in the text.

        Where it has rained is not where the warning holds: what a text tells of the past names no area.
        """
        text = _without_the_past(text)
        towns = {one: self._described(one.strip(), stems) for one in descriptions}
        units = {one: self._called_by_name(one.strip(), stems) for one in descriptions}
        if any(towns.values()):
            unread = tuple(one for one in towns if not (towns[one] or units[one]))
            return Named(codes=_once(_every(towns) + _every(units)), unread=unread)
        whole = self._said_plainly("\n".join([*descriptions, text]), stems)
        return Named(codes=_once(whole or list(self._mentioned(text, stems)) or _every(units)), unread=())

    def _described(self, description: str, stems: tuple[str, ...]) -> list[str]:
        """An area description may use a township's short name, if it is nothing else."""
        codes = [code for code in self._short_towns.get(description, ()) if below(code, stems)]
        return list(self._mentioned(description, stems)) or (codes if len(codes) == 1 else [])

    def _mentioned(self, text: str, stems: tuple[str, ...]) -> Iterator[str]:
        position, county, county_ends = 0, "", -1
        while match := self._known.search(text, position):
            position, name = match.end(), match.group()
            if name in self._units:
                county, county_ends = self._units[name], position
                continue
            codes = [code for code in self._towns[name] if below(code, stems)]
            if county and (county_ends == match.start() or len(codes) > 1):
                codes = [code for code in codes if below(code, (stem(county),))]
            if len(codes) != 1:
                continue
            villages, position = self._villages_after(text, match, codes[0])
            yield from villages or codes

    def _villages_after(self, text: str, match: re.Match[str], township: str) -> tuple[list[str], int]:
        """The villages listed straight after a township (or named with its name in front), and where they end."""
        found: list[str] = []
        end = match.end()
        starts = [match.start(), _after(_OF, text, match.end())]
        while starts:
            start = starts.pop(0)
            for name, code in self._villages.get(township, ()):
                if text.startswith(name, start) and start + len(name) > match.end():
                    found.append(code)
                    end = start + len(name)
                    starts = [after] if (after := _after(_BETWEEN_VILLAGES, text, end)) > end else []
                    break
        return found, end

    def _called_by_name(self, description: str, stems: tuple[str, ...]) -> list[str]:
        """The description is a county's or the city's name and nothing else, or that with 全境 behind it."""
        name = re.sub(rf"(?:{_WHOLE}|境内|辖区)$", "", description)
        code = self._units.get(name)
        if code is None and re.fullmatch(_WHOLE, description):
            return self._own_unit(description[-1], stems)
        return [code] if code is not None and below(code, stems) else []

    def _said_plainly(self, text: str, stems: tuple[str, ...]) -> list[str]:
        names = "|".join(map(re.escape, self._units)) or r"(?!)"
        named = [self._units[name] for name in re.findall(rf"({names}){_WHOLE}", text)]
        if named:
            return [code for code in named if below(code, stems)]
        match = _PLAINLY.search(text)
        return self._own_unit(match.group()[-1], stems) if match else []

    def _own_unit(self, ending: str, stems: tuple[str, ...]) -> list[str]:
        """全县 without a name means the issuer's own county, if it may speak for exactly one and it is a 县."""
        units = {name: code for name, code in self._units.items() if (stem(code),) == stems}
        return [code for name, code in units.items() if ending in "境域" or name.endswith(ending)]


def _without_the_past(text: str) -> str:
    """What is told of the past goes on until a clause looks ahead or the sentence ends."""
    kept, past = [], False
    for clause in _CLAUSE.findall(text):
        past = not _AHEAD.search(clause) and (past or bool(_PAST.search(clause)))
        if not past:
            kept.append(clause)
        past = past and not clause.endswith(("。", "；", ";", "\n"))
    return "".join(kept)


def _village_names(area: AdminArea) -> Iterator[str]:
    """What a text calls a village: its full name, 横坑村, 桃树下社区; never the bare 横坑, which may be a word."""
    yield area.name
    short = area.short_name
    if short.endswith(("村", "社区")):
        yield short
    elif short:
        yield short + ("社区" if area.kind == "社区" else "村")


def _after(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position


def _once(codes: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(codes))


def _every(found: dict[str, list[str]]) -> list[str]:
    return [code for codes in found.values() for code in codes]
