"""Our own warnings for whoever wants to read them: a CAP 1.2 Atom feed. Nobody has to say who he is.

Only what was issued to the public for real is in it: no drill, no test, nothing internal, nothing that waits for a person.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final
from urllib.parse import quote

from aiohttp import web
from aiohttp.helpers import ETag

from dispatcher.intake.canonical import from_json
from dispatcher.model import Kind, Narrowing, Reference, WarningMessage
from dispatcher.publishing import atom, cap
from dispatcher.settings import Hazards
from dispatcher.store import warnings
from dispatcher.store.warnings import Published
from dispatcher.web.doors import Doors
from dispatcher.web.parts import Document, parts
from dispatcher.web.problems import Problem

KEPT: Final = timedelta(days=7)
"""How long what is over stays in the feed, for whoever could not read it in time."""
MOST: Final = 200
INTERNAL: Final = ("12379:", "mingluo:")
"""Parameters that speak to offices: texts for groups of people, whom to tell and why."""
FRESH_S: Final = 15
"""How long a copy between us and a reader may be shown."""


async def feed(request: web.Request) -> web.StreamResponse:
    """Newest first; made anew every few seconds at the most, however many ask."""
    site = parts(request)
    found = await site.published.of(partial(_feed, site.doors))
    return _answer(request, found, "application/atom+xml")


async def _feed(doors: Doors) -> Document:
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
    return Document.of(atom.write(about, [_entry(row, doors.public_url) for row in rows]))


async def alert(request: web.Request) -> web.StreamResponse:
    """The latest message that bears an identifier; of one `sender`, where that is asked."""
    context = parts(request).doors.context
    async with context.store.read() as tx:
        row = await warnings.published_as(tx, request.match_info["identifier"], request.query.get("sender", ""))
        if row is None:
            raise Problem(404, "not_found", "没有以这个编号公开发布过的预警")
        before = await warnings.published_before(tx, row)
    return _answer(
        request, Document.of(cap.write(_for_the_public(row, before, context.settings.hazards))), atom.CAP_TYPE
    )


def _for_the_public(row: Published, before: list[Reference], hazards: Hazards) -> WarningMessage:
    """Without what was said to offices alone; what it changes or calls off is named whole, as CAP wants it. Where the issuer
    named no category, the hazard's stands."""
    message = from_json(row.message)
    kind = hazards.named(message.hazard.name) if message.hazard else None
    named = message.references if message.kind is Kind.ALERT else tuple(dict.fromkeys([*message.references, *before]))
    return replace(
        message,
        categories=message.categories or ((kind.category,) if kind else ()),
        references=named,
        parameters=tuple(pair for pair in message.parameters if not pair[0].startswith(INTERNAL)),
        narrowing=Narrowing(),
        sound_at_night=False,
    )


def _entry(row: Published, public_url: str) -> atom.Entry:
    message = from_json(row.message)
    verb = "解除" if row.kind == Kind.CANCEL else "发布"
    address = f"{quote(row.identifier, safe='')}.xml?sender={quote(row.sender, safe='')}"
    return atom.Entry(
        id=row.id,
        href=f"{public_url}/feeds/cap/{address}",
        title=row.headline or f"{message.sender_name}{verb}{row.event}预警",
        updated=row.sent,
        author=message.sender_name or row.sender,
        summary=message.description,
        category=row.event,
    )


def _answer(request: web.Request, found: Document, content_type: str) -> web.StreamResponse:
    """Who has it already is told so, and gets nothing."""
    tag = ETag(value=found.tag)
    headers = {"Cache-Control": f"public, max-age={FRESH_S}"}
    known = request.if_none_match or ()
    if any(one.value in (tag.value, "*") for one in known):
        answer = web.Response(status=304, headers=headers)
    else:
        answer = web.Response(body=found.body, content_type=content_type, charset="utf-8", headers=headers)
    answer.etag = tag
    return answer
