"""What providers report, and what people write back: checked by the provider's own file, entered, and answered only after
the commit.

A forged one is counted and never believed. One nobody can read is answered 400. Where the database is away the provider
is asked to come again, so that no receipt and no uplink is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cache

import structlog
from aiohttp import web
from prometheus_client import Counter

from channels.contract import Callback, Forged, Malformed, Reads, Reply, Uplink
from dispatcher.model import Channel
from dispatcher.pipeline.hear import hear
from dispatcher.pipeline.settle import take_receipts
from dispatcher.receipts import COMMIT_S
from dispatcher.telemetry import FORGED, RECEIPTS, UPLINKS
from dispatcher.web import asking
from dispatcher.web.client import client_of
from dispatcher.web.doors import Doors
from dispatcher.web.parts import parts
from dispatcher.web.problems import Problem

MOST_BYTES = 1024 * 1024

log = structlog.get_logger()


async def callback(request: web.Request) -> web.Response:
    doors = parts(request).doors
    channel, provider, reader = _reader(request)
    body = await asking.body_of(request, min(MOST_BYTES, doors.max_body_bytes))
    given = Callback(
        method=request.method,
        url=doors.public_url.rstrip("/") + (raw if (raw := request.raw_path).startswith("/") else request.path_qs),
        headers=request.headers,
        body=body,
        token=request.match_info["token"],
    )
    try:
        reading = reader.read(given, doors.context.now())
    except Forged as error:
        FORGED.labels(provider).inc()
        log.warning(
            "回执的签名不对，没有采信", provider=provider, channel=channel, remote=str(client_of(request).address)
        )
        raise Problem(401, "forged", "签名缺失或不符") from error
    except Malformed as error:
        log.warning("回执读不懂，没有采信", provider=provider, channel=channel, why=str(error))
        raise Problem(400, "malformed", str(error) or "回执读不懂") from error
    if reading.uplinks:
        await _heard(doors, channel, provider, reading.uplinks)
    drill = (channel, provider) in doors.drills
    strangers = await take_receipts(doors.context, doors.book, channel, reading.receipts, drill=drill)
    _counted(channel, "yes").inc(len(reading.receipts) - strangers)
    if strangers:
        _counted(channel, "no").inc(strangers)
    return _answer(reading.reply)


async def _heard(doors: Doors, channel: Channel, provider: str, said: Sequence[Uplink]) -> None:
    async with asyncio.timeout(COMMIT_S):
        new = await hear(doors.context, channel, provider, said)
    if new:
        UPLINKS.labels(provider).inc(new)
        log.info("收到上行短信，已留存原文", provider=provider, channel=channel, uplinks=new)


@cache
def _counted(channel: Channel, known: str) -> Counter:
    """Looking up a counter by its labels costs ten times the counting."""
    return RECEIPTS.labels(channel, known)


def _answer(reply: Reply) -> web.Response:
    if not reply.body:
        return web.Response(status=reply.status, headers=reply.headers or None)
    return web.Response(
        status=reply.status, body=reply.body, headers={"Content-Type": reply.content_type, **dict(reply.headers)}
    )


def _reader(request: web.Request) -> tuple[Channel, str, Reads]:
    provider = request.match_info["provider"]
    try:
        channel = Channel(request.match_info["channel"])
    except ValueError:
        channel = None
    reader = parts(request).doors.readers.get((channel, provider)) if channel else None
    if channel is None or reader is None:
        raise Problem(404, "no_such_provider", "没有启用这个发送接口，或它不接收回执")
    return channel, provider, reader
