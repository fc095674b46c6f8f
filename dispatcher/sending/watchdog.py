"""The last limit of every call: a provider that hangs in spite of its own time limit is given up for it.

One look a moment over all senders. A timer for each call does the same and costs a tenth of the whole sending.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable
from typing import Any, TypeVar

LOOK_S = 0.5

T = TypeVar("T")


class Leash:
    """One sender's, whose calls come one after another."""

    __slots__ = ("_bitten", "_ends", "_loop", "_task")

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self._task = task
        self._loop = task.get_loop()
        self._ends = math.inf
        self._bitten = False

    async def limited(self, call: Awaitable[T], limit_s: float) -> T:
        """The call's result; TimeoutError up to LOOK_S after its limit. A cancellation from outside stays one."""
        self._ends = self._loop.time() + limit_s
        try:
            return await call
        except asyncio.CancelledError:
            if self._bitten and self._task.cancelling() == 1:
                raise TimeoutError from None
            raise
        finally:
            self._ends = math.inf
            if self._bitten:
                self._bitten = False
                self._task.uncancel()

    def pull(self, now: float) -> None:
        """Ends a call that is over its limit."""
        if self._ends <= now and not self._bitten:
            self._bitten = True
            self._task.cancel()


class Watchdog:
    """Run it in a task of its own; each sender takes a leash."""

    def __init__(self) -> None:
        self._leashes: list[Leash] = []

    def leash(self) -> Leash:
        """For the task that asks."""
        task = asyncio.current_task()
        assert task is not None
        self._leashes.append(Leash(task))
        return self._leashes[-1]

    async def run(self) -> None:
        """Until cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(LOOK_S)
            now = clock()
            for leash in self._leashes:
                leash.pull(now)
