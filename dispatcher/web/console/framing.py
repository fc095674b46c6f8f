"""What every page of the console stands in: the language and light, who reads, and the keys of its forms."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from dispatcher.web import asker, guard
from dispatcher.web.client import client_of
from dispatcher.web.console.preferences import keep, preferences
from dispatcher.web.console.rendering import render
from dispatcher.web.parts import parts


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


def _frame(request: web.Request) -> dict[str, object]:
    site, asks = parts(request), asker.signed_in(request)
    return {
        "page": {"synthetic": False},
        "service": site.doors.context.settings.service,
        "training": site.training,
        "form_key": (asks.key if asks else "") or site.form_key,
        "asks": asks,
        "look": preferences(request),
        "here": asker.place(request, request.path_qs),
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
