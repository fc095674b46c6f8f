"""One call: which provider, what it already has, what it answers, and what that means.

It must survive a provider that hangs (time limit), raises (not known), answers for another number of messages, or refuses
our account (somebody is woken, and a reserve takes its place).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog
from msgspec import Struct

from channels.contract import MIXED, Accepted, Asked, Asks, Blame, Message, NotKnown, Outcome, Receipt, Refused
from dispatcher.sending.live import Live
from dispatcher.sending.outcome import Call, Jitter, found, settle
from dispatcher.sending.watchdog import Leash
from dispatcher.store.deliveries import Row, Settled
from dispatcher.telemetry import mask

AHEAD_S = 2.0
"""Rows are opened no further ahead than a provider's rate takes in this time."""
MOST_FOUND = 4096
"""Far more than a moment's."""
GRACE_S = 5.0
"""How much longer than the provider's own time limit a call may take before it is given up for it."""

log = structlog.get_logger()


class Way(Protocol):
    """A provider that knows its pace."""

    max_batch: int

    @property
    def rests(self) -> bool:
        """Whether it is left alone just now."""

    def try_turn(self) -> bool:
        """A turn, where one comes at once."""

    @property
    def asks(self) -> Asks | None: ...

    async def turn(self) -> None:
        """Waits until one more call may start; `send` follows without a wait between."""

    def send(self, batch: Sequence[Message], now: datetime) -> Awaitable[list[Outcome]]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """A provider under its name, and how far it may be pushed. `look_up`: asked about what is in doubt before a resend;
    `drill`: it is a drill's, and takes nothing else."""

    name: str
    way: Way
    in_flight: int
    window: int
    timeout_s: float
    rate: float
    look_up: bool = False
    drill: bool = False

    @property
    def ahead(self) -> int:
        """Rows opened and unsettled at the most: what a crash may leave in doubt."""
        return max(1, min(self.window, int(self.rate * AHEAD_S)))


class Envelope(Struct, frozen=True, kw_only=True):
    """A row opened, and the message made of it."""

    row: Row
    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a provider does just now."""

    name: str
    rests: bool
    account_fault: str
    """Why it refuses our account, while it does: somebody has to be woken. '' where it does not."""


Taken = Callable[[Sequence[tuple[str, str]]], Awaitable[set[tuple[str, str]]]]
"""(target, provider's reference) → those that another delivery already bears."""


class Caller:
    """The providers of one channel: the first, then its reserves."""

    def __init__(self, wires: Sequence[Wire], taken: Taken, now: Callable[[], datetime], jitter: Jitter) -> None:
        self._wires = wires
        self._taken = taken
        self._found: dict[tuple[str, str], str] = {}
        self._now = now
        self._jitter = jitter
        self._faults: dict[str, str] = {}
        self._told_mixed: set[str] = set()
        self.mixed = 0
        """Messages that were kept back at a provider's door: a drill at a live one, or the other way."""
        self.tally: Counter[tuple[str, str]] = Counter()
        """(provider, outcome) → messages, since it was last taken."""

    @property
    def standings(self) -> list[Standing]:
        return [
            Standing(name=wire.name, rests=wire.way.rests, account_fault=self._faults.get(wire.name, ""))
            for wire in self._wires
        ]

    def try_turn(self) -> Wire | None:
        """A provider with a turn, where one comes at once."""
        if self._wires[0].way.try_turn():
            return self._wires[0]
        wire = self.choice()
        return wire if wire is not self._wires[0] and wire.way.try_turn() else None

    def choice(self) -> Wire:
        """The first that does not rest; where all do, the first."""
        return next((wire for wire in self._wires if not wire.way.rests), self._wires[0])

    async def call(self, wire: Wire, of: tuple[int, Live], batch: tuple[Envelope, ...], leash: Leash) -> list[Settled]:
        """One result a row of the batch: what was found of those in doubt, then what came of sending the others.

        `of`: the chunk they belong to, and its warning.
        """
        chunk_id, live = of
        known = await self._looked_up(wire, chunk_id, batch) if wire.look_up else {}
        to_send = [item for item in batch if item.row.name not in known] if known else batch
        if not to_send:
            return list(known.values())
        started = self._now()
        outcomes = await self._outcomes(wire, [item.message for item in to_send], started, leash)
        ended = self._now()
        self._note(wire, live, outcomes)
        call = Call(
            chunk_id=chunk_id,
            live=live,
            provider=wire.name,
            started_at=started,
            ended_at=ended,
            reserve=len(self._wires) > 1,
        )
        sent = [settle(call, item.row, outcome, self._jitter) for item, outcome in zip(to_send, outcomes, strict=True)]
        return [*known.values(), *sent] if known else sent

    async def _looked_up(self, wire: Wire, chunk_id: int, batch: tuple[Envelope, ...]) -> dict[str, Settled]:
        """Rows that may have been sent before, of which the provider says what became of them: a second SMS costs money
        and trust. Where it does not answer, silence would be worse, and they are sent again."""
        doubtful = [item for item in batch if item.row.possible_duplicate]
        if not doubtful or wire.way.asks is None:
            return {}
        started = self._now()
        try:
            async with asyncio.timeout(wire.timeout_s):
                answers = await wire.way.asks.ask([item.message for item in doubtful], started)
                receipts = await self._ours(doubtful, answers)
        except Exception:
            log.exception("查询先前那次发送时出错，按没有查到处理", provider=wire.name)
            return {}
        return {
            item.row.name: found(chunk_id, item.row, receipts[item.row.name], (wire.name, started, self._now()))
            for item in doubtful
            if item.row.name in receipts
        }

    async def _ours(self, doubtful: list[Envelope], answers: Sequence[Asked]) -> dict[str, Receipt]:
        """What was found and is no other delivery's: two warnings of a minute may bear one text to one number, and who looks
        by number and text finds the one for the other. What was found a moment ago may not be on record yet."""
        found = {answer.id: answer.receipt for answer in answers if answer.receipt is not None}
        named = {
            item.row.name: (item.row.target, found[item.row.name].ref) for item in doubtful if item.row.name in found
        }
        taken = await self._taken([one for one in named.values() if one[1]])
        ours = {}
        for name, bears in named.items():
            if bears in taken or self._found.get(bears, name) != name:
                continue
            if bears[1]:
                self._found[bears] = name
                if len(self._found) > MOST_FOUND:
                    del self._found[next(iter(self._found))]
            ours[name] = found[name]
        return ours

    async def _outcomes(self, wire: Wire, messages: list[Message], now: datetime, leash: Leash) -> list[Outcome]:
        try:
            outcomes = await leash.limited(wire.way.send(messages, now), wire.timeout_s + GRACE_S)
        except Exception as error:
            log.exception("发送接口抛出了意外错误，按结果不明处理", provider=wire.name)
            unknown = NotKnown(code=type(error).__name__[:32], reason="发送接口内部出错，不知是否已发出")
            return [unknown for _ in messages]
        if len(outcomes) != len(messages):
            log.error("发送接口返回的结果数目不符", provider=wire.name, sent=len(messages), answered=len(outcomes))
            return [NotKnown(code="outcome_count", reason="发送接口返回的结果数目不符") for _ in messages]
        return outcomes

    def _note(self, wire: Wire, live: Live, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            self.tally[wire.name, type(outcome).__name__] += 1
            match outcome:
                case Accepted():
                    self._faults.pop(wire.name, None)
                case Refused(blame=Blame.ACCOUNT):
                    self._note_fault(wire, outcome)
                case Refused(code=code) if code == MIXED:
                    self._note_mixed(wire, live, outcome)
                case _:
                    pass

    def _note_fault(self, wire: Wire, refused: Refused) -> None:
        if wire.name not in self._faults:
            log.error("服务商拒绝了本单位的账户：请立即核对密钥、余额和权限", provider=wire.name, code=refused.code)
        self._faults[wire.name] = mask(f"{refused.code} {refused.reason}")

    def _note_mixed(self, wire: Wire, live: Live, refused: Refused) -> None:
        """Somebody is woken, once a warning: there may be a hundred thousand messages of it."""
        self.mixed += 1
        warning_id = live.bulletin.warning_id
        if warning_id not in self._told_mixed:
            self._told_mixed.add(warning_id)
            reason = refused.reason
            log.error("演练与实战混用，已在发送接口前拦下", provider=wire.name, warning_id=warning_id, reason=reason)
