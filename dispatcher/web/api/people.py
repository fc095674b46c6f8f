"""Somebody's number, for whoever has to ring him: asked for one at a time, with a reason, and put on record."""

from __future__ import annotations

from aiohttp import web

from dispatcher.registry.unmasking import Look, unmask
from dispatcher.telemetry import mask
from dispatcher.web import orders
from dispatcher.web.answering import as_json
from dispatcher.web.asker import principal
from dispatcher.web.parts import parts
from dispatcher.web.problems import Problem


async def post_number(request: web.Request) -> web.Response:
    asked, context = await orders.read(request, orders.Unmasked), parts(request).doors.context
    target = request.match_info["target"]
    look = Look(actor=principal(request).actor, target=target, reason=mask(asked.reason))
    found = await unmask(context.store, context.seal, context.now(), look)
    if found is None:
        raise Problem(404, "no_such_person", "登记册里没有这个人，请核对编号（如 officer-JA00001）")
    if not found.phone:
        raise Problem(409, "unreadable", "这个号码打不开，请核对登记册和 MINGLUO_SEAL_KEY")
    return as_json(orders.NumberOut(target=target, name=found.person.name, number=found.phone))
