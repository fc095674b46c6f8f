"""A warning of our own, or a held one, becomes a draft: the first of two persons begins.

Nothing of it leaves, and it silences nobody. Its area lies within the officer's own; what has no area yet may be kept and is
drawn later, and is not submitted before.
"""

from __future__ import annotations

from dataclasses import dataclass

from dispatcher.accounts.authority import Action, Principal
from dispatcher.intake.canonical import digest, from_json
from dispatcher.model import Code, Finding, Reference, Verdict
from dispatcher.pipeline import drafting, releasing
from dispatcher.pipeline.chaining import identity_of
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.drafting import Read
from dispatcher.pipeline.freeze import resolve_area
from dispatcher.pipeline.keeping import Arrival, Born, row_of
from dispatcher.pipeline.persons import Hindrance, NotDone, held, in_state, note, person, refuse
from dispatcher.settings import CONSOLE
from dispatcher.signing import Act
from dispatcher.states import WarningState
from dispatcher.store import chains, warnings
from dispatcher.store.engine import AlreadyThere, Tx, unique


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """`findings`: what speaks against it as it stands; some of it has to be mended before it is submitted. `digest`: of the
    content that was given; of a repeat something else may be kept by now."""

    warning_id: str
    state: WarningState = WarningState.DRAFT
    findings: tuple[Finding, ...] = ()
    repeated: bool = False
    digest: str = ""


async def draft(context: Context, principal: Principal, body: bytes) -> Draft:
    """Keeps native JSON as a draft. NotDone: ROLE, ACCOUNT, AREA (214), FINDINGS. The same again is the same draft."""
    return await keep(context, principal, await drafting.read(context, body, principal.scope), body)


async def keep(context: Context, principal: Principal, read: Read, raw: bytes) -> Draft:
    """As `draft`, of what was read already; `raw`: the bytes that are put away with it."""
    try:
        async with context.persons, context.store.begin() as tx:
            return await _keep(context, tx, principal, (read, raw))
    except AlreadyThere:
        async with context.store.read() as tx:
            return await _again(tx, read, identity_of(read.message))


async def _keep(context: Context, tx: Tx, principal: Principal, what: tuple[Read, bytes]) -> Draft:
    (read, body), now = what, context.now()
    await person(tx, principal, Action.ISSUE)
    await chains.hold(tx, joins=bool(read.message.references))
    findings, company = await drafting.judged(context, tx, (read.message, read.resolved), principal.scope)
    findings = (*read.findings, *findings)
    if any(one.verdict is Verdict.REJECT for one in findings):
        raise refuse(findings)
    whose = await person(tx, principal, Action.ISSUE, drafting.areas_of(read.message, read.resolved, company))
    arrival = Arrival(
        door=CONSOLE,
        source=CONSOLE,
        trusted=False,
        content_type="application/json",
        raw=body,
        digest=digest(read.said),
        at=now,
    )
    born = Born(state=WarningState.DRAFT)
    row = row_of(arrival, read.message, read.resolved, born, (findings, company.chain_id))
    async with unique():
        await warnings.keep(tx, row, read.message.references)
    await releasing.sign(tx, row, whose.by(Act.DRAFTED, now))
    await note(tx, whose, row, ("warning.drafted", now, {"identifier": row.identifier, "level": row.level or ""}))
    return Draft(warning_id=row.id, findings=findings, digest=digest(read.message))


async def _again(tx: Tx, read: Read, identity: Reference) -> Draft:
    row = await warnings.by_identity(tx, identity)
    if row is None or row.source != CONSOLE or row.digest != digest(read.said):
        reason = f"编号 {identity.identifier} 已经用过，内容不同：请换一个编号"
        raise refuse([Finding(code=Code.DUPLICATE_CONFLICT, verdict=Verdict.REJECT, reason=reason)])
    return Draft(warning_id=row.id, state=WarningState(row.state), repeated=True, digest=digest(read.message))


async def take_up(context: Context, principal: Principal, warning_id: str) -> Draft:
    """A held warning becomes this officer's draft. NotDone: NOT_THERE, STATE, ROLE, ACCOUNT, AREA (214)."""
    async with context.persons, context.store.begin() as tx:
        case, now = await held(tx, warning_id), context.now()
        await person(tx, principal, Action.ISSUE)
        in_state(case, {WarningState.HELD}, "只有待核的预警可以接手拟制")
        message = from_json(case.row.message)
        resolved = await resolve_area(context, message, drafting.desk(principal.scope))
        findings, company = await drafting.judged(context, tx, (message, resolved), principal.scope)
        if any(one.verdict is Verdict.REJECT for one in findings):
            raise refuse(findings)
        whose = await person(tx, principal, Action.ISSUE, drafting.areas_of(message, resolved, company))
        if not await warnings.move(tx, warning_id, WarningState.DRAFT):
            raise NotDone(Hindrance.STATE, "这条预警刚刚被别人接手")
        await releasing.sign(tx, case.row, whose.by(Act.TAKEN_UP, now))
        await note(tx, whose, case.row, ("warning.taken_up", now, {"source": case.row.source}))
    return Draft(warning_id=warning_id, findings=findings)
