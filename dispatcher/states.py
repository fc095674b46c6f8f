"""What may follow what: warning, delivery, call-out, broadcast, gateway.

One table. The SQL guards, the diagram in the documentation and the property tests are made from it, so no other module
may know an order of states. A delivery stores only what is known for certain; *queued*, *sending* and *doubtful* are
derived from its chunk (not yet opened past the row; opened with its owner alive; opened without a result after a crash).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, IntEnum, StrEnum
from typing import Final, TypeVar

_S = TypeVar("_S", bound=Enum)


class WarningState(StrEnum):
    RECEIVED = "received"
    REJECTED = "rejected"
    HELD = "held"
    DRAFT = "draft"
    SUBMITTED = "submitted"
    RETURNED = "returned"
    APPROVED = "approved"
    DISPATCHING = "dispatching"
    DISPATCHED = "dispatched"
    COMPLETED = "completed"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def chinese(self) -> str:
        return _WARNING_CHINESE[self]


class DeliveryState(IntEnum):
    """Stored as a small number: the ledger has millions of these rows."""

    PLANNED = 0
    SENT = 1
    DELIVERED = 2
    UNDELIVERED = 3
    UNKNOWN = 4
    FAILED = 5
    EXPIRED = 6
    WITHDRAWN = 7
    SUPPRESSED = 8

    @property
    def label(self) -> str:
        return self.name.lower()

    @property
    def chinese(self) -> str:
        return _DELIVERY_CHINESE[self]


class GatewayState(StrEnum):
    UNKNOWN = "unknown"
    ONLINE = "online"
    DEGRADED = "degraded"
    OFFLINE = "offline"
    FAULT = "fault"


class BroadcastState(StrEnum):
    """EBMStateResponse BrdStateCode 0 to 5."""

    UNPROCESSED = "unprocessed"
    WAITING = "waiting"
    PLAYING = "playing"
    SUCCESS = "success"
    FAILED = "failed"
    CANCELLED = "cancelled"


class CallOutState(StrEnum):
    OPEN = "open"
    NOTIFIED = "notified"
    CALLED = "called"
    ANSWERED = "answered"
    ESCALATED = "escalated"
    CLOSED = "closed"
    EXHAUSTED = "exhausted"


_WARNING_CHINESE: Final[Mapping[WarningState, str]] = {
    WarningState.RECEIVED: "已记录",
    WarningState.REJECTED: "拒收",
    WarningState.HELD: "待核",
    WarningState.DRAFT: "草稿",
    WarningState.SUBMITTED: "待签发",
    WarningState.RETURNED: "退回",
    WarningState.APPROVED: "已签发",
    WarningState.DISPATCHING: "发送中",
    WarningState.DISPATCHED: "已发完",
    WarningState.COMPLETED: "已办结",
    WarningState.SUPERSEDED: "已更新",
    WarningState.CANCELLED: "已解除",
    WarningState.EXPIRED: "已过期",
}
_DELIVERY_CHINESE = {
    DeliveryState.PLANNED: "待发",
    DeliveryState.SENT: "已发出",
    DeliveryState.DELIVERED: "已送达",
    DeliveryState.UNDELIVERED: "未送达",
    DeliveryState.UNKNOWN: "结果不明",
    DeliveryState.FAILED: "失败",
    DeliveryState.EXPIRED: "已过期",
    DeliveryState.WITHDRAWN: "已撤回",
    DeliveryState.SUPPRESSED: "不予发送",
}

_W, _D, _B, _G, _C = WarningState, DeliveryState, BroadcastState, GatewayState, CallOutState
ENDED: Final = frozenset({_W.SUPERSEDED, _W.CANCELLED, _W.EXPIRED})
"""Warnings called off, overtaken or out of time: nothing more of them leaves the house."""

WARNING: Final[dict[WarningState, frozenset[WarningState]]] = {
    _W.RECEIVED: frozenset({_W.REJECTED, _W.HELD, _W.DRAFT, _W.APPROVED}) | ENDED,
    _W.REJECTED: frozenset(),
    _W.HELD: frozenset({_W.DRAFT, _W.REJECTED, _W.APPROVED}) | ENDED,
    # rejected as what is held may be: a trusted copy of the same identity needs nobody, and must not wait behind it
    _W.DRAFT: frozenset({_W.SUBMITTED, _W.REJECTED}) | ENDED,
    _W.SUBMITTED: frozenset({_W.RETURNED, _W.APPROVED, _W.REJECTED}) | ENDED,
    _W.RETURNED: frozenset({_W.DRAFT, _W.REJECTED}) | ENDED,
    _W.APPROVED: frozenset({_W.DISPATCHING}) | ENDED,
    _W.DISPATCHING: frozenset({_W.DISPATCHED}) | ENDED,
    _W.DISPATCHED: frozenset({_W.COMPLETED}) | ENDED,
    _W.COMPLETED: ENDED,
    _W.SUPERSEDED: frozenset(),
    _W.CANCELLED: frozenset(),
    _W.EXPIRED: frozenset(),
}

_SETTLED: Final = frozenset({_D.DELIVERED, _D.UNDELIVERED, _D.UNKNOWN, _D.FAILED})
DELIVERY: Final[dict[DeliveryState, frozenset[DeliveryState]]] = {
    # delivered straight from planned: the receipt of a try that was believed lost
    _D.PLANNED: frozenset({_D.SENT, _D.EXPIRED, _D.WITHDRAWN, _D.SUPPRESSED}) | _SETTLED,
    _D.SENT: _SETTLED,
    _D.UNKNOWN: frozenset({_D.DELIVERED, _D.UNDELIVERED}),
    _D.UNDELIVERED: frozenset({_D.DELIVERED}),
    _D.DELIVERED: frozenset(),
    _D.FAILED: frozenset({_D.DELIVERED}),
    _D.EXPIRED: frozenset({_D.DELIVERED}),
    _D.WITHDRAWN: frozenset({_D.DELIVERED}),
    _D.SUPPRESSED: frozenset(),
}

BROADCAST: Final[dict[BroadcastState, frozenset[BroadcastState]]] = {
    _B.UNPROCESSED: frozenset({_B.WAITING, _B.PLAYING, _B.SUCCESS, _B.FAILED, _B.CANCELLED}),
    _B.WAITING: frozenset({_B.PLAYING, _B.SUCCESS, _B.FAILED, _B.CANCELLED}),
    _B.PLAYING: frozenset({_B.SUCCESS, _B.FAILED, _B.CANCELLED}),
    _B.SUCCESS: frozenset(),
    _B.FAILED: frozenset({_B.SUCCESS}),
    _B.CANCELLED: frozenset(),
}

GATEWAY: Final[dict[GatewayState, frozenset[GatewayState]]] = {
    state: frozenset(GatewayState) - {state, _G.UNKNOWN} for state in GatewayState
}

CALL_OUT: Final[dict[CallOutState, frozenset[CallOutState]]] = {
    _C.OPEN: frozenset({_C.NOTIFIED, _C.CALLED, _C.ANSWERED, _C.ESCALATED, _C.CLOSED}),
    _C.NOTIFIED: frozenset({_C.CALLED, _C.ANSWERED, _C.ESCALATED, _C.CLOSED}),
    _C.CALLED: frozenset({_C.ANSWERED, _C.ESCALATED, _C.CLOSED}),
    _C.ESCALATED: frozenset({_C.CALLED, _C.ANSWERED, _C.CLOSED, _C.EXHAUSTED}),
    _C.EXHAUSTED: frozenset({_C.ANSWERED, _C.CLOSED}),
    _C.ANSWERED: frozenset({_C.CLOSED}),
    _C.CLOSED: frozenset(),
}

TERMINAL: Final = frozenset(
    {_D.DELIVERED, _D.UNDELIVERED, _D.UNKNOWN, _D.FAILED, _D.EXPIRED, _D.WITHDRAWN, _D.SUPPRESSED}
)
"""Deliveries that wait for nothing any more (a late receipt may still better one)."""

LIVE: Final = frozenset({_W.APPROVED, _W.DISPATCHING, _W.DISPATCHED, _W.COMPLETED})
"""Warnings in force: what a Cancel or Update of them has to undo."""

WAITING: Final = frozenset({_W.HELD, _W.DRAFT, _W.SUBMITTED, _W.RETURNED})
"""Warnings that wait for a person: they silence nobody, and nothing of them leaves the house."""

SENDING: Final = frozenset({_W.APPROVED, _W.DISPATCHING, _W.DISPATCHED})
"""Warnings of which a planned delivery may still leave the house."""


def may_become(state: DeliveryState) -> tuple[DeliveryState, ...]:
    """The states from which a delivery may move to `state`: the guard in an UPDATE's WHERE."""
    return tuple(before for before, after in DELIVERY.items() if state in after)


def warning_may_become(state: WarningState) -> tuple[WarningState, ...]:
    """The states from which a warning may move to `state`: the guard in an UPDATE's WHERE."""
    return tuple(before for before, after in WARNING.items() if state in after)


def diagram(table: Mapping[_S, frozenset[_S]]) -> str:
    """A Mermaid state diagram of one table, for the documentation."""
    lines = ["stateDiagram-v2"]
    for before, after in table.items():
        lines += [
            f"    {before.name.lower()} --> {state.name.lower()}" for state in sorted(after, key=lambda s: s.name)
        ]
    return "\n".join(lines)
