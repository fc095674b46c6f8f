"""What every handler finds in the application."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from aiohttp import web

from dispatcher.web.console.sketch import Atlas
from dispatcher.web.doors import Doors
from dispatcher.web.live import Feed, stream
from dispatcher.web.reach import Frozen


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """One for the site. `closing` is set when streams have to end."""

    doors: Doors
    feed: Feed
    frozen: Frozen = field(default_factory=Frozen)
    atlas: Atlas = field(default_factory=Atlas)
    closing: asyncio.Event = field(default_factory=asyncio.Event)


PARTS = web.AppKey("parts", Parts)


def parts(request: web.Request) -> Parts:
    return request.app[PARTS]


async def live(request: web.Request) -> web.StreamResponse:
    site = parts(request)
    return await stream(request, site.feed, site.closing)
