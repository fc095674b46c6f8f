"""The signer's page, good on a phone: opened by its own address, and shown to a leader in place of the dense page while his
signature is waited for. And the same words for an officer who reads them out to him by telephone (电话请示)."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from dispatcher.accounts.authority import Action, may_once_awake
from dispatcher.pipeline.persons import spoken_for
from dispatcher.states import WarningState
from dispatcher.store import warnings
from dispatcher.store.warnings import WarningRow
from dispatcher.web import asker, asking, reach
from dispatcher.web.console.framing import framed
from dispatcher.web.console.sheet import may_sign, sheet
from dispatcher.web.console.spans import lasting
from dispatcher.web.parts import parts


async def sign(request: web.Request) -> web.Response:
    return await _onward(request) or await sheet_of(request)


async def telephone(request: web.Request) -> web.Response:
    return await _onward(request) or await call_of(request, {})


async def _onward(request: web.Request) -> web.Response | None:
    """Of what does not wait for a signature, or lies not wholly in his area, the dense page."""
    row = await _row(request)
    if row.state != WarningState.SUBMITTED or reach.part_of(row, asker.stems(request)):
        return web.Response(status=303, headers={"Location": f"/warnings/{row.id}"})
    return None


async def is_asked(request: web.Request) -> bool:
    """Whether it is his signature that is waited for, by role and area."""
    who = asker.principal(request)
    if not may_once_awake(who, Action.APPROVE):
        return False
    row = await _row(request)
    async with parts(request).doors.context.store.read() as tx:
        areas = await spoken_for(tx, row)
    return may_sign(who, row, areas)


async def sheet_of(request: web.Request, *, why: str = "", status: int = 200) -> web.Response:
    """`why`: what hindered the button that was pressed there."""
    page = await sheet(parts(request), await _row(request), asker.principal(request))
    return await _shown(request, "warning_sign.html", {"page": page, "why": why}, status)


async def call_of(request: web.Request, given: Mapping[str, str], *, why: str = "", status: int = 200) -> web.Response:
    """What is read out to a leader by telephone, and where his answer is put down. `given`: what was typed there."""
    page = await sheet(parts(request), await _row(request), asker.principal(request), Action.RECORD_CALL)
    return await _shown(request, "warning_telephone.html", {"page": page, "why": why, "given": given}, status)


async def _shown(request: web.Request, template: str, values: Mapping[str, object], status: int) -> web.Response:
    part, site = asking.word(request, "part", ("live",)), parts(request)
    ready = await site.ready.of(site.doors.readiness)
    told = {**values, "lasting": lasting, "problems": ready.problems + ready.notices}
    return framed(request, "warning_sign_live.html" if part else template, told, status=status)


async def _row(request: web.Request) -> WarningRow:
    async with parts(request).doors.context.store.read() as tx:
        row = await warnings.one(tx, asking.warning_id(request))
    if row is None:
        raise asking.no_such_warning()
    return row
