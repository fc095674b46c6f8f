"""Calling off in one tap what was issued: 误发撤回 (it should never have been sent) or 解除 (it is over).

The words are fixed and prepared with the warning, so that nobody composes a correction at 02:39. It goes in by the same door
as any message of its source: whoever may not speak for the area may not call off either, and what is sent goes to those who
may have heard, over the channel they heard it on, ahead of everything else.
"""

from __future__ import annotations

import json
from datetime import datetime

from dispatcher.intake.canonical import from_json
from dispatcher.model import BEIJING, Kind
from dispatcher.pipeline.context import Context
from dispatcher.store import warnings
from dispatcher.store.warnings import WarningRow


class NothingToCallOff(Exception):
    """One sentence that says why."""


async def call_off(context: Context, warning_id: str, *, retraction: bool) -> bytes | None:
    """The Cancel of a warning and its whole chain, as native JSON, to be handed to `accept`.

    None where there is no such warning; NothingToCallOff where it never left the house.
    """
    async with context.store.read() as tx:
        row = await warnings.one(tx, warning_id)
        if row is None:
            return None
        chain = await warnings.chain(tx, row.chain_id)
    if row.kind == Kind.CANCEL:
        raise NothingToCallOff("这是一条解除，不能再撤回：需要时请重新发布预警")
    if row.released_at is None:
        raise NothingToCallOff("这条预警没有发出过，没有人收到，不用撤回")
    after = max(context.now(), *(one.sent for one in chain if one.released_at is not None))
    return _words(row, after, retraction=retraction)


def _words(row: WarningRow, sent: datetime, *, retraction: bool) -> bytes:
    """It bears the name the warning bore, and is later than every version of it whatever the clocks say."""
    name = from_json(row.message).sender_name
    said = {
        "sender": row.sender,
        "identifier": f"{row.identifier}-{'R' if retraction else 'C'}",
        "sent": _stamp(sent),
        "status": row.status,
        "kind": Kind.CANCEL,
        "sender_name": name,
        "event": row.event,
        "headline": f"{name or row.sender}{'撤回误发的' if retraction else '解除'}{row.event}预警",
        "note": "误发撤回" if retraction else "",
        "responses": [] if retraction else ["AllClear"],
        "references": [{"sender": row.sender, "identifier": row.identifier, "sent": _stamp(row.sent)}],
        "retraction": retraction,
    }
    return json.dumps(said, ensure_ascii=False).encode()


def _stamp(at: datetime) -> str:
    return at.astimezone(BEIJING).isoformat(timespec="seconds")
