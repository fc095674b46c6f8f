"""The handlers of the lists and of the training. `part=live` asks for what moves alone: the script swaps it in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Final
from urllib.parse import urlencode

from aiohttp import web

from dispatcher.accounts.authority import AccountRole, Action, Means, may_once_awake
from dispatcher.web import asker, asking, guard
from dispatcher.web.console import framing, lists, navigation
from dispatcher.web.console.framing import framed
from dispatcher.web.console.lists import Looking, Sought, SoughtRefused
from dispatcher.web.console.overview import Overview, due, overview
from dispatcher.web.console.preferences import preferences
from dispatcher.web.console.rendering import render
from dispatcher.web.parts import parts

EDITED: Final = "/warnings/{id}/edit"


async def front(request: web.Request) -> web.Response:
    """What is in force now, and what waits."""
    if asking.word(request, "part", ("live",)):
        return await _front_live(request)
    return framed(request, "front.html", await _front(request, framing.seen_of(request)))


async def _front(request: web.Request, seen: Overview) -> dict[str, object]:
    context, principal = parts(request).doors.context, asker.principal(request)
    who = Looking(
        account=principal.id,
        due=frozenset(due(seen, context, framing.reader(request))),
        edits=_edits(request),
        nobody=principal.means is Means.VISITOR,
    )
    page = await lists.front(context, seen, asker.stems(request), who)
    shown = navigation.entries(request.app[navigation.PAGES], principal, context.settings.service.city, request.path)
    return {
        "page": page,
        "problems": framing.status_of(request).problems,
        "training": parts(request).training,
        "steps": navigation.steps(shown),
        "installs": who.nobody or principal.role is AccountRole.ADMINISTRATOR,
    }


async def _front_live(request: web.Request) -> web.Response:
    """Drawn by one of all who ask at the same moment and are shown the same: whoever writes or signs is shown his own."""
    site, own, who = parts(request), asker.stems(request), asker.principal(request)
    language = preferences(request).language

    async def said() -> Hashable:
        view = await site.feed.now()
        return view.newest, tuple(view.counts.items()), view.problem

    async def draw() -> str:
        seen = await overview(
            site.doors.context, own
        )  # not what was seen a moment ago: the stream may have said more since
        return await asyncio.to_thread(render, "front_live.html", await _front(request, seen), language)

    reader = who.id if who.role in (AccountRole.DUTY_OFFICER, AccountRole.APPROVER) else who.role
    return (await site.glances.of(("front", reader, own, language), said, draw)).answer(request)


async def list_page(request: web.Request) -> web.Response:
    """Warnings by what they are, and by a search."""
    if request.query.get("show") == "rejected":
        raise web.HTTPSeeOther("/rejected")
    asking.id_after(request, "before")
    sought, context = Sought.of(request.query), parts(request).doors.context
    page = await lists.listing(context, sought, asker.stems(request), _edits(request))
    return _page(request, "list", {"page": page, "refused": _sees_refused(request), "link": _linking(sought)})


async def refused_page(request: web.Request) -> web.Response:
    """What was not let in."""
    asking.id_after(request, "before")
    context = parts(request).doors.context
    sought = SoughtRefused.of(request.query, context.settings.sources)
    page = await lists.refusals(context, sought)
    shows = [(name, word) for name, (word, _) in lists.SHOWS.items()]
    links = {"link": _linking(Sought()), "onward": _linking(sought, "/rejected")}
    return _page(request, "rejected", {"page": page, "shows": shows, **links})


def _edits(request: web.Request) -> str:
    """Where whoever looks goes on writing a draft; '' for who may write none."""
    if not may_once_awake(asker.principal(request), Action.ISSUE):
        return ""
    return EDITED if EDITED in request.app[navigation.PAGES] else "/warnings/{id}"


def _sees_refused(request: web.Request) -> bool:
    city = parts(request).doors.context.settings.service.city
    return may_once_awake(asker.principal(request), Action.REJECTS, (city,))


def _linking(sought: Sought | SoughtRefused, path: str = "/warnings") -> Callable[..., str]:
    """The address of the same search, but for what is said."""
    now = {name: getattr(sought, name) for name in sought.__dataclass_fields__ if name != "before"}

    def link(**changed: str) -> str:
        given = {"q" if name == "said" else name: value for name, value in {**now, **changed}.items() if value}
        return f"{path}?{urlencode(given)}"

    return link


async def reset(request: web.Request) -> web.Response:
    """Begins the training anew: the service restarts on an empty database, and the browser's next request waits for it.

    Answered once this site takes no more: else the browser would be shown the old list once again.
    """
    site = parts(request)
    if asker.asker(request).known is None:  # a session's key was looked at before
        await guard.must_be_our_form(request, site.form_key)
    assert site.doors.reset is not None  # the route exists in training alone
    site.doors.reset()
    await site.closing.wait()
    return web.Response(status=303, headers={"Location": "/", "Connection": "close"})


def _page(request: web.Request, name: str, values: dict[str, object]) -> web.Response:
    part = asking.word(request, "part", ("live",))
    return framed(request, f"{name}_live.html" if part else f"{name}.html", values)
