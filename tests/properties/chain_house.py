"""The house in which chains are tried: the front door, a real store, the real sender, and ways out that let through as many
calls as they are told to and write down every one.

Nothing here waits for a clock: the sender runs until it can do no more (`rest`), and then stands still until the next step.
What is asked about it is read past the product, over a line of its own.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from channels.contract import Accepted, Asks, Blame, Message, NotKnown, Outcome, Refused, TryAgain
from dispatcher.model import Channel, DeliveryKey, Lane, Target, Why
from dispatcher.pipeline.accept import Answer, Incoming, accept
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.settle import finish
from dispatcher.pipeline.withdraw import expire_due
from dispatcher.planning import TOLD
from dispatcher.sending.calling import Wire
from dispatcher.sending.dispatch import Dispatcher, Identity
from dispatcher.sending.live import Desk
from dispatcher.sending.opened import Address
from dispatcher.service.assembly import event_code_of
from dispatcher.states import DeliveryState, WarningState
from dispatcher.store import deliveries, nodes
from dispatcher.store.chunks import ChunkState
from dispatcher.store.deliveries import Report, Row
from dispatcher.store.engine import open_store
from dispatcher.store.packing import unpack
from tests.city import Clock
from tests.properties.chain_city import SEAL, Ground
from tests.properties.chain_letters import Letter, written
from tests.properties.chain_model import Seat

T = TypeVar("T")
CHANNELS = (Channel.SMS, Channel.BROADCAST)
WINDOW = 2
"""Rows opened and not settled: one that is called, and one that waits behind it."""
OUTCOMES: dict[str, Outcome] = {
    "sent": Accepted(ref="1"),
    "delivered": Accepted(ref="1", delivered=True),
    "not known": NotKnown(code="timeout", reason="超时"),
    "again": TryAgain(code="503", reason="忙"),
    "refused": Refused(code="21211", reason="号码无效", blame=Blame.ADDRESS),
}


@dataclass
class Call:
    """What a provider was given, and its answer: None while it has given none, or where we died before it did."""

    warning: str
    seat: Seat
    text: str
    drill: bool
    at: datetime
    answer: str | None = None
    arrived: bool = False
    """A report said so, whatever its answer is: a call that hangs may be refused after its message has arrived."""


class Turnstile:
    """A way out: `allowed` calls go in, and come out as `script` says, then as sent; one that hangs waits for `let_go`."""

    max_batch = 1
    rests = False
    asks: Asks | None = None

    def __init__(self, calls: list[Call]) -> None:
        self._calls = calls
        self.allowed = 0
        self._script: deque[str] = deque()
        self._hanging: asyncio.Future[str] | None = None
        self._open = asyncio.Event()

    @property
    def hangs(self) -> bool:
        return self._hanging is not None and not self._hanging.done()

    def allow(self, calls: int, script: Sequence[str] = ()) -> None:
        self.allowed, self._script = calls, deque(script)
        if calls:
            self._open.set()
        else:
            self._open.clear()

    def let_go(self, answer: str) -> None:
        if self._hanging is not None and not self._hanging.done():
            self._hanging.set_result(answer)

    def try_turn(self) -> bool:
        return self.allowed > 0

    async def turn(self) -> None:
        await self._open.wait()

    async def send(self, batch: Sequence[Message], now: datetime) -> list[Outcome]:
        (message,) = batch
        warning, target, channel, _ = message.id.split(".")
        call = Call(warning, (target, channel), message.text, message.bulletin.drill, now)
        self._calls.append(call)
        self.allowed -= 1
        if not self.allowed:
            self._open.clear()
        answer = self._script.popleft() if self._script else "sent"
        if answer == "hangs":
            self._hanging = asyncio.get_running_loop().create_future()
            answer = await self._hanging
        call.answer = answer
        return [OUTCOMES[answer]]


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the ledger. `doubtful`: flagged, or opened without a result."""

    warning: str
    seat: Seat
    state: DeliveryState
    code: str
    why: Why
    flagged: bool
    doubtful: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """A warning as it stands; `unplanned`: of its rows, how many no ledger has yet."""

    id: str
    state: WarningState
    rows: int
    unplanned: int


_UNREST = f"""SELECT
  (SELECT count(*) FROM chunks WHERE state = {ChunkState.READY:d} AND (lane < {Lane.DRILL:d} OR NOT ?)),
  (SELECT count(*) FROM deliveries WHERE state = 0 AND due_at <= ?),
  (SELECT count(*) FROM deliveries WHERE state = 0 AND chunk_id IS NOT NULL)"""
"""To be planned (a drill waits while anything real does), to be tried again, in somebody's hands."""
_NOT_TO_BE_CALLED = f"""SELECT DISTINCT d.channel, w.drill
  FROM deliveries d JOIN chunks c ON c.id = d.chunk_id JOIN warnings w ON w.id = d.warning_id
  WHERE d.state = 0 AND d.pos < c.opened_to AND (c.state = {ChunkState.ENDED:d} OR w.expires <= ?
    OR (? AND d.channel = 'broadcast' AND w.level IN ('yellow', 'blue') AND w.kind <> 'Cancel'
      AND d.why <> {int(Why.FORMER)}))"""
"""Opened, and over since, or to be left alone for the night: the sender takes them out when it looks again."""
_WAITING = f"""SELECT DISTINCT d.chunk_id FROM deliveries d JOIN chunks c ON c.id = d.chunk_id
  WHERE d.state = 0 AND c.state = {ChunkState.OPEN:d} AND d.pos >= c.opened_to"""
"""Planned, and not opened: the sender is to hold them."""
_LEDGER = """SELECT d.warning_id, d.target, d.channel, d.state, d.state_code, d.why, d.possible_duplicate,
  d.possible_duplicate OR (d.state = 0 AND d.chunk_id IS NOT NULL AND d.pos < c.opened_to)
  FROM deliveries d LEFT JOIN chunks c ON c.id = d.chunk_id"""
_ENTRIES = f"""SELECT id, state, rows_planned,
  (SELECT coalesce(sum(size), 0) FROM chunks WHERE warning_id = warnings.id AND state < {ChunkState.OPEN:d})
  FROM warnings"""


async def _find(found: Sequence[Row]) -> dict[str, Address]:
    return {row.target: Address(to="+8615400000000", peer="1") for row in found}


class House:
    """`do` runs a step; between two of them the sender stands still."""

    def __init__(self, ground: Ground) -> None:
        path = ground.place()
        self._loop, self._settings = ground.loop, ground.settings
        self.clock = Clock()
        self.store = open_store(f"sqlite+aiosqlite:///{path}")
        self.calls: list[Call] = []
        self.ways = {(channel, drill): Turnstile(self.calls) for channel in CHANNELS for drill in (False, True)}
        self._line = sqlite3.connect(path, isolation_level=None)
        self.do(self._begin())

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    def close(self) -> None:
        self._line.close()
        self.do(self._end())
        self.do(self.store.close())

    async def _begin(self) -> None:
        async with self.store.begin() as tx:
            epoch = await nodes.enter(tx, "node-1", self.clock())
        code = partial(event_code_of, self._settings.hazards)
        desk = Desk(self._settings.policy, self._settings.service.sender_name, code)
        self._sender = Dispatcher(self.store, Identity(node="node-1", epoch=epoch), desk, self.clock, lambda: 0.5)
        wires = {
            (channel, drill): [
                Wire(name=name, way=way, in_flight=1, window=WINDOW, timeout_s=60, rate=10_000, drill=drill)
            ]
            for (channel, drill), way in self.ways.items()
            for name in (f"{channel}{'_drill' * drill}",)
        }
        self._sender.connect(wires, _find)
        self._context = Context(
            settings=self._settings,
            store=self.store,
            seal=SEAL,
            now=self.clock,
            wake=self._sender.wake,
            ended=self._sender.end,
            drill_channels=frozenset(CHANNELS),
        )
        self._running = self._loop.create_task(self._sender.run())
        await self._rest()

    async def _end(self) -> None:
        self._running.cancel()
        await asyncio.wait([self._running])

    async def dies_and_comes_back(self) -> None:
        """As kill -9 would: what was under way has no result."""
        await self._end()
        await self._begin()

    async def takes(self, letter: Letter, source: str) -> Answer:
        """By the front door; then the sender does what it can without calling anybody."""
        body, form = written(letter), "application/cap+xml"
        answer = await accept(self._context, Incoming(door="amqp", source=source, content_type=form, body=body))
        await self._rest()
        return answer

    async def sends(self, channel: Channel, calls: int, script: Sequence[str] = (), answer: str = "sent") -> None:
        """So many calls more on either side; one that hangs is answered first."""
        ways = [way for (one, _), way in self.ways.items() if one is channel]
        for way in ways:
            way.allow(calls, script)
            way.let_go(answer)
        await self._rest()
        for way in ways:
            way.allow(0)

    async def hears(self, call: Call, state: DeliveryState) -> None:
        """A provider's report about a call."""
        target, channel = call.seat
        call.arrived |= state is DeliveryState.DELIVERED
        key = DeliveryKey(warning_id=call.warning, target=Target.parse(target), channel=Channel(channel))
        await deliveries.enter_receipts(self.store, [Report(key=key, state=state, code="", detail="")], self.clock())

    async def goes_on(self) -> None:
        self._sender.wake()
        await self._rest()

    async def looks_round(self) -> None:
        """What the service does by itself, once a second."""
        await expire_due(self._context)
        await finish(self._context)
        await self.goes_on()

    async def _rest(self) -> None:
        """Until the sender has done all it can."""
        async with asyncio.timeout(20):
            pause = 0.0003  # not 0: what it waits for is partly in SQLite's thread
            while not self._at_rest():
                if self._running.done():
                    self._running.result()
                await asyncio.sleep(pause)
                pause = min(pause * 1.3, 0.003)  # a look costs as much as a statement of the sender's

    def _at_rest(self) -> bool:
        """What it holds is called and hangs, or waits for a call that is not allowed; and the ledger says the same."""
        outlets = self._sender.outlets
        for (channel, drill), outlet in outlets.items():
            way = self.ways[Channel(channel), drill]
            if outlet.under_way and way.allowed and not way.hangs:
                return False
            if outlet.backlog and outlet.under_way < WINDOW:
                return False
        opened = sum(outlet.under_way for outlet in outlets.values())
        if self._sender.unsettled != opened or not self._sender._writer.idle:  # as `drain` asks
            return False
        real_waits = any(outlet.backlog for (_, drill), outlet in outlets.items() if not drill)
        to_plan, due, in_hand = self._ask(_UNREST, real_waits, self._now)[0]
        if to_plan or due or in_hand > opened + sum(outlet.backlog for outlet in outlets.values()):
            return False
        held = set[int]().union(*(outlet.chunks for outlet in outlets.values()))
        if {chunk for (chunk,) in self._ask(_WAITING)} - held:  # one is between the plan's commit and the outlet
            return False
        quiet = self._settings.policy.quiet_until(self.clock()) is not None
        left = self._ask(_NOT_TO_BE_CALLED, self._now, quiet)
        return all(self.ways[Channel(channel), bool(drill)].hangs for channel, drill in left)

    @property
    def _now(self) -> str:
        return self.clock().strftime("%Y-%m-%d %H:%M:%S.%f")

    def _ask(self, sql: str, *given: object) -> list[Any]:
        return self._line.execute(sql, given).fetchall()

    def ledger(self) -> list[Line]:
        return [
            Line(warning, (target, channel), DeliveryState(state), code, Why(why), bool(flagged), bool(doubtful))
            for warning, target, channel, state, code, why, flagged, doubtful in self._ask(_LEDGER)
        ]

    def entries(self) -> list[Entry]:
        return [Entry(number, WarningState(state), *rows) for number, state, *rows in self._ask(_ENTRIES)]

    def frozen(self, warning: str) -> list[tuple[Seat, Why, bool]]:
        """Who is on its list, why, and whether he knows already and is not called."""
        plan = self._ask("SELECT channel, packed FROM chunks WHERE warning_id = ? AND seq >= 0", warning)
        rows = [(channel, row) for channel, packed in plan for row in unpack(packed)]
        return [((row.target, channel), Why(row.why), row.suppressed == TOLD) for channel, row in rows]

    def refused(self) -> int:
        """How many letters were refused, and kept as they came."""
        ((count,),) = self._ask("SELECT count(*) FROM rejects")
        return int(count)

    def next_due(self) -> datetime | None:
        ((due,),) = self._ask("SELECT min(due_at) FROM deliveries WHERE state = 0 AND due_at IS NOT NULL")
        return datetime.fromisoformat(due).replace(tzinfo=UTC) if due else None
