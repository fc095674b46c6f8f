"""The live stream: resumed without a hole, shared by all viewers, and ended without a trace when either side goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import datetime
from itertools import pairwise

import aiohttp
import pytest

from dispatcher.states import DeliveryState
from dispatcher.web.live import Feed
from tests.browser.standing import House, cap, code, standing, take_in_hand
from tests.dispatcher.viewing import Viewer, watching

pytestmark = pytest.mark.long


@pytest.fixture
async def house(jian_sqlite_url: str) -> AsyncIterator[House]:
    async with standing(jian_sqlite_url) as opened:
        yield opened


async def test_a_viewer_sees_a_warning_come_in_and_its_counts_move(house: House) -> None:
    async with watching(house) as viewer:
        _, said, _ = await house.post(cap(where=code("360827102")))
        number, event = await viewer.next("event")
        assert (event["kind"], event["warning_id"]) == ("warning.accepted", said["warning_id"])
        assert str(event["id"]) == number
        _, counts = await viewer.next("counts")
        assert counts["total"]["pending"] == counts["total"]["planned"] > 0
        await take_in_hand(house, "sms", lambda _row: (DeliveryState.DELIVERED, ""))
        _, counts = await viewer.next("counts")
        assert counts["channels"]["sms"]["delivered"] > 0
        assert counts["first_sent"]


async def test_it_beats_so_that_a_script_knows_that_it_is_alive_and_what_time_it_is(house: House) -> None:
    async with watching(house) as viewer:
        times = [datetime.fromisoformat((await viewer.next("beat"))[1]["at"]) for _ in range(3)]
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
    assert all(0 < gap <= 5 for gap in gaps), gaps


async def test_the_more_look_on_the_less_often_each_page_is_told_to_ask(house: House) -> None:
    async with watching(house) as first:
        alone = (await first.next("beat"))[1]["ask_every_ms"]
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http, AsyncExitStack() as others:
            for _ in range(200):
                answer = await others.enter_async_context(http.get(f"{house.url}/api/v1/live"))
            crowded = (await Viewer(answer).next("beat"))[1]["ask_every_ms"]
    assert (alone, crowded) == (1500, 201 * 15)


async def test_who_comes_back_gets_what_was_missed_in_order_and_once(house: House) -> None:
    for number in range(5):
        await house.post(cap(f"no-{number}", where=code("360827102")))
    async with watching(house, **{"Last-Event-ID": "3"}) as viewer:
        seen = [int((await viewer.next("event"))[0]) for _ in range(7)]
    assert seen == [4, 5, 6, 7, 8, 9, 10]
    async with watching(house) as viewer:
        await house.post(cap("later", where=code("360827102")))
        assert int((await viewer.next("event"))[0]) == 11, "a new viewer is told only what is new"


async def test_a_number_that_cannot_be_one_is_refused(house: House) -> None:
    for given in ("x", "-1", "1.5", "９", "1" * 30):
        status, said, _ = await house.get("/api/v1/live", **{"Last-Event-ID": given.encode().decode("latin-1")})
        assert (status, said["code"]) == (400, "bad_query")


async def test_fifty_viewers_at_once_cost_one_look(house: House) -> None:
    feed = Feed(house.context.store, lambda: 0.0)
    views = await asyncio.gather(*(feed.now() for _ in range(50)))
    assert len({id(view) for view in views}) == 1, "while no time passes, everyone gets the same look"


async def test_a_viewer_that_vanishes_leaves_no_error_behind(
    house: House, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    port = int(house.url.rpartition(":")[2])
    for _ in range(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /api/v1/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readuntil(b"event: hello")
        writer.transport.abort()
    async with watching(house) as viewer:
        await house.post(cap(where=code("360827102")))
        await viewer.next("event")
        await viewer.next("counts")
    assert "Traceback" not in capfd.readouterr().err
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_closing_ends_the_streams_at_once(jian_sqlite_url: str) -> None:
    async with aiohttp.ClientSession() as http:
        async with standing(jian_sqlite_url) as house:
            answer = await http.get(f"{house.url}/api/v1/live")
            began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began < 5
        rest = await answer.content.read()
        assert rest.startswith(b"retry:") or b"hello" in rest
        answer.close()
