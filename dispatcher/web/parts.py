"""What every handler finds in the application."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from aiohttp import web

from dispatcher.accounts.entering import Entrance
from dispatcher.accounts.keeping import Keeper
from dispatcher.web.console.basemap import Grounds
from dispatcher.web.console.glance import Fresh, Glances
from dispatcher.web.console.overview import Overview
from dispatcher.web.console.reading import Reading
from dispatcher.web.console.sketch import Atlas
from dispatcher.web.doors import Doors, Ready
from dispatcher.web.limits import BURST_S, Buckets
from dispatcher.web.live import Feed
from dispatcher.web.reach import Frozen

READY_S = 2.0
PUBLISHED_S = 5.0
T = TypeVar("T")


class Recent(Generic[T]):
    """What was found a moment ago: many look, the database is asked once."""

    def __init__(self, good_for_s: float) -> None:
        self._good_for_s = good_for_s
        self._found: T | None = None
        self._at = 0.0
        self._asking = asyncio.Lock()

    async def of(self, ask: Callable[[], Awaitable[T]]) -> T:
        async with self._asking:
            clock = asyncio.get_running_loop().time
            if self._found is None or clock() - self._at > self._good_for_s:
                self._found = await ask()
                self._at = clock()  # behind a slow answer, not before it: whoever waited for it takes it
            return self._found


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What is handed out as it is, and the tag by which a reader knows it again."""

    body: bytes
    tag: str

    @staticmethod
    def of(body: bytes) -> Document:
        return Document(body=body, tag=hashlib.sha256(body).hexdigest()[:32])


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """One for the site. `closing` is set when streams have to end."""

    doors: Doors
    feed: Feed
    entrance: Entrance
    keeper: Keeper
    buckets: Buckets
    frozen: Frozen = field(default_factory=Frozen)
    atlas: Atlas = field(default_factory=Atlas)
    grounds: Grounds = field(default_factory=Grounds)
    readings: Fresh[Reading] = field(default_factory=Fresh)
    glances: Glances = field(default_factory=Glances)
    ready: Recent[Ready] = field(default_factory=lambda: Recent(READY_S))
    overviews: dict[tuple[str, ...], tuple[int, Recent[Overview]]] = field(default_factory=dict)
    """By what the codes of an area begin with; and the newest event when it was read."""
    published: Recent[Document] = field(default_factory=lambda: Recent(PUBLISHED_S))
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    salt: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def form_key(self) -> str:
        """Stands in every form of ours that no session's key can stand in: whoever cannot read our pages cannot send one. The
        same for all that serve one database, so that a form of one may be answered by another; a training's are good until it
        begins anew, so that no page of before empties it once more."""
        beginning = self.salt if self.training else ""
        return self.doors.context.seal.mark(f"the forms of whoever has not come in yet {beginning}")

    @property
    def training(self) -> bool:
        return self.doors.reset is not None


PARTS = web.AppKey("parts", Parts)


def parts_of(doors: Doors, feed: Feed) -> Parts:
    context, service = doors.context, doors.context.settings.service
    given = (context.store, context.seal, context.now)
    buckets = Buckets(rate=service.per_address, burst=service.per_address * BURST_S)
    keeper = Keeper(*given, service.passwords)
    return Parts(doors=doors, feed=feed, entrance=Entrance(*given), keeper=keeper, buckets=buckets)


def parts(request: web.Request) -> Parts:
    return request.app[PARTS]
