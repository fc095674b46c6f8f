"""What was recorded of a run, as plain data: the providers' log lines, the ledger, the plan, the answers, the faults.

The judge reads nothing else, so that a test can falsify one of them and see whether it is noticed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from dispatcher.states import DeliveryState

Identity = tuple[str, str, datetime]
"""(sender, identifier, sent): what makes a message the same one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A provider wrote this before it answered. `key`: the delivery; `packet`: what the receiver knows it by."""

    channel: str
    key: str
    packet: str
    recipient: str
    text: str
    drill: bool
    """As it says of itself."""
    sink_drill: bool
    """Whether it was a drill's provider that wrote it."""
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A row of the frozen plan: the approved list, whatever became of it. `to`: what the provider calls the target."""

    key: str
    warning_id: str
    channel: str
    to: str
    text: str
    suppressed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of the ledger. `tries`: how many calls ended in each outcome."""

    key: str
    warning_id: str
    channel: str
    state: DeliveryState
    code: str
    flagged: bool
    tries: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """A warning that was kept."""

    id: str
    chain_id: str
    identity: Identity
    kind: str
    drill: bool
    state: str
    expires: datetime | None
    rows_planned: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a source was told of its message: an HTTP status, or 200 for a publish that RabbitMQ confirmed."""

    door: str
    identity: Identity | None
    """None where the bytes hold none."""
    digest: str
    status: int
    hostile: str = ""
    """What is wrong with it; '' for a genuine one."""
    warning_id: str = ""


class Fault(StrEnum):
    """What is done to the service, and whether it dies of it."""

    KILL = "dispatcher kill -9"
    BROKER_KILL = "broker kill"
    BROKER_FREEZE = "broker freeze"
    DATABASE_STOP = "database immediate stop"
    STACK_KILL = "whole-stack kill"
    ZOMBIE = "SIGSTOP past the lease"
    LINE_RESET = "connections reset"

    @property
    def deadly(self) -> bool:
        """Whether it takes a dispatcher's chunks from it: only then may rows be in doubt."""
        return self in (Fault.KILL, Fault.STACK_KILL, Fault.ZOMBIE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """One fault. `unsettled`: rows opened without a result at that instant, by outlet; seconds on the harness's clock."""

    fault: Fault
    unsettled: Mapping[str, int]
    began_s: float
    ended_s: float
    recovered_s: float

    @property
    def counts(self) -> bool:
        return sum(self.unsettled.values()) > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """The books of a warning in the middle of a fault: what was planned, what stands in the ledger, what still waits."""

    warning_id: str
    planned: int
    rows: int
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that is known of one run."""

    lines: tuple[Line, ...]
    planned: tuple[Planned, ...]
    rows: tuple[Row, ...]
    warnings: tuple[Warned, ...]
    said: tuple[Said, ...]
    kept_digests: frozenset[str]
    """Of the bytes that stand in the database: as a warning's, or as a refused message's."""
    struck: tuple[Struck, ...]
    books: tuple[Counted, ...]
    snapshots: tuple[Mapping[str, DeliveryState], ...]
    """States of rows in the middle of the run: none may be lost or go backwards afterwards."""
    windows: Mapping[str, int]
    """By outlet: a channel, and with `_drill` behind it that of its drills."""
    terminal_after_s: float
    """From the end of the last fault until every row was terminal."""
    patience: float = 1.0
    """What the limits of time are multiplied by, where other tests run beside this one."""

    def deaths(self) -> int:
        return sum(struck.fault.deadly for struck in self.struck)

    def by_fault(self) -> Counter[Fault]:
        return Counter(struck.fault for struck in self.struck if struck.counts)
