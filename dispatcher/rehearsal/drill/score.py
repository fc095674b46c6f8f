"""What a play came to, out of a hundred: pure arithmetic over the ledger, against what the scenario expected.

Only what can be measured counts, and it is said what could not: in the field there are no players' logs, and nobody can
answer yet. Each part carries its reason, so that a duty officer can argue with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from dispatcher.model import Channel, Kind, Level
from dispatcher.rehearsal.drill.measuring import Measured
from dispatcher.rehearsal.drill.scenario import Expect
from dispatcher.reporting import Cell


class About(StrEnum):
    """What a part is about. The value is what a person reads."""

    REACH = "送达"
    VILLAGES = "村"
    TIMES = "时间"
    CALLED_OFF = "解除"
    PROOF = "核对"
    ANSWERS = "叫应"


WEIGHTS: Mapping[About, int] = {
    About.REACH: 35,
    About.VILLAGES: 20,
    About.TIMES: 15,
    About.CALLED_OFF: 10,
    About.PROOF: 20,
    About.ANSWERS: 40,
}
"""Of the parts that were measured, the total is their weighted mean. Answers will weigh most: a receipt is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """`step` is empty where it is about the whole play. `got`: 0 to 1; None where it could not be measured."""

    about: About
    step: str
    got: float | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What the process apart found, and how many lines of the players bear no mark of a drill."""

    lost: int
    duplicates: int
    unplanned: int
    unmarked: int
    logged: int

    @property
    def clean(self) -> bool:
        return not (self.lost or self.duplicates or self.unplanned or self.unmarked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """`total`: None where nothing could be measured."""

    total: int | None
    parts: tuple[Part, ...]
    steps: tuple[Measured, ...]
    answers: None = None
    """Room for 叫应, which comes with its own issue."""

    @property
    def red_first_s(self) -> float | None:
        """From the acceptance of the first red to its first message."""
        return next((one.first_s for one in self.steps if one.level == Level.RED and one.kind != Kind.CANCEL), None)

    @property
    def unmeasured(self) -> tuple[About, ...]:
        counted = {part.about for part in self.parts if part.got is not None}
        named = {part.about for part in self.parts}
        return tuple(about for about in About if about in named and about not in counted)


def score(steps: Sequence[Measured], expects: Mapping[str, Expect], proof: Proof | None) -> Score:
    """`proof`: None where the providers keep their own books, in the field."""
    parts = [part for one in steps for part in _of_step(one, expects[one.name], whole=proof is not None)]
    parts += [_proven(proof), Part(about=About.ANSWERS, step="", got=None, reason="叫应随后续版本提供，这一项还没有分")]
    return Score(total=_total(parts), parts=tuple(parts), steps=tuple(steps))


# ── parts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _of_step(one: Measured, expect: Expect, *, whole: bool) -> list[Part]:
    """`whole`: villages where nobody can be told count as missed; in the field only the listed are to be reached."""
    parts = [_reach(one, channel, share) for channel, share in expect.reach.items()]
    if expect.villages is not None:
        parts.append(_village_share(one, expect.villages, whole=whole))
    for what, took, limit in (("首条", one.first_s, expect.first_within), ("末条", one.last_s, expect.all_within)):
        if limit is not None:
            parts.append(_time(one, what, took, limit))
    if expect.called_off is not None and one.called_off is not None:
        parts.append(_cancel(one, expect.called_off, one.called_off))
    return parts


def _reach(one: Measured, channel: Channel, wanted: float) -> Part:
    cell = one.channels.get(channel, Cell())
    due = cell.planned - cell.suppressed - cell.ended
    if due == 0:
        why = f"{channel.chinese}没有要发的对象" + ("（不在演练名单或没有同意记录）" if cell.suppressed else "")
        return Part(about=About.REACH, step=one.name, got=None, reason=why)
    share = cell.delivered / due
    said = f"{channel.chinese}应发 {due:,}，送达 {cell.delivered:,}（{_percent(share)}），要求 {_percent(wanted)}"
    return Part(about=About.REACH, step=one.name, got=min(1.0, share / wanted), reason=said)


def _village_share(one: Measured, wanted: float, *, whole: bool) -> Part:
    found = one.villages
    of = found.total if whole else found.due
    if of == 0:
        return Part(about=About.VILLAGES, step=one.name, got=None, reason="没有一个村有要通知的对象")
    share = found.reached / of
    holes = f"，其中 {found.none:,} 个村无人也无喇叭可通知" if whole and found.none else ""
    said = f"{of:,} 个村里 {found.reached:,} 个至少收到一条（{_percent(share)}）{holes}，要求 {_percent(wanted)}"
    return Part(about=About.VILLAGES, step=one.name, got=min(1.0, share / wanted), reason=said)


def _time(one: Measured, what: str, took: float | None, limit: timedelta) -> Part:
    seconds = limit.total_seconds()
    if took is None:
        due = any(cell.planned - cell.suppressed - cell.ended for cell in one.channels.values())
        said = f"{what}没有发出" if due else f"没有要发的对象，{what}无从计时"
        return Part(about=About.TIMES, step=one.name, got=0.0 if due else None, reason=said)
    got = 1.0 if took <= seconds else seconds / took
    said = f"接收后 {took:.1f} 秒发出{what}，要求 {seconds:g} 秒内"
    return Part(about=About.TIMES, step=one.name, got=got, reason=said)


def _cancel(one: Measured, wanted: float, counted: tuple[int, int]) -> Part:
    heard, told = counted
    if heard == 0:
        return Part(about=About.CALLED_OFF, step=one.name, got=None, reason="先前没有人收到，无须解除")
    share = told / heard
    said = f"先前收到的 {heard:,} 个对象里 {told:,} 个收到解除（{_percent(share)}），要求 {_percent(wanted)}"
    return Part(about=About.CALLED_OFF, step=one.name, got=min(1.0, share / wanted), reason=said)


def _proven(proof: Proof | None) -> Part:
    """One lost, doubled, strange or unmarked message is no small fault: there is no half a point."""
    if proof is None:
        why = "实地演练没有发送对象自己的记录可以核对，这一项没有分"
        return Part(about=About.PROOF, step="", got=None, reason=why)
    said = (
        f"对方记录 {proof.logged:,} 条：丢失 {proof.lost}，重复 {proof.duplicates}，多发 {proof.unplanned}，"
        f"不带演练标记 {proof.unmarked}"
    )
    return Part(about=About.PROOF, step="", got=float(proof.clean), reason=said)


def _total(parts: Sequence[Part]) -> int | None:
    """Rounded down: a hundred is whole."""
    means: dict[About, float] = {}
    for about in About:
        got = [part.got for part in parts if part.about is about and part.got is not None]
        if got:
            means[about] = sum(got) / len(got)
    weight = sum(WEIGHTS[about] for about in means)
    if not weight:
        return None
    return int(100 * sum(WEIGHTS[about] * mean for about, mean in means.items()) / weight + 1e-9)


def _percent(share: float) -> str:
    """95%, 97.5%; never 100% before it is whole."""
    return f"{min(share, 0.999) * 100 if share < 1 else 100:.1f}".removesuffix(".0") + "%"


# ── out ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def facts(of: Score) -> dict[str, Any]:
    """As JSON."""
    return {
        "total": of.total,
        "answers": of.answers,
        "red_first_s": of.red_first_s,
        "not_measured": [about.name.lower() for about in of.unmeasured],
        "parts": [
            {
                "about": part.about.name.lower(),
                "step": part.step,
                "got": part.got,
                "weight": WEIGHTS[part.about],
                "reason": part.reason,
            }
            for part in of.parts
        ],
        "steps": [_step_facts(one) for one in of.steps],
    }


def _step_facts(one: Measured) -> dict[str, Any]:
    heard, told = one.called_off or (None, None)
    return {
        "name": one.name,
        "warning_id": one.warning_id,
        "kind": one.kind,
        "level": one.level,
        "channels": {
            channel: {
                "planned": cell.planned,
                "sent": cell.sent,
                "delivered": cell.delivered,
                "not_sent": cell.suppressed,
            }
            for channel, cell in one.channels.items()
        },
        "villages": {"total": one.villages.total, "due": one.villages.due, "reached": one.villages.reached},
        "accept_to_first_s": one.first_s,
        "accept_to_last_s": one.last_s,
        "heard_before": heard,
        "told_it_is_over": told,
    }
