"""What the screen shows of a drill: which there are, one as it will run, its texts as people would get them, the score."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from dispatcher.intake.decode import decode
from dispatcher.intake.native import CONTENT_TYPE
from dispatcher.model import BEIJING, Channel, Kind, WarningMessage, county_of, township_of
from dispatcher.rehearsal.demo_screen import Screen
from dispatcher.rehearsal.drill.field import Told
from dispatcher.rehearsal.drill.letters import Letters, Step
from dispatcher.rehearsal.drill.playing import spoken
from dispatcher.rehearsal.drill.report import KIND_CHINESE, lines, measured_of
from dispatcher.rehearsal.drill.scenario import Expect, Scenario, units
from dispatcher.rehearsal.drill.score import Score
from dispatcher.settings import Settings
from dispatcher.wording import Wordsmith

_KIND_CHINESE: Final = {Kind.ALERT: "首发", Kind.UPDATE: "更新", Kind.CANCEL: "解除"}
NAMED: Final = 12


def listed(scenarios: Iterable[Scenario]) -> Iterator[str]:
    for one in scenarios:
        length = spoken(one.steps[-1].after)
        yield f"{one.name}"
        yield f"    {one.title}：{len(one.steps)} 步，前后 {length}，{one.start:%H:%M} 开始"


def shown(scenario: Scenario, settings: Settings) -> Iterator[str]:
    """Timeline, areas, texts."""
    yield f"【演练】{scenario.title}（{scenario.name}）"
    yield f"  事实：{scenario.happened}"
    yield f"  出处：{scenario.source}"
    if scenario.design:
        yield f"  设计：{scenario.design}"
    letters = Letters.of(settings, "DRILL-预览", scenario.title)
    before: dict[str, WarningMessage] = {}
    for step in scenario.steps:
        at = scenario.start + step.after
        message = decode(letters.body(step, at, ()), CONTENT_TYPE, settings.hazards).message
        assert message is not None
        before[step.name] = message
        yield ""
        yield from _step(step, scenario, message)
        yield from (f"    要求：{said}" for said in expected(scenario.expects[step.name]))
        yield from _texts(settings, step, message, before)


def _step(step: Step, scenario: Scenario, message: WarningMessage) -> Iterator[str]:
    at = (scenario.start + step.after).astimezone(BEIJING)
    level = f"{message.level.chinese}　" if message.level else ""
    yield f"■ {at:%m-%d %H:%M}（+{spoken(step.after)}）{step.name}　{_KIND_CHINESE[step.kind]}　{level}{message.headline}"
    for area in message.areas:
        if not area.geocodes:
            yield f"    {area.description}（图上圈定）"
        for code in area.geocodes:
            yield f"    {_called(code.value)}（{code.value}，{units()[code.value].villages:,} 个村）"


def codes(message: WarningMessage) -> list[str]:
    return [code.value for area in message.areas for code in area.geocodes]


def expected(expect: Expect) -> Iterator[str]:
    """In words, one line each."""
    if expect.reach:
        yield "送达 " + "，".join(f"{channel.chinese} {share:.0%}" for channel, share in expect.reach.items())
    if expect.villages is not None:
        yield f"{expect.villages:.0%} 的村至少收到一条"
    if expect.first_within is not None:
        yield f"接收后 {spoken(expect.first_within)}内发出首条"
    if expect.all_within is not None:
        yield f"接收后 {spoken(expect.all_within)}内发出末条"
    if expect.called_off is not None:
        yield f"先前收到的对象 {expect.called_off:.0%} 收到解除"


def _texts(
    settings: Settings, step: Step, message: WarningMessage, before: Mapping[str, WarningMessage]
) -> Iterator[str]:
    """For the first place named. A Cancel borrows level and area of what it ends; loudspeakers only fall silent."""
    of = before[step.of[-1]] if step.kind is Kind.CANCEL else message
    place = _called(_township(codes(of)[0]))
    smith = Wordsmith(settings.wording, _borrowing(message, of))
    texts = (
        ("信息员短信", smith.word(Channel.SMS, place)),
        ("住户短信", smith.word(Channel.SMS, place, resident=True)),
        ("大喇叭", smith.word(Channel.BROADCAST, place)),
        ("党建平台", smith.word(Channel.PARTY, place)),
    )
    for name, text in texts:
        if step.kind is Kind.CANCEL and name == "大喇叭":
            yield "    大喇叭：停播先前的内容"
            continue
        cost = f"（{text.segments} 条计费）" if text.segments else ""
        yield f"    {name}{cost}：{text.body}"


def _borrowing(message: WarningMessage, of: WarningMessage) -> WarningMessage:
    return replace(message, level=of.level, hazard=message.hazard or of.hazard, event=message.event or of.event)


def _township(code: str) -> str:
    """A text names one township: a village's own, the first of a county's."""
    under = (one.code for one in units().values() if one.parent == code and one.level == "township")
    return next(under, code) if len(code) == 6 else township_of(code)


def _called(code: str) -> str:
    """遂川县大坑乡."""
    known = units()
    parts = dict.fromkeys((county_of(code), township_of(code), code))
    return "".join(known[part].name for part in parts if part in known)


def tell_dry(screen: Screen, found: Sequence[Told], odd: Sequence[str]) -> None:
    """Who would be told in the field, and who not."""
    for line in odd:
        screen.line(f"  注意：{line}", style="yellow")
    for told in found:
        screen.line(f"  {told.step.name}　{told.step.said['headline']}", style="bold")
        more = f" 等 {len(told.named):,} 个" if len(told.named) > NAMED else ""
        screen.line(
            f"    通知：{'、'.join(told.named[:NAMED]) + more if told.named else '无人（演练名单上没有区域内的人）'}"
        )
        for why, number in told.not_told.items():
            screen.line(f"    不通知 {number:,} 个：{why}")


def tell_score(screen: Screen, score: Score, kind: str) -> None:
    screen.title(f"【演练】评分　{KIND_CHINESE[kind]}")
    step = ""
    for one in lines(score):
        if one.step != step:
            step = one.step
            screen.line(f"  {step}")
        points = one.points.rjust(3)
        screen.line(f"    {one.about}　{points}　{one.reason}", style="yellow" if one.look in ("fair", "bad") else "")
    total = "—" if score.total is None else str(score.total)
    screen.line(f"\n总分 {total}　{measured_of(score)}", style="bold")


def dry_facts(found: Sequence[Told], odd: Sequence[str]) -> dict[str, Any]:
    return {
        "dry_run": True,
        "steps": [{"name": one.step.name, "told": list(one.named), "not_told": dict(one.not_told)} for one in found],
        "odd": list(odd),
    }
