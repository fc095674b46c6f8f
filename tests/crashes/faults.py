"""What is done to the service while it works, each fault struck at an instant when a call is under way."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from sqlalchemy import text

from dispatcher.store.chunks import ChunkState
from dispatcher.store.engine import Store
from tests.crashes.facts import Fault, Struck
from tests.crashes.stack import FIRST, LOOK_S, SECOND, Stack, restarted

FROZEN_S = 12.0
"""Two heartbeats and more: a frozen broker is taken for dead."""
DOWN_S = 0.5
PATIENCE_S = 90.0
TAKEN_OVER_S = 25.0


def schedule(counts: Mapping[Fault, int], chance: random.Random) -> list[Fault]:
    """All of them in random order."""
    every = [fault for fault, number in counts.items() for _ in range(number)]
    chance.shuffle(every)
    return every


async def strike(stack: Stack, fault: Fault, chance: random.Random) -> Struck:
    """Waits until work is under way, strikes, and waits until the service calls itself ready and work goes on, or none is owed:
    where all that is left waits for its next try, nobody is called however well the service is."""
    clock = asyncio.get_running_loop().time
    strikes: Mapping[Fault, Callable[[], Awaitable[tuple[Mapping[str, int], float, float]]]] = {
        Fault.KILL: partial(_kill, stack),
        Fault.BROKER_KILL: partial(_broker_kill, stack),
        Fault.BROKER_FREEZE: partial(_broker_freeze, stack),
        Fault.DATABASE_STOP: partial(_database_stop, stack),
        Fault.STACK_KILL: partial(_stack_kill, stack, chance),
        Fault.ZOMBIE: partial(_zombie, stack),
        Fault.LINE_RESET: partial(_line_reset, stack),
    }
    unsettled, began, ended = await strikes[fault]()
    written = stack.logged()
    async with asyncio.timeout(PATIENCE_S):
        while not await stack.ready() or (stack.logged() == written and await stack.ask(_owed)):
            await asyncio.sleep(LOOK_S)
    recovered = clock()
    if SECOND in stack.children:
        assert await stack.children.pop(SECOND).end() == 0, "a drained dispatcher ends with 0"
    return Struck(fault=fault, unsettled=unsettled, began_s=began, ended_s=ended, recovered_s=recovered)


async def under_way(stack: Stack, node: str = FIRST) -> dict[str, int]:
    """Waits for an instant when calls of this node are under way; how many, by channel."""
    async with asyncio.timeout(PATIENCE_S):
        while not (found := await stack.ask(partial(unsettled, node=node))):
            await asyncio.sleep(0.01)
    return found


async def unsettled(store: Store, node: str) -> dict[str, int]:
    """By outlet: rows of this node's that are opened and have no result.

    Those that an earlier crash left in doubt are not counted: until they are sent again they stand below their chunk's
    mark, and were counted when they came there.
    """
    async with store.read() as tx:
        rows = await tx.execute(
            text(
                "SELECT d.channel || CASE WHEN w.drill THEN '_drill' ELSE '' END, count(*) FROM deliveries d "
                "JOIN chunks c ON c.id = d.chunk_id JOIN warnings w ON w.id = d.warning_id "
                "WHERE d.state = 0 AND d.pos < c.opened_to AND NOT d.possible_duplicate AND c.owner = :node GROUP BY 1"
            ),
            {"node": node},
        )
        return {row[0]: row[1] for row in rows}


async def _owed(store: Store) -> bool:
    """Whether anything could be sent now: it is to be planned, in somebody's hands, or due."""
    async with store.read() as tx:
        found = await tx.execute(
            text(
                "SELECT EXISTS (SELECT FROM chunks WHERE state = :ready) OR EXISTS (SELECT FROM deliveries "
                "WHERE state = 0 AND (chunk_id IS NOT NULL OR due_at <= now()))"
            ),
            {"ready": int(ChunkState.READY)},
        )
        return bool(found.scalar_one())


Strike = tuple[Mapping[str, int], float, float]
"""What was under way, when it began, when it ended."""


async def _kill(stack: Stack) -> Strike:
    """What was under way is counted after the death: exactly the doubtful rows."""
    clock = asyncio.get_running_loop().time
    while True:
        await under_way(stack)
        began = clock()
        await stack.kill(FIRST)
        found = await stack.ask(partial(unsettled, node=FIRST))
        ended = clock()
        await stack.start(FIRST)
        if found:
            return found, began, ended


async def _broker_kill(stack: Stack) -> Strike:
    clock = asyncio.get_running_loop().time
    found, began = await under_way(stack), clock()
    await stack.broker.order("kill")
    await asyncio.sleep(DOWN_S)
    await stack.broker.order("start")
    await stack.broker.answering()
    return found, began, clock()


async def _broker_freeze(stack: Stack) -> Strike:
    clock = asyncio.get_running_loop().time
    found, began = await under_way(stack), clock()
    await stack.broker.order("freeze")
    await asyncio.sleep(FROZEN_S)
    await stack.broker.order("thaw")
    return found, began, clock()


async def _database_stop(stack: Stack) -> Strike:
    clock = asyncio.get_running_loop().time
    found, began = await under_way(stack), clock()
    await stack.database.order("quit")
    await asyncio.sleep(DOWN_S)
    await stack.database.order("start")
    await stack.database.answering()
    return found, began, clock()


async def _stack_kill(stack: Stack, chance: random.Random) -> Strike:
    clock = asyncio.get_running_loop().time
    found, began = await under_way(stack), clock()
    async with asyncio.TaskGroup() as group:
        group.create_task(stack.kill(FIRST))
        group.create_task(stack.database.order("kill"))
        group.create_task(stack.broker.order("kill"))
    ended = clock()
    await restarted(stack, chance)
    return found, began, ended


async def _zombie(stack: Stack) -> Strike:
    """Frozen in the middle of its calls until another has taken over everything it held; then it wakes and goes on."""
    clock = asyncio.get_running_loop().time
    await stack.start(SECOND)
    found, began = await under_way(stack), clock()
    stack.children[FIRST].freeze()
    try:
        found = await stack.ask(partial(unsettled, node=FIRST)) or found
        async with asyncio.timeout(TAKEN_OVER_S):
            while await stack.ask(partial(held, node=FIRST)):
                await asyncio.sleep(LOOK_S)
    finally:
        stack.children[FIRST].thaw()
    return found, began, clock()


async def held(store: Store, node: str) -> int:
    async with store.read() as tx:
        rows = await tx.execute(
            text("SELECT count(*) FROM chunks WHERE owner = :node AND state IN (2, 3)"), {"node": node}
        )
        return int(rows.scalar_one())


async def _line_reset(stack: Stack) -> Strike:
    """Every connection breaks off at once, in the middle of a COMMIT for one or the other."""
    clock = asyncio.get_running_loop().time
    found, began = await under_way(stack), clock()
    stack.database_line.reset()
    stack.broker_line.reset()
    return found, began, clock()
