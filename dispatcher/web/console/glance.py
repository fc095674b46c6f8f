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
from typing import Final, Generic, TypeVar

from aiohttp import web

GOOD_FOR_S: Final = 1.0
"""While the stream says nothing new."""
SHARE: Final = 4
"""Drawing takes at most one part in so many of the time, whoever asks for whatever part: others wait for their turn."""
MOST_REST_S: Final = 1.0
REMEMBERED: Final = 500
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


T = TypeVar("T")


@dataclass(slots=True)
class _Kept(Generic[T]):
    """The last making of one thing: what the stream had said before it, and when it was made."""

    made: T | None = None
    said: Hashable = None
    at: float = 0.0
    making: asyncio.Lock = field(default_factory=asyncio.Lock)


class Fresh(Generic[T]):
    """Things made once for all who ask, by a key that says all that makes two askers' differ."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, _Kept[T]] = OrderedDict()

    async def of(
        self, key: Hashable, said: Callable[[], Awaitable[Hashable]], make: Callable[[bool], Awaitable[T]]
    ) -> T:
        """`said`: what the stream says now of what is shown; `make` hears whether there was an earlier one. Whatever it raises
        is raised to whoever asked."""
        kept = self._of(key)
        async with kept.making:
            clock = asyncio.get_running_loop().time
            now = await said()
            if kept.made is not None and kept.said == now and clock() - kept.at <= GOOD_FOR_S:
                return kept.made
            kept.made = await make(kept.made is not None)
            kept.said, kept.at = now, clock()
            return kept.made

    def _of(self, key: Hashable) -> _Kept[T]:
        """What was longest not asked for is forgotten first."""
        found = self._kept.setdefault(key, _Kept())
        self._kept.move_to_end(key)
        while len(self._kept) > REMEMBERED:
            self._kept.popitem(last=False)
        return found


class Glances:
    """Parts drawn, one at a time: what is drawn takes at most a share of the time, however many parts there are."""

    def __init__(self) -> None:
        self._fresh: Fresh[Glance] = Fresh()
        self._turn = asyncio.Lock()
        self._rests_until = 0.0

    async def of(
        self, key: Hashable, said: Callable[[], Awaitable[Hashable]], draw: Callable[[], Awaitable[str]]
    ) -> Glance:
        async def drawn(again: bool) -> Glance:
            async with self._turn:
                clock = asyncio.get_running_loop().time
                if again and (wait := self._rests_until - clock()) > 0:
                    await asyncio.sleep(wait)
                began = clock()
                glance = await asyncio.to_thread(Glance.of, await draw())
                self._rests_until = clock() + min(MOST_REST_S, (SHARE - 1) * (clock() - began))
                return glance

        return await self._fresh.of(key, said, drawn)
