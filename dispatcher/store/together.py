"""Many ask about one thing each at the same moment: the database is asked once for all of them.

Everybody is answered by what was read after he asked, so nothing is remembered and nobody who was shut out is let in. While
one reading is under way, whoever comes waits for the next; alone, nobody waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
MOST = 500


@dataclass(slots=True)
class _Round(Generic[K, V]):
    """What is asked for together, and what came of it."""

    keys: dict[K, None] = field(default_factory=dict)
    found: Mapping[K, V] | None = None
    error: Exception | None = None


class Together(Generic[K, V]):
    """`look` reads all of them at once; what it does not find is None."""

    def __init__(self, look: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._look = look
        self._next: _Round[K, V] = _Round()
        self._looking = asyncio.Lock()

    async def of(self, key: K) -> V | None:
        """Whatever `look` raises is raised to all who asked with it."""
        if len(self._next.keys) >= MOST:
            self._next = _Round()
        mine = self._next
        mine.keys[key] = None
        async with self._looking:
            if mine.found is None and mine.error is None:
                await self._read(mine)
        if mine.error is not None:
            raise mine.error
        assert mine.found is not None
        return mine.found.get(key)

    async def _read(self, mine: _Round[K, V]) -> None:
        if self._next is mine:
            self._next = _Round()
        try:
            mine.found = await self._look(list(mine.keys))
        except Exception as error:  # noqa: BLE001 - kept for whoever asked with us, and raised to each
            mine.error = error
