"""The signer's page, good on a phone: opened by its own address, and shown to a leader in place of the dense page while his
signature is waited for."""

from __future__ import annotations

from aiohttp import web

from dispatcher.accounts.authority import Action, may_once_awake
from dispatcher.states import WarningState
from dispatcher.store import warnings
from dispatcher.store.warnings import WarningRow
from dispatcher.web import asker, asking, reach
from dispatcher.web.console.framing import framed
from dispatcher.web.console.sheet import may_sign, sheet
from dispatcher.web.console.spans import lasting
from dispatcher.web.parts import parts


async def sign(request: web.Request) -> web.Response:
    """Of what does not wait for a signature, or lies not wholly in his area, the dense page."""
    row = await _row(request)
    if row.state != WarningState.SUBMITTED or reach.part_of(row, asker.stems(request)):
        return web.Response(status=303, headers={"Location": f"/warnings/{row.id}"})
    return await sheet_of(request)


async def is_asked(request: web.Request) -> bool:
    """Whether it is his signature that is waited for, by role and area."""
    who = asker.principal(request)
    return may_once_awake(who, Action.APPROVE) and may_sign(who, await _row(request))


async def sheet_of(request: web.Request, *, why: str = "", status: int = 200) -> web.Response:
    """`why`: what hindered the button that was pressed there."""
    part = asking.word(request, "part", ("live",))
    site, row = parts(request), await _row(request)
    page = await sheet(site, row, asker.principal(request))
    ready = await site.ready.of(site.doors.readiness)
    told = {"page": page, "why": why, "lasting": lasting, "problems": ready.problems + ready.notices}
    return framed(request, "warning_sign_live.html" if part else "warning_sign.html", told, status=status)


async def _row(request: web.Request) -> WarningRow:
    async with parts(request).doors.context.store.read() as tx:
        row = await warnings.one(tx, asking.warning_id(request))
    if row is None:
        raise asking.no_such_warning()
    return row
