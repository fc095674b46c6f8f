"""Who asks at the same moment is answered by one reading, made after he asked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from dispatcher.store.together import Together


class Books:
    """What is read, and how often it was; a reading takes until `go`."""

    def __init__(self) -> None:
        self.rows = {"wang": 1, "li": 2}
        self.asked: list[list[str]] = []
        self.go = asyncio.Event()
        self.begun = asyncio.Event()

    async def look(self, keys: Sequence[str]) -> dict[str, int]:
        self.asked.append(sorted(keys))
        found = {key: self.rows[key] for key in keys if key in self.rows}
        self.begun.set()
        await self.go.wait()
        return found


async def test_a_crowd_is_read_in_two_readings_and_each_has_his_own_answer() -> None:
    books = Books()
    together = Together(books.look)
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(together.of("wang"))
        await books.begun.wait()
        rest = [tasks.create_task(together.of(name)) for name in ("wang", "li", "nobody") * 100]
        await asyncio.sleep(0)
        books.go.set()
    assert first.result() == 1
    assert {one.result() for one in rest} == {1, 2, None}
    assert books.asked == [["wang"], ["li", "nobody", "wang"]]


async def test_whoever_asks_while_a_reading_is_under_way_is_not_answered_by_it() -> None:
    books = Books()
    together = Together(books.look)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(together.of("wang"))
        await books.begun.wait()
        del books.rows["wang"]
        later = tasks.create_task(together.of("wang"))
        await asyncio.sleep(0)
        books.go.set()
    assert later.result() is None, "shut out meanwhile"


async def test_what_cannot_be_read_is_said_to_all_who_asked_and_to_nobody_later() -> None:
    books = Books()
    books.go.set()
    calls = 0

    async def look(keys: Sequence[str]) -> dict[str, int]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ConnectionError
        return await books.look(keys)

    together = Together(look)
    with pytest.raises(ConnectionError):
        await together.of("wang")
    assert await together.of("wang") == 1


async def test_whoever_goes_while_he_reads_leaves_the_others_an_answer() -> None:
    books = Books()
    together = Together(books.look)
    reader = asyncio.ensure_future(together.of("wang"))  # noqa: TID251 - cancelled below, and awaited
    await books.begun.wait()
    async with asyncio.TaskGroup() as tasks:
        other = tasks.create_task(together.of("li"))
        await asyncio.sleep(0)
        reader.cancel()
        books.go.set()
    assert other.result() == 2
