"""What every page of the console stands in: language and light, who reads, where he may go, what is in force and what waits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from dispatcher.accounts.authority import Principal
from dispatcher.web import asker, guard
from dispatcher.web.client import client_of
from dispatcher.web.console import navigation
from dispatcher.web.console.overview import Overview, Status, overview, status
from dispatcher.web.console.preferences import keep, preferences
from dispatcher.web.console.rendering import render
from dispatcher.web.parts import Parts, Recent, parts

STATUS: Final = web.RequestKey("status", Status)
OVERVIEW: Final = web.RequestKey("overview", Overview)
GOOD_FOR_S: Final = 1.0


def framed(
    request: web.Request,
    template: str,
    values: Mapping[str, object],
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """The page, with all that `base.html` asks for; what `values` say goes before."""
    text = render(template, _frame(request) | dict(values), preferences(request).language)
    response = web.Response(status=status, text=text, content_type="text/html", charset="utf-8", headers=headers)
    response.enable_compression()
    return response


async def look_round(request: web.Request) -> None:
    """Before the handler of a page: what stands in the bar above it. Nobody who has not come in is told anything."""
    asks = asker.signed_in(request)
    if asks is None:
        return
    site, own = parts(request), asker.stems(request)
    context = site.doors.context
    if "part" in request.query:
        seen = await _recent(site, own).of(lambda: overview(context, own))
    else:  # a hand opens it, and what that hand did a moment ago stands in it
        seen = await overview(context, own)
    ready = await site.ready.of(site.doors.readiness)
    request[STATUS] = status(seen, context, reader(request), ready.problems + ready.notices)
    request[OVERVIEW] = seen


def reader(request: web.Request) -> tuple[Principal, str]:
    """Whoever looks, and his login, '' where he has none."""
    asks = asker.asker(request)
    return asks.principal, asks.known.account.login if asks.known else ""


def _recent(site: Parts, own: tuple[str, ...]) -> Recent[Overview]:
    """What was seen a moment ago, unless a script was told of something newer: then it must not be shown what was before."""
    newest, recent = site.overviews.get(own, (-1, Recent[Overview](GOOD_FOR_S)))
    if newest != site.feed.newest:
        recent = Recent[Overview](GOOD_FOR_S)
    site.overviews[own] = (site.feed.newest, recent)
    return recent


def seen_of(request: web.Request) -> Overview:
    """Of a page that somebody looks at who has come in."""
    return request[OVERVIEW]


def status_of(request: web.Request) -> Status:
    return request[STATUS]


async def status_bar(request: web.Request) -> web.Response:
    """The bar alone: a script asks for it when something moved."""
    return framed(request, "status.html", {})


def _frame(request: web.Request) -> dict[str, object]:
    site, asks = parts(request), asker.signed_in(request)
    city = site.doors.context.settings.service.city
    pages = request.app[navigation.PAGES]
    return {
        "navigation": navigation.entries(pages, asks.principal, city, request.path) if asks else (),
        "status": request.get(STATUS),
        "page": {"synthetic": False},
        "service": site.doors.context.settings.service,
        "training": site.training,
        "form_key": (asks.key if asks else "") or site.form_key,
        "asks": asks,
        "look": preferences(request),
        "here": asker.place(request, request.path_qs),
        "posted": request.method == "POST",
    }


async def choose(request: web.Request) -> web.StreamResponse:
    """Language and light, from the form at the head of every page: also of one that nobody has signed in to."""
    site, token = parts(request), asker.cookie(request)
    await guard.must_be_our_form(request, *asker.form_keys(token), site.form_key)
    given = await guard.form_of(request)
    chosen = preferences(request).changed(given.get("language", ""), given.get("theme", ""))
    onward = asker.place(request, given.get("next", "/"))
    response = web.Response(status=303, headers={"Location": onward})
    keep(response, chosen, secure=client_of(request).secure)
    return response
