"""What a provider's answer means for a delivery: pure, so that every row of it can be tested.

Retries are due times in rows. 429 costs no try; time run out after the bytes were written is not known: it is repeated and
flagged where the level says so, because for life safety a duplicate is better than silence.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from channels.contract import Accepted, Blame, NotKnown, Outcome, Receipt, ReceiptState, Refused, TryAgain
from dispatcher.model import Channel
from dispatcher.sending.live import Live
from dispatcher.states import DeliveryState
from dispatcher.store.deliveries import Attempt, Row, Settled
from dispatcher.store.engine import storable
from dispatcher.telemetry import mask

THROTTLED_S = 1.0
"""The least wait after a 429, whatever it says."""

ACCOUNT_S = 30.0
"""How long to wait when the provider refuses our account: a token is being mended, a bill paid."""

QUIET_HOURS = "quiet_hours"

Jitter = Callable[[], float]
"""0 ≤ x < 1."""


class Call(Struct, frozen=True, kw_only=True):
    """One call that was made, for one row or a batch."""

    chunk_id: int
    live: Live
    provider: str
    started_at: datetime
    ended_at: datetime
    reserve: bool = False
    """Whether another provider stands ready where this one refuses our account."""


def settle(call: Call, row: Row, outcome: Outcome, jitter: Jitter) -> Settled:
    """Counts the call on the row and says in which state it leaves it."""
    row.calls += 1
    match outcome:
        case Accepted():
            row.tries += 1
            state = DeliveryState.DELIVERED if outcome.delivered else DeliveryState.SENT
            return _settled(call, row, state, _attempt(call, row, "accepted", outcome))
        case TryAgain():
            row.tries += 0 if outcome.throttled else 1
            attempt = _attempt(call, row, "try_again", outcome)
            return _again(
                call, row, attempt, next_delay(call, row, jitter, outcome.after_s, throttled=outcome.throttled)
            )
        case NotKnown():
            row.tries += 1
            row.possible_duplicate = True
            attempt = _attempt(call, row, "not_known", outcome)
            if call.live.policy.resend_unknown:
                return _again(call, row, attempt, next_delay(call, row, jitter, None, throttled=False))
            return _settled(call, row, DeliveryState.UNKNOWN, attempt)
        case Refused(blame=Blame.ACCOUNT):
            # Our account is at fault, not this number: nobody is given up for it while somebody can still mend it.
            after_s = THROTTLED_S if call.reserve else ACCOUNT_S
            attempt = _attempt(call, row, "refused", outcome)
            return _again(call, row, attempt, next_delay(call, row, jitter, after_s, throttled=True))
        case Refused():
            row.tries += 1
            attempt = _attempt(call, row, "refused", outcome)
            return _settled(call, row, DeliveryState.FAILED, attempt)
        case _:
            assert_never(outcome)


_FOUND = {
    ReceiptState.SENT: DeliveryState.SENT,
    ReceiptState.DELIVERED: DeliveryState.DELIVERED,
    ReceiptState.UNDELIVERED: DeliveryState.UNDELIVERED,
    ReceiptState.FAILED: DeliveryState.FAILED,
}


def found(chunk_id: int, row: Row, receipt: Receipt, by: tuple[str, datetime, datetime]) -> Settled:
    """A row in doubt that the provider has after all. `by`: its name, when it was asked, when it answered."""
    row.calls += 1
    attempt = Attempt(
        no=row.calls,
        provider=by[0],
        started_at=by[1],
        ended_at=by[2],
        outcome="looked_up",
        code=mask(storable(receipt.code))[:32],
        reason="查到先前那次已经发出，不再重发",
        provider_ref=storable(receipt.ref),
    )
    state = _FOUND[receipt.state]
    return Settled(chunk_id=chunk_id, row=row, state=state, code=attempt.code, at=by[2], attempt=attempt)


def not_sent(chunk_id: int, row: Row, state: DeliveryState, at: datetime, code: str = "") -> Settled:
    """A row that was never handed to a provider: expired, withdrawn, or nowhere to send it."""
    return Settled(chunk_id=chunk_id, row=row, state=state, code=code, at=at)


def put_back(chunk_id: int, row: Row, at: datetime) -> Settled:
    """A row that was opened and never handed over: it is due again at once."""
    return Settled(chunk_id=chunk_id, row=row, state=DeliveryState.PLANNED, due_at=at, at=at)


def wait_until(chunk_id: int, row: Row, live: Live, at: datetime, until: datetime) -> Settled:
    """A row that is left alone until then, or for good where its warning is over by then."""
    if until >= live.expires:
        state = DeliveryState.UNKNOWN if row.possible_duplicate else DeliveryState.SUPPRESSED
        return not_sent(chunk_id, row, state, at, QUIET_HOURS)
    return Settled(chunk_id=chunk_id, row=row, state=DeliveryState.PLANNED, code=QUIET_HOURS, due_at=until, at=at)


def _again(call: Call, row: Row, attempt: Attempt, delay: float | None) -> Settled:
    if delay is None:
        state = DeliveryState.UNKNOWN if row.possible_duplicate else DeliveryState.FAILED
        return _settled(call, row, state, attempt)
    if call.live.ended is not None:
        state = DeliveryState.UNKNOWN if row.possible_duplicate else call.live.ended[0]
        return replace(_settled(call, row, state, attempt), code=call.live.ended[1] or attempt.code)
    due = call.ended_at + timedelta(seconds=delay)
    if due >= call.live.expires:
        state = DeliveryState.UNKNOWN if row.possible_duplicate else DeliveryState.EXPIRED
        return _settled(call, row, state, attempt)
    return Settled(
        chunk_id=call.chunk_id,
        row=row,
        state=DeliveryState.PLANNED,
        code=attempt.code,
        due_at=due,
        at=call.ended_at,
        attempt=attempt,
    )


def next_delay(call: Call, row: Row, jitter: Jitter, after_s: float | None, *, throttled: bool) -> float | None:
    """Seconds until the next try, ±50 %; None where the plan has no more. Retry-After is a floor, never shortened."""
    policy, tries = call.live.policy.of(Channel(row.channel)), row.tries
    if throttled:
        return max(after_s or 0.0, THROTTLED_S) * (1 + jitter() / 2)
    planned = policy.retry_s[tries] if tries < len(policy.retry_s) else policy.then_every_s
    if planned is None:
        return None
    return max(planned * (0.5 + jitter()), after_s or 0.0)


def _settled(call: Call, row: Row, state: DeliveryState, attempt: Attempt) -> Settled:
    return Settled(chunk_id=call.chunk_id, row=row, state=state, code=attempt.code, at=call.ended_at, attempt=attempt)


def _attempt(call: Call, row: Row, name: str, outcome: Outcome) -> Attempt:
    match outcome:
        case Accepted():
            code, reason, ref = "", "", storable(outcome.ref)
        case TryAgain() | NotKnown() | Refused():
            code, reason, ref = mask(storable(outcome.code))[:32], mask(storable(outcome.reason)), ""
        case _:
            assert_never(outcome)
    return Attempt(
        no=row.calls,
        provider=call.provider,
        started_at=call.started_at,
        ended_at=call.ended_at,
        outcome=name,
        code=code,
        reason=reason,
        provider_ref=ref,
        trace=storable(outcome.trace),
    )
