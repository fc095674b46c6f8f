"""Audience and plan of a message, frozen: who is told what, hashed, before anybody approves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any

import structlog

from dispatcher.audience import Reached, former, gather, reached_again
from dispatcher.audience.roll import roll_of
from dispatcher.geofence import Resolved
from dispatcher.intake.canonical import from_json
from dispatcher.model import BEIJING, Audience, Channel, Kind, Scope, Target, TargetKind, WarningMessage
from dispatcher.pipeline import chaining, merging
from dispatcher.pipeline.chaining import Company
from dispatcher.pipeline.context import Context
from dispatcher.planning import NAMELESS, Frame, Plan, make_plan
from dispatcher.registry.register import Register
from dispatcher.settings import Source
from dispatcher.store import deliveries, nodes
from dispatcher.store.deliveries import Heard, Row
from dispatcher.store.engine import Tx
from dispatcher.store.warnings import WarningRow
from dispatcher.wording import Wordsmith

UNREACHABLE_SHOWN = 200
MANDATORY_A_DAY = 9999
"""EBMID has four digits a day; 0000 means that a receiver may ignore it."""
STOPPED = 50
"""Versions of a chain whose broadcasts a new one stops: the latest."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """What is stored with the warning. `message` is what the texts speak of (a Cancel borrows level and hazard)."""

    message: WarningMessage
    resolved: Resolved
    plan: Plan
    broadcast_id: str
    summary: Mapping[str, Any]


async def warm(context: Context) -> None:
    """Loads the register and lays out its arrays, so that the first warning of the night does not wait for them."""
    roll_of(await context.register())


def with_expiry(context: Context, message: WarningMessage) -> WarningMessage:
    """Where the issuer gave no expiry, the hazard's usual validity stands, else the city's: nothing is tried for ever.

    A call-off is obeyed however late it comes: its own hours begin when it comes.
    """
    policy = context.settings.policy
    if message.kind is Kind.CANCEL:
        least = context.now() + timedelta(hours=policy.default_validity_hours)
        return replace(message, expires=max(message.expires or least, least))
    if message.expires is not None:
        return message
    usual = {kind.name: kind.validity_hours for kind in context.settings.hazards.hazards}
    hours = usual.get(message.hazard.name if message.hazard else "", policy.default_validity_hours)
    return replace(message, expires=(message.effective or message.sent) + timedelta(hours=hours))


async def resolve_area(context: Context, message: WarningMessage, source: Source | None) -> Resolved:
    """The area of a message, in memory; a source may only speak for its prefixes."""
    register = await context.register()
    prefixes = source.area_prefixes if source else (register.city,)
    text = "\n".join([message.headline, message.description, *(area.description for area in message.areas)])
    return register.geofence.resolve(message.areas, text=text, prefixes=prefixes)


async def freeze(context: Context, tx: Tx, message: WarningMessage, resolved: Resolved, company: Company) -> Frozen:
    """Who is told of an issue, in the company of the versions before it and of other sources' warnings of its event."""
    audience = await audience_of(context, tx, message, resolved, company)
    return await _frozen(context, tx, audience, (message, resolved, _earlier(company.before)))


async def audience_of(
    context: Context, tx: Tx, message: WarningMessage, resolved: Resolved, company: Company
) -> Audience:
    """Everyone in the area; whoever heard of it before and lies outside now; and who of them all need not hear again."""
    inside, chain = gather(await context.register(), resolved, message), company.before
    audience = await with_former(context, tx, (message, resolved, inside), chain)
    said = chaining.carried_on(message, resolved, chain, context.now())
    heard = await deliveries.told(tx, said, (Channel.SMS, Channel.BROADCAST))
    told = {target for target, _, _ in heard} - _sounds_further(inside, heard)
    told |= await merging.told_by(tx, message, resolved, company.kin, context.now())
    stands = await merging.standing(tx, chain, context.now(), company.kin)
    return replace(audience, told=frozenset(told), standing=stands)


def _sounds_further(inside: Audience, heard: Sequence[tuple[str, str, str]]) -> set[str]:
    """Gateways that stand in for more villages than when they were told: there it was not heard yet."""
    before: dict[str, set[str]] = {}
    for target, _, areas in heard:
        before.setdefault(target, set()).update(areas.split(","))
    sounding = [one for one in inside.members if one.channel is Channel.BROADCAST and str(one.target) in before]
    return {str(one.target) for one in sounding if not set(one.areas) <= before[str(one.target)]}


async def freeze_cancel(context: Context, tx: Tx, message: WarningMessage, chain: Sequence[WarningRow]) -> Frozen:
    """Whoever may have heard of the chain, over the channel they heard it on."""
    spoken, resolved, again = await called_off(context, tx, message, chain)
    return await _frozen(context, tx, again, (spoken, resolved, _earlier(chain)))


async def called_off(
    context: Context, tx: Tx, message: WarningMessage, chain: Sequence[WarningRow]
) -> tuple[WarningMessage, Resolved, Audience]:
    """What a Cancel says (it borrows level and hazard of the last version), of where, and to whom."""
    register = await context.register()
    if not chain:
        return message, Resolved(villages=(), touched=(), counties=()), reached_again(register, [])
    spoken, resolved = called_off_as(message, chain[-1])
    rows = await deliveries.reached(tx, [row.id for row in chain])
    reached = [_reached(row) for row in rows]
    reached += [
        (Target.parse(target), Channel.SMS, township, ()) for target, township in await merging.left_standing(tx, chain)
    ]
    stands = await merging.standing(tx, chain, context.now())
    return spoken, resolved, replace(reached_again(register, reached), standing=stands)


def called_off_as(message: WarningMessage, last: WarningRow) -> tuple[WarningMessage, Resolved]:
    """A Cancel with the level, hazard and scope of the last version it calls off, and that version's area: the end of what was
    internal is no news for the public.

    Without an info block it has no name for its sender but a code, which tells nobody who speaks.
    """
    before = from_json(last.message)
    spoken = replace(
        message,
        level=before.level,
        hazard=message.hazard or before.hazard,
        event=message.event or before.event,
        sender_name=message.sender_name or (before.sender_name if before.sender == message.sender else ""),
        scope=before.scope,
        restriction=before.restriction,
        addresses=before.addresses,
    )
    return spoken, chaining.area_of(last)


async def with_former(
    context: Context, tx: Tx, of: tuple[WarningMessage, Resolved, Audience], chain: Sequence[WarningRow]
) -> Audience:
    """The audience with those of the chain that are wholly outside the area now: people, loudspeakers, platforms.

    Where a part of a township or county is still inside, nobody there is told that it is outside, for it would not be true
    of all of it. A loudspeaker is outside when none of its villages is told by it any more.
    """
    message, resolved, audience = of
    if not chain or not resolved.villages or message.kind not in (Kind.ALERT, Kind.UPDATE):
        return audience
    gone, register = _units_gone(resolved, chain), await context.register()
    latest: dict[str, Heard | None] = {}
    for version in chain:
        if version.kind != Kind.CANCEL and version.expires is not None and version.expires <= context.now():
            continue
        for heard in await deliveries.heard(tx, version.id, gone):
            told_it_is_over = version.kind == Kind.CANCEL or heard.former
            latest[heard.target] = None if told_it_is_over else heard
    reached = [_reached(one) for one in latest.values() if one is not None]
    found = former(register, audience, [one for one in reached if _may_know(message, register, resolved, one[0])])
    return replace(audience, former=found.members, former_residents=found.residents)


def _units_gone(resolved: Resolved, chain: Sequence[WarningRow]) -> list[str]:
    """Townships and counties that an earlier version touched and this one does not: at the edge of what is touched there
    are homes inside."""
    before = {village for version in chain for village in version.area["touched"]}
    units = {village[:size] for village in before for size in (6, 9)}
    return sorted(units - {village[:size] for village in resolved.touched for size in (6, 9)})


def _may_know(message: WarningMessage, register: Register, resolved: Resolved, target: Target) -> bool:
    """What is internal is no business of residents, loudspeakers and platforms; an office is outside only where all is that
    it asked about."""
    match target.kind:
        case TargetKind.OFFICER:
            return True
        case TargetKind.RESIDENT | TargetKind.GATEWAY | TargetKind.ENDPOINT:
            return message.scope is Scope.PUBLIC
        case TargetKind.OFFICE:
            return _all_outside(register, resolved, target)


def _all_outside(register: Register, resolved: Resolved, target: Target) -> bool:
    asked = [code for one in register.subscriptions if one.office_id == target.id for code in one.area_codes]
    hit = set(register.geofence.indices(resolved.villages).tolist())
    return not any(hit.intersection(register.geofence.under(code)) for code in asked)


def _earlier(chain: Sequence[WarningRow]) -> list[str]:
    """EBMIDs of what may be playing, oldest first."""
    return [row.broadcast_id for row in chain if row.broadcast_id and row.kind != Kind.CANCEL][-STOPPED:]


def _reached(row: Row | Heard) -> Reached:
    areas = tuple(row.areas.split(",")) if row.areas else ()
    return Target.parse(row.target), Channel(row.channel), row.township, areas


def frame(context: Context, register: Register, resolved: Resolved, broadcast_id: str) -> Frame:
    settings = context.settings
    return Frame(
        policy=settings.policy,
        wording=settings.wording,
        places=roll_of(register).spoken,
        villages=resolved.villages,
        broadcast_id=broadcast_id,
        limit=None if settings.stage.rehearsed else settings.drills.on(context.now()),
        drill_channels=context.drill_channels,
    )


async def _frozen(
    context: Context, tx: Tx, audience: Audience, spoken: tuple[WarningMessage, Resolved, list[str]]
) -> Frozen:
    message, resolved, earlier = spoken
    mute = message.drill and Channel.BROADCAST not in context.drill_channels  # uses up no number of what is real
    sounds = not mute and any(member.channel is Channel.BROADCAST for member in (*audience.members, *audience.former))
    plays = 0 if message.kind is Kind.CANCEL else 1
    broadcast_id = await _broadcast_id(context, tx, max(1, plays + len(earlier))) if sounds else ""
    whole = frame(context, await context.register(), resolved, broadcast_id)
    plan = make_plan(
        message, audience, replace(whole, earlier=tuple(earlier), numbers_used_up=sounds and not broadcast_id)
    )
    summary = {**summary_of(plan, audience), "earlier": earlier}
    if message.kind is not Kind.CANCEL:
        summary["retraction"] = _retraction(context, message)
    return Frozen(message=message, resolved=resolved, plan=plan, broadcast_id=broadcast_id, summary=summary)


def _retraction(context: Context, message: WarningMessage) -> dict[str, str]:
    """误发撤回, ready before it is needed: what whoever heard will read, should this turn out to be a mistake."""
    smith = Wordsmith(context.settings.wording, replace(message, kind=Kind.CANCEL, retraction=True))
    words = {
        str(channel): smith.word(channel, NAMELESS).body for channel in (Channel.SMS, Channel.BROADCAST, Channel.PARTY)
    }
    return {**words, "resident": smith.word(Channel.SMS, NAMELESS, resident=True).body}


def summary_of(plan: Plan, audience: Audience) -> dict[str, Any]:
    """What is shown of a plan, and kept with it."""
    return {
        "channels": dict(plan.channels),
        "reasons": dict(plan.reasons),
        "suppressed": dict(plan.suppressed),
        "left_out": audience.left_out,
        "unreachable": [asdict(place) for place in audience.unreachable[:UNREACHABLE_SHOWN]],
        "unreachable_count": len(audience.unreachable),
    }


async def _broadcast_id(context: Context, tx: Tx, count: int) -> str:
    """EBMID: platform code (23 digits), Beijing date, the first of `count` numbers never used twice that day.

    '' where the day's numbers are used up: the loudspeakers stay silent and say why, everybody else is told.
    """
    day = context.now().astimezone(BEIJING).strftime("%Y%m%d")
    number = await nodes.reserve(tx, f"ebm-{day}", count)
    if number + count - 1 > MANDATORY_A_DAY:
        log.error("今天的应急广播消息编号已用完，大喇叭不能播发，请立即联系省平台", used=MANDATORY_A_DAY)
        return ""
    return f"{context.settings.service.platform_ebrid}{day}{number:04d}"
