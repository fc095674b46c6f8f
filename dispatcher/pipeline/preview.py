"""Who would be told, by which channel, when, and who would not: judged as if it had arrived, and nothing is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from dispatcher.approval import needs_person
from dispatcher.geofence import Resolved
from dispatcher.intake.decode import decode
from dispatcher.intake.judge import Circumstances, judge, verdict_of
from dispatcher.linting import Remark
from dispatcher.model import (
    Audience,
    Channel,
    Code,
    Finding,
    Kind,
    ResidentHits,
    TargetKind,
    Verdict,
    WarningMessage,
    Why,
    township_of,
)
from dispatcher.pipeline import chaining, merging
from dispatcher.pipeline.chaining import OVER, OVERTAKEN, Company, chain_findings, overtaken_on_arrival
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.freeze import UNREACHABLE_SHOWN, audience_of, called_off, frame, resolve_area, with_expiry
from dispatcher.pipeline.lint import read_over
from dispatcher.planning import TOLD, Frame, Plan, level_policy, make_plan, residents_not_told
from dispatcher.settings import Source

NOBODY = Resolved(villages=(), touched=(), counties=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What INTERFACES 2 prints of a file; codes have 12 digits, townships 9."""

    verdict: Verdict
    code: Code | None
    reason: str
    source_format: str
    msg_type: str
    drill: bool
    level: str
    hazard: str
    villages: tuple[str, ...]
    villages_touched: tuple[str, ...]
    townships_touched: tuple[str, ...]
    officers: int
    residents: int
    gateways: int
    endpoints: int
    offices: int
    former: int
    """Whom an earlier version reached and who is outside the area now: told just that."""
    already_told: int
    """Of all these: who heard the same before and is not rung again."""
    channels: dict[str, dict[str, Any]]
    unreachable: tuple[dict[str, str], ...]
    left_out: int
    findings: tuple[Finding, ...]
    reasons: dict[str, int]
    texts: tuple[str, ...]
    """Every wording once: a channel, a role with words of its own, residents, whoever is outside now."""
    remarks: tuple[Remark, ...]


async def preview(
    context: Context, body: bytes, content_type: str, source: Source | None, at: datetime | None = None
) -> Preview:
    """`at`: the moment to judge by; None means the message's own `sent`. `source` None: the city itself asks."""
    decoded = decode(body, content_type, context.settings.hazards)
    said = decoded.message
    if said is None:
        return _nothing(decoded.findings)
    message, who = with_expiry(context, said), source or _the_city(context)
    resolved = await resolve_area(context, message, who)
    async with context.store.read() as tx:
        company = await chaining.company(tx, message)
        company = await merging.with_kin(context, tx, company, (message, resolved, _key_of(context, source)))
    known = not message.references or bool(company.before)
    findings = decoded.findings + judge(
        message,
        Circumstances(
            source=who,
            now=at or message.sent,
            tolerance_s=context.settings.policy.future_tolerance_s,
            resolved=resolved,
            references_known=known,
        ),
    )
    findings += chain_findings(message, who, company)
    if overtaken_on_arrival(message, company) is not None:
        findings += (OVERTAKEN,)
    elif message.kind is Kind.CANCEL and company.over:
        findings += (OVER,)
    if source is not None and verdict_of(findings)[0] is Verdict.ACCEPT and (person := needs_person(message, source)):
        findings = (*findings, person)
    message, resolved, audience = await _told(context, message, resolved, company)
    plan = None
    if message.level is not None or message.kind is Kind.CANCEL:
        plan = _counted(message, audience, frame(context, await context.register(), resolved, ""))
    said = replace(message, expires=said.expires)
    linted = read_over(context, await context.register(), said, resolved.touched, decoded.findings)
    return _preview(context, message, resolved, audience, (findings, plan, at or message.sent, linted.remarks))


async def _told(
    context: Context, message: WarningMessage, resolved: Resolved, company: Company
) -> tuple[WarningMessage, Resolved, Audience]:
    """What is said, of where, and to whom, the chain before it considered."""
    async with context.store.read() as tx:
        if message.kind is Kind.CANCEL and company.told:
            message, before, audience = await called_off(context, tx, message, company.told)
            return message, resolved if resolved.villages else before, audience
        return message, resolved, await audience_of(context, tx, message, resolved, company)


def _counted(message: WarningMessage, audience: Audience, frame: Frame) -> Plan:
    """The plan's texts and numbers without its rows: of a hundred thousand residents one is planned, the others counted.

    Freezing and hashing them all takes most of a second, which somebody who drags a polygon would wait for each time.
    """
    some = replace(audience, residents=_one_of(audience.residents), former_residents=_one_of(audience.former_residents))
    plan = make_plan(message, some, frame)
    inside = Why.REACHED_BEFORE if message.kind is Kind.CANCEL else Why.RESIDENT_HOME
    for homes, why in ((audience.residents, inside), (audience.former_residents, Why.FORMER)):
        if more := max(0, len(homes.id) - 1):
            name = str(int(why))
            plan = replace(
                plan,
                rows=plan.rows + more,
                channels={**plan.channels, Channel.SMS: plan.channels[Channel.SMS] + more},
                reasons={**plan.reasons, name: plan.reasons[name] + more},
                not_sent=_homes_not_sent(plan, residents_not_told(message, frame, former=why is Why.FORMER), more),
            )
    told = max(0, _told_homes(audience) - _told_homes(some))
    barred = residents_not_told(message, frame, former=False)
    return plan if barred else replace(plan, not_sent=_homes_not_sent(plan, TOLD, told))


def _homes_not_sent(plan: Plan, why: str, more: int) -> Mapping[str, Mapping[str, int]]:
    if not why or not more:
        return plan.not_sent
    rows = plan.not_sent.get(Channel.SMS, {})
    return {**plan.not_sent, Channel.SMS: {**rows, why: rows.get(why, 0) + more}}


def _one_of(homes: ResidentHits) -> ResidentHits:
    return replace(homes, id=homes.id[:1], township=homes.township[:1])


def _key_of(context: Context, source: Source | None) -> str:
    return next((name for name, one in context.settings.sources.items() if one is source), "")


def _the_city(context: Context) -> Source:
    return Source(name="本市预览", trusted=True, area_prefixes=(context.settings.service.city,))


def _preview(
    context: Context,
    message: WarningMessage,
    resolved: Resolved,
    audience: Audience,
    rest: tuple[tuple[Finding, ...], Plan | None, datetime, tuple[Remark, ...]],
) -> Preview:
    findings, plan, at, remarks = rest
    verdict, code, reason = verdict_of(findings)
    kinds = [member.target.kind for member in audience.members]
    return Preview(
        verdict=verdict,
        code=code,
        reason=reason,
        source_format=message.source_format,
        msg_type=message.kind,
        drill=message.drill,
        level=message.level or "",
        hazard=message.hazard.name if message.hazard else message.event,
        villages=resolved.villages,
        villages_touched=resolved.touched,
        townships_touched=tuple(sorted({township_of(code) for code in resolved.touched})),
        officers=kinds.count(TargetKind.OFFICER),
        residents=len(audience.residents.id),
        gateways=kinds.count(TargetKind.GATEWAY),
        endpoints=kinds.count(TargetKind.ENDPOINT),
        offices=kinds.count(TargetKind.OFFICE),
        former=len(audience.former) + len(audience.former_residents.id),
        already_told=_told_already(audience),
        channels=_channels(context, message, plan, at),
        unreachable=tuple({"area": place.area, "why": place.why} for place in audience.unreachable[:UNREACHABLE_SHOWN]),
        left_out=audience.left_out,
        findings=findings,
        reasons={Why(int(why)).chinese: number for why, number in plan.reasons.items()} if plan else {},
        texts=plan.samples if plan else (),
        remarks=remarks,
    )


def _told_already(audience: Audience) -> int:
    """Nobody twice."""
    return sum(str(member.target) in audience.told for member in audience.members) + _told_homes(audience)


def _told_homes(audience: Audience) -> int:
    if not audience.told:
        return 0
    return sum(f"{TargetKind.RESIDENT}-{number}" in audience.told for number in audience.residents.id.tolist())


def _channels(context: Context, message: WarningMessage, plan: Plan | None, at: datetime) -> dict[str, dict[str, Any]]:
    """Targets, rate and forecast a channel; the rate is its first provider's on that side. `waits_until`: the end of quiet
    hours; `not_sent`: why → rows of the plan that stay unsent."""
    found: dict[str, dict[str, Any]] = {}
    for name, rows in (plan.channels if plan else {}).items():
        providers = context.settings.channels.get(Channel(name), {}).values()
        ours = [one for one in providers if bool(one.get("drill")) is message.drill]
        rate = float(next((one.get("rate", 100) for one in ours), 0))
        unsent = plan.not_sent.get(name, {}) if plan else {}
        targets = rows - sum(unsent.values())
        found[name] = {"targets": targets, "rate": rate, "eta_s": round(targets / rate, 1) if rate else None}
        if unsent:
            found[name]["not_sent"] = dict(unsent)
        if plan and name in plan.silent:
            found[name]["suppressed"] = plan.silent[name]
        if name == Channel.BROADCAST and (until := quiet_until(context, message, at)):
            found[name]["waits_until"] = until.isoformat()
    return found


def quiet_until(context: Context, message: WarningMessage, at: datetime) -> datetime | None:
    """When the loudspeakers sound that would sound now; None where they do."""
    policy = context.settings.policy
    rules = level_policy(message, policy)
    if rules.loudspeakers_at_night or message.sound_at_night or message.kind is Kind.CANCEL:
        return None
    return policy.quiet_until(at)


def _nothing(findings: tuple[Finding, ...]) -> Preview:
    verdict, code, reason = verdict_of(findings)
    return Preview(
        verdict=verdict,
        code=code,
        reason=reason,
        source_format="",
        msg_type="",
        drill=False,
        level="",
        hazard="",
        villages=(),
        villages_touched=(),
        townships_touched=(),
        officers=0,
        residents=0,
        gateways=0,
        endpoints=0,
        offices=0,
        former=0,
        already_told=0,
        channels={},
        unreachable=(),
        left_out=0,
        findings=findings,
        reasons={},
        texts=(),
        remarks=(),
    )
