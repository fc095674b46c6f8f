"""交接班: what happened since the last hand-over, what is open, free notes, and handing over from one person to another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from aiohttp import web

from dispatcher.accounts.authority import AccountRole, Action, Principal, denial
from dispatcher.geofence.names import stem
from dispatcher.pipeline import shift
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.matters import Matter, open_matters, thawed
from dispatcher.pipeline.persons import NotDone
from dispatcher.pipeline.shift import Step
from dispatcher.store import accounts, shifts
from dispatcher.store.accounts import Account
from dispatcher.store.engine import Tx
from dispatcher.store.shifts import Entry
from dispatcher.web import asker, guard
from dispatcher.web.api.lifecycle import status_of
from dispatcher.web.console.duty import log
from dispatcher.web.console.duty.log import Line
from dispatcher.web.console.duty.sheet import called, sheet
from dispatcher.web.parts import parts
from dispatcher.web.problems import Problem

LISTED: Final = 30
FIRST: Final = timedelta(hours=12)
"""How far back the log reaches where nobody has handed over yet."""
LONGEST: Final = timedelta(days=3)
"""And at most, however long ago that was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """`begun`: when the last hand-over was taken; None where there was none. `offers`: each with whether whoever looks may take
    it. `mine`: his own, where he has one open."""

    since: datetime
    begun: datetime | None
    lines: tuple[Line, ...]
    cut: bool
    notes: tuple[Entry, ...]
    matters: tuple[Matter, ...]
    offers: tuple[tuple[Entry, bool], ...]
    mine: Entry | None
    on_duty: tuple[Account, ...]
    am_on_duty: bool
    past: tuple[Entry, ...]
    next_before: int


async def page(request: web.Request) -> web.Response:
    return await _shown(request)


async def one_page(request: web.Request) -> web.Response:
    """One hand-over, as it was frozen; good on paper."""
    given = request.match_info["handover"]
    number = int(given) if given.isascii() and given.isdigit() and len(given) <= 15 else 0
    context, who = parts(request).doors.context, asker.principal(request)
    async with context.store.read() as tx:
        found = await shifts.one(tx, number)
    if found is None or found.step != Step.TAKEN or not _may_see(who, found):
        raise Problem(404, "no_such_handover", "没有这次交接班，请核对编号")
    register = await context.register()
    values = {
        "entry": found,
        "frozen": thawed(found.detail["matters"]),
        "offered_at": datetime.fromisoformat(found.detail["offered_at"]),
        "room": "、".join(called(register, code) for code in found.scope),
        "digest": shift.digest(found),
    }
    return await sheet(request, "shift_one", values)


async def add_note(request: web.Request) -> web.StreamResponse:
    async def write(context: Context, who: Principal, given: Mapping[str, str]) -> None:
        await shift.write_note(context, who, words=given.get("words", ""))

    return await _done(request, write)


async def hand_over(request: web.Request) -> web.StreamResponse:
    async def put(context: Context, who: Principal, given: Mapping[str, str]) -> None:
        await shift.offer(context, who, words=given.get("words", ""), stays=given.get("stays") == "1")

    return await _done(request, put)


async def withdraw(request: web.Request) -> web.StreamResponse:
    async def take_back(context: Context, who: Principal, given: Mapping[str, str]) -> None:
        await shift.withdraw_offer(context, who, _number(given))

    return await _done(request, take_back)


async def take(request: web.Request) -> web.StreamResponse:
    site = parts(request)
    ready = await site.ready.of(site.doors.readiness)

    async def take_over(context: Context, who: Principal, given: Mapping[str, str]) -> None:
        await shift.take_over(context, who, _number(given), troubles=(*ready.problems, *ready.notices))

    return await _done(request, take_over)


Verb = Callable[[Context, Principal, Mapping[str, str]], Awaitable[None]]


async def _done(request: web.Request, verb: Verb) -> web.StreamResponse:
    """Back to the page, or the page with what hindered it and with what was written."""
    given = await guard.form_of(request)
    try:
        await verb(parts(request).doors.context, asker.principal(request), given)
    except NotDone as why:
        return await _shown(request, why.sentence, given.get("words", ""), status_of(why.hindrance))
    raise web.HTTPSeeOther("/shift")


def _number(given: Mapping[str, str]) -> int:
    said = given.get("offer", "")
    return int(said) if said.isascii() and said.isdigit() and len(said) <= 15 else 0


async def _shown(request: web.Request, why: str = "", words: str = "", status: int = 200) -> web.Response:
    site, who, own = parts(request), asker.principal(request), asker.stems(request)
    ready = await site.ready.of(site.doors.readiness)
    before = request.query.get("before", "")
    async with site.doors.context.store.read() as tx:
        found = await _shift(site.doors.context, tx, who, own, ready.problems + ready.notices)
        if before.isascii() and before.isdigit():
            past = await _past(tx, who, int(before[:15]))
            return await sheet(request, "shift_past", {"past": past[:LISTED], "next_before": _next(past)})
    may = denial(who, Action.HAND_OVER) is None
    values = {"shift": found, "may": may, "why": why, "words": words, "me": who.id}
    return await sheet(request, "shift", values, status)


async def _shift(context: Context, tx: Tx, who: Principal, own: tuple[str, ...], troubles: Sequence[str]) -> Shift:
    past, now = await _past(tx, who), context.now()
    begun = next((one.at for one in past if frozenset(one.scope) == frozenset(who.scope)), None)
    since = max(begun or now - FIRST, now - LONGEST)
    lines = await log.lines(context, tx, since, own)
    every = await accounts.every(tx)
    offers = [one for one in await shifts.still_open(tx, Step.OFFERED) if _may_see(who, one)]
    here = [one for one in every if one.on_duty and one.disabled_at is None and _meets(own, one.scope)]
    return Shift(
        since=since,
        begun=begun,
        lines=tuple(lines),
        cut=len(lines) >= log.MOST,
        notes=tuple(one for one in await shifts.since(tx, Step.NOTE, since) if _may_see(who, one)),
        matters=await open_matters(context, tx, own, troubles),
        offers=tuple((one, one.account_id != who.id and _may_take(who, one)) for one in offers),
        mine=next((one for one in offers if one.account_id == who.id), None),
        on_duty=tuple(one for one in here if one.role in (AccountRole.DUTY_OFFICER, AccountRole.APPROVER)),
        am_on_duty=any(one.id == who.id for one in here),
        past=tuple(past[:LISTED]),
        next_before=_next(past),
    )


async def _past(tx: Tx, who: Principal, before: int = 0) -> list[Entry]:
    """Hand-overs that whoever looks may see, newest first; one more than are listed."""
    found: list[Entry] = []
    while len(found) <= LISTED:
        some = await shifts.of_step(tx, Step.TAKEN, limit=LISTED + 1, before=before)
        found += [one for one in some if _may_see(who, one)]
        if len(some) <= LISTED:
            break
        before = some[-1].id
    return found[: LISTED + 1]


def _next(past: Sequence[Entry]) -> int:
    return past[LISTED - 1].id if len(past) > LISTED else 0


def _may_see(who: Principal, one: Entry) -> bool:
    """What a duty room writes is for whoever has its area, not for those below it."""
    return _within(who.scope, one.scope)


def _may_take(who: Principal, one: Entry) -> bool:
    return denial(who, Action.HAND_OVER, one.scope) is None


def _within(scope: Collection[str], codes: Collection[str]) -> bool:
    own = tuple(map(stem, scope))
    return all(stem(code).startswith(own) for code in codes)


def _meets(own: tuple[str, ...], scope: Collection[str]) -> bool:
    """Those whose area meets one's own."""
    return not own or any(
        stem(code).startswith(own) or any(one.startswith(stem(code)) for one in own) for code in scope
    )
