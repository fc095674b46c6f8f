"""Rate, in-flight bound and breaker, as a wrapper round any provider; and the door where drill and live are kept apart.

It must survive a provider that is slow, down or throttling without burning the attempts of the messages or hammering it:
whoever has something to send waits for its turn before it hands the message over, so what is held back here never left. The
rate is exact from the first second: no burst. Under 429 and silence both rate and bound shrink at once and grow back slowly.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import cached_property
from typing import Final

from channels.apart import at_home, stopped
from channels.contract import (
    STOOD_STILL,
    Accepted,
    Asked,
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

FAILURES_TO_OPEN: Final = 5
FIRST_REST_S: Final = 5.0
LONGEST_REST_S: Final = 60.0
ACCOUNT_REST_S: Final = 30.0
"""How long a provider that refuses our account is left alone."""
GRAIN_S: Final = 0.002
"""Waits shorter than this are let go: a timer is not finer, and the rate stays right over the second."""
LOOK_S: Final = 0.1
"""How often whoever waits for a resting provider looks whether it may go on."""
CUT: Final = 0.7
"""What a 429 leaves of the rate, and of the bound."""
COOL_S: Final = 1.0
"""One cut at the most in this time: the calls that were under way say the same thing again."""
GROWTH: Final = 0.05
"""Share of the full rate that comes back in a second, once EASE_S have passed without a 429."""
EASE_S: Final = 10.0
"""Until then less: who takes a hundredth of what we believe in is not offered five hundredths more each second."""
MANY: Final = 5
"""So many peers that say 429 in one COOL_S, and more than those that do not, are no coincidence."""


class Rate:
    """A turn every 1/rate seconds, evenly (GCRA without burst); `allowed` follows what the provider bears."""

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        self._full = rate
        self._clock = clock
        self._next = 0.0
        self._cut_at = -COOL_S
        self._grown_at = clock()
        self._window = (0.0, 0)
        self._served = rate
        self.allowed = rate

    @property
    def wait_s(self) -> float:
        """How far off the next turn is; not above 0: now."""
        return self._next - self._clock()

    def try_turn(self) -> bool:
        now = self._clock()
        if self._next - now > GRAIN_S:
            return False
        self._take(now)
        return True

    async def turn(self) -> None:
        """One waits at a time; whoever gives up waiting has taken nothing."""
        while (wait := self.wait_s) > GRAIN_S:  # noqa: ASYNC110 - a turn is a time, and nobody tells of it
            await asyncio.sleep(wait)
        self._take(self._clock())

    def _take(self, now: float) -> None:
        if self.allowed < self._full:
            self._grow(now)
        self._next = max(now, self._next) + 1 / self.allowed

    def served(self, number: int) -> None:
        """That many were taken: what the provider bears is seen by the second."""
        now, (began, count) = self._clock(), self._window
        if now - began >= 1.0:
            if began and now - began < 2.0:
                self._served = count / (now - began)
            began, count = now, 0
        self._window = (began, count + number)

    def cut(self) -> bool:
        """The provider said: too much. Whether that was news."""
        now = self._clock()
        if now - self._cut_at < COOL_S:
            return False
        self._cut_at = self._grown_at = now
        self.allowed = max(self._full / 100, CUT * min(self.allowed, max(self._served, self._full / 100)))
        return True

    def _grow(self, now: float) -> None:
        more = _eased(now - self._cut_at) - _eased(self._grown_at - self._cut_at)
        self.allowed = min(self._full, self.allowed + self._full * GROWTH * more)
        self._grown_at = now


def _eased(quiet_s: float) -> float:
    """Seconds of growth in seconds without a 429: they begin at nothing and count in full after EASE_S."""
    return quiet_s * quiet_s / (2 * EASE_S) if quiet_s < EASE_S else quiet_s - EASE_S / 2


class Crowd:
    """Whether the peers of a provider say 429 one by one, which is their own trouble, or most of them, which is that of what
    stands before them all."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = 0.0
        self._busy: set[str] = set()
        self._well: set[str] = set()

    def busy(self, peer: str, *, throttled: bool) -> bool:
        """What this one said; whether all of them are to be taken for busy."""
        now = self._clock()
        if now - self._began >= COOL_S:
            self._began, self._busy, self._well = now, set(), set()
        (self._busy if throttled else self._well).add(peer)
        return throttled and len(self._busy) >= MANY and len(self._busy) > len(self._well)


class Gate:
    """Breaker of one peer: five failures in a row shut it, then one probe at a time may try; 429 shuts it as asked."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures = 0
        self._rest_s = FIRST_REST_S
        self._shut_until = 0.0
        self._probing = False

    @property
    def open(self) -> bool:
        """Whether somebody may enter now."""
        return not self._probing and (not self._shut_until or self._shut_until <= self._clock())

    @property
    def wait_s(self) -> float:
        """How long nobody may enter; 0 where somebody may now."""
        wait = self._shut_until - self._clock()
        return max(wait, LOOK_S) if self._probing else max(wait, 0.0)

    def enter(self) -> bool | TryAgain:
        """Whether this send is the probe; or when to come back. Whoever entered calls `leave`."""
        if not self.open:
            after_s = max(self.wait_s, 1.0)
            return TryAgain(
                code="resting", reason="对方故障或限流，暂停片刻后自动重试", after_s=after_s, throttled=True
            )
        self._probing = self._failures >= FAILURES_TO_OPEN
        return self._probing

    def leave(self, outcomes: Sequence[Outcome] | None, *, probe: bool) -> bool:
        """What came of it; None for an exception. Sends that were under way when it shut do not lengthen the rest.

        Whether all was well.
        """
        if probe:
            self._probing = False
        if outcomes is not None and _all_well(outcomes):
            self._failures, self._rest_s = 0, FIRST_REST_S
            return True
        waits = [o.after_s for o in outcomes or () if isinstance(o, TryAgain) and o.throttled and o.after_s]
        waits += [ACCOUNT_REST_S for o in outcomes or () if isinstance(o, Refused) and o.blame is Blame.ACCOUNT]
        if waits:
            self._shut_until = max(self._shut_until, self._clock() + max(waits))
        if outcomes is not None and not all(map(_failed, outcomes)):
            self._failures, self._rest_s = 0, FIRST_REST_S
            return False
        self._failures += 1
        if probe or self._failures == FAILURES_TO_OPEN:
            self._shut_until = max(self._shut_until, self._clock() + self._rest_s)
            self._rest_s = min(self._rest_s * 2, LONGEST_REST_S)
        return False


class Paced:
    """A provider with its pace. `provider` is the bare one; `reads` is it, and `asks` this, where it can do that.

    `await turn()`, then `send` without awaiting anything between. Nothing live leaves by a drill's provider (`drill`), no
    drill by another, neither as a message nor as a question.
    """

    def __init__(
        self, provider: Provider, settings: ProviderSettings, clock: Callable[[], float] | None = None
    ) -> None:
        self.provider = provider
        self.settings = settings
        self.drill = settings.drill
        self.max_batch = provider.max_batch
        self._given_clock = clock
        self._rate: Rate | None = None
        self._limit = float(settings.in_flight)
        self._under_way = 0
        self._left = asyncio.Event()
        self._pressing = 0
        self._gates: dict[str, Gate] = {}

    @property
    def reads(self) -> Reads | None:
        return self.provider if isinstance(self.provider, Reads) else None

    @property
    def asks(self) -> Asks | None:
        return self if isinstance(self.provider, Asks) else None

    @property
    def rests(self) -> bool:
        """Whether the provider as a whole is left alone just now: down, throttling, or refusing our account."""
        gate = self._gates.get("")
        return gate is not None and not gate.open

    def try_turn(self) -> bool:
        """A turn, where one comes at once."""
        free = not self._pressing and self._under_way < int(self._limit) and not self.rests
        return free and self._pace().try_turn()

    async def turn(self) -> None:
        """Waits until one more call may start: the provider does not rest, few enough are under way, the rate allows it."""
        while self._pressing or self.rests or self._under_way >= int(self._limit):
            await self._look()
        await self._pace().turn()

    async def next_turn(self) -> None:
        """As `turn`, before all who wait for one: a message that one person waits for does not stand behind ten thousand."""
        self._pressing += 1
        try:
            while self.rests or self._under_way >= int(self._limit):
                await self._look()
            await self._pace().turn()
        finally:
            self._pressing -= 1
            self._left.set()

    async def _look(self) -> None:
        self._left.clear()
        try:
            async with asyncio.timeout(LOOK_S):
                await self._left.wait()
        except TimeoutError:
            pass

    def send(self, batch: Sequence[Message], now: datetime) -> Awaitable[list[Outcome]]:
        """As the provider's own; the messages of a batch have one peer, or none."""
        refused = [stopped(message, drill=self.drill) for message in batch]
        if any(refused):
            return self._send_those(batch, refused, now)
        return self._send([at_home(message) for message in batch] if self.drill else batch, now)

    async def _send_those(
        self, batch: Sequence[Message], refused: Sequence[Refused | None], now: datetime
    ) -> list[Outcome]:
        fit = [message for message, fault in zip(batch, refused, strict=True) if fault is None]
        sent = iter(await self.send(fit, now))
        return [fault or next(sent) for fault in refused]

    async def ask(self, batch: Sequence[Message], now: datetime) -> list[Asked]:
        """As the provider's own."""
        refused = [stopped(message, drill=self.drill) for message in batch]
        fit = [message for message, fault in zip(batch, refused, strict=True) if fault is None]
        answers: list[Asked] = []
        if fit and isinstance(self.provider, Asks):
            answers = await self.provider.ask([at_home(message) for message in fit] if self.drill else fit, now)
        asked = iter(answers)
        return [
            next(asked) if fault is None else Asked(id=message.id, code=fault.code, reason=fault.reason)
            for message, fault in zip(batch, refused, strict=True)
        ]

    async def _send(self, batch: Sequence[Message], now: datetime) -> list[Outcome]:
        if not batch:
            return []
        peer = batch[0].peer
        gate = self._gates.get(peer)
        if gate is None:
            gate = self._gates[peer] = Gate(self._clock)
        probe = gate.enter()
        if isinstance(probe, TryAgain):
            return [probe] * len(batch)
        outcomes: list[Outcome] | None = None
        self._under_way += 1
        try:
            outcomes = await self.provider.send(batch, now)
        finally:
            self._under_way -= 1
            well = gate.leave(outcomes, probe=probe)
            # a gateway's or endpoint's troubles are its own, unless they are everybody's
            if not peer or self._crowd.busy(peer, throttled=_throttled(outcomes)) or well:
                self._adapt(outcomes, well=well)
            self._left.set()
        return outcomes

    def _adapt(self, outcomes: Sequence[Outcome] | None, *, well: bool) -> None:
        """Additive increase, multiplicative decrease."""
        if well and outcomes is not None:
            self._pace().served(len(outcomes))
            if self._limit < self.settings.in_flight:
                self._limit = min(float(self.settings.in_flight), self._limit + 1 / self._limit)
        elif outcomes is None or any(isinstance(one, NotKnown) for one in outcomes):
            self._limit = max(1.0, self._limit / 2)
        elif _throttled(outcomes) and self._pace().cut():
            self._limit = max(1.0, self._limit * CUT)

    def _pace(self) -> Rate:
        """Made at the first call, because its clock is the loop's."""
        if self._rate is None:
            self._rate = Rate(self.settings.rate, self._clock)
        return self._rate

    @cached_property
    def _crowd(self) -> Crowd:
        return Crowd(self._clock)

    @cached_property
    def _clock(self) -> Callable[[], float]:
        return self._given_clock or asyncio.get_running_loop().time

    async def close(self) -> None:
        await self.provider.close()


def _all_well(outcomes: Sequence[Outcome]) -> bool:
    return all(isinstance(one, Accepted) for one in outcomes)


def _throttled(outcomes: Sequence[Outcome] | None) -> bool:
    return any(isinstance(one, TryAgain) and one.throttled for one in outcomes or ())


def _failed(outcome: Outcome) -> bool:
    """A refusal shows a living provider; so does a 429. Our own standing still says nothing of it."""
    if isinstance(outcome, TryAgain):
        return not outcome.throttled and outcome.code != STOOD_STILL
    return isinstance(outcome, NotKnown)
