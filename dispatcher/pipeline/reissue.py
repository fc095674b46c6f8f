"""What the sender refused because it was changed behind the signature is drafted anew, and put forward and signed like anything
else.

The refused version stays as it is, changed and unsent: evidence is not mended, and nothing that stands in it is believed
because it stands there. The draft is an Update of it with the message that was signed, where that still is to be had: as it is
kept, or else from the bytes it first came as. What is neither has to be written again.
"""

from __future__ import annotations

import json
from dataclasses import replace

from dispatcher.accounts.authority import Action, Principal
from dispatcher.intake.canonical import from_json, to_json
from dispatcher.intake.decode import decode
from dispatcher.model import Kind, Reference, WarningMessage
from dispatcher.pipeline import drafting
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.draft import Draft, keep
from dispatcher.pipeline.drafting import Read
from dispatcher.pipeline.freeze import resolve_area, with_expiry
from dispatcher.pipeline.page import REFUSED
from dispatcher.pipeline.persons import Hindrance, NotDone, person
from dispatcher.signing import facts_as_signed, is_message_of
from dispatcher.store import events, signatures, warnings
from dispatcher.store.engine import Tx
from dispatcher.store.warnings import WarningRow


async def reissue(context: Context, principal: Principal, warning_id: str) -> Draft:
    """NotDone: NOT_THERE, ROLE, ACCOUNT, AREA (214), FINDINGS (209 where it has run out); NOTHING where the sender has not
    refused it, or it is a Cancel; CHANGED where what was signed is not to be had any more."""
    async with context.store.read() as tx:
        row = await warnings.one(tx, warning_id)
        if row is None:
            raise NotDone(Hindrance.NOT_THERE, "没有这条预警")
        await person(tx, principal, Action.ISSUE)
        await _refused(tx, row)
        signed = await _signed(context, tx, row)
    anew = _update(context, signed)
    resolved = await resolve_area(context, anew, drafting.desk(principal.scope))
    raw = json.dumps(to_json(anew), ensure_ascii=False).encode()
    return await keep(context, principal, Read(message=anew, said=anew, resolved=resolved, findings=()), raw)


async def _refused(tx: Tx, row: WarningRow) -> None:
    if row.kind == Kind.CANCEL:
        raise NotDone(Hindrance.NOTHING, "解除或撤回不能这样重发：请另拟一条更新，告知听到过的人")
    if not any(one.kind in REFUSED for one in await events.of_warning(tx, row.id)):
        raise NotDone(Hindrance.NOTHING, "这条预警没有被拒发过，不用重新拟制")


async def _signed(context: Context, tx: Tx, row: WarningRow) -> WarningMessage:
    facts = facts_as_signed(row, await signatures.of(tx, row.id))
    if facts is not None and is_message_of(facts, row.message):
        return from_json(row.message)
    first = decode(row.raw, row.content_type, context.settings.hazards).message
    if facts is not None and first is not None and is_message_of(facts, to_json(with_expiry(context, first))):
        return with_expiry(context, first)
    raise NotDone(Hindrance.CHANGED, "签发时的内容已无法从库中还原：请按原稿重新拟制")


def _update(context: Context, signed: WarningMessage) -> WarningMessage:
    """Of now, and of what was signed."""
    before = Reference(sender=signed.sender, identifier=signed.identifier, sent=signed.sent)
    sent = max(context.now().replace(microsecond=0), signed.sent)
    return replace(
        signed, kind=Kind.UPDATE, identifier=f"{signed.identifier}-N{sent:%H%M%S}", sent=sent, references=(before,)
    )
