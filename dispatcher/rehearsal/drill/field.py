"""A drill in the field: the scenario's messages to the service that runs, by its HTTP door.

Whom it really tells is decided there, by config/drills.yaml, and not here. What became of it is read from the same
database, as `mingluo why` does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from dispatcher.audience import gather
from dispatcher.drills import Limit
from dispatcher.intake.decode import decode
from dispatcher.intake.native import CONTENT_TYPE
from dispatcher.model import Kind, Member, TargetKind
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.freeze import resolve_area
from dispatcher.planning import NOT_SENT_CHINESE
from dispatcher.registry.register import Register
from dispatcher.rehearsal.demo_screen import Screen
from dispatcher.rehearsal.drill.letters import Letters, Step, exercise_id
from dispatcher.rehearsal.drill.playing import SOURCE, Door, Play, Player
from dispatcher.rehearsal.drill.scenario import Scenario
from dispatcher.settings import BadConfiguration, Settings


def door_of(settings: Settings, url: str) -> Door:
    """The service's own address unless told; the token of the source of drills, from the environment."""
    source = settings.sources.get(SOURCE)
    if source is None or not source.drill_only:
        raise BadConfiguration(f"sources.yaml 里要有来源 {SOURCE}，并标为 drill_only：实地演练只从它进")
    if source.token is None:
        raise BadConfiguration("没有来源 drill 的令牌：请用 MINGLUO_TOKEN_DRILL 给出，与正在运行的服务相同")
    where = url or settings.service.public_url or f"http://{settings.service.listen}"
    secret = source.secret.get_secret_value() if source.secret else ""
    try:
        if secret:
            Webhook(secret)
    except (ValueError, EmptyWebhookSecretError) as error:
        raise BadConfiguration("来源 drill 的签名密钥无效：应为 whsec_ 开头的 Base64，与服务用的是同一个") from error
    return Door(url=where.rstrip("/"), token=source.token.get_secret_value(), secret=secret)


async def play(scenario: Scenario, context: Context, door: Door, speed: float | None, screen: Screen) -> Play:
    player = Player(scenario=scenario, context=context, door=door, speed=speed, screen=screen)
    return await player.play()


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Whom a step would tell by the lists as they stand: names, and how many would not be told, by why."""

    step: Step
    named: tuple[str, ...]
    not_told: Mapping[str, int]


async def rehearsed(scenario: Scenario, context: Context) -> list[Told]:
    """Nothing is sent. A Cancel goes to whoever heard what it ends, which nobody has yet."""
    register, now = await context.register(), context.now()
    limit = context.settings.drills.on(now)
    letters = Letters.of(context.settings, exercise_id(scenario.name, now), scenario.title)
    found = []
    for step in scenario.steps:
        if step.kind is Kind.CANCEL:
            continue
        message = decode(letters.body(step, now, ()), CONTENT_TYPE, context.settings.hazards).message
        assert message is not None
        resolved = await resolve_area(context, message, context.settings.sources[SOURCE])
        audience = gather(register, resolved, message)
        barred = [(member, limit.bars(member)) for member in audience.members]
        not_told = Counter(NOT_SENT_CHINESE[why] for _, why in barred if why)
        if len(audience.residents.id):
            not_told["住户，实地演练一律不通知"] = len(audience.residents.id)
        named = tuple(_called(register, member) for member, why in barred if not why)
        found.append(Told(step=step, named=named, not_told=dict(not_told)))
    return found


def strangers(register: Register, limit: Limit) -> list[str]:
    """What drills.yaml names and the register does not know: a slip of the pen tells nobody, and says so."""
    people = sorted(limit.participants - set(register.officers))
    places = sorted(limit.consents - set(register.areas))
    return [f"participants 里的 {one} 不在登记册" for one in people] + [
        f"consents 里的 {one} 不是登记册里的区划" for one in places
    ]


def _called(register: Register, member: Member) -> str:
    number = member.target.id
    match member.target.kind:
        case TargetKind.OFFICER:
            return f"{register.officers[number].name}（{number}）"
        case TargetKind.GATEWAY:
            return register.gateways[number].name
        case TargetKind.ENDPOINT:
            return register.endpoints[number].name
        case TargetKind.OFFICE | TargetKind.RESIDENT:
            return number
