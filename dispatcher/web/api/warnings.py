"""Warnings in (accepted means committed) and how each stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from aiohttp import web

from dispatcher.linting import Remark
from dispatcher.model import Finding, Level, Target, TargetKind, Verdict, Why
from dispatcher.pipeline.accept import Answer, Incoming
from dispatcher.pipeline.call_off import NothingToCallOff, call_off
from dispatcher.pipeline.claim import claim
from dispatcher.pipeline.explain import Story, Told, explain
from dispatcher.pipeline.lint import lint, of_kept
from dispatcher.pipeline.preview import preview
from dispatcher.registry.register import Register
from dispatcher.states import WarningState
from dispatcher.store import events, kin, ledger, warnings
from dispatcher.store.engine import Tx
from dispatcher.store.headlines import Headline, Wanted, headlines
from dispatcher.store.warnings import WarningRow
from dispatcher.web import asking, reach, shapes
from dispatcher.web.answering import as_json
from dispatcher.web.api.deliveries import attempt_line, receipt_out
from dispatcher.web.asker import source_name, stems
from dispatcher.web.openapi import NATIVE
from dispatcher.web.parts import parts
from dispatcher.web.problems import Problem

MOST_LISTED = 200


async def post_warning(request: web.Request) -> web.Response:
    doors = parts(request).doors
    source = source_name(request)
    content_type, key = asking.content_type_of(request), asking.idempotency_key(request)
    body = await asking.body_of(request, doors.max_body_bytes)
    if key:
        await _claim(request, asking.key_name(source, key), body)
    incoming = Incoming(door="http", source=source, content_type=content_type, body=body, headers=_headers(request))
    return accepted(await doors.accept(incoming))


def accepted(answer: Answer) -> web.Response:
    if answer.verdict is Verdict.REJECT:
        raise _refused(answer)
    said = shapes.Accepted(
        warning_id=answer.warning_id,
        state=answer.state,
        verdict=answer.verdict,
        code=answer.code,
        reason=answer.reason,
        repeated=answer.repeated,
        findings=_findings(answer.findings),
    )
    return as_json(said, status=202, headers={"Location": f"/api/v1/warnings/{answer.warning_id}"})


async def call_off_by_source(request: web.Request, *, retraction: bool) -> web.Response:
    doors, warning_id = parts(request).doors, asking.warning_id(request)
    source = source_name(request)
    try:
        body = await call_off(doors.context, warning_id, retraction=retraction)
    except NothingToCallOff as why:
        raise Problem(409, "nothing_to_call_off", str(why)) from why
    if body is None:
        raise asking.no_such_warning()
    return accepted(await doors.accept(Incoming(door="http", source=source, content_type=NATIVE, body=body)))


async def _claim(request: web.Request, name: str, body: bytes) -> None:
    if not await claim(parts(request).doors.context, name, body):
        raise Problem(
            409, "idempotency_key_reused", "这个 Idempotency-Key 已用于另一份报文：请换一个，或原样重发那一份"
        )


def _headers(request: web.Request) -> dict[str, str]:
    """What a signature may stand in; the token stays here."""
    return {name.lower(): value for name, value in request.headers.items() if name.lower() != "authorization"}


def _refused(answer: Answer) -> Problem:
    more = {"verdict": answer.verdict, "findings": [found.model_dump() for found in _findings(answer.findings)]}
    return Problem(409 if answer.content_conflict else 422, str(int(answer.code or 0)), answer.reason, more=more)


async def preview_warning(request: web.Request) -> web.Response:
    """Judged as if it had come from the token's source; nothing is written."""
    doors = parts(request).doors
    source = source_name(request)
    content_type = asking.content_type_of(request)
    body = await asking.body_of(request, doors.max_body_bytes)
    context = doors.context
    at = None if asking.word(request, "at", ("sent", "now")) == "sent" else context.now()
    found = await preview(context, body, content_type, context.settings.sources[source], at)
    apart = ("findings", "remarks")
    values = {name: getattr(found, name) for name in shapes.PreviewOut.model_fields if name not in apart}
    said = shapes.PreviewOut(findings=_findings(found.findings), remarks=_remarks(found.remarks), **values)
    return as_json(said)


async def lint_warning(request: web.Request) -> web.Response:
    """Its words, read as people would get them; nothing is judged or written."""
    doors = parts(request).doors
    source = source_name(request)
    content_type = asking.content_type_of(request)
    body = await asking.body_of(request, doors.max_body_bytes)
    settings = doors.context.settings
    found = await lint(doors.context, body, content_type, settings.sources[source])
    texts = tuple(
        shapes.SpokenOut(
            channel=one.channel,
            to=one.to,
            text=one.text.body,
            units=one.units,
            segments=one.text.segments,
            lost=one.text.lost,
            seconds=one.seconds(settings.lint),
        )
        for one in found.texts
    )
    return as_json(shapes.LintOut(remarks=_remarks(found.remarks), texts=texts, findings=_findings(found.findings)))


async def list_warnings(request: web.Request) -> web.Response:
    limit = asking.number(request, "limit", 50, MOST_LISTED)
    state = asking.word(request, "state", [str(one) for one in WarningState])
    level = asking.word(request, "level", [str(one) for one in Level])
    before = asking.id_after(request, "before")
    states = (state,) if state else ()
    wanted = Wanted(limit=limit + 1, states=states, level=level, before=before, touching=stems(request))
    async with parts(request).doors.context.store.read() as tx:
        rows = await headlines(tx, wanted)
    more = rows[limit - 1].id if len(rows) > limit else None
    return as_json(shapes.WarningPage(warnings=tuple(map(_item, rows[:limit])), next_before=more))


async def one_warning(request: web.Request) -> web.Response:
    warning_id = asking.warning_id(request)
    context = parts(request).doors.context
    register = await context.register()
    async with context.store.read() as tx:
        row = await warnings.one(tx, warning_id)
        if row is None:
            raise asking.no_such_warning()
        remarks = _remarks(of_kept(context, register, row).remarks)
        names = {code: area.name for code, area in register.areas.items()}
        detail = await _detail(tx, (row, stems(request)), names, remarks)
    return as_json(detail)


async def _detail(
    tx: Tx, of: tuple[WarningRow, tuple[str, ...]], names: Mapping[str, str], remarks: tuple[shapes.RemarkOut, ...]
) -> shapes.WarningDetail:
    """`of`: the warning, and what the codes begin with that whoever asks may see; none where it is all."""
    row, area = of
    own = reach.part_of(row, area)
    channels = reach.by_channel(await ledger.counts(tx, row.id, under=own))
    plan = await reach.plan_of(tx, row, own)
    return shapes.WarningDetail(
        warning=_item(row),
        chain=tuple(map(_link, await reach.seen_of(tx, await kin.whole_event(tx, row.chain_id), area))),
        channels={channel: tally.out() for channel, tally in channels.items()},
        total=reach.summed(channels.values()).out(),
        possible_duplicates=await ledger.flagged(tx, row.id, under=own),
        times=times_out(row, await ledger.times(tx, row.id)),
        troubles=tuple(
            shapes.TroubleOut(channel=one.channel, state=one.state.label, code=one.code, rows=one.rows)
            for one in await ledger.troubles(tx, row.id, under=own)
        ),
        plan=_plan(plan),
        plan_hash=row.plan_hash,
        broadcast_id=row.broadcast_id,
        villages=len(row.area["villages"]),
        findings=tuple(shapes.FindingOut(**found) for found in row.findings),
        remarks=remarks,
        unreachable=unreachable(plan, names),
        unreachable_count=int(plan.get("unreachable_count", 0)),
        events=tuple(
            shapes.EventOut(id=one.id, at=one.at, kind=one.kind, detail=dict(one.detail))
            for one in reach.events_of(await events.of_warning(tx, row.id), partly=bool(own))
        ),
        message=dict(row.message),
    )


def times_out(row: WarningRow, sent: ledger.Times) -> shapes.TimesOut:
    return shapes.TimesOut(
        accepted=row.received_at,
        released=row.released_at,
        first_sent=sent.first_sent,
        last_sent=sent.last_sent,
        dispatched=row.dispatched_at,
        completed=row.completed_at,
        ended=row.ended_at,
    )


def unreachable(plan: Mapping[str, Any], names: Mapping[str, str]) -> tuple[shapes.Place, ...]:
    found: Sequence[Mapping[str, str]] = plan.get("unreachable", ())
    return tuple(
        shapes.Place(area=place["area"], name=names.get(place["area"], place["area"]), why=place["why"])
        for place in found
    )


def _plan(plan: Mapping[str, Any]) -> dict[str, Any]:
    """The summary without what stands elsewhere in the answer; reasons in words."""
    shown = {name: value for name, value in plan.items() if not name.startswith("unreachable")}
    reasons: Mapping[str, int] = plan.get("reasons", {})
    return {**shown, "reasons": {Why(int(why)).chinese: number for why, number in reasons.items()}}


async def townships(request: web.Request) -> web.Response:
    site, warning_id = parts(request), asking.warning_id(request)
    register = await site.doors.context.register()
    async with site.doors.context.store.read() as tx:
        row = await warnings.one(tx, warning_id)
        if row is None:
            raise asking.no_such_warning()
        units = reach.under(stems(request), await reach.by_unit(tx, site.frozen, row.id))
    counties = reach.table(register, row, units, stems(request))
    return as_json(
        shapes.TownshipTable(
            warning_id=row.id,
            total=reach.summed(county.unit.tally for county in counties).out(),
            counties=tuple(
                shapes.CountyOut(county=_unit(county.unit), townships=tuple(map(_unit, county.townships)))
                for county in counties
            ),
        )
    )


def _unit(unit: reach.Unit) -> shapes.UnitOut:
    return shapes.UnitOut(
        code=unit.code, name=unit.name, level=unit.level, in_area=unit.in_area, tally=unit.tally.out()
    )


async def why(request: web.Request) -> web.Response:
    """Told or not, by which rule, which attempts, which text."""
    story = await story_of(request)
    told = tuple(map(_told, story.told))
    said = shapes.WhyOut(warning_id=story.warning.id, target=str(story.target), told=told, reason=story.reason)
    return as_json(said)


async def story_of(request: web.Request) -> Story:
    """Of the target in the path, where it lies in the area of whoever asks; else a Problem."""
    warning_id = asking.warning_id(request)
    try:
        target = Target.parse(request.match_info["target"])
    except ValueError as error:
        raise Problem(404, "no_such_target", "对象应写成 officer-编号、gateway-编号等") from error
    story = await explain(parts(request).doors.context, warning_id, target)
    if story is None:
        raise asking.no_such_warning()
    own = stems(request)
    if own and not _is_own(await parts(request).doors.context.register(), story, own):
        raise Problem(403, "214", "这个人不在您的管辖区域")
    return story


def _is_own(register: Register, story: Story, own: tuple[str, ...]) -> bool:
    """Whether he lives where whoever asks has a say, or was told there. Of anybody else not even why he was not told: that says
    where he lives."""
    if story.told:
        return all(told.entry.township.startswith(own) for told in story.told)
    officer, gateway = register.officers.get(story.target.id), register.gateways.get(story.target.id)
    match story.target.kind:
        case TargetKind.OFFICER if officer is not None:
            return officer.home_code.startswith(own)
        case TargetKind.GATEWAY if gateway is not None:
            return gateway.area_code.startswith(own)
        case _:
            return False


def _told(told: Told) -> shapes.ToldOut:
    entry = told.entry
    return shapes.ToldOut(
        channel=entry.channel,
        round=entry.round,
        why=Why(entry.why).name.lower(),
        why_text=told.why,
        text=told.text,
        state=entry.state.label,
        code=entry.state_code,
        possible_duplicate=entry.possible_duplicate,
        attempts=tuple(attempt_line(entry, one) for one in told.tries),
        receipts=tuple(map(receipt_out, told.receipts)),
    )


def _item(row: WarningRow | Headline) -> shapes.WarningItem:
    return shapes.WarningItem(**{name: getattr(row, name) for name in shapes.WarningItem.model_fields})


def _link(row: WarningRow) -> shapes.ChainItem:
    return shapes.ChainItem(**{name: getattr(row, name) for name in shapes.ChainItem.model_fields})


def _remarks(remarks: Sequence[Remark]) -> tuple[shapes.RemarkOut, ...]:
    return tuple(shapes.RemarkOut(**asdict(remark)) for remark in remarks)


def _findings(findings: Sequence[Finding]) -> tuple[shapes.FindingOut, ...]:
    return tuple(shapes.FindingOut(**asdict(found)) for found in findings)
