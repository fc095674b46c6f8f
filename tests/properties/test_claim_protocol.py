"""The claim protocol as a whole, on both databases: two nodes take, open, settle, die, come back from the dead and lose their
leases in any order, while the warning may be called off; a model in plain Python says what must be true after each step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from dispatcher.states import DELIVERY, DeliveryState, WarningState
from dispatcher.store import chunks, deliveries, warnings
from dispatcher.store.chunks import ChunkState, Holder
from dispatcher.store.deliveries import Attempt, Report, Row, Settled
from dispatcher.store.engine import Store, Tx
from dispatcher.store.packing import unpack
from tests.city import NOW, people, red, released

ROWS = 12
NODES = ("a", "b")
NUMBERS = count(1)

Step = tuple[str, str, int]
"""What happens, by which node, and how much of it."""

WEIGHTED = ["take", "open", "open", "settle", "again", "die", "lapse", "lapse", "ghost", "ghost", "receipt", "end"]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(WEIGHTED),
        st.sampled_from(NODES),
        st.integers(1, 5),
    ),
    min_size=4,
    max_size=24,
)


@dataclass
class Node:
    """A node as it sees itself: alive, dead and started again, or taken for dead and not knowing it."""

    name: str
    epoch: int = 1
    rows: list[Row] = field(default_factory=list)
    """Of the one chunk, those it believes its own, in order, without a result."""
    opened_to: int = 0
    chunk: int = 0

    @property
    def holder(self) -> Holder:
        return Holder(node=self.name, epoch=self.epoch)


@dataclass
class City:
    """The database, and what the model expects of it."""

    store: Store
    warning: str
    nodes: dict[str, Node]
    owner: Node | None = None
    opened: set[int] = field(default_factory=set)
    """Places opened by the true owner and not settled: what a crash leaves in doubt."""
    flagged: set[str] = field(default_factory=set)
    seen: dict[str, DeliveryState] = field(default_factory=dict)
    ended: bool = False
    mark: int = 0
    ghosts: list[Node] = field(default_factory=list)
    """Earlier lives that do not know they are dead: stopped past their lease, then woken."""


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(opened=st.integers(1, 5), steps=STEPS)
async def test_whatever_happens_in_whatever_order_no_row_is_lost_and_no_zombie_writes(
    store: Store, opened: int, steps: list[Step]
) -> None:
    number = next(NUMBERS)
    row = await released(store, red(), people(ROWS), number)
    city = City(store, row.id, {name: Node(f"{name}{number}") for name in NODES})
    try:
        for what, node, much in [("take", "a", 1), ("open", "a", opened), *steps]:
            await STEP[what](city, city.nodes[node], much)
            await _holds(city)
        await _wound_up(city)
    finally:  # the next example stands in the same database
        async with store.begin() as tx:
            await tx.execute(text("UPDATE chunks SET state = 4 WHERE warning_id = :w"), {"w": city.warning})


async def _take(city: City, node: Node, _much: int) -> None:
    async with city.store.begin() as tx:
        chunk = await chunks.take(tx, "sms", node.holder)
        if chunk is None:
            return
        ended = (DeliveryState.WITHDRAWN, "") if city.ended else None
        rows = await deliveries.plan(tx, chunk, unpack(chunk.packed), 0, ended)
    if city.owner is None and rows:
        city.owner = node
    node.chunk, node.rows, node.opened_to = chunk.id, rows, 0


async def _open(city: City, node: Node, much: int) -> None:
    if not node.chunk:
        return
    ahead = [row.pos for row in node.rows if row.pos >= node.opened_to][:much]
    if not ahead:
        return
    ours = await deliveries.group_commit(city.store, node.holder, {node.chunk: ahead[-1] + 1}, [])
    true_owner = node is city.owner
    assert (node.chunk in ours) == true_owner, "the fence lets in the owner alone"
    moved = ours.get(node.chunk, False)
    assert moved == (true_owner and not city.ended)
    if moved:
        node.opened_to = ahead[-1] + 1
        city.mark = max(city.mark, node.opened_to)
        city.opened |= set(ahead)


async def _settle(city: City, node: Node, much: int) -> None:
    await _write(city, node, much, DeliveryState.SENT)


async def _again(city: City, node: Node, much: int) -> None:
    """A provider that was busy: the row leaves its chunk and is due in a year, so that it stays where it is here."""
    await _write(city, node, much, DeliveryState.PLANNED)


async def _write(city: City, node: Node, much: int, state: DeliveryState) -> None:
    done = [row for row in node.rows if row.pos < node.opened_to][:much]
    if not done:
        return
    due = NOW + timedelta(days=365) if state is DeliveryState.PLANNED else None
    results = [_result(node.chunk, row, state, due) for row in done]
    ours = await deliveries.group_commit(city.store, node.holder, {node.chunk: 0}, results)
    assert (node.chunk in ours) == (node is city.owner)
    if node is city.owner:
        node.rows = [row for row in node.rows if row not in done]
        city.opened -= {row.pos for row in done}


def _result(chunk_id: int, row: Row, state: DeliveryState, due: datetime | None) -> Settled:
    row.calls += 1
    row.tries += 1
    outcome = "accepted" if state is DeliveryState.SENT else "try_again"
    attempt = Attempt(
        no=row.calls, provider="x", started_at=NOW, ended_at=NOW, outcome=outcome, provider_ref=f"r{row.pos}"
    )
    return Settled(chunk_id=chunk_id, row=row, state=state, at=NOW, due_at=due, attempt=attempt)


async def _die(city: City, node: Node, _much: int) -> None:
    """kill -9, and a new life under the next epoch: what it owned it takes back at once."""
    city.ghosts.append(replace(node))
    node.epoch += 1
    node.chunk, node.rows, node.opened_to = 0, [], 0
    await _reclaim(city, node)


async def _ghost(city: City, _node: Node, much: int) -> None:
    """Woken, it goes on where it stood: opens what is next, writes what it has."""
    for ghost in city.ghosts[-much:]:
        await _open(city, ghost, much)
        ghost.opened_to = max(ghost.opened_to, 1)
        await _write(city, ghost, much, DeliveryState.FAILED)


async def _lapse(city: City, node: Node, _much: int) -> None:
    """The owner stands still past its lease (there are none on SQLite), and the other node takes over."""
    if city.store.dialect == "sqlite" or city.owner is None or node is city.owner:
        return
    async with city.store.begin() as tx:
        await tx.execute(
            text("UPDATE chunks SET lease_until = now() - interval '1 second' WHERE warning_id = :w"),
            {"w": city.warning},
        )
    await _reclaim(city, node)


async def _reclaim(city: City, node: Node) -> None:
    async with city.store.begin() as tx:
        chunk = await chunks.reclaim(tx, node.holder, ["sms"])
        if chunk is None:
            assert city.owner is not node, "its own of an earlier life it always finds"
            return
        assert chunk.warning_id == city.warning
        rows = await deliveries.in_chunk(tx, chunk.id, chunk.opened_to)
        doubtful = [row for row in rows if row.in_doubt]
        assert {row.pos for row in doubtful} == city.opened, "exactly the opened and unsettled are in doubt"
        await deliveries.mark_doubt(tx, chunk, doubtful, NOW)
        if chunk.state == ChunkState.ENDED:
            unknown = DeliveryState.UNKNOWN
            await deliveries.settle(
                tx, [Settled(chunk_id=chunk.id, row=row, state=unknown, at=NOW) for row in doubtful]
            )
            await chunks.close(tx, [chunk.id])
    city.flagged |= {row.target for row in doubtful}
    # what the same life still held of it goes when it takes it back (`Outlet.add`)
    city.ghosts = [ghost for ghost in city.ghosts if ghost.holder != node.holder]
    city.ghosts += [replace(other) for other in city.nodes.values() if other is city.owner and other is not node]
    if chunk.state == ChunkState.ENDED:
        city.owner, rows, city.opened = None, [], set()
    else:
        city.owner = node
    node.chunk, node.rows, node.opened_to = chunk.id, rows, chunk.opened_to


async def _receipt(city: City, _node: Node, much: int) -> None:
    """A carrier's report may come for anybody, at any time."""
    async with city.store.read() as tx:
        page = await _rows(tx, city.warning)
        some = sorted(page)[much - 1 : much]
        key = [row.key for row in await deliveries.reached(tx, [city.warning]) if row.target in some]
    state = DeliveryState.DELIVERED
    await deliveries.enter_receipts(city.store, [Report(key=one, state=state, code="", detail="") for one in key], NOW)
    proven = {row.pos for row in city.owner.rows if row.target in some and key} if city.owner else set()
    city.opened -= proven  # what is proven is in no doubt


async def _end(city: City, _node: Node, _much: int) -> None:
    if city.ended:
        return
    async with city.store.begin() as tx:
        await chunks.hold(tx, city.warning)
        await warnings.move(tx, city.warning, WarningState.DISPATCHING)
        await warnings.move(tx, city.warning, WarningState.CANCELLED)
        await chunks.end(tx, city.warning)
        await deliveries.withdraw(tx, city.warning, DeliveryState.WITHDRAWN, NOW)
    city.ended = True


STEP = {
    "take": _take,
    "open": _open,
    "settle": _settle,
    "again": _again,
    "die": _die,
    "lapse": _lapse,
    "ghost": _ghost,
    "receipt": _receipt,
    "end": _end,
}


async def _rows(tx: Tx, warning: str) -> dict[str, tuple[DeliveryState, bool]]:
    found = await tx.execute(
        text("SELECT target, state, possible_duplicate FROM deliveries WHERE warning_id = :w"), {"w": warning}
    )
    return {row.target: (DeliveryState(row.state), bool(row.possible_duplicate)) for row in found}


async def _holds(city: City) -> None:
    async with city.store.read() as tx:
        rows = await _rows(tx, city.warning)
        mark = (
            await tx.execute(text("SELECT max(opened_to) FROM chunks WHERE warning_id = :w"), {"w": city.warning})
        ).scalar_one()
    assert len(rows) in (0, ROWS), "a plan stands whole or not at all"
    assert mark >= city.mark, "a mark never goes back"
    for target, (state, flagged) in rows.items():
        before = city.seen.get(target, state)
        assert state is before or state in _later(before), f"{before.name} became {state.name}"
        assert flagged or target not in city.flagged, "a flag never goes"
    city.seen = {target: state for target, (state, _) in rows.items()}


def _later(state: DeliveryState) -> set[DeliveryState]:
    """Whatever may follow, at once or by steps."""
    found, new = set(), {state}
    while new:
        new = {after for one in new for after in DELIVERY[one]} - found
        found |= new
    return found


async def _wound_up(city: City) -> None:
    """Whatever went before: one node that lives on ends every row that is not waiting for a retry."""
    heir = replace(city.nodes["a"], name=city.nodes["a"].name)
    heir.epoch += 1
    city.nodes = {"a": heir}
    if city.owner is not None and city.store.dialect != "sqlite":
        async with city.store.begin() as tx:
            await tx.execute(
                text("UPDATE chunks SET lease_until = now() - interval '1 second' WHERE warning_id = :w"),
                {"w": city.warning},
            )
    if city.owner is not None and city.store.dialect == "sqlite":
        heir.name, heir.epoch = city.owner.name, city.owner.epoch + 1
    if city.owner is not None:
        city.owner = None
        await _reclaim(city, heir)
    await _take(city, heir, 0)
    while city.owner is heir and not city.ended and _unopened(heir.rows, heir.opened_to):
        await _open(city, heir, 5)
    heir.opened_to = ROWS
    if city.owner is heir:
        await _settle(city, heir, ROWS)
    async with city.store.read() as tx:
        rows = await _rows(tx, city.warning)
        waiting = await tx.execute(
            text("SELECT count(*) FROM deliveries WHERE warning_id = :w AND state = 0 AND due_at IS NULL"),
            {"w": city.warning},
        )
        assert waiting.scalar_one() == 0
    assert len(rows) == ROWS


def _unopened(rows: Sequence[Row], opened_to: int) -> bool:
    return any(row.pos >= opened_to for row in rows)
