"""A draft is put forward: who is told what is frozen and hashed now, and that hash is what the second person signs.

Put forward again, it is frozen anew: whatever was before his eyes is void.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from dispatcher.accounts.authority import Action, Principal
from dispatcher.geofence import Resolved
from dispatcher.intake import rules
from dispatcher.intake.canonical import from_json
from dispatcher.model import Finding, Kind, WarningMessage
from dispatcher.pipeline import drafting, merging, releasing
from dispatcher.pipeline.chaining import Company
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.edit import OPEN, unchanged
from dispatcher.pipeline.freeze import Frozen, freeze, freeze_cancel, resolve_area, with_expiry
from dispatcher.pipeline.keeping import content_of, planned
from dispatcher.pipeline.persons import Case, Hindrance, NotDone, Person, held, in_state, note, person, refuse
from dispatcher.signing import Act
from dispatcher.states import WarningState
from dispatcher.store import drafts, warnings
from dispatcher.store.engine import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """`plan_hash` is what the approver names."""

    warning_id: str
    plan_hash: str
    rows: int
    findings: tuple[Finding, ...] = ()


async def submit(context: Context, principal: Principal, warning_id: str, seen: str = "") -> Submitted:
    """`seen`: the digest of what is meant to be put forward, '' for whatever is kept; what was put forward with it before
    stays as it was frozen. NotDone: NOT_THERE, ROLE, ACCOUNT, AREA (214), STATE, CHANGED, FINDINGS (all that has to be
    mended first)."""
    async with context.persons, context.store.begin() as tx:
        case = await held(tx, warning_id)
        whose = await person(tx, principal, Action.SUBMIT)
        in_state(case, OPEN, "只有草稿、退回的和待签的预警可以送签")
        kept = from_json(case.row.message)
        unchanged(kept, seen)
        if seen and case.state is WarningState.SUBMITTED:
            return Submitted(warning_id=warning_id, plan_hash=case.row.plan_hash, rows=case.row.rows_planned)
        message = with_expiry(context, kept)
        resolved = await resolve_area(context, message, drafting.desk(whose.scope))
        findings, company = await drafting.judged(context, tx, (message, resolved), whose.scope)
        findings = (*rules.check(message), *drafting.kept_against(case.row), *findings)
        if stops := drafting.unsendable(message, findings, company):
            raise refuse(stops)
        await person(tx, principal, Action.SUBMIT, drafting.areas_of(message, resolved, company))
        await drafting.back_to_draft(tx, case)
        return await _freeze(context, tx, (case, whose), (message, resolved, company, findings))


async def _freeze(
    context: Context,
    tx: Tx,
    who: tuple[Case, Person],
    what: tuple[WarningMessage, Resolved, Company, tuple[Finding, ...]],
) -> Submitted:
    (case, whose), (message, resolved, company, findings), now = who, what, context.now()
    frozen = await _frozen(context, tx, (message, resolved, company), case.row.source)
    content = content_of(frozen.message, frozen.resolved, findings)
    await drafts.rewrite(tx, case.row.id, content, message.references)
    if not await warnings.move(tx, case.row.id, WarningState.SUBMITTED, **planned(frozen)):
        raise NotDone(Hindrance.STATE, "这条预警刚刚被别人处理了：请刷新后再试")
    row = replace(case.row, state=WarningState.SUBMITTED, **content, **planned(frozen))
    await releasing.keep_plan(tx, row, frozen, whose.by(Act.SUBMITTED, now))
    detail = {"plan_hash": row.plan_hash, "rows": row.rows_planned, "level": row.level or ""}
    await note(tx, whose, row, ("warning.submitted", now, detail))
    return Submitted(warning_id=row.id, plan_hash=row.plan_hash, rows=row.rows_planned, findings=findings)


async def _frozen(context: Context, tx: Tx, about: tuple[WarningMessage, Resolved, Company], source: str) -> Frozen:
    message, resolved, company = about
    if message.kind is Kind.CANCEL:
        return await freeze_cancel(context, tx, message, company.told)
    company = await merging.with_kin(context, tx, company, (message, resolved, source))
    return await freeze(context, tx, message, resolved, company)
