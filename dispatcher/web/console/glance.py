"""The moving part of a page, drawn once for all who look at the same of it.

Three hundred viewers are told by one stream that something moved, and ask within a second. One of them has it drawn; the
others take the same bytes. It must never hand out what is older than what the stream has said: after the last word nobody
asks again, and the page would stay wrong for ever.
"""

from __future__ import annotations

import asyncio
import gzip
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

GOOD_FOR_S: Final = 1.0
"""While the stream says nothing new."""
SHARE: Final = 4
"""Drawing takes at most one part in so many of the time: whoever asks earlier waits for the next."""
MOST_WAIT_S: Final = 2.0
REMEMBERED: Final = 200
_LEVEL: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """Bytes as they go out, plain and compressed."""

    plain: bytes
    packed: bytes

    @staticmethod
    def of(text: str) -> Glance:
        plain = text.encode()
        return Glance(plain=plain, packed=gzip.compress(plain, _LEVEL, mtime=0))

    def answer(self, request: web.Request) -> web.Response:
        headers = {"Vary": "Accept-Encoding"}
        body = self.plain
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            body, headers = self.packed, {**headers, "Content-Encoding": "gzip"}
        return web.Response(body=body, content_type="text/html", charset="utf-8", headers=headers)


@dataclass(slots=True)
class _Kept:
    """The last drawing of one part: what the stream had said before it, when it was made, how long that took."""

    glance: Glance | None = None
    said: Hashable = None
    at: float = 0.0
    took: float = 0.0
    drawing: asyncio.Lock = field(default_factory=asyncio.Lock)


class Glances:
    """By what is shown and to whom: the key says all that makes two readers' parts differ."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()

    async def of(
        self, key: Hashable, said: Callable[[], Awaitable[Hashable]], draw: Callable[[], Awaitable[str]]
    ) -> Glance:
        """`said`: what the stream says now of what is shown. Whatever `draw` raises is raised to whoever asked."""
        kept = self._of(key)
        async with kept.drawing:
            clock = asyncio.get_running_loop().time
            now = await said()
            if kept.glance is not None and kept.said == now and clock() - kept.at <= GOOD_FOR_S:
                return kept.glance
            wait = min(MOST_WAIT_S, kept.at + SHARE * kept.took - clock()) if kept.glance is not None else 0.0
            if wait > 0:
                await asyncio.sleep(wait)
                now = await said()
            began = clock()
            kept.glance = await asyncio.to_thread(Glance.of, await draw())
            kept.said, kept.at, kept.took = now, clock(), clock() - began
            return kept.glance

    def _of(self, key: Hashable) -> _Kept:
        """The parts longest not asked for are forgotten first."""
        found = self._kept.setdefault(key, _Kept())
        self._kept.move_to_end(key)
        while len(self._kept) > REMEMBERED:
            self._kept.popitem(last=False)
        return found
