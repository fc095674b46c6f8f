"""The way kept clear: while something urgent is judged and planned, whatever is less urgent stands still for a moment.

Each step of the judging waits for a whole turn of the event loop. Beside a fan-out a turn takes ten milliseconds, and there
are thirty steps: a red's first message left seven times later than on an idle system.
It must survive whoever asks for it all the time: the lower lanes lose a quarter of their time at the most.
"""

from __future__ import annotations

import asyncio
from typing import Final

from dispatcher.model import Lane

CLEAR_S: Final = 0.5
"""Judging and planning a city's warning takes 0.1 s on two idle cores, and machines are slower at night's worst."""
SHARE: Final = 4
"""Of so much time it is kept clear once: for a red that left after 0.1 s, the next may have it after 0.3 s."""


class Way:
    """`clear` it for a lane; who is less urgent waits until it is free, at the latest after the time given."""

    def __init__(self) -> None:
        self._lane: int | None = None
        self._cleared_at = self._again_at = 0.0
        self._freed = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def lane(self) -> int | None:
        """For whom it is kept clear; None: for nobody."""
        return self._lane

    def clear(self, lane: int, at_most_s: float = CLEAR_S) -> None:
        """Something of this lane has come. Only a red's or a call-off's way is kept: else a yellow a second before it would
        use up its time."""
        if lane > Lane.RED:
            return
        loop = asyncio.get_running_loop()
        if self._lane is not None or loop.time() < self._again_at:
            return
        self._lane, self._cleared_at = lane, loop.time()
        self._freed.clear()
        self._timer = loop.call_later(at_most_s, self._free)

    def blocks(self, lane: int) -> bool:
        return self._lane is not None and lane > self._lane

    async def passed(self) -> None:
        """Until it is free."""
        await self._freed.wait()

    def taken(self, lane: int) -> None:
        """Something of this lane is on its way out: if it is what the way was kept for, it is free."""
        if self._lane is not None and lane <= self._lane:
            self._free()

    def _free(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        now = asyncio.get_running_loop().time()
        self._lane, self._again_at = None, now + (SHARE - 1) * (now - self._cleared_at)
        self._freed.set()
