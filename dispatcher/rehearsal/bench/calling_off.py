"""C1: a warning is called off while it goes out to 20,000: what still leaves, who is told, and who must not be.

The provider answers after 20 ms and takes 64 at once, as channels.yaml has it for one that takes a message a request: 3,200 a
second. That is fast enough for the bound to be about us: at 99 % it is 19,800 people in ten seconds, which no engine keeps with
a provider that takes fewer than 2,000 a second. While the call-off is on its way to us the provider answers after 100 ms, so
that one per cent of a fan-out lasts 0.3 s and can be hit.

The acceptance is the earliest moment at which the call-off may have been committed. What came of it is said by judge.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from dispatcher.rehearsal.bench.bulletin import Bulletin, call_off
from dispatcher.rehearsal.bench.engine import LANDING_S, Engine, Wish
from dispatcher.rehearsal.bench.goals import Check, Measured, at_most, rounded
from dispatcher.rehearsal.bench.ground import People
from dispatcher.rehearsal.bench.judge import Row, Verdict, judge
from dispatcher.rehearsal.bench.logbook import CityLog, Logbook, SinkLog
from dispatcher.rehearsal.bench.orders import Hand, hired, now_s
from dispatcher.rehearsal.bench.yard import NIGHT, TOWN, Yard
from dispatcher.rehearsal.demo_stage import City, city

SHARES: Final = (0.01, 0.25, 0.50, 0.75, 0.99)
LAST_ORIGINAL_S: Final = 2.0
TOLD_S: Final = 10.0
IN_FLIGHT: Final = 64
NEAR_S: Final = 0.02
FAR_S: Final = 0.1
SLOWING: Final = 0.03
"""From so much of a fan-out before the aim, the provider is slow."""
OFF: Final = 0.01
LEAD: Final = 0.005
"""So much of a fan-out leaves while the call-off is on its way to us."""
ATTEMPTS: Final = 4
HALF: Final = 0.5
ANYWHERE: Final = 0.4
"""In the played city it is enough that both channels are under way."""
HOW: Final = (
    "从解除可能已提交的最早一刻起（负数：在它之前），只按服务商答复之前自己记下的时刻和静止后的台账判定；"
    "服务商同时 64 条，20 毫秒一答，解除在途时 100 毫秒一答"
)
LOOK_S: Final = 0.004
STILL_S: Final = 1.0
LIMIT_S: Final = 120.0
CITY: Final = "扮演的城市（短信+大喇叭）"


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """When a call-off is sent: `at` is the part of the fan-out that has come, so that it is accepted at `share`."""

    kind: str
    share: float
    at: float
    off: float = OFF
    """A call-off accepted further than this from its share is judged too, and tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalledOff:
    """One warning and its call-off, judged."""

    aim: Aim
    planned: int
    accepted_ms: float
    """From the call-off's publication to its acceptance."""
    uncertain_ms: float
    """How far apart the two moments are between which its commit lay."""
    cpu_s: float
    """What the engine used from the call-off's publication until its last row was durable."""
    verdict: Verdict

    @property
    def hit(self) -> float:
        """How far the fan-out was at the acceptance."""
        return self.verdict.before / self.planned

    @property
    def found_its_share(self) -> bool:
        return self.verdict.before < self.planned and abs(self.hit - self.aim.share) <= self.aim.off

    def facts(self) -> dict[str, Any]:
        own = {"kind": self.aim.kind, "share": self.aim.share, "hit": self.hit, "planned": self.planned}
        took = {"accepted_ms": self.accepted_ms, "uncertain_ms": self.uncertain_ms, "cpu_s": self.cpu_s}
        found = {**own, **took, **asdict(self.verdict)}
        return {name: rounded(value) if isinstance(value, float) else value for name, value in found.items()}


async def calling_off(yard: Yard) -> Measured:
    """Every share on every pair, one engine a pair, each time a warning of its own."""
    found: list[CalledOff] = []
    async with hired("sink", yard.log("sink-log"), arguments=["--keys"]) as sink:
        for kind in yard.kinds:
            async with yard.engine(kind, TOWN, wish(sink), sink) as engine:
                for number, share in enumerate(SHARES):
                    yard.tell(f"{kind} {share:.0%}", number, len(SHARES))
                    aim = Aim(kind=kind, share=share, at=share - LEAD)
                    found += await until_hit(engine, SinkLog(sink), aim, Bulletin())
    found += await in_the_city(yard)
    return measured(found, yard.missing)


def wish(sink: Hand) -> Wish:
    return Wish(at=f"{sink.ready['url']}/late", in_flight=IN_FLIGHT)


async def in_the_city(yard: Yard, officers: int = NIGHT.officers) -> list[CalledOff]:
    """Once, half way, by Twilio's interface and by the loudspeakers' packets, with receipts coming back meanwhile."""
    folder = yard.log("city").with_suffix("")
    await asyncio.to_thread(folder.mkdir)
    async with city(folder) as place:
        people = People(officers=officers, machines_at=f"{place.url('gateway')}/gateways")
        async with yard.engine(yard.best, people, city_wish(place)) as engine:
            yard.tell(CITY, 0, 1)
            aim = Aim(kind=CITY, share=HALF, at=HALF, off=ANYWHERE)
            return await until_hit(engine, CityLog(folder / "providers"), aim, Bulletin())


def city_wish(place: City) -> Wish:
    more = {
        "MINGLUO_TWILIO_ACCOUNT_SID": place.account,
        "MINGLUO_TWILIO_AUTH_TOKEN": place.token,
        "MINGLUO_EBM_SECRET": place.callback_token,
        "MINGLUO_POLICY__LEVELS__RED__CHANNELS": "[sms, broadcast]",
    }
    return Wish(sms="twilio", at=place.url("sms"), in_flight=IN_FLIGHT, roles="intake,send,timers,web", more=more)


async def until_hit(engine: Engine, book: Logbook, aim: Aim, bulletin: Bulletin) -> list[CalledOff]:
    """Sends the call-off earlier or later until it is accepted at its share; every attempt is judged, none is dropped."""
    found: list[CalledOff] = []
    while len(found) < ATTEMPTS and not (found and found[-1].found_its_share):
        found.append(await called_off(engine, book, aim, bulletin))
        aim = replace(aim, at=aim.at - (found[-1].hit - aim.share))
    return found


async def called_off(engine: Engine, book: Logbook, aim: Aim, bulletin: Bulletin) -> CalledOff:
    """One fan-out, called off on its way, followed until nothing moves any more, and judged."""
    await book.begin()
    await book.answer_after(NEAR_S if aim.at > SLOWING else FAR_S)
    body = bulletin.body(datetime.now(UTC))
    original, _ = await _accepted(engine, body)
    await _come(book, (aim.at - SLOWING) * original["planned"])
    await book.answer_after(FAR_S)
    await _come(book, max(1.0, aim.at * original["planned"]))
    last_word = call_off(body, datetime.now(UTC))
    await engine.hand.ask("begin")
    kept, published = await _accepted(engine, last_word)
    await book.answer_after(NEAR_S)
    used = await _landed(engine, last_word, body) if kept["planned"] else await _landed(engine, body)
    await _still(book, kept["not_before"] + LAST_ORIGINAL_S)
    rows = (await engine.hand.ask("opened", warning_id=original["warning_id"]))["rows"]
    return CalledOff(
        aim=aim,
        planned=original["planned"],
        accepted_ms=(kept["not_before"] - published) * 1000,
        uncertain_ms=(kept["not_after"] - kept["not_before"]) * 1000,
        cpu_s=used,
        verdict=judge(await book.lines(), [Row.read(row) for row in rows], kept["not_before"]),
    )


async def _accepted(engine: Engine, body: bytes) -> tuple[Mapping[str, Any], float]:
    published = await engine.warn(body)
    return await engine.hand.ask("accepted", body=body.decode(), published=published), published


async def _landed(engine: Engine, *bodies: bytes) -> float:
    """Every row of them has a durable result; what the engine used until the first of them had."""
    told = [await engine.hand.ask("landed", LANDING_S, body=body.decode()) for body in bodies]
    return float(told[0]["cpu_s"])


async def _come(book: Logbook, count: float) -> None:
    async with asyncio.timeout(LIMIT_S):
        while True:
            if await book.count() >= count:
                return
            await asyncio.sleep(LOOK_S)


async def _still(book: Logbook, not_before: float) -> None:
    """Nothing came for a while, and whatever must not come any more has had the time to."""
    async with asyncio.timeout(LIMIT_S):
        before, count = -1, await book.count()
        while count != before or now_s() < not_before:
            await asyncio.sleep(STILL_S)
            before, count = count, await book.count()


# ── what is said of it ──────────────────────────────────────────────────────────────────────────────────────────────


def measured(found: Sequence[CalledOff], missing: Sequence[str]) -> Measured:
    """Pure. The worst of all attempts of a pair stands beside its bound."""
    kinds = dict.fromkeys(one.aim.kind for one in found)
    return Measured(
        goal="C1",
        checks=tuple(
            check for kind in kinds for check in _checks(kind, [one for one in found if one.aim.kind == kind])
        ),
        detail={"how": HOW, "runs": [one.facts() for one in found]},
        missing=(*missing, *_never_hit(found), *_never_stopped(found)),
    )


def _checks(kind: str, found: Sequence[CalledOff]) -> list[Check]:
    verdicts = [one.verdict for one in found]
    return [
        at_most(
            f"{kind} 受理解除后，最后一条原预警", _most(v.last_original_s for v in verdicts), LAST_ORIGINAL_S, "秒"
        ),
        at_most(f"{kind} 受理解除后，最后一个该知道的人得知", _most(v.last_told_s for v in verdicts), TOLD_S, "秒"),
        at_most(f"{kind} 收到过或可能收到过预警，没有收到解除", float(sum(v.untold for v in verdicts)), 0.0, "人"),
        at_most(f"{kind} 没有放行也没有发过，却收到解除", float(sum(v.needless for v in verdicts)), 0.0, "人"),
        at_most(f"{kind} 先收到解除，后收到原预警", float(sum(v.out_of_order for v in verdicts)), 0.0, "人"),
    ]


def _never_hit(found: Sequence[CalledOff]) -> list[str]:
    hits: dict[tuple[str, float], list[CalledOff]] = {}
    for one in found:
        hits.setdefault((one.aim.kind, one.aim.share), []).append(one)
    return [
        f"{kind} 没能在发到 {share:.0%} 时受理解除，受理时发到 {'、'.join(f'{one.hit:.1%}' for one in some)}"
        for (kind, share), some in hits.items()
        if not any(one.found_its_share for one in some)
    ]


def _never_stopped(found: Sequence[CalledOff]) -> list[str]:
    played = [one for one in found if one.aim.kind == CITY]
    return [f"{CITY} 没有一个网关收到停播" for _ in played[:1] if not any(one.verdict.loudspeakers for one in played)]


def _most(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)
