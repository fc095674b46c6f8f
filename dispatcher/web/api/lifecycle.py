"""What persons do with a warning: draft, change, put forward, sign, send back, take back. The verbs stand in `pipeline/`; here
what is asked is read, and what hinders it is answered.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import asdict
from typing import assert_never

from aiohttp import web

from dispatcher.accounts.authority import Means, Principal
from dispatcher.model import Finding
from dispatcher.pipeline.approve import approve
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.correct import all_clear, retract
from dispatcher.pipeline.discard import discard
from dispatcher.pipeline.draft import Draft, draft, take_up
from dispatcher.pipeline.edit import edit
from dispatcher.pipeline.lapse import release, review
from dispatcher.pipeline.letting_go import Released
from dispatcher.pipeline.persons import Hindrance, NotDone
from dispatcher.pipeline.reissue import reissue
from dispatcher.pipeline.send_back import send_back
from dispatcher.pipeline.submit import Submitted, submit
from dispatcher.pipeline.telephone import Call, hand_in_slip, object_to_call, record_call
from dispatcher.web import asking, orders
from dispatcher.web.answering import as_json
from dispatcher.web.api import warnings
from dispatcher.web.asker import principal
from dispatcher.web.parts import parts
from dispatcher.web.problems import Handler, Problem
from dispatcher.web.shapes import FindingOut


def hindered(handler: Handler) -> Handler:
    """What hinders a verb, as a Problem."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except NotDone as why:
            raise _problem(why) from why

    return handle


# ── ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@hindered
async def post_warning(request: web.Request) -> web.StreamResponse:
    """A source's warning comes in as from any door; a person's own words become a draft."""
    if principal(request).means is Means.SOURCE:
        return await warnings.post_warning(request)
    doors = parts(request).doors
    asking.content_type_of(request)
    body = await asking.body_of(request, doors.max_body_bytes)
    return _draft(await draft(doors.context, principal(request), body))


@hindered
async def post_edit(request: web.Request) -> web.StreamResponse:
    body = await asking.body_of(request, parts(request).doors.max_body_bytes)
    return _draft(await edit(*_who(request), body))


@hindered
async def post_take_up(request: web.Request) -> web.StreamResponse:
    return _draft(await take_up(*_who(request)))


@hindered
async def post_reissue(request: web.Request) -> web.StreamResponse:
    return _draft(await reissue(*_who(request)))


@hindered
async def post_submit(request: web.Request) -> web.StreamResponse:
    return _submitted(await submit(*_who(request)))


@hindered
async def post_approve(request: web.Request) -> web.StreamResponse:
    asked = await orders.read(request, orders.Signed)
    return _released(await approve(*_who(request), plan_hash=asked.plan_hash, reason=asked.reason))


@hindered
async def post_release(request: web.Request) -> web.StreamResponse:
    asked = await orders.read(request, orders.Signed)
    return _released(await release(*_who(request), plan_hash=asked.plan_hash, reason=asked.reason))


@hindered
async def post_telephone(request: web.Request) -> web.StreamResponse:
    asked = await orders.read(request, orders.Telephoned)
    call = Call(leader=asked.leader, number=asked.number, at=asked.at, words=asked.words)
    return _released(await record_call(*_who(request), plan_hash=asked.plan_hash, call=call))


@hindered
async def post_return(request: web.Request) -> web.StreamResponse:
    asked = await orders.read(request, orders.Explained)
    return await _done(request, send_back(*_who(request), reason=asked.reason))


@hindered
async def post_discard(request: web.Request) -> web.StreamResponse:
    asked = await orders.read(request, orders.Explained)
    return await _done(request, discard(*_who(request), reason=asked.reason))


@hindered
async def post_review(request: web.Request) -> web.StreamResponse:
    asked = await orders.read(request, orders.Said)
    return await _done(request, review(*_who(request), words=asked.words))


@hindered
async def post_object(request: web.Request) -> web.StreamResponse:
    asked = await orders.read(request, orders.Said)
    return await _done(request, object_to_call(*_who(request), words=asked.words))


@hindered
async def post_ink_slip(request: web.Request) -> web.StreamResponse:
    asked = await orders.read(request, orders.Slip)
    return await _done(request, hand_in_slip(*_who(request), number=asked.number))


@hindered
async def cancel(request: web.Request) -> web.StreamResponse:
    """误发撤回: one tap, fixed words, whoever may have heard; one person, or the source whose it was."""
    if principal(request).means is Means.SOURCE:
        return await warnings.call_off_by_source(request, retraction=True)
    return warnings.accepted(await retract(*_who(request)))


@hindered
async def post_all_clear(request: web.Request) -> web.StreamResponse:
    """解除: by its source at once; by a person it is put forward, and a second one signs."""
    if principal(request).means is Means.SOURCE:
        return await warnings.call_off_by_source(request, retraction=False)
    return _submitted(await all_clear(*_who(request)))


# ── ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


Who = tuple[Context, Principal, str]
"""What every verb takes first."""


def _who(request: web.Request) -> Who:
    return parts(request).doors.context, principal(request), asking.warning_id(request)


async def _done(request: web.Request, verb: Awaitable[None]) -> web.Response:
    await verb
    return as_json(orders.DoneOut(warning_id=asking.warning_id(request)))


def _draft(found: Draft) -> web.Response:
    said = orders.DraftOut(
        warning_id=found.warning_id, state=found.state, findings=_findings(found.findings), repeated=found.repeated
    )
    return as_json(said, status=202, headers={"Location": f"/api/v1/warnings/{found.warning_id}"})


def _submitted(found: Submitted) -> web.Response:
    said = orders.SubmittedOut(
        warning_id=found.warning_id, plan_hash=found.plan_hash, rows=found.rows, findings=_findings(found.findings)
    )
    return as_json(said, status=202, headers={"Location": f"/api/v1/warnings/{found.warning_id}"})


def _released(found: Released) -> web.Response:
    return as_json(orders.ReleasedOut(warning_id=found.warning_id, plan_hash=found.plan_hash))


def _findings(findings: Sequence[Finding]) -> tuple[FindingOut, ...]:
    return tuple(FindingOut(**asdict(found)) for found in findings)


def _problem(why: NotDone) -> Problem:
    more = {"findings": [one.model_dump() for one in _findings(why.findings)]} if why.findings else None
    code = str(int(why.code)) if why.code else why.hindrance.value
    return Problem(status_of(why.hindrance), code, why.sentence, more=more)


def status_of(hindrance: Hindrance) -> int:
    """HTTP's word for it."""
    match hindrance:
        case Hindrance.NOT_THERE:
            return 404
        case (
            Hindrance.ROLE | Hindrance.AREA | Hindrance.PERSON | Hindrance.STEP_UP | Hindrance.ACCOUNT
            | Hindrance.SAME_PERSON
        ):  # fmt: skip
            return 403
        case Hindrance.STATE | Hindrance.CHANGED | Hindrance.OUTGROWN | Hindrance.TOO_EARLY | Hindrance.NOTHING:
            return 409
        case Hindrance.REASON | Hindrance.FINDINGS:
            return 422
        case _:
            assert_never(hindrance)
