"""Our own warnings for whoever wants to read them: a CAP 1.2 Atom feed. Nobody has to say who he is.

Only what was issued to the public for real is in it: no drill, no test, nothing internal, nothing that waits for a person.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from functools import partial
from typing import Final
from urllib.parse import quote

from aiohttp import web
from aiohttp.helpers import ETag

from dispatcher.intake.canonical import from_json
from dispatcher.publishing import atom, cap
from dispatcher.store import warnings
from dispatcher.store.warnings import WarningRow
from dispatcher.web.doors import Doors
from dispatcher.web.parts import parts
from dispatcher.web.problems import Problem

KEPT: Final = timedelta(days=7)
"""How long what is over stays in the feed, for whoever could not read it in time."""
MOST: Final = 200
FRESH_S: Final = 15
"""How long a copy between us and a reader may be shown."""


async def feed(request: web.Request) -> web.StreamResponse:
    """Newest first; made anew every few seconds at the most, however many ask."""
    site = parts(request)
    body = await site.published.of(partial(_feed, site.doors))
    return _answer(request, body, "application/atom+xml")


async def _feed(doors: Doors) -> bytes:
    context = doors.context
    now = context.now()
    async with context.store.read() as tx:
        rows = await warnings.published(tx, since=now - KEPT, now=now, limit=MOST)
    about = atom.About(
        title=f"{context.settings.service.sender_name} 预警",
        href=f"{doors.public_url}/feeds/cap.atom",
        author=context.settings.service.sender_name,
        began=now.replace(minute=0, second=0, microsecond=0),
    )
    return atom.write(about, [_entry(row, doors.public_url) for row in rows])


async def alert(request: web.Request) -> web.StreamResponse:
    """The latest message that bears an identifier."""
    async with parts(request).doors.context.store.read() as tx:
        row = await warnings.published_as(tx, request.match_info["identifier"])
    if row is None:
        raise Problem(404, "not_found", "没有以这个编号公开发布过的预警")
    return _answer(request, cap.write(from_json(row.message)), atom.CAP_TYPE)


def _entry(row: WarningRow, public_url: str) -> atom.Entry:
    message = from_json(row.message)
    return atom.Entry(
        id=row.id,
        href=f"{public_url}/feeds/cap/{quote(row.identifier, safe='')}.xml",
        title=row.headline or f"{message.sender_name}解除{row.event}预警",
        updated=row.sent,
        author=message.sender_name or row.sender,
        summary=message.description,
        category=row.event,
    )


def _answer(request: web.Request, body: bytes, content_type: str) -> web.StreamResponse:
    """Who has it already is told so, and gets nothing."""
    tag = ETag(value=hashlib.sha256(body).hexdigest()[:32])
    headers = {"Cache-Control": f"public, max-age={FRESH_S}"}
    known = request.if_none_match or ()
    if any(one.value in (tag.value, "*") for one in known):
        answer = web.Response(status=304, headers=headers)
    else:
        answer = web.Response(body=body, content_type=content_type, charset="utf-8", headers=headers)
    answer.etag = tag
    return answer
