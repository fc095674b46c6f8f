"""The log of what was done, for whoever audits: newest first, each entry with its link of the chain."""

from __future__ import annotations

import json
from datetime import datetime

from aiohttp import web

from dispatcher.store import audit
from dispatcher.store.audit import Entry
from dispatcher.web import asking
from dispatcher.web.answering import as_json
from dispatcher.web.parts import parts
from dispatcher.web.shapes import Body

MOST = 200


class LogItem(Body):
    """`no` counts without a gap; `hash` is over `previous` and every other field, as `mingluo audit verify` recounts it."""

    no: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, object]
    previous: str
    hash: str


class LogPage(Body):
    entries: tuple[LogItem, ...]
    next_before: int | None


async def entries(request: web.Request) -> web.Response:
    """That the chain holds is not said here: whoever could change it could say so too. `mingluo audit verify` recounts it."""
    limit, before = asking.number(request, "limit", 50, MOST), asking.number(request, "before", 0, 2**53)
    async with parts(request).doors.context.store.read() as tx:
        rows = await audit.newest(tx, limit + 1, before)
    more = rows[limit - 1].no if len(rows) > limit else None
    return as_json(LogPage(entries=tuple(map(_item, rows[:limit])), next_before=more))


def _item(entry: Entry) -> LogItem:
    return LogItem(
        no=entry.no,
        at=entry.at,
        actor=entry.actor,
        action=entry.action,
        subject=entry.subject,
        detail=json.loads(entry.detail),
        previous=entry.previous,
        hash=entry.hash,
    )
