"""The server and its limits.

A slow or silent client is cut off after seconds; nobody's request holds up a warning that comes in.
"""

from __future__ import annotations

import asyncio
from socket import socket
from ssl import SSLContext

from aiohttp import web

from dispatcher.web import asker, edge, guard, openapi
from dispatcher.web.client import PROXIES
from dispatcher.web.connection import Connection
from dispatcher.web.console import framing, navigation
from dispatcher.web.console.rendering import STATIC
from dispatcher.web.doors import Doors
from dispatcher.web.live import Feed
from dispatcher.web.parts import PARTS, Parts, parts_of
from dispatcher.web.problems import OUTER, TRAINING, Handler, explained
from dispatcher.web.route import Route
from dispatcher.web.routes import OUTER_ROUTES, ROUTES, TRAINING_ROUTES
from dispatcher.web.routes.demo import DEMO_ROUTES

HEAD_S = 10.0
"""For a whole head to come, on a new connection or a kept one; aiohttp's keep-alive clock runs in both."""
ANSWER_S = 30.0
"""For an answer to begin, streams apart."""
CLOSE_S = 3.0
BACKLOG = 1024
MOST_LINE = 8 * 1024 - 2
MOST_FIELDS = 64
STREAMS = frozenset({"live", "listDeliveries", "listCommands"})
BOUNDED = frozenset({"callback"})
"""Limits each of its waits by itself: one more timer a receipt would be a tenth of what is ours in it."""


class Site:
    """`start` once, `close` once, in the same loop."""

    def __init__(self, doors: Doors) -> None:
        self._parts = parts_of(doors, Feed(doors.context.store))
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None

    async def start(self, bound: socket, tls: SSLContext | None = None) -> None:
        """Serves on a listening socket, which it closes at the end; with `tls` in HTTPS alone."""
        self._runner = web.AppRunner(application(self._parts), access_log=None, shutdown_timeout=CLOSE_S)
        await self._runner.setup()
        serving = self._runner.server
        assert serving is not None
        loop = asyncio.get_running_loop()

        def connected() -> Connection:
            return Connection(
                serving,
                loop=loop,
                access_log=None,  # type: ignore[arg-type]  # none is kept: what matters is logged where it happens
                keepalive_timeout=HEAD_S,
                max_line_size=MOST_LINE,
                max_field_size=MOST_LINE,
                max_headers=MOST_FIELDS,
                lingering_time=2.0,
                auto_decompress=False,
            )

        handshake_s = HEAD_S if tls is not None else None
        self._server = await loop.create_server(
            connected, sock=bound, backlog=BACKLOG, ssl=tls, ssl_handshake_timeout=handshake_s
        )

    async def close(self) -> None:
        """Takes no more, ends the streams, waits seconds for what is under way."""
        self._parts.closing.set()
        if self._server is not None:
            self._server.close()
        if self._runner is not None:
            await self._runner.cleanup()


def application(parts: Parts) -> web.Application:
    outer = parts.doors.outer
    guards = [explained, edge.limited] if outer else [explained, edge.limited, edge.enciphered]
    app = web.Application(middlewares=guards, client_max_size=parts.doors.max_body_bytes)
    routes = _routes(parts.doors)
    app[PARTS], app[OUTER], app[PROXIES] = parts, outer, parts.doors.context.settings.service.proxies
    app[TRAINING] = parts.training
    app[asker.PAGES] = tuple(route.place for route in routes if route.is_page)
    app[navigation.PAGES] = navigation.by_path(routes)
    app[openapi.DOCUMENTS] = openapi.documents(routes, parts.doors.public_url)
    app.on_response_prepare.append(guard.dress)
    for route in routes:
        stream = route.name in STREAMS
        if route.method == "GET":
            app.router.add_get(route.path, _guarded(route), name=route.name, allow_head=not stream)
        else:
            app.router.add_route(route.method, route.path, _guarded(route), name=route.name)
    if not outer:
        app.router.add_static("/static/", STATIC, name="static")
    return app


def _routes(doors: Doors) -> tuple[Route, ...]:
    """What is handed in opens routes of its own, and there alone."""
    if doors.outer:
        return OUTER_ROUTES
    training = TRAINING_ROUTES if doors.reset is not None else ()
    return (*ROUTES, *training, *(DEMO_ROUTES if doors.links is not None else ()))


def _guarded(route: Route) -> Handler:
    unlimited = route.name in STREAMS | BOUNDED

    async def handle(request: web.Request) -> web.StreamResponse:
        guard.must_be_modest(request)
        if route.form:
            request[guard.FORM_LIMIT] = route.form
        await asker.admit(request, route)
        if unlimited:
            return await route.handler(request)
        async with asyncio.timeout(ANSWER_S):
            if route.shows_frame:
                await framing.look_round(request)
            return await route.handler(request)

    return handle
