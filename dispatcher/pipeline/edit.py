"""Another content for a draft: whatever was submitted or signed of it before is void.

What it is known by stays (its identity, and whether it is a drill), and so do the bytes it first came as.
"""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import datetime

from dispatcher.accounts.authority import Action, Principal
from dispatcher.intake.canonical import digest, from_json
from dispatcher.model import Code, Finding, Kind, Verdict, WarningMessage
from dispatcher.pipeline import drafting, releasing
from dispatcher.pipeline.chaining import identity_of
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.draft import Draft
from dispatcher.pipeline.drafting import Read
from dispatcher.pipeline.freeze import resolve_area
from dispatcher.pipeline.keeping import content_of
from dispatcher.pipeline.persons import Case, Hindrance, NotDone, held, in_state, note, person, refuse
from dispatcher.signing import Act
from dispatcher.states import WarningState
from dispatcher.store import drafts, warnings
from dispatcher.store.engine import Tx
from dispatcher.store.warnings import WarningRow

OPEN = frozenset({WarningState.DRAFT, WarningState.RETURNED, WarningState.SUBMITTED})
"""What may still be edited, put forward, or put forward anew."""
JOINING = frozenset({WarningState.HELD, WarningState.DRAFT, WarningState.RETURNED})


async def edit(context: Context, principal: Principal, warning_id: str, body: bytes, seen: str = "") -> Draft:
    """`seen`: the digest of what lay before whoever writes, '' where he did not look. NotDone: NOT_THERE, ROLE, ACCOUNT, AREA
    (214), STATE, FINDINGS (201 where the identity is another, 240 the drill), CHANGED where somebody else wrote since."""
    read = await drafting.read(context, body, principal.scope)
    async with context.persons, context.store.begin() as tx:
        case, now = await held(tx, warning_id), context.now()
        await person(tx, principal, Action.EDIT, case.villages or None)
        in_state(case, OPEN, "已经签发或结束的预警不能修改：请另拟一条更新")
        before = from_json(case.row.message)
        unchanged(before, seen)
        _same(before, read.message)
        return await _rewritten(context, tx, principal, (case, read), now)


def unchanged(kept: WarningMessage, seen: str) -> None:
    """NotDone CHANGED where what is kept is not what was seen; '' where nobody looked."""
    if seen and seen != digest(kept):
        raise NotDone(Hindrance.CHANGED, "您打开之后，这份草稿被别人改过：请先对照新的内容")


async def join(context: Context, principal: Principal, warning_id: str, other_id: str) -> Draft:
    """What came without the event it belongs to names it, by a person's word, and leaves as an update or as the end of that;
    what was held is taken up by it. NotDone: as `edit`, and NOTHING where no event is wanting, or where the other one was never
    issued or is not from before."""
    async with context.persons, context.store.begin() as tx:
        case, now = await held(tx, warning_id), context.now()
        await person(tx, principal, Action.EDIT, case.villages or None)
        in_state(case, JOINING, "只有待核的预警和草稿可以接入同一事件")
        other, before = await warnings.one(tx, other_id), from_json(case.row.message)
        if not lacks_its_event(case.row):
            raise NotDone(Hindrance.NOTHING, "这条预警不缺所针对的预警，不用接入")
        if other is None or other.id == warning_id or other.released_at is None:
            raise NotDone(Hindrance.NOTHING, "要接入的预警没有发出过：请另选一条")
        if other.sent >= case.row.sent:
            raise NotDone(Hindrance.NOTHING, "要接入的预警不比这条早：请另选一条")
        kind = Kind.UPDATE if before.kind is Kind.ALERT else before.kind
        message = replace(before, kind=kind, references=(identity_of(from_json(other.message)),))
        resolved = await resolve_area(context, message, drafting.desk(principal.scope))
        read = Read(message=message, said=message, resolved=resolved, findings=tuple(drafting.kept_against(case.row)))
        return await _rewritten(context, tx, principal, (case, read), now)


def lacks_its_event(row: WarningRow) -> bool:
    """Whether it names no event we know, though it should."""
    return any(one["code"] == Code.REFERENCE_MISSING for one in row.findings)


async def _rewritten(context: Context, tx: Tx, principal: Principal, about: tuple[Case, Read], now: datetime) -> Draft:
    case, read = about
    findings, company = await drafting.judged(context, tx, (read.message, read.resolved), principal.scope)
    findings = (*read.findings, *findings)
    if any(one.verdict is Verdict.REJECT for one in findings):
        raise refuse(findings)
    whose = await person(tx, principal, Action.EDIT, drafting.areas_of(read.message, read.resolved, company))
    if case.state is WarningState.HELD:
        await releasing.sign(tx, case.row, whose.by(Act.TAKEN_UP, now))
        await note(tx, whose, case.row, ("warning.taken_up", now, {"source": case.row.source}))
    await drafting.back_to_draft(tx, case)
    await drafts.rewrite(tx, case.row.id, content_of(read.message, read.resolved, findings), read.message.references)
    before = from_json(case.row.message)
    changed = [one.name for one in fields(before) if getattr(before, one.name) != getattr(read.message, one.name)]
    detail = {"changed": changed, "from": case.state, "voided": case.row.plan_hash, "digest": digest(read.message)}
    await releasing.sign(tx, case.row, whose.by(Act.EDITED, now, **detail))
    await note(tx, whose, case.row, ("warning.edited", now, detail))
    return Draft(warning_id=case.row.id, findings=findings, digest=digest(read.message))


def _same(before: WarningMessage, after: WarningMessage) -> None:
    if identity_of(before) != identity_of(after):
        raise refuse([_stop(Code.DUPLICATE_CONFLICT, "编号、发布单位和发布时间不能改：需要时另拟一条")])
    if before.drill is not after.drill:
        raise refuse([_stop(Code.DRILL_MIXED, "演练不能改成实战，实战也不能改成演练：请另拟一条")])


def _stop(code: Code, reason: str) -> Finding:
    return Finding(code=code, verdict=Verdict.REJECT, reason=reason)
