"""A service that polls: what its neighbour publishes comes in by itself, one process polls, and a silent feed is seen."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from dispatcher.intake.canonical import from_json
from dispatcher.model import Reference
from dispatcher.settings import PROJECT
from dispatcher.store import feeds, warnings
from dispatcher.store.engine import open_store
from dispatcher.store.warnings import WarningRow
from dispatcher.telemetry import metrics
from tests.browser.standing import SENT, House, cap, code, standing
from tests.dispatcher.upstream import Upstream, atom, entry, upstream

pytestmark = pytest.mark.long

POLLS = frozenset({"web", "timers"})
IDENTIFIER = "36080041600000_20260403023830"


def fed(url: str, every_s: int = 1, **more: str) -> dict[str, str]:
    """The environment of a service with one upstream."""
    source = {"NAME": "邻市", "DOORS": "[feed]", "AREA_PREFIXES": '["360800"]', **more}
    told = {**source, "FEED__URL": url, "FEED__EVERY_S": str(every_s)}
    return {f"MINGLUO_SOURCES__NEIGHBOUR__{name}": value for name, value in told.items()}


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await true():
            await asyncio.sleep(0.05)


async def kept(house: House) -> WarningRow | None:
    async with house.context.store.read() as tx:
        return await warnings.by_identity(tx, Reference(sender="36080041600000", identifier=IDENTIFIER, sent=SENT))


@pytest.fixture
async def up() -> AsyncIterator[Upstream]:
    async with upstream() as opened:
        opened.serve("/cap.atom", atom())
        yield opened


# ── from house to house ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(params=["sqlite", "postgresql"])
def both_urls(request: pytest.FixtureRequest, jian_sqlite_url: str, jian_postgres_url: str) -> tuple[str, str]:
    """Who publishes, and who reads: each database once in either part."""
    urls = (jian_sqlite_url, jian_postgres_url)
    return urls if request.param == "sqlite" else (urls[1], urls[0])


@pytest.mark.parametrize(("trusted", "state"), [("false", "held"), ("true", "approved")])
async def test_what_one_house_publishes_another_reads_and_keeps(
    both_urls: tuple[str, str], trusted: str, state: str
) -> None:
    async with standing(both_urls[0]) as publishing:
        _, said, _ = await publishing.post(cap(IDENTIFIER, where=code("360827102")))
        feed = f"{publishing.url}/feeds/cap.atom"
        async with standing(both_urls[1], POLLS, **fed(feed, TRUSTED=trusted)) as reading:
            await until(lambda: _is_kept(reading))
            theirs, ours = await kept(publishing), await kept(reading)
    assert theirs is not None
    assert ours is not None
    assert (theirs.id, ours.door, ours.state) == (said["warning_id"], "feed", state)
    sent, read = from_json(theirs.message), from_json(ours.message)
    assert (read.areas, read.level, read.hazard, read.expires) == (sent.areas, sent.level, sent.hazard, sent.expires)
    assert (ours.rows_planned > 0) is (state == "approved")


async def _is_kept(house: House) -> bool:
    return await kept(house) is not None


async def test_of_two_processes_on_one_database_one_polls(postgres_url: str, up: Upstream) -> None:
    environment = fed(f"{up.url}/cap.atom", every_s=900)
    async with (
        standing(postgres_url, frozenset({"timers"}), MINGLUO_NODE="one", **environment) as one,
        standing(postgres_url, frozenset({"timers"}), MINGLUO_NODE="two", **environment) as two,
    ):
        leaders = [house.service.upstream.leader for house in (one, two)]
        await until(lambda: _asked(up))
        assert sorted(leader.leads for leader in leaders) == [False, True]
        (other,) = (house for house in (one, two) if not house.service.upstream.leader.leads)
        await other.service.upstream.turn("neighbour")
    assert up.paths() == ["/cap.atom"]


async def _asked(up: Upstream) -> bool:
    return bool(up.asked)


# ── what a night shift hears of it ──────────────────────────────────────────────────────────────────────────────────


async def notices(house: House) -> list[str]:
    _, ready, _ = await house.get("/health/ready")
    assert not [problem for problem in ready["problems"] if "上游" in problem], "other doors are open"
    return [notice for notice in ready["notices"] if "上游" in notice]


async def test_a_feed_that_nobody_polls_is_said_so(database_url: str) -> None:
    async with standing(database_url, **fed("http://127.0.0.1:1/cap.atom")) as house:
        assert await notices(house) == ["上游 邻市 还没有读过：请检查承担 timers 角色的进程是否在运行"]


async def test_a_feed_that_was_not_read_for_minutes_is_said_so_and_why(database_url: str) -> None:
    now = datetime.now(UTC)
    async with standing(database_url, **fed("http://127.0.0.1:1/cap.atom")) as house:
        await _written_down(database_url, now - timedelta(minutes=7))
        assert await notices(house) == ["上游 邻市 已 7 分钟没有读到：对方故障（HTTP 500）"]
        await house.service.upstream.gauge(now)
        assert b'mingluo_feed_age_seconds{source="neighbour"} 420.0' in metrics()
        await _written_down(database_url, now)
        assert await notices(house) == []


async def _written_down(url: str, at: datetime) -> None:
    store = open_store(url)
    async with store.begin() as tx:
        await feeds.enter(tx, "neighbour", "http://127.0.0.1:1/cap.atom", "", at)
        await feeds.was_not_read(tx, "neighbour", 3, "对方故障（HTTP 500）", at)
    await store.close()


async def test_an_entry_that_cannot_be_had_is_said_so(database_url: str, up: Upstream) -> None:
    up.serve("/cap.atom", atom(entry("1", "gone.xml")))
    async with standing(database_url, POLLS, **fed(f"{up.url}/cap.atom")) as house:

        async def said() -> bool:
            return any("404" in notice for notice in await notices(house))

        await until(said)
        (notice,) = await notices(house)
    assert notice.startswith("上游 邻市 有 1 份预警还没有取到：")


async def test_a_house_without_upstreams_asks_nothing_and_says_nothing(sqlite_url: str) -> None:
    async with standing(sqlite_url, POLLS) as house:
        assert await notices(house) == []
        assert not house.service.upstream.leader.leads


async def test_a_feed_that_hangs_does_not_keep_the_house_from_closing(database_url: str, up: Upstream) -> None:
    async def hang(_request: web.BaseRequest) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    up.play("/cap.atom", hang)
    loop = asyncio.get_running_loop()
    async with standing(database_url, POLLS, **fed(f"{up.url}/cap.atom", FEED__TIMEOUT_S="60")) as house:
        await until(lambda: _asked(up))
        asked_to_close = loop.time()
    assert loop.time() - asked_to_close < 10
    assert house.service.upstream.leader.leads is False


# ── the doctor ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def checked(database_url: str, **environment: str) -> tuple[int | None, dict[str, str]]:
    """`mingluo check`: its exit code, and what it has against the upstream, by name of the line."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dispatcher", "check", "--json"),
        env={
            "PATH": os.environ["PATH"],
            "MINGLUO_DATABASE_URL": database_url,
            "MINGLUO_SEAL_KEY": "00" * 32,
            **environment,
        },
        stdout=asyncio.subprocess.PIPE,
        cwd=PROJECT,
    )
    async with asyncio.timeout(50):
        out, _ = await process.communicate()
    told = json.loads(out.splitlines()[-1])
    return process.returncode, {line["name"]: line["problem"] for line in told["checks"]}


@pytest.mark.parametrize(
    ("feed", "said"),
    [
        (atom(entry("1", "a.xml")), ""),
        (atom(entry("1", "https://other.example/a.xml")), "有 1 份预警读不到：在另一台主机 other.example"),
        (b"<html/>", "不是 Atom 或 RSS"),
        (None, "HTTP 404"),
    ],
)
async def test_the_doctor_tries_each_feed(sqlite_url: str, up: Upstream, feed: bytes | None, said: str) -> None:
    if feed is not None:
        up.serve("/other.atom", feed)
    code, lines = await checked(sqlite_url, **fed(f"{up.url}/other.atom"))
    assert said in lines["上游 邻市"]
    assert (lines["上游 邻市"] == "") is (said == "")
    assert up.paths() == ["/other.atom"]
    assert code == 1, "the register of this database is empty, and that is said too"
