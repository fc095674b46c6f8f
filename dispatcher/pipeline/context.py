"""What every verb works with: settings, database, register in memory, clock, and a way to wake the sender."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime

from dispatcher.model import Channel, Lane
from dispatcher.registry import register as registers
from dispatcher.registry.register import Register
from dispatcher.settings import Settings
from dispatcher.states import DeliveryState
from dispatcher.store.engine import Store
from dispatcher.store.sealed import Seal

PERSONS = 3
"""Acts of persons at the same time: each takes a connection, and a second one to see whether the register is the same."""


@dataclass(slots=True, kw_only=True, repr=False)
class Context:
    """One for the process. It says nothing of itself: whoever printed it would print a city. `now` is the only clock;
    `make_way`, `wake` and `ended` reach the sender, and do nothing without one. `drill_channels`: those with a provider for
    drills; a drill is planned for no other."""

    settings: Settings
    store: Store
    seal: Seal
    now: Callable[[], datetime]
    make_way: Callable[[Lane], None] = lambda _lane: None
    wake: Callable[[Collection[str]], None] = lambda _channels: None
    ended: Callable[[str, DeliveryState], None] = lambda _id, _state: None
    drill_channels: frozenset[Channel] = frozenset()
    persons: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(PERSONS))
    """Fifty who approve at once wait here, and not with a connection each in their hands."""
    sides: dict[str, bool] = field(default_factory=dict)
    """Warning → whether a drill, of those that receipts came for."""
    in_memory: Register | None = None
    """The register, once somebody asked for it."""
    _loading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def register(self) -> Register:
        """The register as it stands; read again when its version in the database has moved."""
        async with self._loading:
            self.in_memory = await registers.current(self.store, self.seal, self.in_memory)
            return self.in_memory
