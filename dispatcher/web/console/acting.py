"""What pressing a button of a warning's page does: the verb, and the page of what came of it, or of what hindered it."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from dispatcher.accounts.authority import Principal
from dispatcher.pipeline.approve import approve
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.correct import all_clear, retract
from dispatcher.pipeline.discard import discard
from dispatcher.pipeline.draft import take_up
from dispatcher.pipeline.lapse import release, review
from dispatcher.pipeline.persons import NotDone
from dispatcher.pipeline.reissue import reissue
from dispatcher.pipeline.send_back import send_back
from dispatcher.pipeline.submit import submit
from dispatcher.web import asker, asking, guard
from dispatcher.web.api.lifecycle import status_of
from dispatcher.web.console import pages
from dispatcher.web.console.buttons import Button
from dispatcher.web.parts import parts
from dispatcher.web.problems import Handler


def pressed(button: Button) -> Handler:
    """What pressing it does."""

    async def handle(request: web.Request) -> web.StreamResponse:
        given = await guard.form_of(request)
        who = parts(request).doors.context, asker.principal(request), asking.warning_id(request)
        try:
            shown = await _do(button.verb, who, given)
        except NotDone as why:
            return await pages.landing_of(request, why=why.sentence, status=status_of(why.hindrance))
        return web.Response(status=303, headers={"Location": f"/warnings/{shown}"})

    return handle


async def _do(verb: str, who: tuple[Context, Principal, str], given: Mapping[str, str]) -> str:
    """The warning to look at next."""
    reason, plan_hash = given.get("reason", ""), given.get("plan_hash", "")
    match verb:
        case "take-up":
            await take_up(*who)
        case "submit":
            await submit(*who)
        case "approve":
            await approve(*who, plan_hash=plan_hash, reason=reason)
        case "return":
            await send_back(*who, reason=reason)
        case "release":
            await release(*who, plan_hash=plan_hash, reason=reason)
        case "discard":
            await discard(*who, reason=reason)
        case "cancel":
            return (await retract(*who)).warning_id
        case "all-clear":
            return (await all_clear(*who)).warning_id
        case "reissue":
            return (await reissue(*who)).warning_id
        case "review":
            await review(*who, words=given.get("words", ""))
        case _:
            raise AssertionError(verb)
    return who[2]
