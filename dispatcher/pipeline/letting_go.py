"""What two persons have agreed on leaves: one transition, whatever way they agreed (signed, by telephone, by two on duty).

What leaves is what was frozen when it was put forward. Where the world has moved on since, it is sober: what has run out, was
overtaken, was changed in the database, or would leave out somebody who has heard meanwhile does not go.
"""

from __future__ import annotations

from dataclasses import dataclass

from dispatcher.intake.canonical import from_json
from dispatcher.model import Channel, Code, Kind, TargetKind, WarningMessage
from dispatcher.pipeline import chaining, merging, releasing
from dispatcher.pipeline.chaining import Company, overtaken_on_arrival
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.freeze import audience_of, called_off, resolve_area
from dispatcher.pipeline.persons import Case, Hindrance, NotDone, Person
from dispatcher.pipeline.releasing import By, Loosed
from dispatcher.planning import TOLD
from dispatcher.sending.approved import as_frozen
from dispatcher.signing import in_words
from dispatcher.states import WarningState
from dispatcher.store import chains, chunks, events, kin, ledger, warnings
from dispatcher.store.engine import Tx
from dispatcher.store.events import Event
from dispatcher.store.packing import unpack

Named = tuple[str, str]
"""(channel, target)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """What left, and as what."""

    warning_id: str
    plan_hash: str


async def let_go(context: Context, tx: Tx, case: Case, by: tuple[Person, By], seen: str) -> tuple[Released, Loosed]:
    """`seen`: the hash of the plan that was before his eyes. NotDone: STATE, CHANGED, OUTGROWN, FINDINGS (209)."""
    await _stands(context, tx, case, seen)
    row, (person, act), now = case.row, by, context.now()
    message = from_json(row.message)
    company = await _company(context, tx, case, message)
    await releasing.silence(tx, message.kind, company)
    if count := await _outgrown(context, tx, case, (message, company)):
        raise NotDone(Hindrance.OUTGROWN, f"送签之后又有 {count} 个对象听到了先前的预警，名单须重新冻结：请重新送签")
    chain_id = company.chain_id or row.chain_id
    freed = await warnings.move(tx, row.id, WarningState.APPROVED, frozen_as=seen, released_at=now, chain_id=chain_id)
    if not freed:
        raise NotDone(Hindrance.STATE, "这条预警刚刚被别人处理了：请刷新后再看")
    await chunks.release(tx, row.id)
    await chains.join(tx, [one.id for one in company.every], chain_id)
    await kin.link(tx, row.id, [one.id for one in company.kin])
    await releasing.sign(tx, row, act)
    loosed = await releasing.overtake(context, tx, row, company)
    detail = {"by": person.id, "act": act.act, "plan_hash": row.plan_hash, "level": row.level or ""}
    event = Event(actor=person.actor, kind="warning.approved", subject=row.id, warning_id=row.id, detail=detail)
    await events.record(tx, now, event, outward=True)
    return Released(warning_id=row.id, plan_hash=row.plan_hash), loosed


async def _stands(context: Context, tx: Tx, case: Case, seen: str) -> None:
    """Whether it still is what was put forward, and in time."""
    row = case.row
    if case.state is not WarningState.SUBMITTED:
        raise NotDone(Hindrance.STATE, f"这条预警现在不在待签状态（现在是“{case.state.chinese}”）：请刷新后再看")
    if not seen or seen != row.plan_hash:
        raise NotDone(Hindrance.CHANGED, "您看到的内容与现在待签的不同：请刷新，看过新的内容再签")
    if row.expires is not None and row.expires <= context.now():
        raise NotDone(Hindrance.FINDINGS, "已过有效期，不再签发：请修改有效期后重新送签", code=Code.EXPIRED)
    texts = list((await warnings.texts_of(tx, row.id)).values())
    found = await as_frozen(tx, row, texts, case.signatures)
    if found.wrong:
        raise NotDone(Hindrance.CHANGED, f"送签之后库中内容被改动，不能签发：{in_words(found.changed)}。请重新送签")


async def _company(context: Context, tx: Tx, case: Case, message: WarningMessage) -> Company:
    company = await chaining.company(tx, message)
    if overtaken_on_arrival(message, company) is not None:
        raise NotDone(Hindrance.STATE, "更晚的更新或解除已经发出，这一条不再签发")
    if releasing.nothing_to_end(message, company):
        raise NotDone(Hindrance.STATE, "所解除的预警没有发出过，或者已经解除，不用再签发")
    if any(row.drill is not message.drill for row in company.every):
        raise NotDone(Hindrance.FINDINGS, "演练不能更新或解除实战预警，反之亦然", code=Code.DRILL_MIXED)
    if message.kind is Kind.CANCEL:
        return company
    return await merging.with_kin(context, tx, company, (message, chaining.area_of(case.row), case.row.source))


async def _outgrown(context: Context, tx: Tx, case: Case, about: tuple[WarningMessage, Company]) -> int:
    """How many heard what came before it, and would not hear this: they were reached since, or were left out because somebody
    else had told them what does not hold any more."""
    message, company = about
    rows = [(channel, one) for channel, blob in await ledger.frozen(tx, case.row.id) for one in unpack(blob)]
    listed = {(channel, one.target) for channel, one in rows}
    left_out = {one.target for _, one in rows if one.suppressed == TOLD}
    if not (company.before or left_out):
        return 0
    if message.kind is Kind.CANCEL:
        _, _, again = await called_off(context, tx, message, company.told)
        members, residents, told = again.members, again.residents, frozenset[str]()
    else:
        resolved = await resolve_area(context, message, None)
        audience = await audience_of(context, tx, message, resolved, company)
        members, residents, told = audience.former, audience.former_residents, audience.told
    heard: set[Named] = {(str(one.channel), str(one.target)) for one in members}
    heard |= {(str(Channel.SMS), f"{TargetKind.RESIDENT}-{home}") for home in residents.id.tolist()}
    return len(heard - listed) + len(left_out - told)
