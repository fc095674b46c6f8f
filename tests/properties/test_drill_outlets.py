"""From a drill's row there is no path to a live wire, nor from a real one to a drill's: over every state in which a warning,
its chunk and its row can be together, whatever is flipped, on either side. There is no door before these wires: they write
down whatever comes, so that the way to them is judged alone.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import pytest
from sqlalchemy import text

from channels.text import DRILL
from dispatcher.model import Status
from dispatcher.sending.dispatch import Dispatcher
from dispatcher.states import SENDING, DeliveryState, WarningState
from dispatcher.store import deliveries
from dispatcher.store.chunks import ChunkState
from dispatcher.store.engine import Store, Tx
from tests.city import Clock, Provider, kept, people, red, released
from tests.dispatcher.test_sending_dispatch import counts, dispatching
from tests.properties.noise import FLIPS

pytestmark = pytest.mark.long

WIRES = [("sms", "drill_sms"), ("sms",), ("drill_sms",)]
"""Which are there: both, or those of one side alone."""
WHOLE = ""
PATIENT_S = 140


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a warning of one row stands when a process starts. `row` None: not planned yet; `opened`: a call to it may have
    been under way; `due`: it waits for a retry."""

    warning: WarningState
    chunk: ChunkState
    row: DeliveryState | None = None
    opened: bool = False
    due: bool = False

    @property
    def leaves(self) -> bool:
        """As it was approved, and where somebody sends its side."""
        if self.warning not in SENDING:
            return False
        if self.row is None:
            return self.chunk is ChunkState.READY
        return self.row is DeliveryState.PLANNED and (self.due or self.chunk is ChunkState.OPEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    standing: Standing
    drill: bool
    flipped: str


Cases = Mapping[str, Case]
"""By warning."""


def everywhere() -> Iterator[Standing]:
    for state in WarningState:
        for chunk in (ChunkState.FROZEN, ChunkState.READY):
            yield Standing(warning=state, chunk=chunk)
        for chunk, row in product((ChunkState.OPEN, ChunkState.ENDED, ChunkState.CLOSED), DeliveryState):
            for opened in (False, True) if row is DeliveryState.PLANNED else (True,):
                yield Standing(warning=state, chunk=chunk, row=row, opened=opened)
        yield Standing(warning=state, chunk=ChunkState.CLOSED, row=DeliveryState.PLANNED, opened=True, due=True)


@pytest.mark.timeout(170)
async def test_from_no_state_is_there_a_way_to_the_other_side(sqlite_store: Store) -> None:
    """Each state on each side, whole or with something flipped, in turn."""
    turn = (WHOLE, *FLIPS)
    every = [
        Case(standing=standing, drill=drill, flipped=turn[(number + drill) % len(turn)])
        for number, standing in enumerate(everywhere())
        for drill in (False, True)
    ]
    await _judge(sqlite_store, every, WIRES[0])


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("flipped", [WHOLE, *FLIPS])
@pytest.mark.parametrize("wires", WIRES, ids=" and ".join)
async def test_from_no_state_and_by_no_flip_is_there_a_way_to_the_other_side(
    sqlite_store: Store, wires: tuple[str, ...], flipped: str
) -> None:
    every = [
        Case(standing=standing, drill=drill, flipped=flipped)
        for standing, drill in product(everywhere(), (False, True))
    ]
    await _judge(sqlite_store, every, wires)


async def _judge(store: Store, every: Sequence[Case], wires: tuple[str, ...]) -> None:
    cases = await _put(store, every)
    last = [
        (await released(store, red(status=Status.EXERCISE if drill else Status.ACTUAL), people(1), len(cases) + n)).id
        for n, drill in enumerate((False, True), 1)
    ]
    there = {name: Provider() for name in wires}
    async with dispatching(store, Clock(), window=256, **there) as (dispatcher, _):
        async with asyncio.timeout(PATIENT_S):
            while not await _all_looked_at(store, dispatcher, wires, last):
                await asyncio.sleep(0.1)
    for name, provider in there.items():
        drill = name.startswith("drill_")
        came = {message.bulletin.warning_id for message in provider.got} - set(last)
        assert [cases[one] for one in came if cases[one].drill is not drill] == [], "it came to the other side's wire"
        assert [cases[one] for one in came if cases[one].flipped] == [], "it was flipped, and left"
        may = {one for one, case in cases.items() if case.drill is drill and case.standing.leaves and not case.flipped}
        assert [cases[one] for one in came ^ may] == [], "what is whole leaves from where it may, and from nowhere else"
        assert may or any(case.flipped for case in every)


async def _all_looked_at(store: Store, dispatcher: Dispatcher, wires: tuple[str, ...], last: list[str]) -> bool:
    """The two that were released last are where they end, nothing is due, and nothing is in the sender's hands."""
    dispatcher.wake()
    ends = {
        False: DeliveryState.SENT if "sms" in wires else DeliveryState.PLANNED,
        True: DeliveryState.SENT if "drill_sms" in wires else DeliveryState.SUPPRESSED,
    }
    for warning_id, drill in zip(last, (False, True), strict=True):
        if await counts(store, warning_id) != {ends[drill]: 1}:
            return False
    async with store.read() as tx:
        due = await deliveries.next_due(tx, ["sms"] if "sms" in wires else [])
    held = sum(outlet.backlog for outlet in dispatcher.outlets.values())
    return due is None and not held and not dispatcher.unsettled


# ── how they stand ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def _put(store: Store, every: Sequence[Case]) -> Cases:
    cases = {}
    async with store.begin() as tx:
        for number, case in enumerate(every, 1):
            row = await kept(tx, red(status=Status.EXERCISE if case.drill else Status.ACTUAL), people(1), number)
            cases[row.id] = case
            await _stand(tx, row.id, case.standing)
        for flipped in FLIPS:
            await _flip(tx, flipped, [one for one, case in cases.items() if case.flipped == flipped])
    return cases


async def _stand(tx: Tx, warning_id: str, standing: Standing) -> None:
    """An earlier life of this node left it so."""
    held = not standing.due  # what has a result stays where it was
    given = {
        "w": warning_id,
        "warning": standing.warning.value,
        "chunk": int(standing.chunk),
        "row": int(standing.row or 0),
        "opened": int(standing.opened),
        "due": "2020-01-01 00:00:00.000000" if standing.due else None,
        "held": held,
    }
    await tx.execute(text("UPDATE warnings SET state = :warning WHERE id = :w"), given)
    owned = "owner = 'node-1', epoch = 0, opened_to = :opened" if standing.row is not None else "owner = NULL"
    await tx.execute(text(f"UPDATE chunks SET state = :chunk, {owned} WHERE warning_id = :w"), given)
    if standing.row is not None:
        await tx.execute(text(_ROW), given)


_ROW = """
INSERT INTO deliveries (warning_id, channel, target, round, why, text_no, township, areas, state, state_code, chunk_id, pos,
  serial, calls, tries, due_at, provider, provider_ref, possible_duplicate)
SELECT :w, 'sms', 'officer-JA00000', 0, 1, 0, '360827102', '', :row, '', CASE WHEN :held THEN id END, 0,
  0, 0, 0, :due, '', '', false FROM chunks WHERE warning_id = :w"""


async def _flip(tx: Tx, what: str, ids: Sequence[str]) -> None:
    """All at once; one by one it would take longer than everything else."""
    own = "id IN (SELECT value FROM json_each(:ids))"
    other = "CASE WHEN status = 'Exercise' THEN 'Actual' ELSE 'Exercise' END"
    marked = f"substr(body, 1, {len(DRILL)}) = '{DRILL}'"
    bare = f"substr(body, {len(DRILL) + 1}, length(body) - {2 * len(DRILL)})"
    turned = f"CASE WHEN {marked} THEN {bare} ELSE '{DRILL}' || body || '{DRILL}' END"
    steps = {
        "message": f"UPDATE warnings SET message = json_set(message, '$.status', {other}) WHERE {own}",
        "column": f"UPDATE warnings SET drill = NOT drill WHERE {own}",
        "status": f"UPDATE warnings SET status = {other} WHERE {own}",
        "texts": f"UPDATE texts SET body = {turned} WHERE warning_{own}",
    }
    for name in steps if what == "everything" else [what]:
        await tx.execute(text(steps[name]), {"ids": json.dumps(list(ids))})
