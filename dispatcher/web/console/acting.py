"""What pressing a button of a warning's page does: the verb, and the page of what came of it, or of what hindered it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from aiohttp import web

from dispatcher.accounts.authority import Principal
from dispatcher.model import BEIJING
from dispatcher.pipeline.approve import approve
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.correct import all_clear, retract
from dispatcher.pipeline.discard import discard
from dispatcher.pipeline.draft import take_up
from dispatcher.pipeline.edit import join
from dispatcher.pipeline.lapse import release, review
from dispatcher.pipeline.persons import Hindrance, NotDone
from dispatcher.pipeline.reissue import reissue
from dispatcher.pipeline.send_back import send_back
from dispatcher.pipeline.submit import submit
from dispatcher.pipeline.telephone import Call, object_to_call, record_call
from dispatcher.web import asker, asking, guard
from dispatcher.web.api.lifecycle import status_of
from dispatcher.web.console import signer, watching
from dispatcher.web.console.buttons import Button
from dispatcher.web.console.recalling import recall_of
from dispatcher.web.parts import parts
from dispatcher.web.problems import Handler


def pressed(button: Button) -> Handler:
    """What pressing it does."""

    async def handle(request: web.Request) -> web.StreamResponse:
        given = await guard.form_of(request)
        who = parts(request).doors.context, asker.principal(request), asking.warning_id(request)
        try:
            _must_be_confirmed(given)
            shown = await _do(button.verb, who, given)
        except NotDone as why:
            return await _hindered(request, button.verb, why, given)
        return web.Response(status=303, headers={"Location": f"/warnings/{shown}"})

    return handle


def _must_be_confirmed(given: Mapping[str, str]) -> None:
    """Where the page asked for a tick under what follows. A program that presses the button knows what it does."""
    if given.get("asked") and not given.get("confirm"):
        raise NotDone(Hindrance.REASON, "请先看过后果，勾选确认，再按下")


async def _hindered(request: web.Request, verb: str, why: NotDone, given: Mapping[str, str]) -> web.StreamResponse:
    """Back on the page where it was pressed."""
    status = status_of(why.hindrance)
    if given.get("asked") and verb in ("cancel", "all-clear") and why.hindrance is not Hindrance.NOT_THERE:
        return await recall_of(request, verb, why=why.sentence, status=status)
    if given.get("asked") and verb == "telephone" and why.hindrance not in (Hindrance.NOT_THERE, Hindrance.STATE):
        return await signer.call_of(request, given, why=why.sentence, status=status)
    return await watching.landing_of(request, why=why.sentence, status=status)


async def _do(verb: str, who: tuple[Context, Principal, str], given: Mapping[str, str]) -> str:
    """The warning to look at next: another one where that was made."""
    match verb:
        case "cancel":
            return (await retract(*who)).warning_id
        case "all-clear":
            return (await all_clear(*who)).warning_id
        case "reissue":
            return (await reissue(*who)).warning_id
        case "approve" | "release" | "telephone":
            await _released(verb, who, given)
        case _:
            await _done(verb, who, given)
    return who[2]


async def _released(verb: str, who: tuple[Context, Principal, str], given: Mapping[str, str]) -> None:
    """What a second person does: he names the hash of what he saw."""
    reason, plan_hash = given.get("reason", ""), given.get("plan_hash", "")
    match verb:
        case "approve":
            await approve(*who, plan_hash=plan_hash, reason=reason)
        case "release":
            await release(*who, plan_hash=plan_hash, reason=reason)
        case "telephone":
            await record_call(*who, plan_hash=plan_hash, call=_call(given))
        case _:
            raise AssertionError(verb)


async def _done(verb: str, who: tuple[Context, Principal, str], given: Mapping[str, str]) -> None:
    reason, words, seen = given.get("reason", ""), given.get("words", ""), given.get("seen", "")
    match verb:
        case "take-up":
            await take_up(*who)
        case "submit":
            await submit(*who, seen)
        case "join":
            await join(*who, given.get("other", ""))
        case "return":
            await send_back(*who, reason=reason)
        case "discard":
            await discard(*who, reason=reason, seen=seen)
        case "review":
            await review(*who, words=words)
        case "object":
            await object_to_call(*who, words=words)
        case _:
            raise AssertionError(verb)


def _call(given: Mapping[str, str]) -> Call:
    """As the form has it; the clock on the wall is Beijing's."""
    try:
        at = datetime.fromisoformat(given.get("at", ""))
    except ValueError as error:
        raise NotDone(Hindrance.REASON, "请写明通话的日期和时间") from error
    return Call(
        leader=given.get("leader", ""),
        number=given.get("number", ""),
        at=at.replace(tzinfo=BEIJING) if at.tzinfo is None else at,
        words=given.get("words", ""),
    )
