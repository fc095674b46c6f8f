"""The last limit of a call: it ends what hangs, and nothing else."""

from __future__ import annotations

import asyncio

import pytest

from dispatcher.sending.watchdog import Watchdog


async def limited(watchdog: Watchdog, call: asyncio.Event, limit_s: float, times: int = 1) -> list[str]:
    leash, said = watchdog.leash(), []
    for _ in range(times):
        try:
            await leash.limited(call.wait(), limit_s)
            said.append("done")
        except TimeoutError:
            said.append("late")
    return said


async def test_a_call_that_hangs_is_ended_and_its_sender_goes_on() -> None:
    watchdog = Watchdog()
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(watchdog.run())
        hangs = tasks.create_task(limited(watchdog, asyncio.Event(), 0.01, times=2))
        assert await hangs == ["late", "late"]
        assert not hangs.cancelled()
        running.cancel()


async def test_a_call_within_its_limit_is_left_alone() -> None:
    watchdog, gate = Watchdog(), asyncio.Event()
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(watchdog.run())
        late = tasks.create_task(limited(watchdog, asyncio.Event(), 0.01))
        patient = tasks.create_task(limited(watchdog, gate, 60))
        await late
        gate.set()
        assert await patient == ["done"]
        running.cancel()


async def test_a_sender_that_is_stopped_in_its_call_stops() -> None:
    watchdog = Watchdog()
    async with asyncio.TaskGroup() as tasks:
        sender = tasks.create_task(limited(watchdog, asyncio.Event(), 60))
        await asyncio.sleep(0)
        sender.cancel()
    assert sender.cancelled()


async def test_a_call_that_swallows_its_end_leaves_no_cancellation_behind() -> None:
    async def stubborn() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "anyway"
        raise AssertionError

    async def sender(watchdog: Watchdog) -> str:
        return await watchdog.leash().limited(stubborn(), 0.01)

    watchdog = Watchdog()
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(watchdog.run())
        task = tasks.create_task(sender(watchdog))
        assert await task == "anyway"
        assert task.cancelling() == 0
        running.cancel()


async def test_a_leash_is_one_tasks_own() -> None:
    with pytest.raises(RuntimeError):
        await asyncio.get_running_loop().run_in_executor(None, Watchdog().leash)
