"""What is promised (P1–P13, C1, V1), and how value and met follow from the figures. Pure: nothing is measured here.

A goal has one or more checks, each a figure beside its bound. The value of a goal is that of its worst check, the one with
the least room; it is met when every check is. A check without a figure could not be made on this machine: then the goal is
neither met nor missed, unless another check already missed it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

TITLES: Final[Mapping[str, str]] = {
    "P1": "引擎（落库、可恢复）对裸循环的速率之比",
    "P2": "对 Celery 预派生 2 进程的速率之比",
    "P3": "Twilio 通道对普通 HTTP 通道的速率之比",
    "P4": "收到预警到首发、到第 3,200 发、到全部落库的时间",
    "P5": "10 万条蓝色后面的 3,200 条红色：首发、末发",
    "P6": "规模：每条 CPU 与 3,000 条时之比，内存",
    "P7": "圈人：时间",
    "P8": "隔离：别的渠道慢、挂、限流时的速率之比",
    "P9": "kill -9：丢失、重复、未标记的重复",
    "P10": "批量接口（每次 100 个号码）：每秒人数",
    "P11": "台账写入对裸 asyncpg unnest 的速率之比",
    "P12": "回执（提交后才答 204）对裸 aiohttp 的速率之比",
    "P13": "空载内存（吉安登记册在内存）",
    "C1": "发给 20,000 人的途中解除：原预警停发，发到过的人得知，没发到的人不打扰",
    "V1": "控制台：有人看着时的发送速率，画图时重新计数的时间",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One figure beside its bound. `value` None: not measured here."""

    name: str
    value: float | None
    bound: float
    at_least: bool
    unit: str = ""

    @property
    def met(self) -> bool | None:
        if self.value is None:
            return None
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    @property
    def room(self) -> float | None:
        """1 is just met, more is better; None where nothing was measured."""
        if self.value is None:
            return None
        above, below = (self.value, self.bound) if self.at_least else (self.bound, self.value)
        if below <= 0:
            return 1.0 if above == below else math.inf if above > below else 0.0
        return above / below


def at_least(name: str, value: float | None, bound: float, unit: str = "") -> Check:
    return Check(name=name, value=value, bound=bound, at_least=True, unit=unit)


def at_most(name: str, value: float | None, bound: float, unit: str = "") -> Check:
    return Check(name=name, value=value, bound=bound, at_least=False, unit=unit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What came of one goal. `missing`: one Chinese sentence for each thing that could not be measured here."""

    goal: str
    checks: tuple[Check, ...]
    detail: Mapping[str, Any] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    @property
    def worst(self) -> Check | None:
        """The check with the least room; None where nothing was measured."""
        made = [check for check in self.checks if check.room is not None]
        return min(made, key=lambda check: check.room or 0.0) if made else None

    @property
    def met(self) -> bool | None:
        found = [check.met for check in self.checks]
        if False in found:
            return False
        return None if None in found or not found or self.missing else True

    def facts(self) -> dict[str, Any]:
        """One entry of `bench --json`."""
        worst = self.worst
        bound = worst or (self.checks[0] if self.checks else None)
        return {
            "title": TITLES[self.goal],
            "value": rounded(worst.value) if worst else None,
            "goal": bound.bound if bound else None,
            "sense": ("at_least" if bound.at_least else "at_most") if bound else None,
            "worst": worst.name if worst else None,
            "met": self.met,
            "missing": list(self.missing),
            "detail": {**self.detail, "checks": [_facts(check) for check in self.checks]},
        }


def not_measured(goal: str, why: str) -> Measured:
    return Measured(goal=goal, checks=(), missing=(why,))


def chosen(only: str) -> list[str]:
    """`P1,P4` → those goals in their order; '' is all of them. Raises ValueError for one that does not exist."""
    wanted = {name.strip().upper() for name in only.split(",") if name.strip()}
    if strange := sorted(wanted - TITLES.keys()):
        raise ValueError(f"没有这些目标：{'、'.join(strange)}；可用的有 {'、'.join(TITLES)}")
    return [name for name in TITLES if not wanted or name in wanted]


def report(found: Sequence[Measured], machine: Mapping[str, Any]) -> dict[str, Any]:
    """The object of the last line."""
    return {"goals": {one.goal: one.facts() for one in found}, "machine": dict(machine)}


def rounded(value: float | None) -> float | None:
    """Four digits that mean something."""
    return float(f"{value:.4g}") if value is not None else None


def as_markdown(found: Sequence[Measured], machine: Mapping[str, Any]) -> str:
    """The table of the README: every check beside its bound, and on what machine and day it was measured."""
    lines = ["| goal | what | measured | bound | met |", "|---|---|---|---|---|"]
    for one in found:
        for check in one.checks:
            bound = f"{'≥' if check.at_least else '≤'} {check.bound:g}"
            lines.append(f"| {one.goal} | {check.name} | {_shown(check)} | {bound} | {_WORDS[check.met]} |")
        if not one.checks:
            lines.append(f"| {one.goal} | {TITLES[one.goal]} | {'；'.join(one.missing)} | | {_WORDS[None]} |")
    at, cores, processor, python = (machine[name] for name in ("at", "cores", "processor", "python"))
    return "\n".join([f"{at[:10]}, {cores} cores of {processor}, CPython {python}.", "", *lines, ""])


_WORDS: Final = {True: "yes", False: "no", None: "not measured"}


def _shown(check: Check) -> str:
    return "" if check.value is None else f"{rounded(check.value):g}{' ' + check.unit if check.unit else ''}"


def _facts(check: Check) -> dict[str, Any]:
    return {
        "name": check.name,
        "value": rounded(check.value),
        "goal": check.bound,
        "sense": "at_least" if check.at_least else "at_most",
        "unit": check.unit,
        "met": check.met,
    }
