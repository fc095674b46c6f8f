"""The pages of one warning: landing, and whom it told. `part=live` asks for what moves alone: the script swaps it in.

The moving part is drawn once for all who see the same of it, and is at least as new as what the stream has told them.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Hashable
from dataclasses import replace
from typing import Final

from aiohttp import web

from dispatcher.accounts.authority import Action, may_once_awake
from dispatcher.store import warnings
from dispatcher.web import asker, asking
from dispatcher.web.console import landing, signer, tiles
from dispatcher.web.console.buttons import Button, buttons
from dispatcher.web.console.framing import framed
from dispatcher.web.console.landing import Landing
from dispatcher.web.console.moving import moving
from dispatcher.web.console.preferences import preferences
from dispatcher.web.console.reading import Reading, read
from dispatcher.web.console.rendering import render
from dispatcher.web.console.spans import lasting
from dispatcher.web.parts import parts
from dispatcher.web.problems import Problem

_COUNTY: Final = re.compile(r"\d{6}")
WHOLE: Final = "whole"
"""`view`: the dense page, also for whoever would be shown the sheet to sign."""


async def warning(request: web.Request) -> web.Response:
    return await landing_of(request)


async def landing_of(request: web.Request, *, why: str = "", status: int = 200) -> web.Response:
    """The page of a warning; `why`: what hindered the button that was pressed there. A leader whose signature is waited for
    is shown what he signs."""
    part, county = asking.word(request, "part", ("live",)), county_of(request)
    if not asking.word(request, "view", (WHOLE,)) and await signer.is_asked(request):
        return await signer.sheet_of(request, why=why, status=status)
    if part:
        return await _live(request, county)
    site, warning_id = parts(request), asking.warning_id(request)
    page = await landing.landing(site, warning_id, county, asker.stems(request))
    if page is None:
        raise asking.no_such_warning()
    ready = await site.ready.of(site.doors.readiness)
    offered = await _offered(request, page)
    told = {"page": page, "county": county, "problems": ready.problems + ready.notices, "why": why, "buttons": offered}
    return framed(request, "warning.html", told | _for_reading(request), status=status)


async def _offered(request: web.Request, page: Landing) -> tuple[Button, ...]:
    """What is chosen from a list is not offered where there is none."""
    offered = buttons(asker.principal(request), page.row, page.signatures, page.events)
    if not any(one.verb == "join" for one in offered):
        return offered
    among = await landing.to_join(parts(request), page.row, asker.stems(request))
    filled = (replace(one, among=among) if one.verb == "join" else one for one in offered)
    return tuple(one for one in filled if one.verb != "join" or one.among)


async def _live(request: web.Request, county: str) -> web.Response:
    """Drawn by one of all who ask at the same moment."""
    site, warning_id, own = parts(request), asking.warning_id(request), asker.stems(request)
    language, shown = preferences(request).language, _for_reading(request)

    async def said() -> Hashable:
        view = await site.feed.now()
        return view.newest, view.counts.get(warning_id), view.problem

    async def reading(_again: bool) -> Reading:
        async with site.doors.context.store.read() as tx:
            row = await warnings.one(tx, warning_id)
            if row is None:
                raise asking.no_such_warning()
            return await read(tx, site.frozen, row, site.doors.context.now())

    async def draw() -> str:
        page = await moving(site, await site.readings.of(warning_id, said, reading), county, own)
        ready = await site.ready.of(site.doors.readiness)
        told = {"page": page, "county": county, "problems": ready.problems + ready.notices, **shown}
        return await asyncio.to_thread(render, "warning_live.html", told, language)

    key = (warning_id, county, own, language, shown["rows_open"], shown["rings"])
    return (await site.glances.of(key, said, draw)).answer(request)


def _for_reading(request: web.Request) -> dict[str, object]:
    """`rows_open`: whether whoever looks may open a row of the ledger; `rings`: and see somebody's number there."""
    who = asker.principal(request)
    may = may_once_awake(who, Action.LEDGER)
    rings = may and may_once_awake(who, Action.UNMASK)
    return {"rows_open": may, "rings": rings, "stages": tiles.SHOWN, "lasting": lasting}


def county_of(request: web.Request) -> str:
    """'' for all."""
    county = request.query.get("county", "")
    if county and not _COUNTY.fullmatch(county):
        raise Problem(400, "bad_query", "county 应为 6 位区划代码")
    return county
