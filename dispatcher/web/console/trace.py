"""One row of the ledger, opened: why somebody was told, which text, every try, every receipt; and the rows themselves, page by
page. Numbers are masked, and of another area not even the reason is said. Whoever has to ring somebody is shown his number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from aiohttp import web

from dispatcher.accounts.authority import Action, may_once_awake
from dispatcher.model import Target
from dispatcher.pipeline.explain import Story, Told
from dispatcher.registry.register import Register
from dispatcher.registry.unmasking import Look, person_of, unmask
from dispatcher.store import headlines, ledger, warnings
from dispatcher.store.ledger import Entry
from dispatcher.store.warnings import WarningRow
from dispatcher.telemetry import mask
from dispatcher.web import asker, asking, guard, reach
from dispatcher.web.api.warnings import story_of
from dispatcher.web.asking import Cursor, cursor_text
from dispatcher.web.console.framing import framed
from dispatcher.web.console.naming import KINDS, called, named
from dispatcher.web.console.watching import county_of
from dispatcher.web.parts import parts
from dispatcher.web.problems import Problem

LISTED: Final = 100
SHORTEST, LONGEST = 2, 200
"""Characters of a reason, as of the API's order."""
OUTCOMES: Final = {
    "accepted": "对方收下", "try_again": "没有发出，再试", "not_known": "可能已发出，结果不明", "refused": "对方拒绝",
    "looked_up": "向对方查询",
}  # fmt: skip
RECEIPTS: Final = {"sent": "在途", "delivered": "已送达", "undelivered": "未送达", "failed": "失败"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A try (`no`), or a receipt (0); `detail` is a provider's own sentence, masked."""

    at: datetime
    no: int
    outcome: str
    code: str
    detail: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One delivery of whoever is looked at: a channel, its text, and its moments in order."""

    entry: Entry
    why: str
    text: str
    moments: tuple[Moment, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    row: WarningRow
    at: datetime
    synthetic: bool
    target: str
    kind: str
    name: str
    place: str
    ways: tuple[Way, ...]
    reason: str


async def one_row(request: web.Request) -> web.Response:
    return await _opened(request, await story_of(request))


async def _opened(
    request: web.Request, story: Story, *, number: str = "", why: str = "", status: int = 200
) -> web.Response:
    """`number`: of whoever is looked at, shown this once; `why` it is not shown."""
    context = parts(request).doors.context
    register = await context.register()
    told = {
        "page": _trace(register, story, context.now()), "rings": await _rings(request, story.target),
        "number": number, "why": why,
    }  # fmt: skip
    return framed(request, "warning_trace.html", told, status=status)


async def _rings(request: web.Request, target: Target) -> bool:
    """Whether whoever looks may see the number of whoever is looked at, once he has shown himself again."""
    async with parts(request).doors.context.store.read() as tx:
        person = await person_of(tx, str(target))
    return person is not None and may_once_awake(asker.principal(request), Action.UNMASK, (person.area_code,))


async def number(request: web.Request) -> web.Response:
    """The form of that page. It is on record who looked, and why, before the number is shown."""
    story, context, own = await story_of(request), parts(request).doors.context, asker.stems(request)
    async with context.store.read() as tx:
        if own and not await headlines.touching(tx, [story.warning.id], own):
            raise asking.no_such_warning()
    reason = (await guard.form_of(request)).get("reason", "").strip()
    if not SHORTEST <= len(reason) <= LONGEST:
        return await _opened(request, story, why="请写明为什么要看号码（2 到 200 个字）", status=422)
    look = Look(actor=asker.principal(request).actor, target=str(story.target), reason=mask(reason))
    found = await unmask(context.store, context.seal, context.now(), look)
    if found is None:
        raise Problem(404, "no_such_person", "登记册里没有这个人，请核对编号")
    if not found.phone:
        return await _opened(request, story, why="这个号码打不开，请管理员核对登记册", status=409)
    return await _opened(request, story, number=found.phone)


def _trace(register: Register, story: Story, now: datetime) -> Trace:
    return Trace(
        row=story.warning,
        at=now,
        synthetic=register.synthetic,
        target=str(story.target),
        kind=KINDS[story.target.kind],
        name=named(register, story.target),
        place=called(register, story.told[0].entry.township) if story.told else "",
        ways=tuple(
            Way(entry=told.entry, why=told.why, text=told.text, moments=tuple(_moments(told))) for told in story.told
        ),
        reason=story.reason,
    )


def _moments(told: Told) -> Iterator[Moment]:
    tries = [
        Moment(at=one.started_at, no=one.no, outcome=OUTCOMES.get(one.outcome, one.outcome),
               code=one.code, detail=mask(one.reason), by=one.provider)
        for one in told.tries
    ]  # fmt: skip
    heard = [
        Moment(at=one.at, no=0, outcome=RECEIPTS.get(one.state, one.state), code=one.code,
               detail=mask(one.detail), by=told.entry.provider)
        for one in told.receipts
    ]  # fmt: skip
    yield from sorted([*tries, *heard], key=lambda moment: moment.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A row of the ledger in the list."""

    name: str
    kind: str
    place: str
    entry: Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """`after`: where the next page begins, '' where there is none; `frozen`: rows that come into the ledger later."""

    row: WarningRow
    at: datetime
    synthetic: bool
    county: str
    lines: tuple[Line, ...]
    after: str
    frozen: int


async def rows(request: web.Request) -> web.Response:
    """A page of the ledger, of one county where it is chosen."""
    site, warning_id, county = parts(request), asking.warning_id(request), county_of(request)
    own, context = asker.stems(request), site.doors.context
    under = (county,) if county and (not own or county.startswith(own)) else own
    register = await context.register()
    async with context.store.read() as tx:
        row = await warnings.one(tx, warning_id)
        if row is None:
            raise asking.no_such_warning()
        found = await ledger.page(tx, row.id, asking.cursor(request), LISTED + 1, under=under)
        frozen = await reach.still_frozen(tx, site.frozen, row.id, under)
    page = Lines(
        row=row,
        at=context.now(),
        synthetic=register.synthetic,
        county=county,
        lines=tuple(_line(register, entry) for entry in found[:LISTED]),
        after=cursor_text(_key(found[LISTED - 1])) if len(found) > LISTED else "",
        frozen=frozen,
    )
    return framed(request, "warning_rows.html", {"page": page})


def _line(register: Register, entry: Entry) -> Line:
    target = Target.parse(entry.target)
    place = called(register, entry.township)
    return Line(name=named(register, target), kind=KINDS[target.kind], place=place, entry=entry)


def _key(entry: Entry) -> Cursor:
    return entry.channel, entry.target, entry.round
