"""P2: the engine beside a Celery program that does the same work, with an instant provider and with one of 50 ms."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from typing import Final

from dispatcher.rehearsal.bench import paired, servers
from dispatcher.rehearsal.bench.bulletin import Bulletin
from dispatcher.rehearsal.bench.engine import WINDOW, Engine, Wish
from dispatcher.rehearsal.bench.goals import Measured, at_least, not_measured
from dispatcher.rehearsal.bench.orders import Hand, hired
from dispatcher.rehearsal.bench.yard import FEW, NIGHT, REAL, Yard
from dispatcher.rehearsal.demo_stage import outside_environment
from dispatcher.settings import PROJECT

TIMES: Final = 20.0
TIMES_SLOW: Final = 80.0
PREFORK: Final = 2
MESSAGES: Final = 3_000
MESSAGES_SLOW: Final = 300
"""At some 30 a second, 3,000 would take minutes and show the same rate."""
WARM: Final = 50
MANY: Final = 200
"""Requests under way at a provider of 50 ms: in-flight ÷ latency is the rate."""
END_S: Final = 15.0
NEEDED: Final = ("celery", "psycopg")
MODULE: Final = "dispatcher.rehearsal.bench.baseline"


async def against_celery(yard: Yard) -> Measured:
    """Both on RabbitMQ and PostgreSQL, each in a virtual host and a database of its own."""
    if yard.servers.missing:
        return not_measured("P2", yard.servers.missing)
    absent = [name for name in NEEDED if find_spec(name) is None]
    if absent:
        return not_measured("P2", f"没有安装 {'、'.join(absent)}（开发依赖）：请先 make install-dev")
    at = (await yard.sink()).ready["url"]
    found: dict[str, dict[str, list[float]]] = {}
    for name, where, count, in_flight in (
        ("fast", at, MESSAGES, 50),
        ("slow", f"{at}/slow", MESSAGES_SLOW, MANY),
    ):
        wish = Wish(sms="twilio", at=where, in_flight=in_flight)
        async with yard.engine(REAL, NIGHT, wish) as engine, _celery(yard, where) as celery:
            text = (await engine.run(Bulletin(residents=False))).text
            await _celery_rate(yard, celery, WARM, text)
            sides = {
                "engine": partial(_engine_rate, engine),
                "celery": partial(_celery_rate, yard, celery, count, text),
            }
            found[name] = await yard.in_turn(FEW, sides)
    ratios = {name: paired.ratio(some["engine"], some["celery"]) for name, some in found.items()}
    return Measured(
        goal="P2",
        checks=(
            at_least("即答的服务商", ratios["fast"], TIMES, "倍"),
            at_least("每次 50 毫秒的服务商", ratios["slow"], TIMES_SLOW, "倍"),
        ),
        detail={
            "celery": f"{version('celery')}，预派生 {PREFORK} 进程，Twilio SDK，每条一行（一次 INSERT），默认设置",
            "messages": {"fast": MESSAGES, "slow": MESSAGES_SLOW},
            "engine": f"{REAL}，Twilio 通道，W {WINDOW}，在途 50；50 毫秒时在途 {MANY}",
            **{name: {side: paired.spread(rates) for side, rates in some.items()} for name, some in found.items()},
        },
    )


async def _engine_rate(engine: Engine) -> float:
    return (await engine.run(Bulletin(residents=False))).rate


async def _celery_rate(yard: Yard, celery: Hand, count: int, text: str) -> float:
    """From the first POST to the last row, as with the engine."""
    sink = await yard.sink()
    await sink.ask("take")
    await celery.ask("enqueue", count=count, text=text)
    settled = (await celery.ask("landed", count=count))["settled"]
    first = min(one["first"] for one in (await sink.ask("take"))["paths"].values())
    return float(count / (settled - first))


@asynccontextmanager
async def _celery(yard: Yard, where: str) -> AsyncIterator[Hand]:
    """A worker with its pool, and the process that enqueues."""
    server = yard.servers.postgres
    url = await servers.create_database(server)
    try:
        async with yard.host_of(REAL) as amqp:
            environment = {
                "BENCH_CELERY_BROKER": amqp,
                "BENCH_CELERY_DATABASE": servers.plain(url),
                "BENCH_CELERY_SINK": where,
            }
            async with hired("baseline", yard.log("celery-enqueue"), environment) as hand:
                await hand.ask("prepare")
                async with _worker(yard, environment):
                    yield hand
    finally:
        await servers.drop_database(server, url)


@asynccontextmanager
async def _worker(yard: Yard, environment: Mapping[str, str]) -> AsyncIterator[None]:
    log = yard.log("celery-worker")
    with log.open("ab") as said:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "celery", "-A", MODULE, "worker", "-P", "prefork", "-c", str(PREFORK)),
            *("-l", "warning"),
            env={**outside_environment(), "C_FORCE_ROOT": "1", **environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            cwd=PROJECT,
            start_new_session=True,
        )
    try:
        yield
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Worker and pool have a group of their own; whoever does not hear is killed with it."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(END_S):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
