"""What every handler finds in the application."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from aiohttp import web

from dispatcher.web.console.sketch import Atlas
from dispatcher.web.doors import Doors, Ready
from dispatcher.web.live import Feed, stream
from dispatcher.web.reach import Frozen

READY_S = 2.0


@dataclass(slots=True)
class Recent:
    """The readiness of a moment ago: many look at the pages, the database is asked once."""

    found: Ready | None = None
    at: float = 0.0

    async def of(self, doors: Doors) -> Ready:
        now = asyncio.get_running_loop().time()
        if self.found is None or now - self.at > READY_S:
            self.found, self.at = await doors.readiness(), now
        return self.found


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """One for the site. `closing` is set when streams have to end."""

    doors: Doors
    feed: Feed
    frozen: Frozen = field(default_factory=Frozen)
    atlas: Atlas = field(default_factory=Atlas)
    ready: Recent = field(default_factory=Recent)
    closing: asyncio.Event = field(default_factory=asyncio.Event)


PARTS = web.AppKey("parts", Parts)


def parts(request: web.Request) -> Parts:
    return request.app[PARTS]


async def live(request: web.Request) -> web.StreamResponse:
    site = parts(request)
    return await stream(request, site.feed, site.closing)
