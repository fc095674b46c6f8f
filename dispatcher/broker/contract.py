"""What crosses the service's border: two verbs, `consume(handler)` and `publish(event)`, whichever broker carries it.

A message is acknowledged right after its handler returns, never held during fan-out. Nothing is dropped: what the
handler refuses goes, byte for byte, to `warnings.rejected` with a code; what it cannot do now is tried again, and given up
with `GAVE_UP` only after the last try of the `RetryPlan`. `NotNow`, and any time-out or lost connection, is no fault of
the message: it waits as long as it takes, without using up a try. Delivery is at least once and in order, except that a
message that failed lets the ones behind it pass.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

_CHANCE = random.SystemRandom()

GAVE_UP = 500
"""Not a verdict of INTERFACES 6: our own handler failed at every try. The bytes can be replayed once it is mended."""

DELIVERY_LIMIT = 50
"""Deliveries that ended in neither an answer nor a failure, that is our own death, until a message is put aside."""

EXCHANGE_IN = "warnings"
QUEUE_IN = "warnings.inbound"
QUEUE_REJECTED = "warnings.rejected"
EXCHANGE_OUT = "dispatch.events"


class BrokerUnavailable(Exception):
    """It was not confirmed within the time limit; it may have arrived. The caller keeps it and publishes it again."""


class NotNow(Exception):
    """Raised by a handler whose own ground is gone (the database, say): ask again later, the message is innocent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What a source sends in. `routing_key` is its source id."""

    routing_key: str
    content_type: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    message_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """A parcel as it arrived. `user_id` is what the broker itself vouches for; empty where it does not."""

    routing_key: str
    content_type: str
    headers: Mapping[str, str]
    body: bytes
    message_id: str
    user_id: str
    redelivered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """Committed, whatever the verdict on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """Refused: the bytes go to `warnings.rejected`. An empty `source` means the routing key."""

    code: int
    reason: str
    source: str = ""


ACK = Ack()
Handled = Ack | Reject
Handler = Callable[[Inbound], Awaitable[Handled]]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundEvent:
    """What other systems hear of: one outbox row. `kind` is the routing key (`warning.accepted` …)."""

    id: str
    at: datetime
    kind: str
    subject: str
    data: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Who we are to the broker. `seen(name)` is told of every canary that came through, other nodes' too;
    `gave_up(inbound, reason)` of a message that is put aside with `GAVE_UP`, before it leaves the queue."""

    name: str
    clock: Callable[[], datetime]
    seen: Callable[[str], Awaitable[None]]
    gave_up: Callable[[Inbound, str], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPlan:
    """How often a handler that fails is asked again, and after how long."""

    tries: int = 20
    first_s: float = 0.2
    longest_s: float = 15.0

    def wait_s(self, failed: int) -> float:
        """Seconds after the `failed`-th failure (1, 2, …), ±50 %."""
        return min(self.longest_s, self.first_s * 2.0 ** min(failed - 1, 30)) * _CHANCE.uniform(0.5, 1.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """For /health/ready and the doctor. `problem` is empty when all is well."""

    name: str
    problem: str
    canary_age_s: float | None

    @property
    def ok(self) -> bool:
        return not self.problem


class Broker(Protocol):
    """Every call but `consume` has a time limit of its own."""

    async def start(self) -> None:
        """Connect and declare. A broker that is away does not stop the start: `ready` says so; it is tried again."""

    async def consume(self, handler: Handler) -> None:
        """Runs until cancelled; comes back by itself after any loss of the broker."""

    async def publish(self, event: OutboundEvent) -> None:
        """Confirmed when it returns; else BrokerUnavailable."""

    async def reject(self, inbound: Inbound, code: int, reason: str, source: str) -> None:
        """The original bytes to `warnings.rejected`; BrokerUnavailable where that is not confirmed."""

    async def canary(self, now: datetime) -> None:
        """Send a message through the way in that only the broker itself sees; to be called every few seconds. Never
        raises BrokerUnavailable: `ready` tells."""

    async def ready(self, now: datetime, seen_elsewhere: datetime | None = None) -> Health:
        """`seen_elsewhere`: when another node last told of our canary (the canaries table)."""

    async def close(self) -> None: ...


def full_jitter(failures: int, longest_s: float = 5.0) -> float:
    """Seconds to wait before the next connection attempt: anything up to a bound that doubles."""
    return _CHANCE.uniform(0.0, min(longest_s, 0.25 * 2.0 ** min(failures, 10)))
