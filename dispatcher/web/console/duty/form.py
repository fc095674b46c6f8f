"""预警信息发布审批单: one warning on a sheet of A4, with blanks for ink; and the scans of what was signed on it.

A scan is handed out as a file to keep, never shown as a page of ours: whatever it is, no browser runs it in our name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from aiohttp import web

from dispatcher.accounts.authority import Action, may_once_awake
from dispatcher.intake.canonical import from_json
from dispatcher.model import WarningMessage, Why, county_of, township_of
from dispatcher.pipeline import attach
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.persons import NotDone
from dispatcher.pipeline.telephone import hand_in_slip
from dispatcher.registry.register import Register
from dispatcher.signing import Act
from dispatcher.store import accounts, scans, signatures, warnings
from dispatcher.store.engine import Tx
from dispatcher.store.scans import Scan
from dispatcher.store.signatures import Signature
from dispatcher.store.warnings import WarningRow
from dispatcher.web import asker, asking, guard
from dispatcher.web.api.lifecycle import status_of
from dispatcher.web.console.duty.sheet import called, sheet
from dispatcher.web.parts import parts
from dispatcher.web.problems import Problem
from dispatcher.web.uploading import uploaded

_ID: Final = 32
_NAMED: Final = 24
"""Townships that are named on the paper; all of them are counted."""
_ACTS: Final[Mapping[str, str]] = {
    Act.TRUSTED: "直通来源自动放行",
    Act.DRAFTED: "拟制",
    Act.TAKEN_UP: "接手拟制",
    Act.EDITED: "修改",
    Act.SUBMITTED: "送签",
    Act.RETURNED: "退回",
    Act.APPROVED: "签发",
    Act.RELEASED: "逾时放行",
    Act.TELEPHONE: "登记电话签发",
    Act.OBJECTED: "领导提出异议",
    Act.INK_SLIP: "登记书面签批单",
    Act.RETRACTED: "误发撤回",
    Act.REVIEWED: "领导复核",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A county of the area: `whole`, or these townships of it."""

    name: str
    whole: bool
    townships: tuple[str, ...]
    more: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Who did what, as the record has it."""

    at: datetime
    word: str
    who: str
    said: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A sign-off by telephone: who said yes, when, in which words; and the paper's number, '' while it has not come."""

    leader: str
    at: datetime
    words: str
    slip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    row: WarningRow
    message: WarningMessage
    code: str
    villages: int
    places: tuple[Place, ...]
    described: tuple[str, ...]
    reached: tuple[tuple[str, int], ...]
    """Why → how many are told."""
    channels: tuple[tuple[str, int], ...]
    unreachable: int
    suppressed: int
    done: tuple[Done, ...]
    drafter: Done | None
    calls: tuple[Call, ...]
    scans: tuple[tuple[Scan, str], ...]
    """Each with who put it there."""


async def page(request: web.Request) -> web.Response:
    return await _shown(request)


async def add_scan(request: web.Request) -> web.StreamResponse:
    given = await uploaded(request, attach.MOST_BYTES)
    warning_id, context = asking.warning_id(request), parts(request).doors.context
    try:
        await attach.attach(context, asker.principal(request), warning_id, name=given.name, body=given.body)
    except NotDone as why:
        return await _shown(request, why.sentence, status_of(why.hindrance))
    raise web.HTTPSeeOther(f"/warnings/{warning_id}/form")


async def add_slip(request: web.Request) -> web.StreamResponse:
    """The number of the paper that follows a sign-off by telephone."""
    given = await guard.form_of(request)
    warning_id, context = asking.warning_id(request), parts(request).doors.context
    try:
        await hand_in_slip(context, asker.principal(request), warning_id, number=given.get("number", "")[:100])
    except NotDone as why:
        return await _shown(request, why.sentence, status_of(why.hindrance))
    raise web.HTTPSeeOther(f"/warnings/{warning_id}/form")


async def one_scan(request: web.Request) -> web.Response:
    """To be kept as a file: never shown, never run."""
    context = parts(request).doors.context
    async with context.store.read() as tx:
        found = await scans.one(tx, asking.warning_id(request), request.match_info["scan"][:_ID])
    if found is None:
        raise Problem(404, "no_such_scan", "没有这份扫描件，请核对编号")
    scan, sealed = found
    name = quote(scan.name, safe="")
    headers = {
        "Content-Disposition": f"attachment; filename=\"scan.{scan.kind}\"; filename*=UTF-8''{name}",
    }
    content_type = attach.Kind(scan.kind).content_type
    return web.Response(body=context.seal.open_bytes(sealed), content_type=content_type, headers=headers)


async def _shown(request: web.Request, why: str = "", status: int = 200) -> web.Response:
    context, who = parts(request).doors.context, asker.principal(request)
    register = await context.register()
    async with context.store.read() as tx:
        row = await warnings.one(tx, asking.warning_id(request))
        if row is None:
            raise asking.no_such_warning()
        paper = await _paper(tx, context, register, row)
    areas = list(row.area["villages"]) or list(who.scope)
    values = {
        "paper": paper,
        "why": why,
        "may_attach": may_once_awake(who, Action.ATTACH, areas),
        "may_record": may_once_awake(who, Action.RECORD_CALL, areas) and any(not one.slip for one in paper.calls),
        "most": attach.MOST_BYTES // 1024 // 1024,
    }
    return await sheet(request, "approval_form", values, status)


async def _paper(tx: Tx, context: Context, register: Register, row: WarningRow) -> Paper:
    acts = await signatures.of(tx, row.id)
    names = {one.id: one.name for one in await accounts.every(tx)}
    names |= {one.id: one.name for one in await accounts.all_tokens(tx)}
    source = context.settings.sources.get(row.source)
    done = tuple(_done(one, names, source.name if source else row.source) for one in acts)
    plan, message = row.plan, from_json(row.message)
    villages = [str(one) for one in row.area["villages"]]
    wrote = ("拟制", "接手拟制", "直通来源自动放行", "误发撤回")
    return Paper(
        row=row,
        message=message,
        code=short_mark(row.plan_hash),
        villages=len(villages),
        places=tuple(_places(register, villages)),
        described=tuple(area.description for area in message.areas if area.description),
        reached=tuple((Why(int(why)).chinese, int(rows)) for why, rows in _most_first(plan.get("reasons", {}))),
        channels=tuple((str(name), int(rows)) for name, rows in _most_first(plan.get("channels", {}))),
        unreachable=int(plan.get("unreachable_count", 0)),
        suppressed=sum(_numbers(plan.get("suppressed", {}))),
        done=done,
        drafter=next((one for one in done if one.word in wrote), None),
        calls=tuple(_calls(acts, names)),
        scans=tuple((one, names.get(one.account_id, one.account_id)) for one in await scans.of(tx, row.id)),
    )


def short_mark(plan_hash: str) -> str:
    """Enough of it to be read aloud and compared by eye; '' where nothing is frozen yet."""
    return f"{plan_hash[:4]}-{plan_hash[4:8]}-{plan_hash[8:12]}".upper() if plan_hash else ""


def _most_first(counts: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return sorted(counts.items(), key=lambda pair: (-int(pair[1]), pair[0]))


def _numbers(counts: Mapping[str, Any]) -> list[int]:
    return [int(rows) for rows in counts.values() if isinstance(rows, int)]


def _done(one: Signature, names: Mapping[str, str], source: str) -> Done:
    # of a call the number stands sealed beside the words
    said = one.detail.get("number" if one.act == Act.INK_SLIP else "words") or one.detail.get("reason") or ""
    who = names.get(one.account_id, one.account_id) or source
    return Done(at=one.at, word=_ACTS[Act(one.act)], who=who, said=str(said), code=short_mark(one.plan_hash))


def _calls(acts: Sequence[Signature], names: Mapping[str, str]) -> list[Call]:
    """The number that was called stays sealed: it is no matter of the paper."""
    found = []
    for place, one in enumerate(acts):
        if one.act != Act.TELEPHONE:
            continue
        slips = [str(after.detail.get("number", "")) for after in acts[place:] if after.act == Act.INK_SLIP]
        leader = str(one.detail.get("leader", ""))
        found.append(
            Call(
                leader=names.get(leader, leader),
                at=datetime.fromisoformat(one.detail["called_at"]),
                words=str(one.detail.get("words", "")),
                slip=slips[-1] if slips else "",
            )
        )
    return found


def _places(register: Register, villages: Sequence[str]) -> list[Place]:
    """The area in words: whole counties, whole townships, and of others how much of them."""
    every: dict[str, int] = {}
    for code in register.geofence.village_codes:
        every[township_of(code)] = every.get(township_of(code), 0) + 1
    hit: dict[str, int] = {}
    for code in villages:
        hit[township_of(code)] = hit.get(township_of(code), 0) + 1
    found = []
    for county in sorted({county_of(code) for code in hit}):
        own = [code for code in sorted(hit) if county_of(code) == county]
        whole = all(hit.get(code) == every[code] for code in every if county_of(code) == county)
        names = [_township(register, code, hit[code], every.get(code, 0)) for code in own]
        named, more = ((), 0) if whole else (tuple(names[:_NAMED]), max(0, len(names) - _NAMED))
        found.append(Place(name=called(register, county), whole=whole, townships=named, more=more))
    return found


def _township(register: Register, code: str, hit: int, every: int) -> str:
    area = register.areas.get(code)
    name = area.name if area else code
    return name if hit == every else f"{name}（{hit}/{every}）"
