"""Every signer of a red was paged and none came: its author and another officer on duty release it.

Ji'an's rule (policy.yaml, `release_by_two_on_duty`). The author has spoken by putting it forward; the other is no one who had
a hand in it, and is on duty now. Every leader of the area is alarmed at once, and it stays open until one of them has reviewed
it.
"""

from __future__ import annotations

from dispatcher.accounts.authority import Action, Principal
from dispatcher.approval import lapsed
from dispatcher.pipeline import releasing
from dispatcher.pipeline.approve import another_person
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.letting_go import Released, let_go
from dispatcher.pipeline.page import Purpose, Said, called, leaders, page
from dispatcher.pipeline.persons import Case, Hindrance, NotDone, Person, held, note, person, spoken_for
from dispatcher.signing import Act
from dispatcher.store import accounts
from dispatcher.store.engine import Tx


async def release(context: Context, principal: Principal, warning_id: str, *, plan_hash: str, reason: str) -> Released:
    """NotDone: as `approve`, and TOO_EARLY while a signer still has time, or where the city's rule has no such release."""
    async with context.persons, context.store.begin() as tx:
        case = await held(tx, warning_id)
        whose = await person(tx, principal, Action.RELEASE, await spoken_for(tx, case.row))
        another_person(case, whose)
        if not reason.strip():
            raise NotDone(Hindrance.REASON, "请写明为什么不等签发就放行")
        await _both_on_duty(tx, case, whose)
        _late_enough(context, case)
        by = (whose, whose.by(Act.RELEASED, context.now(), reason=reason.strip(), author=author_of(case)))
        released, loosed = await let_go(context, tx, case, by, plan_hash)
        words = f"未经签发已放行：{called(case.row)}，由两名在岗值班员逾时放行。请立即登录复核；误发可一键撤回"
        said = Said(purpose=Purpose.RELEASED, about=plan_hash, words=words)
        await page(context, tx, case.row, await leaders(tx, case.row), said)
    releasing.tell(context, loosed)
    return released


async def review(context: Context, principal: Principal, warning_id: str, *, words: str) -> None:
    """A leader has looked at what was released over his head. NotDone: NOT_THERE, ROLE, AREA, PERSON, STEP_UP, ACCOUNT,
    REASON, NOTHING."""
    async with context.persons, context.store.begin() as tx:
        case, now = await held(tx, warning_id), context.now()
        whose = await person(tx, principal, Action.APPROVE, case.villages)
        if not to_be_reviewed(case):
            raise NotDone(Hindrance.NOTHING, "这条预警没有待复核的放行")
        if not words.strip():
            raise NotDone(Hindrance.REASON, "请写明复核意见")
        await releasing.sign(tx, case.row, whose.by(Act.REVIEWED, now, words=words.strip()))
        await note(tx, whose, case.row, ("warning.reviewed", now, {"words": words.strip()}))


def to_be_reviewed(case: Case) -> bool:
    """Released by two on duty, and no leader has looked at it yet."""
    acts = [one.act for one in case.signatures]
    return Act.RELEASED in acts and Act.REVIEWED not in acts


def author_of(case: Case) -> str:
    """Whoever put it forward last."""
    return next((one.account_id for one in reversed(case.signatures) if one.act == Act.SUBMITTED), "")


async def _both_on_duty(tx: Tx, case: Case, whose: Person) -> None:
    author = await accounts.by_id(tx, author_of(case), held=True)
    if whose.account is None or not whose.account.on_duty:
        raise NotDone(Hindrance.ROLE, "逾时放行须由在岗的值班员操作：请先登记在岗")
    if author is None or author.disabled_at is not None or not author.on_duty:
        raise NotDone(Hindrance.ROLE, "送签的值班员不在岗：请由在岗的值班员重新送签")


def _late_enough(context: Context, case: Case) -> None:
    policy, level = context.settings.policy.approval, case.row.level
    put = next((one.at for one in reversed(case.signatures) if one.act == Act.SUBMITTED), None)
    if put is None:
        raise NotDone(Hindrance.STATE, "这条预警还没有送签")
    if not policy.release_by_two_on_duty or policy.of(level).release_after_s is None:
        raise NotDone(Hindrance.TOO_EARLY, "本级预警不能逾时放行：请电话请示领导，并登记电话请示")
    if not lapsed(policy, level, put, context.now()):
        raise NotDone(Hindrance.TOO_EARLY, "签发人还有时间：请先电话催签，逾时后再放行")
