"""The handlers of the pages. `part=live` asks for what moves alone: the script swaps it in, the page stays."""

from __future__ import annotations

import re

from aiohttp import web

from dispatcher.web import asker, asking, guard
from dispatcher.web.console import landing
from dispatcher.web.console.buttons import buttons
from dispatcher.web.console.framing import framed
from dispatcher.web.parts import parts
from dispatcher.web.problems import Problem

_COUNTY = re.compile(r"\d{6}")


async def front(request: web.Request) -> web.Response:
    site = parts(request)
    context = site.doors.context
    page = await landing.front(context, asking.id_after(request, "before"), asker.stems(request))
    service = context.settings.service
    ready = await site.ready.of(site.doors.readiness)
    return _page(request, "front", {"page": page, "service": service, "problems": ready.problems + ready.notices})


async def warning(request: web.Request) -> web.Response:
    return await landing_of(request)


async def landing_of(request: web.Request, *, why: str = "", status: int = 200) -> web.Response:
    """The page of a warning; `why`: what hindered the button that was pressed there."""
    site, warning_id = parts(request), asking.warning_id(request)
    county = request.query.get("county", "")
    if county and not _COUNTY.fullmatch(county):
        raise Problem(400, "bad_query", "county 应为 6 位区划代码")
    page = await landing.landing(site, warning_id, county, asker.stems(request))
    if page is None:
        raise asking.no_such_warning()
    service = site.doors.context.settings.service
    ready = await site.ready.of(site.doors.readiness)
    told = {"page": page, "service": service, "county": county, "problems": ready.problems + ready.notices}
    offered = buttons(asker.principal(request), page.row, page.signatures, page.events)
    response = _page(request, "warning", told | {"why": why, "buttons": offered})
    response.set_status(status)
    return response


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
