"""What waits for a person and is not wanted goes no further: a held message that is none of ours, a draft that was a mistake.

It is kept, with who put it away and why; its identity is free again.
"""

from __future__ import annotations

from dispatcher.accounts.authority import Action, Principal
from dispatcher.intake.canonical import from_json
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.edit import unchanged
from dispatcher.pipeline.persons import Hindrance, NotDone, held, in_state, note, person
from dispatcher.states import WAITING, WarningState
from dispatcher.store import warnings


async def discard(context: Context, principal: Principal, warning_id: str, *, reason: str, seen: str = "") -> None:
    """`seen`: the digest of what is meant, '' for whatever is kept. NotDone: NOT_THERE, ROLE, ACCOUNT, AREA, STATE, REASON,
    CHANGED."""
    async with context.persons, context.store.begin() as tx:
        case, now = await held(tx, warning_id), context.now()
        whose = await person(tx, principal, Action.EDIT, case.villages or None)
        in_state(case, WAITING, "已经签发或结束的预警不能作废：请撤回或解除")
        unchanged(from_json(case.row.message), seen)
        if not reason.strip():
            raise NotDone(Hindrance.REASON, "请写明为什么作废")
        await warnings.move(tx, warning_id, WarningState.REJECTED, ended_at=now)
        detail = {"reason": reason.strip(), "source": case.row.source, "from": case.state}
        await note(tx, whose, case.row, ("warning.discarded", now, detail))
