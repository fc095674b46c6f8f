"""P6, P13: what a message costs when there are very many, and what the service holds when there is nothing to do."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import Any, Final

from dispatcher.rehearsal.bench import paired
from dispatcher.rehearsal.bench.bulletin import Bulletin
from dispatcher.rehearsal.bench.engine import Engine, Run, Wish, environment_of
from dispatcher.rehearsal.bench.goals import Check, Measured, at_most
from dispatcher.rehearsal.bench.ground import People
from dispatcher.rehearsal.bench.orders import START_LIMIT_S, BenchFailed, held_mib
from dispatcher.rehearsal.bench.yard import CITY, FEW, NIGHT, ROUNDS, Yard
from dispatcher.rehearsal.demo_stage import outside_environment
from dispatcher.settings import PROJECT

CHEAPER: Final = 1.15
BASE_MIB: Final = 150.0
EACH_MIB: Final = 0.3 / 1024
IDLE_MIB: Final = 150.0
MILLION: Final = 1_000_000
PATIENCE_S: Final = 360.0
"""A million that would take longer is not waited for: then a third of it stands for it, and says so."""
THIRD: Final = 300_000
STILL_S: Final = 6.0
NOWHERE: Final = "http://127.0.0.1:9"
OFFICERS_ALONE: Final = Bulletin(residents=False)
EVERYBODY: Final = Bulletin()


async def very_many(yard: Yard) -> Measured:
    """P6: one engine a size, in a process of its own, so that its memory is its own; 3,000 and 100,000 in turn."""
    checks: list[Check] = []
    detail: dict[str, Any] = {"engine": yard.best, "unit": "dispatcher 进程每条的 CPU 微秒"}
    at = (await yard.sink()).ready["url"]
    async with (
        yard.engine(yard.best, NIGHT, Wish(at=at)) as small,
        yard.engine(yard.best, CITY, Wish(at=at)) as large,
    ):
        await small.run(OFFICERS_ALONE)
        await large.run(OFFICERS_ALONE)
        sides = {"3,200": lambda: small.run(OFFICERS_ALONE), "100,000": lambda: large.run(EVERYBODY)}
        runs = await yard.in_turn(FEW, sides)
        base = paired.middle([run.cpu_us for run in runs["3,200"]])
        more = paired.ratio([run.cpu_us for run in runs["100,000"]], [run.cpu_us for run in runs["3,200"]])
        checks.append(at_most("100,000 条每条 CPU ÷ 3,200 条时", more, CHEAPER))
        for name, engine in (("3,200", small), ("100,000", large)):
            check, detail[name] = await _memory(name, engine, runs[name])
            checks.append(check)
    people, why = _largest(runs["100,000"])
    name = f"{people.residents:,}"
    run, check, detail[name] = await _once(yard, people, name)
    checks += [at_most(f"{name} 户每条 CPU ÷ 3,200 条时", run.cpu_us / base, CHEAPER), check]
    detail["plot"] = [
        [side, some[0].planned, paired.middle([one.cpu_us for one in some])] for side, some in runs.items()
    ]
    detail["plot"].append([name, run.planned, run.cpu_us])
    return Measured(goal="P6", checks=tuple(checks), detail=detail, missing=(why,) if why else ())


def _largest(runs: Sequence[Run]) -> tuple[People, str]:
    rate = paired.middle([run.rate for run in runs])
    if MILLION / rate <= PATIENCE_S:
        return People(officers=NIGHT.officers, residents=MILLION), ""
    why = f"100 万条在这台机器上约需 {MILLION / rate / 60:.0f} 分钟，超过 6 分钟，只量到 {THIRD:,} 户"
    return People(officers=NIGHT.officers, residents=THIRD), why


async def _once(yard: Yard, people: People, name: str) -> tuple[Run, Check, dict[str, Any]]:
    at = (await yard.sink()).ready["url"]
    async with yard.engine(yard.best, people, Wish(at=at)) as engine:
        await engine.run(OFFICERS_ALONE)
        yard.tell(f"{name} 户", 0, 1)
        run = await engine.run(EVERYBODY)
        check, told = await _memory(name, engine, [run])
    return run, check, told


async def _memory(name: str, engine: Engine, runs: Sequence[Run]) -> tuple[Check, dict[str, Any]]:
    held = await engine.hand.ask("memory")
    bound = BASE_MIB + EACH_MIB * held["residents"]
    told = {
        "messages": runs[0].planned,
        "rate": paired.spread([run.rate for run in runs]),
        "cpu_us": paired.spread([run.cpu_us for run in runs]),
        **held,
    }
    return at_most(f"{name} 最大内存", held["peak_mib"], round(bound, 1), "MiB"), told


async def idle(yard: Yard) -> Measured:
    """P13: the service with all its roles and Ji'an's register, seconds after its start, with nothing to do."""
    checks: list[Check] = []
    detail: dict[str, Any] = {}
    for kind in yard.kinds:
        people = People(residents=0)
        held: list[float] = []
        for number in range(ROUNDS):
            yard.tell(kind, number, ROUNDS)
            held.append(await _idle(yard, kind, people))
        detail[kind] = {"held_mib": paired.spread(held), "officers": people.officers}
        checks.append(at_most(f"{kind} 空载", paired.middle(held), IDLE_MIB, "MiB"))
    detail["how"] = "mingluo serve，全部角色（含控制台），区划和 3,200 名信息员在内存，就绪后闲置 6 秒时的 VmRSS"
    return Measured(goal="P13", checks=tuple(checks), detail=detail, missing=yard.missing)


async def _idle(yard: Yard, kind: str, people: People) -> float:
    """`mingluo serve` itself, with nothing of the benchmark in it."""
    base = await yard.ground(kind, people)
    async with base.copied() as url, yard.host_of(kind) as amqp:
        environment = environment_of(url, amqp, base.key, Wish(sms="twilio", at=NOWHERE))
        log = yard.log("serve")
        with log.open("ab") as said:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "dispatcher", "serve"),
                env={**outside_environment(), **environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=said,
                cwd=PROJECT,
            )
        try:
            await _ready(process)
            await asyncio.sleep(STILL_S)
            return held_mib(process.pid)
        finally:
            process.terminate()
            await process.wait()


async def _ready(process: asyncio.subprocess.Process) -> None:
    """Until it says so itself."""
    assert process.stdout is not None
    async with asyncio.timeout(START_LIMIT_S):
        async for line in process.stdout:
            if "已就绪" in line.decode(errors="replace"):
                return
    raise BenchFailed("mingluo serve 没有就绪")
