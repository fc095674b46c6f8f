"""误发撤回, 解除 and 更正, each shown before it is pressed: what those already reached will read and hear, how many they are,
and how many who were still waiting are told nothing any more.

The numbers are those of the very Cancel that pressing it sends; the button stays where it was, behind this page.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from aiohttp import web

from dispatcher.intake import native
from dispatcher.intake.canonical import from_json
from dispatcher.linting import Spoken
from dispatcher.model import Kind, Reference
from dispatcher.pipeline.call_off import NothingToCallOff, call_off
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.lint import Linted, lint, read_over
from dispatcher.pipeline.preview import preview
from dispatcher.registry.register import Register
from dispatcher.states import LIVE, DeliveryState
from dispatcher.store import ledger, warnings
from dispatcher.store.engine import Tx
from dispatcher.store.warnings import WarningRow
from dispatcher.web import asking
from dispatcher.web.console.buttons import BUTTONS, WAYS, called
from dispatcher.web.console.framing import framed
from dispatcher.web.console.spans import lasting
from dispatcher.web.parts import parts
from dispatcher.web.problems import Handler


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """`people`, `gateways`, `platforms`: who may have heard; `pending`: rows of the whole chain that have not left;
    `hindrance`: why there is nothing to press, '' where there is."""

    row: WarningRow
    at: datetime
    synthetic: bool
    verb: str
    people: int = 0
    gateways: int = 0
    platforms: int = 0
    pending: int = 0
    texts: tuple[Spoken, ...] = ()
    hindrance: str = ""


def recalled(verb: str) -> Handler:
    """The page of one of these verbs."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return await recall_of(request, verb)

    return handle


async def recall_of(request: web.Request, verb: str, *, why: str = "", status: int = 200) -> web.Response:
    """`why`: what hindered the button that was pressed there."""
    context = parts(request).doors.context
    page = await _recall(context, asking.warning_id(request), verb)
    button = next(one for one in (*BUTTONS, *WAYS) if one.verb == verb)
    told = {
        "page": page,
        "button": called(button, drill=page.row.drill),
        "why": why,
        "lint": context.settings.lint,
        "lasting": lasting,
    }
    return framed(request, "warning_recall.html", told, status=status)


async def _recall(context: Context, warning_id: str, verb: str) -> Recall:
    register = await context.register()
    async with context.store.read() as tx:
        row = await warnings.one(tx, warning_id)
        if row is None:
            raise asking.no_such_warning()
        chain = await warnings.chain(tx, row.chain_id)
        pending = sum([await _pending(tx, one) for one in chain if one.state in LIVE])
    bare = Recall(row=row, at=context.now(), synthetic=register.synthetic, verb=verb, pending=pending)
    if row.state not in LIVE and row.released_at is not None:
        return replace(bare, hindrance="这条预警已经结束，不用再处理")
    try:
        body = await call_off(context, warning_id, retraction=verb != "all-clear")
    except NothingToCallOff as why:
        return replace(bare, hindrance=str(why))
    assert body is not None, "nobody deletes a warning"
    heard = await preview(context, body, native.CONTENT_TYPE, None, context.now())
    texts = (
        _updated(context, register, row) if verb == "correct" else await lint(context, body, native.CONTENT_TYPE, None)
    )
    return replace(
        bare,
        people=heard.officers + heard.residents + heard.offices,
        gateways=heard.gateways,
        platforms=heard.endpoints,
        texts=texts.texts,
    )


def _updated(context: Context, register: Register, row: WarningRow) -> Linted:
    """As an update with the words of now would read: what somebody is about to change."""
    message = from_json(row.message)
    before = Reference(sender=message.sender, identifier=message.identifier, sent=message.sent)
    update = replace(message, kind=Kind.UPDATE, sent=context.now(), references=(before,))
    return read_over(context, register, update, row.area["touched"], ())


async def _pending(tx: Tx, row: WarningRow) -> int:
    counted = await ledger.counts(tx, row.id)
    return sum(one.rows for one in counted if one.state is DeliveryState.PLANNED)
