"""How many an area comes to, while somebody draws it: no words are made, nothing is judged but the area, nothing is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dispatcher.audience import Headcount, gather, headcount
from dispatcher.geofence import Resolved
from dispatcher.intake.decode import decode
from dispatcher.intake.judge import Circumstances, judge
from dispatcher.model import Code, Finding
from dispatcher.pipeline import chaining, drafting, merging
from dispatcher.pipeline.chaining import Company
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.freeze import audience_of, resolve_area, with_expiry

OF_AREA: Final = frozenset({Code.GEOMETRY, Code.OUTSIDE_AUTHORITY, Code.AREA_UNRESOLVED, Code.SIZE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """`heads` None where the bytes hold no message, or name what is outside the officer's area: how many live there is not his
    to know. `findings`: what is wrong with the area alone. `again`: it follows a version that some may have heard. `beside`:
    of a first issue, what other sources have in force that says as much: whoever heard that is not rung. Who that is stands in
    the preview: finding it out takes longer than a hand that draws waits."""

    resolved: Resolved | None = None
    heads: Headcount | None = None
    findings: tuple[Finding, ...] = ()
    again: bool = False
    beside: tuple[str, ...] = ()


async def count(context: Context, body: bytes, scope: tuple[str, ...]) -> Counted:
    """Of native JSON that an officer for `scope` is writing. An update counts whoever is outside now, and whoever heard."""
    decoded = decode(body, "application/json", context.settings.hazards)
    if decoded.message is None:
        return Counted(findings=decoded.findings)
    message = with_expiry(context, decoded.message)
    desk = drafting.desk(scope)
    resolved, register = await resolve_area(context, message, desk), await context.register()
    circumstances = Circumstances(
        source=desk,
        now=context.now(),
        tolerance_s=context.settings.policy.future_tolerance_s,
        resolved=resolved,
        references_known=True,
    )
    findings = (*decoded.findings, *judge(message, circumstances))
    async with context.store.read() as tx:
        again = bool(message.references)
        company = await chaining.company(tx, message) if again else Company(before=(), after=())
        findings += chaining.chain_findings(message, desk, company)
        company = await merging.with_kin(context, tx, company, (message, resolved, ""))
        wrong = tuple(one for one in findings if one.code in OF_AREA)
        if any(one.code is Code.OUTSIDE_AUTHORITY for one in wrong):
            return Counted(findings=wrong)
        if again:
            audience = await audience_of(context, tx, message, resolved, company)
        else:
            audience = gather(register, resolved, message)
    heads = headcount(register, resolved, audience)
    alike = [] if again else [row for row in company.kin if merging.says_as_much(message, row)]
    beside = tuple(row.headline or row.event for row in alike)
    return Counted(resolved=resolved, heads=heads, findings=wrong, again=again, beside=beside)
