"""What all players have in common: faults that can be set while they run, counts, and the ways of not answering."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Final

from aiohttp import web

from dispatcher.rehearsal.faults import Fate, Faults, Mischief
from dispatcher.rehearsal.log import Log
from dispatcher.rehearsal.reports import Reports

HANG_S: Final = 120.0


class Player(ABC):
    """One server, called as its log is. A subclass has `play`."""

    def __init__(self, log: Path, faults: Faults, reports: Reports, clock: Callable[[], float]) -> None:
        self.name = log.stem
        self.mischief = Mischief(faults, clock)
        self.reports = reports
        self.clock = clock
        self.log = Log(log, clock)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Everything that arrives. `/_rehearsal/…` is for whoever runs the rehearsal; the rest is the provider's."""
        if request.path.startswith("/_rehearsal/"):
            return await self.direct(request)
        return await self.play(request)

    @abstractmethod
    async def play(self, request: web.BaseRequest) -> web.StreamResponse:
        """What the provider itself would answer."""

    async def direct(self, request: web.BaseRequest) -> web.StreamResponse:
        """GET stats: counts. POST faults: the new ones, as JSON."""
        match request.method, request.path:
            case "GET", "/_rehearsal/stats":
                return _json({"requests": dict(self.mischief.counts), "reports": dict(self.reports.counts)})
            case "POST", "/_rehearsal/faults":
                try:
                    self.mischief.set(Faults.read(await request.read()))
                except ValueError as error:
                    return web.Response(status=400, text=str(error))
                return web.Response(status=204)
            case _:
                return web.Response(status=404)

    async def end(self, request: web.BaseRequest, fate: Fate, answer: web.Response) -> web.StreamResponse:
        """The answer, late, false, cut off or not at all, as `fate` will have it."""
        if self.mischief.faults.delay_s:
            await asyncio.sleep(self.mischief.faults.delay_s)
        match fate:
            case Fate.HANG:
                await asyncio.sleep(HANG_S)
            case Fate.CUT:
                if request.transport is not None:
                    request.transport.abort()
            case Fate.LIE:
                return web.Response(body=b"\x00<html>OK</html>", content_type="text/html")
            case Fate.THROTTLE:
                return web.Response(status=429, text="too many", headers={"Retry-After": "1"})
            case Fate.FAIL:
                return web.Response(status=503, text="out of order")
            case Fate.TAKE | Fate.REFUSE:
                pass
        return answer

    def close(self) -> None:
        self.log.close()


def _json(data: object) -> web.Response:
    return web.Response(text=json.dumps(data), content_type="application/json")
