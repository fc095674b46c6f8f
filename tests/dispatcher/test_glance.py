"""A part that many look at is drawn once, and never handed out older than what the stream has said."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable

import pytest

from dispatcher.web.console.glance import REMEMBERED, Glances


class Stand:
    """What is drawn, and how often it was."""

    def __init__(self) -> None:
        self.drawn = 0
        self.word = 0

    async def said(self) -> Hashable:
        return self.word

    async def draw(self) -> str:
        self.drawn += 1
        return f"{self.word}:{self.drawn}"


async def test_three_hundred_who_look_at_the_same_moment_have_it_drawn_once() -> None:
    glances, stand = Glances(), Stand()
    async with asyncio.TaskGroup() as tasks:
        seen = [tasks.create_task(glances.of("red", stand.said, stand.draw)) for _ in range(300)]
    assert {one.result().plain for one in seen} == {b"0:1"}
    assert stand.drawn == 1


async def test_what_the_stream_said_is_never_answered_with_what_was_drawn_before_it() -> None:
    glances, stand = Glances(), Stand()
    for word in range(5):
        stand.word = word
        assert (await glances.of("red", stand.said, stand.draw)).plain == f"{word}:{word + 1}".encode()


async def test_whoever_sees_another_part_has_his_own() -> None:
    glances, stand = Glances(), Stand()
    parts = {(await glances.of(key, stand.said, stand.draw)).plain for key in ("red", "red, 360827")}
    assert len(parts) == 2


async def test_what_could_not_be_drawn_is_said_to_all_and_drawn_for_the_next() -> None:
    glances, stand = Glances(), Stand()

    async def away() -> str:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await glances.of("red", stand.said, away)
    assert (await glances.of("red", stand.said, stand.draw)).plain == b"0:1"


async def test_parts_that_nobody_asks_for_any_more_are_forgotten() -> None:
    glances, stand = Glances(), Stand()
    for number in range(REMEMBERED + 1):
        await glances.of(number, stand.said, stand.draw)
    await glances.of(REMEMBERED, stand.said, stand.draw)
    assert stand.drawn == REMEMBERED + 1
    await glances.of(0, stand.said, stand.draw)
    assert stand.drawn == REMEMBERED + 2
