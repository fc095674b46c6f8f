"""Sign-off by telephone (电话请示): the leader says yes by voice, and a second officer on duty puts down whom he called, when,
and the exact words.

The leader is told by SMS at once and can object; the paper follows within a day. His number is kept sealed. An objection stops
nothing by itself: it wakes everybody who may retract, the leader among them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from dispatcher.accounts.authority import Action, Principal
from dispatcher.pipeline import releasing
from dispatcher.pipeline.approve import another_person
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.letting_go import Released, let_go
from dispatcher.pipeline.page import Purpose, Said, able_to_sign, called, leaders, officers, page
from dispatcher.pipeline.persons import Case, Hindrance, NotDone, held, note, person, spoken_for
from dispatcher.signing import Act
from dispatcher.store.accounts import Account
from dispatcher.store.engine import Tx
from dispatcher.store.signatures import Signature


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What was said by telephone. `leader`: the login of the account of whoever said yes."""

    leader: str
    number: str
    at: datetime
    words: str


async def record_call(
    context: Context, principal: Principal, warning_id: str, *, plan_hash: str, call: Call
) -> Released:
    """NotDone: as `approve`; ROLE where he is not on duty, or the leader may not sign this; REASON where the call is not put
    down whole, or was before it was put forward."""
    async with context.persons, context.store.begin() as tx:
        case, now = await held(tx, warning_id), context.now()
        whose = await person(tx, principal, Action.RECORD_CALL, await spoken_for(tx, case.row))
        another_person(case, whose)
        if whose.account is None or not whose.account.on_duty:
            raise NotDone(Hindrance.ROLE, "电话请示须由在岗的值班员登记：请先登记在岗")
        leader = await _leader(context, tx, case, call)
        _whole(case, call, now)
        detail = {
            "leader": leader.id,
            "number": context.seal.seal(call.number.strip()).hex(),
            "called_at": call.at.isoformat(),
            "words": call.words.strip(),
            "ink_due": (now + timedelta(hours=context.settings.policy.approval.ink_slip_hours)).isoformat(),
        }
        by = (whose, whose.by(Act.TELEPHONE, now, **detail))
        released, loosed = await let_go(context, tx, case, by, plan_hash)
        words = f"已按您电话同意签发：{called(case.row)}。如非您本人同意，请立即登录提出异议或撤回"
        await page(context, tx, case.row, [leader], Said(purpose=Purpose.TELEPHONE, about=plan_hash, words=words))
    releasing.tell(context, loosed)
    return released


async def object_to_call(context: Context, principal: Principal, warning_id: str, *, words: str) -> None:
    """The leader never said so. NotDone: NOT_THERE, ROLE, AREA, PERSON, ACCOUNT, REASON; NOTHING where no call of his is on
    record."""
    async with context.persons, context.store.begin() as tx:
        case, now = await held(tx, warning_id), context.now()
        whose = await person(tx, principal, Action.OBJECT, case.villages)
        if not any(one.detail.get("leader") == whose.id for one in _calls(case)):
            raise NotDone(Hindrance.NOTHING, "没有登记过您对这条预警的电话同意")
        if not words.strip():
            raise NotDone(Hindrance.REASON, "请写明异议")
        await releasing.sign(tx, case.row, whose.by(Act.OBJECTED, now, words=words.strip()))
        await note(tx, whose, case.row, ("approval.objected", now, {"words": words.strip()}))
        said = Said(
            purpose=Purpose.OBJECTED,
            about=case.row.plan_hash,
            words=f"领导对电话签发提出异议：{called(case.row)}。请立即核实，属误发的一键撤回",
        )
        await page(context, tx, case.row, [*await officers(tx, case.row), *await leaders(tx, case.row)], said)


async def hand_in_slip(context: Context, principal: Principal, warning_id: str, *, number: str) -> None:
    """The paper has come: its file number. NotDone: NOT_THERE, ROLE, AREA, PERSON, ACCOUNT, REASON, NOTHING."""
    async with context.persons, context.store.begin() as tx:
        case, now = await held(tx, warning_id), context.now()
        whose = await person(tx, principal, Action.RECORD_CALL, case.villages)
        if not _calls(case):
            raise NotDone(Hindrance.NOTHING, "这条预警不是电话签发的，没有要补的签批单")
        if not number.strip():
            raise NotDone(Hindrance.REASON, "请写明签批单编号")
        await releasing.sign(tx, case.row, whose.by(Act.INK_SLIP, now, number=number.strip()))
        await note(tx, whose, case.row, ("approval.ink_slip", now, {"number": number.strip()}))


def _calls(case: Case) -> list[Signature]:
    return [one for one in case.signatures if one.act == Act.TELEPHONE]


async def _leader(context: Context, tx: Tx, case: Case, call: Call) -> Account:
    able = await able_to_sign(context, tx, case.row, case.signatures)
    found = next((one for one in able if one.login == call.leader), None)
    if found is None:
        raise NotDone(Hindrance.ROLE, f"“{call.leader[:40]}”不是能签发这条预警的领导：请核对")
    return found


def _whole(case: Case, call: Call, now: datetime) -> None:
    put = next((one.at for one in reversed(case.signatures) if one.act == Act.SUBMITTED), None)
    if not call.words.strip() or not call.number.strip():
        raise NotDone(Hindrance.REASON, "请写明拨打的号码和领导的原话")
    # a clock on the wall has no parts of a second
    if put is None or not put.replace(microsecond=0) <= call.at <= now:
        raise NotDone(Hindrance.REASON, "通话时间应在送签之后、现在之前：领导同意的须是这一份")
