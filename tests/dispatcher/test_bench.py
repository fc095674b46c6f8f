"""The benchmark as a whole: its processes, its table and JSON, what it refuses, and that it leaves nothing behind."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
from aiohttp import ClientSession, ClientTimeout

from dispatcher.intake.decode import decode
from dispatcher.model import Level, Point, Scope
from dispatcher.registry.register import load as load_register
from dispatcher.rehearsal.bench import audience, kills, ledgers, rates
from dispatcher.rehearsal.bench.bare_ledger import BareLedger
from dispatcher.rehearsal.bench.bulletin import CONTENT_TYPE, Bulletin
from dispatcher.rehearsal.bench.engine import Wish
from dispatcher.rehearsal.bench.goals import Measured, at_least, not_measured
from dispatcher.rehearsal.bench.ground import People
from dispatcher.rehearsal.bench.orders import BenchFailed, Hand, hired
from dispatcher.rehearsal.bench.screen import BenchScreen
from dispatcher.rehearsal.bench.servers import Servers, plain
from dispatcher.rehearsal.bench.yard import EMBEDDED, Yard, opened
from dispatcher.settings import PROJECT, load
from dispatcher.store import deliveries
from dispatcher.store.engine import Store, open_store
from dispatcher.store.packing import FrozenRow
from dispatcher.store.sealed import Seal

pytestmark = [pytest.mark.long, pytest.mark.timeout(180)]
FEW = People(officers=700)


@pytest.fixture
async def yard(tmp_path: Path) -> AsyncIterator[Yard]:
    async with opened(tmp_path / "yard", Servers(), lambda _what, _done, _total: None) as made:
        yield made
    assert not (tmp_path / "yard").exists()


@pytest.fixture
async def sink(tmp_path: Path) -> AsyncIterator[Hand]:
    async with hired("sink", tmp_path / "sink.log", arguments=["--keys"]) as hand:
        yield hand


# ── the sink and the loops ──────────────────────────────────────────────────────────────────────────────────────────


def _load(sink: Hand, count: int) -> dict[str, object]:
    return {"url": f"{sink.ready['url']}/1/plain", "count": count, "in_flight": 8, "text": "暴雨红色预警", "key": "k"}


async def test_both_bare_loops_send_the_same_bytes_and_the_sink_counts_every_one(sink: Hand, tmp_path: Path) -> None:
    sizes = []
    async with hired("loops", tmp_path / "loops.log") as loops:
        for form in ("encoded", "form"):
            made = await loops.ask(form, 60.0, **_load(sink, 300))
            (path,) = (await sink.ask("take"))["paths"].values()
            assert made["count"] == path["count"] == 300
            assert made["began"] <= path["first"] <= path["last"] <= made["ended"]
            assert made["cpu_s"] > 0
            sizes.append(path["body_bytes"])
    assert sizes[0] == sizes[1]
    assert set((await sink.ask("keys"))["keys"].values()) == {2}


async def test_the_sink_hangs_and_throttles_where_the_path_says_so(sink: Hand) -> None:
    await sink.ask("limit", limit=2)
    async with ClientSession(timeout=ClientTimeout(total=0.5)) as session:
        states = []
        for _ in range(4):
            async with session.post(f"{sink.ready['url']}/limited/1/plain", data=b"Key=a") as answer:
                states.append(answer.status)
        with pytest.raises(TimeoutError):
            await session.post(f"{sink.ready['url']}/hang/1/plain", data=b"Key=a")
    assert states == [200, 200, 429, 429]
    taken = await sink.ask("take")
    assert (taken["throttled"], len(taken["arrivals"])) == (2, 4)


async def test_the_load_counts_only_what_was_answered_2xx(tmp_path: Path) -> None:
    async with hired("loops", tmp_path / "loops.log") as loops, hired("load", tmp_path / "load.log") as load:
        url = (await loops.ask("door"))["url"]
        order = {"url": url, "public": url, "connections": 4, "account": "AC", "token": "token"}
        made = await load.ask("fire", 60.0, keys=[f"w.officer-{number}.sms.0" for number in range(40)], **order)
    assert (made["good"], made["bad"]) == (40, 0)


async def test_what_goes_wrong_in_a_process_is_said_in_ours(sink: Hand) -> None:
    with pytest.raises(BenchFailed, match="KeyError"):
        await sink.ask("dance")


# ── the engine ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_engine_that_is_measured_sends_every_row_once_and_makes_it_durable(yard: Yard) -> None:
    sink = await yard.sink()
    async with yard.engine(EMBEDDED, FEW, Wish(at=sink.ready["url"])) as engine:
        run = await engine.run(Bulletin(residents=False))
        bare = await rates.bare(await yard.loops(), sink, "encoded", run)
        memory = await engine.hand.ask("memory")
    assert run.planned == run.count == bare.planned > FEW.officers
    assert run.published < run.first < run.last <= run.settled
    assert abs(run.body_bytes - bare.body_bytes) <= 1
    assert "红色预警" in run.text
    assert run.cpu_us > 0
    assert memory["peak_mib"] >= memory["held_mib"] > 0


async def test_a_hundred_numbers_go_in_one_request(yard: Yard) -> None:
    sink = await yard.sink()
    async with yard.engine(EMBEDDED, FEW, Wish(sms="batch", at=sink.ready["url"])) as engine:
        run = await engine.run(Bulletin(residents=False))
    assert run.planned / 100 <= run.count < run.planned / 10


async def test_a_kill_in_the_middle_is_judged_by_what_the_sink_and_the_ledger_say(yard: Yard, sink: Hand) -> None:
    found = await kills.killed(yard, EMBEDDED, sink, 0.1, FEW)
    assert (found.lost, found.unflagged) == (0, 0)
    assert found.planned > FEW.officers
    assert found.duplicates <= kills.MOST


@pytest.mark.parametrize(
    ("bulletin", "level", "scope"),
    [
        (Bulletin(), Level.RED, Scope.PUBLIC),
        (Bulletin(level=Level.BLUE, residents=False), Level.BLUE, Scope.RESTRICTED),
        (Bulletin(polygon=[Point(lat=27, lon=115), Point(lat=27, lon=116), Point(lat=28, lon=116)]), "red", "Public"),
    ],
)
def test_the_warnings_of_the_benchmark_are_read_as_any_feeds(bulletin: Bulletin, level: str, scope: str) -> None:
    first, second = (decode(bulletin.body(datetime.now(UTC)), CONTENT_TYPE, load({}).hazards).message for _ in range(2))
    assert first is not None
    assert second is not None
    assert (first.level, first.scope) == (level, scope)
    assert first.identifier != second.identifier


# ── in memory and in the database ───────────────────────────────────────────────────────────────────────────────────


async def test_audiences_are_asked_for_with_a_new_shape_every_time(yard: Yard) -> None:
    ground = await yard.ground(EMBEDDED, People(officers=700, residents=900))
    store = open_store(ground.url)
    try:
        register = await load_register(store, Seal(bytes(32)))
    finally:
        await store.close()
    message = decode(Bulletin().body(datetime.now(UTC)), CONTENT_TYPE, load({}).hazards).message
    assert message is not None
    found = audience.measure(register, message, 3)
    assert found["inside"]["residents_2000"]["hits"] > 0
    assert found["whole_list_50"]["hits"] > found["inside"]["residents_50"]["hits"]
    assert found["code_prefix"]["hits"] > 0
    assert audience.areas(register, 50, 1) != audience.areas(register, 50, 2)


async def test_the_bare_ledger_writes_what_the_store_writes(postgres_store: Store, postgres_url: str) -> None:
    bare, now = await BareLedger.opened(plain(postgres_url)), datetime.now(UTC)
    connection = await asyncpg.connect(plain(postgres_url))
    try:
        await bare.plan("w", 7, [(f"resident-{number}", ledgers.TOWNSHIP) for number in range(5)])
        await bare.settle(7, [(2, "resident-2", "SM2", now, now)], 1)
        chunk = ledgers.chunk_of("w", 7)
        frozen = [FrozenRow(f"resident-{number}", 1, 0, ledgers.TOWNSHIP) for number in range(5)]
        async with postgres_store.begin() as tx:
            rows = await deliveries.plan(tx, chunk, frozen, 0, None)
            await deliveries.settle(tx, [ledgers.settled(7, rows[2], now, "SM2")])
        ours = [dict(row) for row in await connection.fetch("SELECT * FROM deliveries ORDER BY target")]
        theirs = [dict(row) for row in await connection.fetch("SELECT * FROM bare_deliveries ORDER BY target")]
        assert [row["target"] for row in ours if row.pop("answered_at")] == ["resident-2"]
        assert [row["target"] for row in theirs if row.pop("answered_at")] == ["resident-2"]
        for row in [*ours, *theirs]:
            assert (row.pop("took_us") is None) is (row["target"] != "resident-2")
        assert ours == theirs
    finally:
        await connection.close()
        await bare.close()


async def test_a_comparison_that_time_cut_short_is_said(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dispatcher.rehearsal.bench.yard.WHOLE_S", 0.0)
    monkeypatch.setattr("dispatcher.rehearsal.bench.yard.SHORTEST_S", 0.0)

    async def side() -> float:
        return 1.0

    found = await yard.in_turn(5, {"a": side, "b": side})
    assert len(found["a"]) == 3
    assert yard.short == ["时间到了，只量了 3 轮，不是 5 轮"]


# ── what is shown and what is refused ───────────────────────────────────────────────────────────────────────────────


def test_the_table_has_a_line_a_goal_and_says_what_was_not_measured() -> None:
    stream = io.StringIO()
    screen = BenchScreen(stream, live=False)
    screen.table([Measured(goal="P1", checks=(at_least("甲", 0.5, 0.75),)), not_measured("P2", "没有安装 celery")])
    told = stream.getvalue()
    assert ["P1", "未达到", "0.5", "≥", "0.75"] in [line.split() for line in told.splitlines()]
    assert "P2：没有安装 celery" in told
    assert "没有量" in told


def test_only_this_machines_services_are_used() -> None:
    with pytest.raises(BenchFailed, match=r"10\.1\.2\.3"):
        Servers.read("postgresql://postgres@10.1.2.3/postgres", "", "")


def test_a_broker_is_not_used_where_no_host_of_our_own_can_be_made_in_it() -> None:
    with pytest.raises(BenchFailed, match="rabbitmqctl"):
        Servers.read("", "amqp://guest:guest@127.0.0.1/", "")


def _bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MINGLUO_")}
    return subprocess.run(
        [sys.executable, "-m", "dispatcher", "bench", *arguments], env=environment, cwd=PROJECT,
        capture_output=True, encoding="utf-8", timeout=150, check=False,
    )  # fmt: skip


def test_a_goal_that_does_not_exist_ends_the_command_with_2() -> None:
    done = _bench("--only", "P14")
    assert (done.returncode, done.stdout) == (2, "")
    assert "P14" in done.stderr


def test_without_services_what_needs_them_is_null_and_the_rest_is_measured() -> None:
    done = _bench("--only", "P2,P11,P13", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    goals = found["goals"]
    assert list(goals) == ["P2", "P11", "P13"]
    assert goals["P2"]["met"] is None
    assert goals["P11"]["value"] is None
    assert goals["P13"]["value"] > 50
    assert goals["P13"]["missing"]
    assert found["machine"]["postgresql"] is None
    assert "没有 PostgreSQL 和 RabbitMQ" in done.stderr


async def test_nothing_is_left_of_a_ground_and_its_copies(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        yard = Yard(tmp_path, Servers(), lambda _what, _done, _total: None, stack)
        ground = await yard.ground(EMBEDDED, FEW)
        async with ground.copied() as url:
            assert Path(url.partition(":///")[2]).exists()
        assert not Path(url.partition(":///")[2]).exists()
        assert await yard.ground(EMBEDDED, FEW) is ground
    assert list(tmp_path.glob("ground-*")) == []
