"""The handlers of the list and of the training. `part=live` asks for what moves alone: the script swaps it in."""

from __future__ import annotations

from aiohttp import web

from dispatcher.web import asker, asking, guard
from dispatcher.web.console import landing
from dispatcher.web.console.framing import framed
from dispatcher.web.parts import parts


async def front(request: web.Request) -> web.Response:
    site = parts(request)
    context = site.doors.context
    page = await landing.front(context, asking.id_after(request, "before"), asker.stems(request))
    service = context.settings.service
    ready = await site.ready.of(site.doors.readiness)
    return _page(request, "front", {"page": page, "service": service, "problems": ready.problems + ready.notices})


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
