"""What every test of a broker needs: a handler that can be waited for, a consumer for a while, an event."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from dispatcher.broker.contract import ACK, Broker, Handled, Inbound, Node, OutboundEvent, RetryPlan

NOW = datetime(2026, 6, 11, 2, 39, tzinfo=UTC)
QUICK = RetryPlan(tries=3, first_s=0.01, longest_s=0.02)
PATIENCE_S = 20.0


class Inbox:
    """A handler that remembers, answers as it is told, and can be waited for."""

    def __init__(self, answer: Callable[[Inbound], Awaitable[Handled]] | None = None) -> None:
        self._answer = answer
        self.got: list[Inbound] = []
        self._changed = asyncio.Condition()

    async def __call__(self, inbound: Inbound) -> Handled:
        async with self._changed:
            self.got.append(inbound)
            self._changed.notify_all()
        return ACK if self._answer is None else await self._answer(inbound)

    async def until(self, count: int) -> list[Inbound]:
        async with asyncio.timeout(PATIENCE_S), self._changed:
            await self._changed.wait_for(lambda: len(self.got) >= count)
        return self.got


@asynccontextmanager
async def consuming(broker: Broker, handler: Callable[[Inbound], Awaitable[Handled]]) -> AsyncIterator[None]:
    await broker.start()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(broker.consume(handler))
        yield
        task.cancel()
    await broker.close()


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await true():
            await asyncio.sleep(0.02)


def event(number: int = 1) -> OutboundEvent:
    return OutboundEvent(
        id=str(number), at=NOW, kind="warning.accepted", subject="w1", data={"level": "red", "标题": "暴雨"}
    )


def node_that_tells(seen: list[str], given_up: list[tuple[bytes, str]] | None = None) -> Node:
    async def remember(name: str) -> None:
        seen.append(name)

    async def record(inbound: Inbound, reason: str) -> None:
        if given_up is None:
            raise AssertionError("nothing was to be given up")
        given_up.append((inbound.body, reason))

    return Node(name="node-1", clock=lambda: NOW, seen=remember, gave_up=record)
