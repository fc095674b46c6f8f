"""The duty log: what came, what was done about it, who came and went, what broke. Nobody writes it: it is the chained log, read
for whoever has to know what happened in his shift.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from dispatcher.pipeline.context import Context
from dispatcher.pipeline.shift import Step
from dispatcher.registry.register import Register
from dispatcher.store import accounts, audit, headlines, shifts
from dispatcher.store.audit import Entry as Logged
from dispatcher.store.engine import Tx
from dispatcher.store.headlines import Headline
from dispatcher.store.shifts import Entry
from dispatcher.web.console.duty.sheet import called
from dispatcher.web.console.rendering import event_word

MOST: Final = 400
"""Lines of one log; more than a night has."""
OWN: Final = "本人"
_NAMED: Final = 10
"""Gateways of one line."""
_WORDS: Final[Mapping[str, str]] = {
    "account.on_duty": "上班",
    "account.off_duty": "下班",
    "shift.note": "值班记事",
    "shift.offered": "交班，等人接",
    "shift.withdrawn": "撤回交班",
    "shift.taken": "接班",
    "service.broken": "发现故障",
    "service.mended": "故障恢复",
    "gateway.lost": "播发网关失联",
    "gateway.back": "播发网关恢复",
    "warning.rejected": "拒收",
}
_OTHERS: Final = (
    "warning.accepted", "warning.held", "warning.approved", "warning.dispatched", "warning.completed",
    "warning.superseded", "warning.cancelled", "warning.expired", "warning.drafted", "warning.taken_up",
    "warning.edited", "warning.submitted", "warning.returned", "warning.discarded", "warning.reviewed",
    "approval.scanned", "approval.paged", "approval.page_failed", "approval.objected", "approval.ink_slip", "warning.unsigned",
    "warning.plan_changed", "warning.row_refused", "warning.drill_mixed",
)  # fmt: skip
ACTIONS: Final = frozenset({*_WORDS, *_OTHERS})
GRAVE: Final = frozenset({
    "service.broken", "gateway.lost", "approval.page_failed", "approval.objected", "warning.unsigned",
    "warning.plan_changed", "warning.row_refused", "warning.drill_mixed", "warning.rejected", "warning.held",
})  # fmt: skip
"""Somebody has to do something about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """`word` and `words`: what happened, and to what; `who`: who did it, '' where it was the service."""

    at: datetime
    word: str
    words: str
    who: str
    warning_id: str = ""
    level: str = ""
    drill: bool = False
    grave: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Names:
    """What the log only numbers."""

    warnings: Mapping[str, Headline]
    people: Mapping[str, str]
    shifts: Mapping[str, Entry]
    register: Register


async def lines(context: Context, tx: Tx, since: datetime, own: Sequence[str]) -> list[Line]:
    """Newest first. `own`: what the codes begin with that it is about, none where it is all."""
    found = await audit.since(tx, since, ACTIONS, MOST)
    actors = {one.actor.removeprefix("warning:") for one in found if one.actor.startswith("warning:")}
    named = await headlines.named(tx, sorted({one.subject for one in found if _about_warning(one)} | actors))
    touching = await headlines.touching(tx, sorted(named), own) if own else set(named)
    numbers = [int(one.subject.removeprefix("shift:")) for one in found if one.subject.startswith("shift:")]
    names = _Names(
        warnings={number: one for number, one in named.items() if number in touching},
        people={f"account:{one.id}": one.name for one in await accounts.every(tx)},
        shifts={f"shift:{number}": one for number, one in (await shifts.some(tx, numbers)).items()},
        register=await context.register(),
    )
    return [_line(context, one, names) for one in found if _is_seen(one, named, touching, own)]


def _about_warning(one: Logged) -> bool:
    return one.action.startswith(("warning.", "approval."))


def _is_seen(one: Logged, named: Mapping[str, Headline], touching: set[str], own: Sequence[str]) -> bool:
    if not own:
        return True
    if one.subject in named:
        return one.subject in touching
    if one.action.startswith("service."):
        return True
    said = json.loads(one.detail)
    areas = [str(code) for code in said.get("scope", ())] + [gateway["area"] for gateway in said.get("gateways", ())]
    return any(area.startswith(tuple(own)) for area in areas)


def _line(context: Context, one: Logged, names: _Names) -> Line:
    about = names.warnings.get(one.subject)
    return Line(
        at=one.at,
        word=_WORDS.get(one.action) or event_word(one.action),
        words=(about.headline or about.event) if about else _words(one, names),
        who=OWN if one.actor == one.subject else _who(context, one.actor, names),
        warning_id=about.id if about else "",
        level=(about.level or "") if about else "",
        drill=about.drill if about else False,
        grave=one.action in GRAVE,
    )


def _words(one: Logged, names: _Names) -> str:
    """Of what is about no warning."""
    said: Mapping[str, Any] = json.loads(one.detail)
    if one.subject in names.people:
        return names.people[one.subject]
    if one.subject in names.shifts:
        written = names.shifts[one.subject]
        return f"{written.detail['from_name']} → {written.name}" if written.step == Step.TAKEN else written.text
    if one.action.startswith("service."):
        return str(said.get("what", ""))
    if one.action.startswith("gateway."):
        told = "、".join(_gateway(names.register, gateway) for gateway in said.get("gateways", ())[:_NAMED])
        return told + (f" …（{said['count']}）" if said.get("count", 0) > _NAMED else "")
    return str(said.get("reason", "")) if one.action == "warning.rejected" else ""


def _gateway(register: Register, told: Mapping[str, str]) -> str:
    gateway = register.gateways.get(told["id"])
    return gateway.name if gateway else f"{called(register, told['area'])} {told['id']}"


def _who(context: Context, actor: str, names: _Names) -> str:
    kind, _, name = actor.partition(":")
    match kind:
        case "account":
            return names.people.get(actor, actor)
        case "warning":
            later = names.warnings.get(name)
            return f"“{later.headline or later.event}”" if later else "另一条预警"
        case "source":
            source = context.settings.sources.get(name)
            return source.name if source else name
        case "command":
            return "命令行"
        case "system":
            return ""
        case _:
            return actor
