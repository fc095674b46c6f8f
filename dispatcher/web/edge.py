"""What every request passes before anything is done for it: how much its address may ask for, and whether it comes in clear.

A source that shows its token passes whatever else its address does, and so does a provider that signs: junk from one
address must not keep a red warning, its retraction or a receipt out. From another machine nothing is served in clear but
what is signed or says nothing: neither data nor a form into which somebody types his password.
"""

from __future__ import annotations

import asyncio
import math

from aiohttp import web

from dispatcher.web.client import among, client_of
from dispatcher.web.guard import source_of
from dispatcher.web.parts import PARTS
from dispatcher.web.problems import Handler, Problem

UNCOUNTED = frozenset({"alive"})
"""A supervisor that is turned away takes the service for dead, and the answer costs less than the refusal."""
HANDED_IN = frozenset({"postWarning", "cancelWarning", "allClear"})
SIGNED = frozenset({"callback"})
IN_CLEAR = SIGNED | {"alive", "ready"}
_SENTENCE = (
    "这里没有加密，路上的人看得到您输入和看到的一切，所以什么也不显示。请管理员用 mingluo serve --tls 证书 私钥 启动，"
    "或在前面放 nginx（见 docs/nginx.conf），再用 https:// 打开"
)


@web.middleware
async def limited(request: web.Request, handler: Handler) -> web.StreamResponse:
    """429 with the time to wait, as soon as the bucket is empty; before a byte of the body is read."""
    route, site = request.match_info.route.name, request.app[PARTS]
    if route in UNCOUNTED or (route in HANDED_IN and source_of(request, site.doors.context.settings.sources)):
        return await handler(request)
    who = client_of(request).neighbourhood
    if wait := site.buckets.take(who, asyncio.get_running_loop().time()):
        after = str(math.ceil(wait))
        raise Problem(429, "too_many", f"这个地址的请求太多，请 {after} 秒后再试", headers={"Retry-After": after})
    response = await handler(request)
    if route in SIGNED and response.status < 400:
        site.buckets.give_back(who)
    return response


@web.middleware
async def enciphered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """One sentence for whoever comes in clear from another machine; our own style sheet, so that it can be read, and no
    more. `plain_from` names where nobody can listen: a container's bridge."""
    if request.match_info.route.name in IN_CLEAR:
        return await handler(request)
    client = client_of(request)
    if client.secure or client.near:
        return await handler(request)
    plain_from = request.app[PARTS].doors.context.settings.service.plain_from
    if client.address is not None and among(client.address, plain_from):
        return await handler(request)
    if request.raw_path == "/static/console.css":
        return await handler(request)
    raise Problem(403, "plain_http", _SENTENCE)
