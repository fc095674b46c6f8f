"""Who would be told, by which channel, when, and who would not: judged as if it had arrived, and nothing is written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dispatcher.approval import needs_person
from dispatcher.audience import gather
from dispatcher.geofence import Resolved
from dispatcher.intake.decode import decode
from dispatcher.intake.judge import Circumstances, judge, verdict_of
from dispatcher.model import (
    Audience,
    Channel,
    Code,
    Finding,
    Kind,
    TargetKind,
    Verdict,
    WarningMessage,
    Why,
    township_of,
)
from dispatcher.pipeline import chaining
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.freeze import UNREACHABLE_SHOWN, frame, resolve_area
from dispatcher.planning import Plan, make_plan
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
    channels: dict[str, dict[str, Any]]
    unreachable: tuple[dict[str, str], ...]
    left_out: int
    findings: tuple[Finding, ...]
    reasons: dict[str, int]
    texts: tuple[str, ...]


async def preview(
    context: Context, body: bytes, content_type: str, source: Source | None, at: datetime | None = None
) -> Preview:
    """`at`: the moment to judge by; None means the message's own `sent`. `source` None: the city itself asks."""
    decoded = decode(body, content_type, context.settings.hazards)
    message = decoded.message
    if message is None:
        return _nothing(decoded.findings)
    who = source or _the_city(context)
    resolved = await resolve_area(context, message, who)
    async with context.store.read() as tx:
        company = await chaining.company(tx, message)
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
    if source is not None and verdict_of(findings)[0] is Verdict.ACCEPT and (person := needs_person(message, source)):
        findings = (*findings, person)
    register = await context.register()
    audience = gather(register, resolved, message)
    plan = None
    if message.level is not None or message.kind is Kind.CANCEL:
        plan = make_plan(message, audience, frame(context, register, resolved, ""))
    return _preview(context, message, resolved, audience, (findings, plan))


def _the_city(context: Context) -> Source:
    return Source(name="本市预览", trusted=True, area_prefixes=(context.settings.service.city,))


def _preview(
    context: Context,
    message: WarningMessage,
    resolved: Resolved,
    audience: Audience,
    rest: tuple[tuple[Finding, ...], Plan | None],
) -> Preview:
    findings, plan = rest
    verdict, code, reason = verdict_of(findings)
    kinds = [member.target.kind for member in audience.members]
    return Preview(
        verdict=verdict,
        code=code,
        reason=reason,
        source_format=message.source_format,
        msg_type=message.kind,
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
        channels=_channels(context, plan),
        unreachable=tuple({"area": place.area, "why": place.why} for place in audience.unreachable[:UNREACHABLE_SHOWN]),
        left_out=audience.left_out,
        findings=findings,
        reasons={Why(int(why)).chinese: number for why, number in plan.reasons.items()} if plan else {},
        texts=tuple(text.body for text in plan.texts[:5]) if plan else (),
    )


def _channels(context: Context, plan: Plan | None) -> dict[str, dict[str, Any]]:
    """Targets, rate and forecast a channel; the rate is its first provider's."""
    found: dict[str, dict[str, Any]] = {}
    for name, targets in (plan.channels if plan else {}).items():
        providers = context.settings.channels.get(Channel(name), {})
        rate = float(next((provider.get("rate", 100) for provider in providers.values()), 0))
        found[name] = {"targets": targets, "rate": rate, "eta_s": round(targets / rate, 1) if rate else None}
    return found


def _nothing(findings: tuple[Finding, ...]) -> Preview:
    verdict, code, reason = verdict_of(findings)
    return Preview(
        verdict=verdict,
        code=code,
        reason=reason,
        source_format="",
        msg_type="",
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
        channels={},
        unreachable=(),
        left_out=0,
        findings=findings,
        reasons={},
        texts=(),
    )
