"""The demo's own pages: coming in as one of its invented people by a one-time link, and going on where a code is asked for.

Their routes exist only where the demo handed in the door. To look at a link uses nothing up: a preview or a prefetch opens
the page, and only the button on it comes in. What comes from another machine, or by another name, is turned away.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from dispatcher.accounts.authority import AccountRole
from dispatcher.accounts.entering import Wrong
from dispatcher.accounts.linking import NO_MORE, Links
from dispatcher.store.accounts import Account
from dispatcher.web import asker
from dispatcher.web.client import is_here
from dispatcher.web.console import entrance
from dispatcher.web.parts import parts
from dispatcher.web.problems import Problem

MOST: Final = 64
"""Characters of a link that are looked at."""


async def enter_page(request: web.Request) -> web.Response:
    token = request.match_info["token"][:MOST]
    account = await _links(request).whose(token)
    return await _shown(request, token, account, None if account else Wrong(NO_MORE))


async def enter(request: web.Request) -> web.StreamResponse:
    """Whoever was signed in in this browser is so no more."""
    await entrance.form(request)
    token, before = request.match_info["token"][:MOST], asker.cookie(request)
    try:
        session = await _links(request).enter(token, entrance.address(request))
    except Wrong as why:
        return await _shown(request, token, None, why)
    if before:
        await parts(request).entrance.sign_out(before)
    response = web.Response(status=303, headers={"Location": "/"})
    asker.set_cookie(request, response, session)
    return response


async def show_again(request: web.Request) -> web.StreamResponse:
    """Instead of the code that a phone would show."""
    given = await entrance.form(request)
    try:
        await _links(request).show_again(asker.cookie(request))
    except LookupError as error:
        raise web.HTTPSeeOther(asker.SIGN_IN) from error
    raise web.HTTPSeeOther(asker.place(request, given.get("next", "/")))


async def _shown(request: web.Request, token: str, account: Account | None, why: Wrong | None) -> web.Response:
    known = await parts(request).entrance.known(asker.cookie(request))
    before = known.account.name if known and account and known.account.id != account.id else ""
    role = AccountRole(account.role).chinese if account else ""
    return entrance.shown(request, "demo_enter", why, token=token, account=account, role=role, before=before)


def _links(request: web.Request) -> Links:
    if not is_here(request):
        raise Problem(403, "only_here", "演示的链接只能在这台机器上打开：请用 127.0.0.1 的地址")
    links = parts(request).doors.links
    assert links is not None  # the routes exist in the demo alone
    return links
