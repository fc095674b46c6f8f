"""灾种 as data, config/hazards.yaml: which hazards there are, what a colour means, what people are told to do.

No code knows a hazard by name. A gas leak must never be told to leave the river: what is said is the hazard's own advice,
else what wording.yaml says to everybody. A level that an advice leaves out takes the words of the nearest one above it, so
that nothing is played down.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from dispatcher.model import Level, Role

Category = Literal[
    "Geo", "Met", "Safety", "Security", "Rescue", "Fire", "Health", "Env", "Transport", "Infra", "CBRNE", "Other"
]  # fmt: skip
Icon = Literal[
    "air", "animal", "chemical", "cold", "dam", "drill", "drought", "fire", "fireworks", "flood", "fog", "forest", "gas",
    "hail", "health", "heat", "ice", "industry", "landslide", "lightning", "notice", "nuclear", "outage", "quake", "rain",
    "road", "sand", "sea", "snow", "typhoon", "water", "wind",
]  # fmt: skip
"""Names of symbols; a page draws by name."""
Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]
LONGEST: Final = 120
_CODE: Final = re.compile(r"[0-9A-Z]{5}")


def _code(said: str) -> str:
    if not _CODE.fullmatch(said):
        raise ValueError("代码应是五位大写字母或数字，如 11B03；全是数字时要加引号")
    return said


def _sentence(said: str) -> str:
    if not said.strip() or len(said) > LONGEST:
        raise ValueError(f"应是一句话，不能空着，最多 {LONGEST} 个字")
    if "{" in said or "}" in said:
        raise ValueError("这里不能用字段，花括号会原样发到手机上")
    return said


Code = Annotated[str, AfterValidator(_code)]
Sentence = Annotated[str, AfterValidator(_sentence)]
"""Said as it stands: no field is put in."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Advice(_Frozen):
    """What people are told to do. `lines`: what else a role is told, before it."""

    officers: Sentence
    residents: Sentence
    lines: dict[Role, Sentence] = Field(default_factory=dict)


class Guide(_Frozen):
    """The advice of each level, and what is said when it is called off."""

    red: Advice | None = None
    orange: Advice | None = None
    yellow: Advice | None = None
    blue: Advice | None = None
    cancel: Advice | None = None

    def at(self, level: Level) -> Advice | None:
        ranked = (self.red, self.orange, self.yellow, self.blue)
        place = level.rank - 1
        return next((one for one in (*ranked[place::-1], *ranked[place + 1 :]) if one), None)


class HazardKind(_Frozen):
    """One hazard. `grades` and `advice` name entries of the same file; without advice the level's own is said."""

    name: Name
    codes: dict[str, Code] = Field(default_factory=dict)
    aliases: tuple[Name, ...] = ()
    colours: tuple[Level, ...] = Field(default=(Level.BLUE, Level.YELLOW, Level.ORANGE, Level.RED), min_length=1)
    category: Category = "Met"
    icon: Icon = "notice"
    validity_hours: int = Field(default=24, ge=1, le=240)
    grades: str = "weather"
    advice: str = ""


class Hazards(_Frozen):
    """All of hazards.yaml."""

    grades: dict[str, dict[Level, Name]] = Field(default_factory=dict)
    advice: dict[str, Guide] = Field(default_factory=dict)
    hazards: tuple[HazardKind, ...]

    def named(self, name: str) -> HazardKind | None:
        return next((kind for kind in self.hazards if kind.name == name), None)

    def grade(self, name: str, level: Level | None) -> str:
        """特别重大, 严重, …: what the colour means for that hazard; '' where the file does not say."""
        kind = self.named(name)
        return self.grades.get(kind.grades, {}).get(level, "") if kind and level else ""

    def advice_on(self, name: str, level: Level | None, *, called_off: bool) -> Advice | None:
        """None where the hazard has none of its own."""
        kind = self.named(name)
        guide = self.advice.get(kind.advice) if kind else None
        if guide is None or called_off:
            return guide.cancel if guide else None
        return guide.at(level) if level else None

    def contradictions(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """What no single entry shows to be wrong, each with its place in the file."""
        for name, words in self.grades.items():
            if missing := [str(level) for level in Level if level not in words]:
                yield ("grades", name), f"缺少 {'、'.join(missing)}"
        for name, guide in self.advice.items():
            if guide.at(Level.RED) is None:
                yield ("advice", name), "至少要写一个级别（red、orange、yellow 或 blue）"
        called = Counter(word.casefold() for kind in self.hazards for word in (kind.name, *kind.aliases))
        for number, kind in enumerate(self.hazards):
            place = ("hazards", number)
            for key, value, known in (("grades", kind.grades, self.grades), ("advice", kind.advice, self.advice)):
                if value and value not in known and (known or key == "advice"):
                    yield (*place, key), f"没有“{value}”，可用的是 {'、'.join(known) or '（还没有写）'}"
            for word in (kind.name, *kind.aliases):
                if called[word.casefold()] > 1:
                    yield place, f"“{word}”写在几个灾种里，或写了两次：一个名称只能认出一个灾种"
