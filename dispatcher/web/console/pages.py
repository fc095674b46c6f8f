"""The handlers of the lists and of the training. `part=live` asks for what moves alone: the script swaps it in."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

from aiohttp import web

from dispatcher.accounts.authority import Action, Denial, Means, denial
from dispatcher.web import asker, asking, guard
from dispatcher.web.console import framing, lists, navigation
from dispatcher.web.console.framing import framed
from dispatcher.web.console.lists import Looking, Sought
from dispatcher.web.parts import parts


async def front(request: web.Request) -> web.Response:
    """What is in force now, and what waits."""
    site, status = parts(request), framing.status_of(request)
    principal = asker.principal(request)
    who = Looking(
        account=principal.id,
        due=frozenset(status.due),
        redraws=_redraws(request),
        nobody=principal.means is Means.VISITOR,
    )
    page = await lists.front(site.doors.context, framing.seen_of(request), asker.stems(request), who)
    return _page(request, "front", {"page": page, "problems": status.problems})


async def list_page(request: web.Request) -> web.Response:
    """Warnings by what they are, and by a search."""
    if request.query.get("show") == "rejected":
        raise web.HTTPSeeOther("/rejected")
    asking.id_after(request, "before")
    sought, context = Sought.of(request.query), parts(request).doors.context
    page = await lists.listing(context, sought, asker.stems(request), _redraws(request))
    return _page(request, "list", {"page": page, "refused": _sees_refused(request), "link": _linking(sought)})


async def refused_page(request: web.Request) -> web.Response:
    """What was not let in."""
    page = await lists.refusals(parts(request).doors.context, asking.id_after(request, "before"))
    shows = [(name, word) for name, (word, _) in lists.SHOWS.items()]
    return _page(request, "rejected", {"page": page, "shows": shows, "link": _linking(Sought())})


def _redraws(request: web.Request) -> str:
    """Where whoever looks draws a held area anew: on the page of the warning, where there is no other; '' for who may not."""
    if denial(asker.principal(request), Action.ISSUE) not in (None, Denial.ASLEEP):
        return ""
    return "/issue?draft={id}" if "/issue" in request.app[navigation.PAGES] else "/warnings/{id}"


def _sees_refused(request: web.Request) -> bool:
    city = parts(request).doors.context.settings.service.city
    return denial(asker.principal(request), Action.REJECTS, (city,)) in (None, Denial.ASLEEP)


def _linking(sought: Sought) -> Callable[..., str]:
    """The address of the same search, but for what is said."""
    now = {name: getattr(sought, name) for name in Sought.__dataclass_fields__ if name != "before"}

    def link(**changed: str) -> str:
        given = {"q" if name == "said" else name: value for name, value in {**now, **changed}.items() if value}
        return f"/warnings?{urlencode(given)}"

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
