"""Taking back, and ending, by whoever stands at the console.

误发撤回 is for one person alone, with the second factor: its words are fixed, it only says that something was a mistake, and
every minute of waiting is a minute in which people run. The leaders are told in the same transaction. 解除 says that a danger
is over, which may cost lives: it is put forward, and a second person signs it. So is any correction in free text.
"""

from __future__ import annotations

from dispatcher.accounts.authority import Action, Principal
from dispatcher.model import Verdict
from dispatcher.pipeline import drafting
from dispatcher.pipeline.accept import Answer, Hand, Incoming, take_in
from dispatcher.pipeline.call_off import NothingToCallOff, call_off
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.draft import draft
from dispatcher.pipeline.page import Purpose, Said, called, leaders, page
from dispatcher.pipeline.persons import Hindrance, NotDone, person, refuse
from dispatcher.pipeline.releasing import By
from dispatcher.pipeline.submit import Submitted, submit
from dispatcher.settings import CONSOLE
from dispatcher.signing import Act
from dispatcher.store import warnings
from dispatcher.store.engine import Tx
from dispatcher.store.warnings import WarningRow


async def retract(context: Context, principal: Principal, warning_id: str) -> Answer:
    """The prepared retraction of a warning and its whole chain, released at once. NotDone: NOT_THERE, ROLE, AREA, STEP_UP,
    ACCOUNT, NOTHING where nobody heard of it, FINDINGS."""
    body = await _prepared(context, warning_id, retraction=True)

    async def whose(tx: Tx) -> By:
        by = await person(tx, principal, Action.RETRACT, await _villages(tx, warning_id))
        return by.by(Act.RETRACTED, context.now(), retracts=warning_id)

    async def released(tx: Tx, row: WarningRow) -> None:
        words = f"已由一人撤回误发：{called(row)}。请登录查看；撤回有误的请重新发布"
        said = Said(purpose=Purpose.RETRACTED, about=row.id, words=words)
        await page(context, tx, row, await leaders(tx, row), said)

    source = drafting.desk(principal.scope).model_copy(update={"trusted": True})
    incoming = Incoming(door=CONSOLE, source=CONSOLE, content_type="application/json", body=body)
    async with context.persons:
        answer = await take_in(context, incoming, source, Hand(whose=whose, released=released))
    if answer.verdict is Verdict.REJECT:
        raise refuse(answer.findings)
    return answer


async def all_clear(context: Context, principal: Principal, warning_id: str) -> Submitted:
    """The prepared 解除, put forward: it leaves when a second person has signed. NotDone: NOT_THERE, ROLE, AREA, ACCOUNT,
    NOTHING, FINDINGS."""
    async with context.store.read() as tx:
        await person(tx, principal, Action.CALL_OFF, await _villages(tx, warning_id))
    body = await _prepared(context, warning_id, retraction=False)
    kept = await draft(context, principal, body)
    return await submit(context, principal, kept.warning_id)


async def _prepared(context: Context, warning_id: str, *, retraction: bool) -> bytes:
    try:
        body = await call_off(context, warning_id, retraction=retraction)
    except NothingToCallOff as why:
        raise NotDone(Hindrance.NOTHING, str(why)) from why
    if body is None:
        raise NotDone(Hindrance.NOT_THERE, "没有这条预警")
    return body


async def _villages(tx: Tx, warning_id: str) -> list[str]:
    """Of its whole chain: whoever takes it back speaks to all who heard."""
    row = await warnings.one(tx, warning_id)
    if row is None:
        raise NotDone(Hindrance.NOT_THERE, "没有这条预警")
    return sorted({village for one in await warnings.chain(tx, row.chain_id) for village in one.area["villages"]})
