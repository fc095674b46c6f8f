"""`mingluo why PERSON WARNING`: told or not, by which rule, which attempts, which text."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import typer

from dispatcher.commands.ground import standing
from dispatcher.commands.telling import emit, finish, say
from dispatcher.model import BEIJING, Channel, Target, TargetKind
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.explain import Story, Told, explain
from dispatcher.planning import NOT_SENT_CHINESE
from dispatcher.registry.cells import BadCell, phone
from dispatcher.settings import BadConfiguration, load
from dispatcher.states import DeliveryState
from dispatcher.store import warnings
from dispatcher.store.registry import Person, opening
from dispatcher.store.warnings import WarningRow

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
OUTCOME_CHINESE = {
    "accepted": "对方已接收",
    "try_again": "没有发出，稍后再试",
    "not_known": "可能已发出",
    "refused": "对方拒绝",
    "in_doubt": "发送中被打断",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One person of that name, and the story."""

    name: str
    place: str
    story: Story


@app.command(name="why")
def command(
    person: Annotated[str, typer.Argument(help="姓名、手机号或编号（JA00001、officer-JA00001、GW360827102）")],
    warning: Annotated[str, typer.Argument(help="预警的编号；latest 为最近一份")],
    json: Annotated[bool, typer.Option("--json", help="最后一行输出一个 JSON 对象")] = False,
) -> None:
    """某人对某份预警：通知了没有、依据哪条规则、试过几次、什么内容。"""
    found = finish(_why(person, warning))
    for one in found:
        _tell(one)
    if json:
        emit({"people": [_facts(one) for one in found]})


async def _why(person: str, name: str) -> list[Found]:
    settings = load()
    async with standing(settings) as context:
        async with context.store.read() as tx:
            rows = await warnings.called(tx, name)
        if not rows:
            nothing = (
                "还没有收过预警" if name == "latest" else f"没有编号为 {name} 的预警：请核对，或用 latest 指最近一份"
            )
            raise BadConfiguration(nothing)
        people = await _people(context, person)
        if not people:
            raise BadConfiguration(f"登记册里没有“{person}”：请用姓名、手机号或编号再试")
        return [await _story(context, rows[0], one) for one in people]


async def _people(context: Context, text: str) -> list[Person]:
    async with context.store.read() as tx:
        found = await opening.people_named(tx, text)
        if not found and (number := _phone(text)):
            found = await opening.people_with_phone(tx, context.seal, number)
    return found or await _machines(context, text)


def _phone(text: str) -> str:
    try:
        return phone(text, production=False)
    except BadCell:
        return ""


async def _machines(context: Context, text: str) -> list[Person]:
    """Gateways and endpoints, by their id or target."""
    register = await context.register()
    kind, _, rest = text.partition("-")
    number = rest if kind in (TargetKind.GATEWAY, TargetKind.ENDPOINT) else text
    if number in register.gateways:
        gateway = register.gateways[number]
        target = Target(kind=TargetKind.GATEWAY, id=number)
        return [Person(target=target, name=gateway.name, area_code=gateway.area_code)]
    if number in register.endpoints:
        endpoint = register.endpoints[number]
        target = Target(kind=TargetKind.ENDPOINT, id=number)
        return [Person(target=target, name=endpoint.name, area_code=endpoint.area_code)]
    return []


async def _story(context: Context, row: WarningRow, person: Person) -> Found:
    story = await explain(context, row.id, person.target)
    assert story is not None
    area = (await context.register()).areas.get(person.area_code)
    return Found(name=person.name, place=area.name if area else person.area_code, story=story)


def _tell(found: Found) -> None:
    story = found.story
    say(f"{found.name}（{story.target}，{found.place}）　{story.warning.headline or story.warning.identifier}")
    if not story.told:
        say(f"  {story.reason}")
    for told in story.told:
        _tell_delivery(told)


def _tell_delivery(told: Told) -> None:
    entry = told.entry
    doubled = "，可能发了两次" if entry.possible_duplicate else ""
    code = f"（{NOT_SENT_CHINESE.get(entry.state_code, entry.state_code)}）" if entry.state_code else ""
    say(f"  已列入名单：{told.why}")
    say(f"  {Channel(entry.channel).chinese}：{entry.state.chinese}{code}{doubled}")
    for one in told.tries:
        outcome = OUTCOME_CHINESE.get(one.outcome, one.outcome)
        said = "　".join(part for part in (outcome, one.code, one.reason) if part)
        say(f"    {_clock(one.started_at)} 第 {one.no} 次，经 {one.provider or '—'}：{said}")
    for heard in told.receipts:
        said = "　".join(
            part for part in (DeliveryState[heard.state.upper()].chinese, heard.code, heard.detail) if part
        )
        say(f"    {_clock(heard.at)} 回执：{said}")
    say(f"    内容：{told.text}")


def _facts(found: Found) -> dict[str, Any]:
    return {
        "name": found.name,
        "target": str(found.story.target),
        "warning_id": found.story.warning.id,
        "told": bool(found.story.told),
        "reason": found.story.reason,
        "deliveries": [
            {
                "channel": told.entry.channel,
                "why": told.why,
                "state": told.entry.state.label,
                "code": told.entry.state_code,
                "possible_duplicate": told.entry.possible_duplicate,
                "text": told.text,
                "attempts": [{"no": one.no, "outcome": one.outcome, "code": one.code} for one in told.tries],
            }
            for told in found.story.told
        ],
    }


def _clock(at: datetime) -> str:
    return at.astimezone(BEIJING).strftime("%m-%d %H:%M:%S.%f")[:-3]
