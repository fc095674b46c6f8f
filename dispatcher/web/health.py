"""Alive, ready, and the numbers: for a supervisor, a load balancer and Prometheus."""

from __future__ import annotations

import asyncio

from aiohttp import web

from dispatcher.telemetry import metrics
from dispatcher.web import shapes
from dispatcher.web.answering import as_json
from dispatcher.web.parts import parts

READY_S = 8.0


async def live(_request: web.Request) -> web.Response:
    """The process answers; says nothing about what it leans on."""
    return as_json(shapes.AliveOut(alive=True))


async def ready(request: web.Request) -> web.Response:
    """200 when it may be relied on, 503 with the reasons when not."""
    try:
        async with asyncio.timeout(READY_S):
            found = await parts(request).doors.readiness()
    except TimeoutError:
        slow = f"自检 {READY_S:.0f} 秒内没有做完"
        nothing = shapes.ReadyOut(
            ready=False,
            problems=(slow,),
            notices=(),
            dependencies=(),
            providers_off={},
            clock_skew_s=0,
            synthetic=False,
        )
        return as_json(nothing, status=503)
    body = shapes.ReadyOut(
        ready=not found.problems,
        problems=found.problems,
        notices=found.notices,
        dependencies=tuple(
            shapes.DependencyOut(
                name=one.name,
                ok=not one.problem,
                problem=one.problem,
                canary_age_s=one.canary_age_s,
                detail=one.detail,
            )
            for one in found.dependencies
        ),
        providers_off=dict(found.providers_off),
        clock_skew_s=found.clock_skew_s,
        synthetic=found.synthetic,
    )
    return as_json(body, status=503 if found.problems else 200)


async def numbers(_request: web.Request) -> web.Response:
    return web.Response(body=metrics(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})
