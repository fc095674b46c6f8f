"""How long this process may believe that what it took is still its own.

A process that stood still (a stopped machine, a moved one) wakes with calls in its hands that another may have taken over,
and a cancel it never heard of. So before each call it is looked whether the last renewal is younger than the lease; if not,
nothing leaves until a renewal has said what is still ours.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

MARGIN_S = 1.0
"""A call takes a moment to leave: the last of them must leave within the lease."""


class Lease:
    """`limit_s`: as long as a renewal counts; infinite where nobody can take anything over."""

    def __init__(self, limit_s: float, clock: Callable[[], float]) -> None:
        self._limit_s = limit_s - MARGIN_S
        self._clock = clock
        self._ends = math.inf
        self._renewed = asyncio.Event()

    @property
    def holds(self) -> bool:
        return self._clock() < self._ends

    def renewed(self, asked_at: float) -> None:
        """It counts from when it was asked for: the answer may have been long on its way."""
        self._ends = asked_at + self._limit_s
        self._renewed.set()

    async def wait(self) -> None:
        """Until it holds again."""
        while not self.holds:
            self._renewed.clear()
            await self._renewed.wait()
