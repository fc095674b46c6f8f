"""P1, P3, P10: how fast the engine sends beside the bare loops, by Twilio beside plain HTTP, and by a batch provider."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Final

from dispatcher.rehearsal.bench import paired
from dispatcher.rehearsal.bench.bulletin import Bulletin
from dispatcher.rehearsal.bench.engine import IN_FLIGHT, WINDOW, Engine, Run, Wish
from dispatcher.rehearsal.bench.goals import Check, Measured, at_least
from dispatcher.rehearsal.bench.orders import Hand
from dispatcher.rehearsal.bench.wire import head_of, tail_of
from dispatcher.rehearsal.bench.yard import CITY, NIGHT, ROUNDS, TOWN, Yard

OF_BARE: Final = 0.75
OF_FORM: Final = 1.1
OF_PLAIN: Final = 0.75
RECIPIENTS: Final = 50_000.0
SIZES: Final = {"3,200": Bulletin(residents=False), "20,000": Bulletin()}
HOW: Final = "从首次请求到最后一行落库；裸循环从首次请求到最后一个应答"


async def against_bare_loops(yard: Yard) -> Measured:
    """P1: four sides in turn, the same sink, number of requests under way, bytes and event loop."""
    at = (await yard.sink()).ready["url"]
    checks: list[Check] = []
    detail: dict[str, Any] = {"how": HOW, "in_flight": IN_FLIGHT, "window": WINDOW}
    async with AsyncExitStack() as opened:
        engines = {kind: await opened.enter_async_context(yard.engine(kind, TOWN, Wish(at=at))) for kind in yard.kinds}
        detail["loop"] = next(iter(engines.values())).hand.ready["loop"]
        for size, bulletin in SIZES.items():
            runs = await _beside_loops(yard, engines, bulletin)
            more, detail[size] = _compared(size, runs)
            checks += more
    return Measured(goal="P1", checks=tuple(checks), detail=detail, missing=yard.missing)


async def _beside_loops(yard: Yard, engines: Mapping[str, Engine], bulletin: Bulletin) -> dict[str, list[Run]]:
    warm = [await engine.run(bulletin) for engine in engines.values()]
    sample = warm[0]  # what the bare loops send too
    loops, sink = await yard.loops(), await yard.sink()
    sides: dict[str, Callable[[], Awaitable[Run]]] = {
        "encoded": partial(bare, loops, sink, "encoded", sample),
        "form": partial(bare, loops, sink, "form", sample),
        **{kind: partial(engine.run, bulletin) for kind, engine in engines.items()},
    }
    return await yard.in_turn(ROUNDS, sides)


async def bare(loops: Hand, sink: Hand, form: str, like: Run) -> Run:
    """A bare loop over as many messages of as many bytes as the engine sent."""
    at = sink.ready["url"]
    short = len(head_of("+8615400000000", "")) + len(tail_of(like.text)) + 8
    order: dict[str, Any] = {
        "url": f"{at}/1/plain",
        "count": like.planned,
        "in_flight": IN_FLIGHT,
        "text": like.text,
        "key": "k" * max(0, like.body_bytes - short),
    }
    await sink.ask("take")
    made = await loops.ask(form, **order)
    (path,) = (await sink.ask("take"))["paths"].values()
    assert path["count"] == made["count"] == like.planned
    return Run(
        warning_id="",
        planned=like.planned,
        count=path["count"],
        published=made["began"],
        first=path["first"],
        last=path["last"],
        settled=made["ended"],
        cpu_s=made["cpu_s"],
        text=like.text,
        body_bytes=path["body_bytes"] // path["count"],
    )


def _compared(size: str, runs: Mapping[str, Sequence[Run]]) -> tuple[list[Check], dict[str, Any]]:
    rates = {side: [run.rate for run in some] for side, some in runs.items()}
    checks = []
    detail: dict[str, Any] = {side: told(some) for side, some in runs.items()}
    for kind in [side for side in runs if side not in ("encoded", "form")]:
        of_bare, of_form = paired.ratio(rates[kind], rates["encoded"]), paired.ratio(rates[kind], rates["form"])
        checks.append(at_least(f"{kind} {size} 条 ÷ 裸循环", of_bare, OF_BARE))
        checks.append(at_least(f"{kind} {size} 条 ÷ 普通 data={{}} 循环", of_form, OF_FORM))
        cpu = paired.ratio([run.cpu_us for run in runs[kind]], [run.cpu_us for run in runs["encoded"]])
        detail[kind]["cpu_of_bare"] = round(cpu, 2)
    return checks, detail


def told(runs: Sequence[Run]) -> dict[str, Any]:
    """Rates, CPU and bytes of one side, over all rounds."""
    return {
        "messages": runs[0].planned,
        "rate": paired.spread([run.rate for run in runs]),
        "rate_to_last_post": paired.spread([run.posted_rate for run in runs]),
        "cpu_us": paired.spread([run.cpu_us for run in runs]),
        "body_bytes": runs[0].body_bytes,
    }


async def twilio_against_plain(yard: Yard) -> Measured:
    """P3: the same engine, the same people; the one path plain, the other with account, call-back, validity and JSON."""
    at = (await yard.sink()).ready["url"]
    bulletin = Bulletin(residents=False)
    async with (
        yard.engine(yard.best, NIGHT, Wish(at=at)) as plain,
        yard.engine(yard.best, NIGHT, Wish(sms="twilio", at=at)) as twilio,
    ):
        for engine in (plain, twilio):
            await engine.run(bulletin)
        sides = {"plain": partial(plain.run, bulletin), "twilio": partial(twilio.run, bulletin)}
        runs = await yard.in_turn(ROUNDS + 2, sides)
    rates = {side: [run.rate for run in some] for side, some in runs.items()}
    value = paired.ratio(rates["twilio"], rates["plain"])
    detail = {side: told(some) for side, some in runs.items()}
    return Measured(
        goal="P3",
        checks=(at_least(f"Twilio ÷ 普通 HTTP（{yard.best}，3,200 条）", value, OF_PLAIN),),
        detail={"engine": yard.best, **detail},
    )


async def by_the_hundred(yard: Yard) -> Measured:
    """P10: 100 numbers a request, to everybody in the city."""
    at = (await yard.sink()).ready["url"]
    checks, detail = [], {}
    for kind in yard.kinds:
        async with yard.engine(kind, CITY, Wish(sms="batch", at=at)) as engine:
            await engine.run(Bulletin(residents=False))
            sides = {kind: partial(engine.run, Bulletin())}
            runs = (await yard.in_turn(ROUNDS, sides))[kind]
        detail[kind] = {**told(runs), "requests": runs[0].count}
        checks.append(at_least(f"{kind} 每秒人数", paired.middle([run.rate for run in runs]), RECIPIENTS, "人/秒"))
    return Measured(goal="P10", checks=tuple(checks), detail=detail, missing=yard.missing)
