"""The page of a drill: the score with its reasons, and every step replayed from the ledger, under a hatched frame.

It must never be taken for the report of something real: 演练 stands in its title, at its edge, over each step.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dispatcher.model import Kind
from dispatcher.registry.register import Register
from dispatcher.rehearsal.drill.playing import Act, Play, spoken
from dispatcher.rehearsal.drill.score import WEIGHTS, About, Score
from dispatcher.rehearsal.report import drawing, writing
from dispatcher.rehearsal.report.replay import replay
from dispatcher.rehearsal.report.writing import Chapter, at_clock

HERE = Path(__file__).parent
KIND_CHINESE = {"desk": "桌面演练（只在本机，发给演练服务器）", "field": "实地演练（只通知名单上的人和同意过的单位）"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exam:
    """Everything a report is made of. `pace` is how fast it was played, in words."""

    play: Play
    register: Register
    score: Score
    kind: str
    pace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A part of the score. `look`: good, fair, bad or none."""

    about: str
    step: str
    points: str
    look: str
    reason: str


WHOLE = "全程"
LOOKS = ("bad", "fair", "good", "none")
"""The worst first: it colours its step."""


def write(folder: Path, exam: Exam, facts: Mapping[str, Any]) -> Path:
    """Writes report.html, report.txt and score.json; returns the first."""
    (folder / "score.json").write_text(json.dumps(facts, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    (folder / "report.txt").write_text("\n".join(plain(exam)) + "\n", encoding="utf-8")
    page = folder / "report.html"
    page.write_text(_html(exam), encoding="utf-8")
    return page


def lines(score: Score) -> list[Line]:
    return [
        Line(
            about=part.about.value,
            step=part.step or WHOLE,
            points="未测" if part.got is None else f"{part.got * 100:.0f}",
            look=_look(part.got),
            reason=part.reason,
        )
        for part in score.parts
    ]


def by_step(score: Score) -> list[tuple[str, str, list[Line]]]:
    """(step, its worst look, its parts), in the order of the play."""
    found: dict[str, list[Line]] = {}
    for line in lines(score):
        found.setdefault(line.step, []).append(line)
    return [(step, min((one.look for one in some), key=LOOKS.index), some) for step, some in found.items()]


def plain(exam: Exam) -> list[str]:
    """The same without a map."""
    score, scenario = exam.score, exam.play.scenario
    return [
        f"【演练】{scenario.title}　{exam.play.exercise}",
        KIND_CHINESE[exam.kind],
        f"总分 {_number(score)}　{measured_of(score)}",
        *(f"  {one.about}　{one.step}　{one.points}　{one.reason}" for one in lines(score)),
        "【演练】",
    ]


def measured_of(score: Score) -> str:
    """What the total is of."""
    counted = [about for about in About if any(part.about is about and part.got is not None for part in score.parts)]
    said = (
        f"总分由测得的各项加权得出：{'、'.join(f'{about} {WEIGHTS[about]}' for about in counted)}"
        if counted
        else "没有一项可测"
    )
    missing = "、".join(score.unmeasured)
    return f"{said}；未测、不计入：{missing}" if missing else said


def _html(exam: Exam) -> str:
    shown = drawing.picture(exam.register)
    acts = exam.play.acts
    replays = [replay(exam.register, act.landed.summary, act.landed.entries) for act in acts]
    chapters = [_chapter(exam, shown, number, act) for number, act in enumerate(acts)]
    return writing.render(
        "drill.html",
        chapters,
        replays,
        play=exam.play,
        kind=KIND_CHINESE[exam.kind],
        pace=exam.pace,
        made=at_clock(exam.play.began, "%Y-%m-%d %H:%M"),
        total=_number(exam.score),
        look=_look(None if exam.score.total is None else exam.score.total / 100),
        measured=measured_of(exam.score),
        steps=by_step(exam.score),
        red=exam.score.red_first_s,
        marks=writing.MARKS if exam.register.synthetic else "示意图",
        attribution=writing.ATTRIBUTION if exam.register.synthetic else writing.PLACES,
        drill_style=(HERE / "drill.css").read_text(encoding="utf-8"),
    )


def _chapter(exam: Exam, shown: drawing.Picture, number: int, act: Act) -> Chapter:
    """With the scenario's own hour; a Cancel encircles nothing."""
    told = replay(exam.register, act.landed.summary, act.landed.entries)
    made = writing.chapter(shown, number, act.landed, told)
    nominal = exam.play.scenario.start + act.step.after
    first = f"步骤 {act.step.name}：剧本时刻 {nominal:%m月%d日 %H:%M}（开始后 {spoken(act.step.after)}）"
    kept = made.times[:1] if act.step.kind is Kind.CANCEL else made.times
    outside = made.outside if exam.kind == "desk" else []  # in the field, whoever stands outside has no part in it
    return replace(made, times=[first, *kept], outside=outside)


def _number(score: Score) -> str:
    return "—" if score.total is None else str(score.total)


def _look(got: float | None) -> str:
    if got is None:
        return "none"
    return "good" if got >= 0.9 else "fair" if got >= 0.6 else "bad"
