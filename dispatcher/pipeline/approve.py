"""The second person signs: one atomic step, whoever else signs, edits or is being disabled at the same instant.

He is no one who had a hand in what it says, by whatever session; he names the hash of what he saw; and for orange and red he is
a leader who was named, and says why.
"""

from __future__ import annotations

from dispatcher.accounts.authority import Action, Principal
from dispatcher.approval import is_signer
from dispatcher.pipeline import releasing
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.letting_go import Released, let_go
from dispatcher.pipeline.persons import Case, Hindrance, NotDone, Person, held, person, spoken_for
from dispatcher.signing import Act, hands


async def approve(
    context: Context, principal: Principal, warning_id: str, *, plan_hash: str, reason: str = ""
) -> Released:
    """NotDone: NOT_THERE, ROLE, AREA, PERSON, STEP_UP, ACCOUNT, SAME_PERSON, REASON, STATE, CHANGED, OUTGROWN,
    FINDINGS (209)."""
    async with context.persons, context.store.begin() as tx:
        case = await held(tx, warning_id)
        whose = await person(tx, principal, Action.APPROVE, await spoken_for(tx, case.row))
        may_sign(context, case, whose, reason)
        signed = (whose, whose.by(Act.APPROVED, context.now(), reason=reason.strip()))
        released, loosed = await let_go(context, tx, case, signed, plan_hash)
    releasing.tell(context, loosed)
    return released


def may_sign(context: Context, case: Case, whose: Person, reason: str) -> None:
    """NotDone: SAME_PERSON, ROLE, REASON."""
    policy, level = context.settings.policy.approval, case.row.level
    another_person(case, whose)
    if whose.account is None or not is_signer(policy, level, whose.account.login):
        raise NotDone(Hindrance.ROLE, "橙色、红色预警须由指定的领导签发：请由名单上的领导签发，或请管理员把您列入名单")
    if policy.of(level).reason and not reason.strip():
        raise NotDone(Hindrance.REASON, "橙色、红色预警请写明签发理由")


def another_person(case: Case, whose: Person) -> None:
    """NotDone where he had a hand in what it says."""
    if whose.id in hands(case.signatures):
        raise NotDone(Hindrance.SAME_PERSON, "拟制、修改或送签过这条预警的人不能再签发：请由另一人签发")
