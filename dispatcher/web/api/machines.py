"""Gateways, every packet pushed to each and what it answered; and what was refused at the door."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

from aiohttp import web

from dispatcher.geofence.names import stem
from dispatcher.model import Gateway, Target, TargetKind
from dispatcher.store import headlines, ledger, pushes, rejects, warnings
from dispatcher.store.engine import Store
from dispatcher.store.pushes import Place, Push
from dispatcher.telemetry import mask
from dispatcher.web import asking, shapes
from dispatcher.web.answering import as_json, as_lines
from dispatcher.web.api.deliveries import receipt_out
from dispatcher.web.asker import stems
from dispatcher.web.parts import parts
from dispatcher.web.problems import Problem

PAGE = 200
MOST = 1000


async def gateways(request: web.Request) -> web.Response:
    register = await parts(request).doors.context.register()
    own = stems(request)
    found = tuple(
        _item(gateway)
        for _, gateway in sorted(register.gateways.items())
        if not own or gateway.area_code.startswith(own) or any(one.startswith(stem(gateway.area_code)) for one in own)
    )
    return as_json(shapes.GatewayList(gateways=found, synthetic=register.synthetic))


def _item(gateway: Gateway) -> shapes.GatewayItem:
    return shapes.GatewayItem(
        id=gateway.id,
        ebrid=gateway.ebrid,
        area_code=gateway.area_code,
        name=gateway.name,
        level=gateway.level,
        parent=gateway.parent,
        lat=gateway.point.lat,
        lon=gateway.point.lon,
        online=gateway.online,
        villages=len(gateway.villages),
    )


async def commands(request: web.Request) -> web.StreamResponse:
    """Every packet pushed to a gateway, oldest first; one that left the register keeps its record."""
    context = parts(request).doors.context
    number = request.match_info["id"][:40]
    target = str(Target(kind=TargetKind.GATEWAY, id=number))
    after, limit = _behind(request), asking.number(request, "limit", 0, MOST)
    first = await _page(context.store, target, after, limit + 1 if limit else PAGE)
    if not first and after is None and number not in (await context.register()).gateways:
        raise Problem(404, "no_such_gateway", "没有这个网关，请看 /api/v1/gateways")
    headers = {}
    if limit and len(first) > limit:
        first = first[:limit]
        headers["X-Next-Cursor"] = _text(first[-1])
    pages = _pages(context.store, (target, stems(request)), first, more=not limit)
    return await as_lines(request, pages, headers)


async def _pages(
    store: Store, of: tuple[str, tuple[str, ...]], first: list[Push], *, more: bool
) -> AsyncIterator[Sequence[shapes.CommandLine]]:
    """`of`: the gateway, and what the codes begin with that whoever asks may see: a county's gateway speaks for others too."""
    (target, own), page = of, first
    while page:
        yield await _lines(store, target, await _seen(store, page, own))
        page = await _page(store, target, _place(page[-1]), PAGE) if more else []


async def _page(store: Store, target: str, after: Place | None, limit: int) -> list[Push]:
    async with store.read() as tx:
        return await pushes.commands(tx, target, after, limit)


async def _seen(store: Store, page: list[Push], own: tuple[str, ...]) -> list[Push]:
    if not own:
        return page
    async with store.read() as tx:
        seen = await headlines.touching(tx, sorted({push.warning_id for push in page}), own)
    return [push for push in page if push.warning_id in seen]


async def _lines(store: Store, target: str, page: Sequence[Push]) -> list[shapes.CommandLine]:
    async with store.read() as tx:
        about = {push.warning_id for push in page}
        numbers = await warnings.broadcast_ids(tx, sorted(about))
        heard = {warning_id: await ledger.receipts_of(tx, warning_id, target) for warning_id in about}
    return [
        shapes.CommandLine(
            packet=push.packet,
            warning_id=push.warning_id,
            ebm_id=numbers.get(push.warning_id, ""),
            no=push.no,
            started=push.started_at,
            ended=push.ended_at,
            outcome=push.outcome,
            code=push.code,
            reason=mask(push.reason),
            provider_ref=push.provider_ref,
            trace=mask(push.trace),
            receipts=tuple(map(receipt_out, heard[push.warning_id])),
        )
        for push in page
    ]


def _behind(request: web.Request) -> Place | None:
    given = request.query.get("cursor")
    if not given:
        return None
    try:
        at, packet, warning_id, no = given.split("~")
        return datetime.fromisoformat(at).astimezone(UTC), packet[:8], warning_id[:32], int(no[:18])
    except ValueError as error:
        raise Problem(400, "bad_query", "cursor 应原样取自上一页的 X-Next-Cursor") from error


def _place(push: Push) -> Place:
    return push.started_at, push.packet, push.warning_id, push.no


def _text(push: Push) -> str:
    return f"{push.started_at.isoformat()}~{push.packet}~{push.warning_id}~{push.no}".replace("+00:00", "Z")


async def refused(request: web.Request) -> web.Response:
    """The newest first, without their bytes."""
    limit, before = asking.number(request, "limit", 50, 200), asking.id_after(request, "before")
    async with parts(request).doors.context.store.read() as tx:
        rows = await rejects.refusals(tx, limit + 1, before)
    more = rows[limit - 1].id if len(rows) > limit else None
    names = shapes.RejectItem.model_fields
    items = tuple(shapes.RejectItem(**{name: getattr(row, name) for name in names}) for row in rows[:limit])
    return as_json(shapes.RejectPage(rejects=items, next_before=more))
