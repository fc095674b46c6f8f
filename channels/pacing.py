"""Rate, in-flight bound and breaker, as a wrapper round any provider.

It must survive a provider that is slow, down or throttling without burning the attempts of the messages or hammering
it: what a shut gate holds back never left, and costs nothing. Rate is exact from the first second: no burst.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from channels.contract import (
    Asks,
    Blame,
    Message,
    NotKnown,
    Outcome,
    Provider,
    ProviderSettings,
    Reads,
    Refused,
    TryAgain,
)
from channels.text import mismarked

FAILURES_TO_OPEN: Final = 5
FIRST_REST_S: Final = 5.0
LONGEST_REST_S: Final = 60.0
GRAIN_S: Final = 0.002
"""Waits shorter than this are let go: a timer is not finer, and the rate stays right over the second."""


LONGEST_TURN_S: Final = 2.0
"""Nobody is held here longer: whoever called has a time limit of its own, and must not take waiting for sending."""


class Rate:
    """A send every 1/rate seconds, evenly (GCRA without burst)."""

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        self._step = 1 / rate
        self._clock = clock
        self._next = 0.0

    @property
    def wait_s(self) -> float:
        """How far off the next turn is."""
        return self._next - self._clock()

    async def turn(self) -> None:
        now = self._clock()
        at = max(now, self._next)
        self._next = at + self._step
        if at - now > GRAIN_S:
            await asyncio.sleep(at - now)


class Gate:
    """Breaker of one peer: five failures in a row shut it, then one probe at a time may try; 429 shuts it as asked."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures = 0
        self._rest_s = FIRST_REST_S
        self._shut_until = 0.0
        self._probing = False

    def enter(self) -> bool | TryAgain:
        """Whether this send is the probe; or when to come back. Whoever entered calls `leave`."""
        wait = self._shut_until - self._clock()
        if wait > 0 or self._probing:
            after_s = max(wait, 1.0)
            return TryAgain(
                code="resting", reason="对方故障或限流，暂停片刻后自动重试", after_s=after_s, throttled=True
            )
        self._probing = self._failures >= FAILURES_TO_OPEN
        return self._probing

    def leave(self, outcomes: Sequence[Outcome] | None, *, probe: bool) -> None:
        """What came of it; None for an exception. Sends that were under way when it shut do not lengthen the rest."""
        if probe:
            self._probing = False
        waits = [o.after_s for o in outcomes or () if isinstance(o, TryAgain) and o.throttled and o.after_s]
        if waits:
            self._shut_until = max(self._shut_until, self._clock() + max(waits))
        if outcomes is not None and not all(map(_failed, outcomes)):
            self._failures, self._rest_s = 0, FIRST_REST_S
            return
        self._failures += 1
        if probe or self._failures == FAILURES_TO_OPEN:
            self._shut_until = max(self._shut_until, self._clock() + self._rest_s)
            self._rest_s = min(self._rest_s * 2, LONGEST_REST_S)


class Paced:
    """A provider with its pace. `provider` is the bare one; `reads` and `asks` are it, where it can do that."""

    def __init__(
        self, provider: Provider, settings: ProviderSettings, clock: Callable[[], float] | None = None
    ) -> None:
        self.provider = provider
        self.settings = settings
        self.max_batch = provider.max_batch
        self._clock = clock or (lambda: asyncio.get_running_loop().time())
        self._rate = Rate(settings.rate, self._clock)
        self._slots = asyncio.Semaphore(settings.in_flight)
        self._gates: dict[str, Gate] = {}

    @property
    def reads(self) -> Reads | None:
        return self.provider if isinstance(self.provider, Reads) else None

    @property
    def asks(self) -> Asks | None:
        return self.provider if isinstance(self.provider, Asks) else None

    async def send(self, batch: Sequence[Message], now: datetime) -> list[Outcome]:
        """As the provider's own; the messages of a batch have one peer, or none."""
        fit = [not mismarked(message.text, drill=message.bulletin.drill) for message in batch]
        sent = iter(await self._send([message for message, good in zip(batch, fit, strict=True) if good], now))
        return [next(sent) if good else _mismarked() for good in fit]

    async def _send(self, batch: Sequence[Message], now: datetime) -> list[Outcome]:
        if not batch:
            return []
        async with self._slots:
            if (wait := self._rate.wait_s) > LONGEST_TURN_S:
                return [_later(wait)] * len(batch)
            gate = self._gates.setdefault(batch[0].peer, Gate(self._clock))
            probe = gate.enter()
            if isinstance(probe, TryAgain):
                return [probe] * len(batch)
            outcomes: list[Outcome] | None = None
            try:
                await self._rate.turn()
                outcomes = await self.provider.send(batch, now)
            finally:
                gate.leave(outcomes, probe=probe)
        return outcomes

    async def close(self) -> None:
        await self.provider.close()


def _failed(outcome: Outcome) -> bool:
    """A refusal shows a living provider; so does a 429."""
    return isinstance(outcome, NotKnown) or (isinstance(outcome, TryAgain) and not outcome.throttled)


def _later(wait: float) -> Outcome:
    return TryAgain(code="paced", reason="本接口限速，稍后自动发送", after_s=wait, throttled=True)


def _mismarked() -> Outcome:
    return Refused(code="drill_mark", reason="演练标记与预警性质不符，已拦下", blame=Blame.MESSAGE)
