"""What was put forward goes back to whoever wrote it, with the reason."""

from __future__ import annotations

from dispatcher.accounts.authority import Action, Principal
from dispatcher.pipeline import releasing
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.persons import Hindrance, NotDone, held, in_state, note, person
from dispatcher.signing import Act
from dispatcher.states import WarningState
from dispatcher.store import warnings


async def send_back(context: Context, principal: Principal, warning_id: str, *, reason: str) -> None:
    """NotDone: NOT_THERE, ROLE, ACCOUNT, AREA, STATE, REASON."""
    async with context.persons, context.store.begin() as tx:
        case, now = await held(tx, warning_id), context.now()
        whose = await person(tx, principal, Action.RETURN, case.villages)
        in_state(case, {WarningState.SUBMITTED}, "只有待签的预警可以退回")
        if not reason.strip():
            raise NotDone(Hindrance.REASON, "请写明为什么退回，好让拟制的人修改")
        await warnings.move(tx, warning_id, WarningState.RETURNED)
        await releasing.sign(tx, case.row, whose.by(Act.RETURNED, now, reason=reason.strip()))
        await note(tx, whose, case.row, ("warning.returned", now, {"reason": reason.strip()}))
