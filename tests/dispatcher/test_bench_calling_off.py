"""C1: each promise of a call-off can be seen broken in a falsified record, and a real engine keeps them all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import ClientSession

from dispatcher.intake.decode import decode
from dispatcher.model import Kind
from dispatcher.rehearsal.bench import calling_off
from dispatcher.rehearsal.bench.bulletin import CONTENT_TYPE, Bulletin, call_off
from dispatcher.rehearsal.bench.calling_off import CITY, Aim, CalledOff, measured
from dispatcher.rehearsal.bench.ground import People
from dispatcher.rehearsal.bench.judge import Came, Row, Verdict, judge
from dispatcher.rehearsal.bench.logbook import SinkLog
from dispatcher.rehearsal.bench.orders import hired, now_s
from dispatcher.rehearsal.bench.servers import Servers
from dispatcher.rehearsal.bench.yard import EMBEDDED, Yard, opened
from dispatcher.settings import load

pytestmark = [pytest.mark.long, pytest.mark.timeout(180)]
ACCEPTED = 1_000.0
AIM = Aim(kind="K", share=0.5, at=0.5)
ROUGHLY = replace(AIM, off=0.1)
"""Three of seven is half."""
Record = tuple[list[Came], list[Row]]
"""The provider's log and the ledger's rows."""


@pytest.fixture
async def yard(tmp_path: Path) -> AsyncIterator[Yard]:
    async with opened(tmp_path / "yard", Servers(), lambda _what, _done, _total: None) as made:
        yield made


# ── falsified records ───────────────────────────────────────────────────────────────────────────────────────────────


def came(target: str, after_s: float, *, off: bool = False) -> Came:
    return Came(target=target, at=ACCEPTED + after_s, call_off=off)


def row(target: str, state: str, *, opened: bool = False, flagged: bool = False, tries: int = 0) -> Row:
    return Row(target=target, state=state, opened=opened, flagged=flagged, tries=tries)


def honest() -> Record:
    """a, b, c had it before; d while it was accepted; e had been let go; f and g never were."""
    log = [came("a", -0.3), came("b", -0.2), came("c", -0.1), came("d", 0.02)]
    log += [came(target, 0.5 + place / 10, off=True) for place, target in enumerate("abcde")]
    rows = [row(target, "delivered", opened=True, tries=1) for target in "abcd"]
    return log, [*rows, row("e", "withdrawn", opened=True), row("f", "withdrawn"), row("g", "withdrawn")]


def an_original_starts_late(of: Record) -> Record:
    return [*of[0], came("h", 2.1), came("h", 2.2, off=True)], [*of[1], row("h", "delivered", opened=True)]


def an_original_is_repeated_late(of: Record) -> Record:
    return [*[one for one in of[0] if one != came("a", 0.5, off=True)], came("a", 2.1), came("a", 2.2, off=True)], of[1]


def somebody_is_told_late(of: Record) -> Record:
    return [replace(one, at=ACCEPTED + 10.1) if one.call_off and one.target == "e" else one for one in of[0]], of[1]


def whoever_had_it_is_not_told(of: Record) -> Record:
    return [one for one in of[0] if not (one.call_off and one.target == "b")], of[1]


def whoever_is_in_no_row_is_not_told(of: Record) -> Record:
    return [came("z", -0.4), *of[0]], of[1]


def whoever_was_let_go_is_not_told(of: Record) -> Record:
    return [one for one in of[0] if one.target != "e"], of[1]


def whoever_may_have_had_it_is_not_told(of: Record) -> Record:
    return of[0], [*of[1], row("h", "unknown", opened=True, tries=1)]


def whoever_is_flagged_is_not_told(of: Record) -> Record:
    return of[0], [*of[1], row("h", "failed", opened=True, flagged=True, tries=2)]


def nobody_is_told(of: Record) -> Record:
    return [one for one in of[0] if not one.call_off], of[1]


def whoever_was_never_let_go_is_told(of: Record) -> Record:
    return [*of[0], came("f", 0.9, off=True)], of[1]


def a_stranger_is_told(of: Record) -> Record:
    return [*of[0], came("stranger", 0.9, off=True)], of[1]


def the_call_off_comes_first(of: Record) -> Record:
    return [*of[0], came("e", 1.2)], of[1]


def the_original_comes_again_after_it(of: Record) -> Record:
    return [*of[0], came("c", 1.2)], of[1]


def judged(record: Record) -> CalledOff:
    verdict = judge(*record, ACCEPTED)
    return CalledOff(aim=ROUGHLY, planned=7, accepted_ms=40.0, uncertain_ms=4.0, cpu_s=1.0, verdict=verdict)


def red(one: CalledOff) -> list[str]:
    found = measured([one], ())
    broken = [check.name.removeprefix("K ") for check in found.checks if check.met is False]
    assert found.met is not bool(broken)
    return broken


def test_an_honest_record_breaks_no_promise() -> None:
    found = judge(*honest(), ACCEPTED)
    assert (found.originals, found.before, found.calls_off, found.on_their_way) == (4, 3, 5, 1)
    assert (found.untold, found.needless, found.out_of_order) == (0, 0, 0)
    assert found.last_original_s == pytest.approx(0.02)
    assert found.last_told_s == pytest.approx(0.9)
    assert red(judged(honest())) == []


@pytest.mark.parametrize(
    ("falsify", "promise"),
    [
        (an_original_starts_late, "受理解除后，最后一条原预警"),
        (an_original_is_repeated_late, "受理解除后，最后一条原预警"),
        (somebody_is_told_late, "受理解除后，最后一个该知道的人得知"),
        (whoever_had_it_is_not_told, "收到过或可能收到过预警，没有收到解除"),
        (whoever_is_in_no_row_is_not_told, "收到过或可能收到过预警，没有收到解除"),
        (whoever_was_let_go_is_not_told, "收到过或可能收到过预警，没有收到解除"),
        (whoever_may_have_had_it_is_not_told, "收到过或可能收到过预警，没有收到解除"),
        (whoever_is_flagged_is_not_told, "收到过或可能收到过预警，没有收到解除"),
        (nobody_is_told, "收到过或可能收到过预警，没有收到解除"),
        (whoever_was_never_let_go_is_told, "没有放行也没有发过，却收到解除"),
        (a_stranger_is_told, "没有放行也没有发过，却收到解除"),
        (the_call_off_comes_first, "先收到解除，后收到原预警"),
        (the_original_comes_again_after_it, "先收到解除，后收到原预警"),
    ],
)
def test_each_broken_promise_turns_its_check_red_and_no_other(
    falsify: Callable[[Record], Record], promise: str
) -> None:
    assert red(judged(falsify(honest()))) == [promise]


def test_whoever_every_try_surely_failed_to_reach_need_not_be_told_but_may_be() -> None:
    log, rows = honest()
    failed = row("h", "withdrawn", opened=True, tries=1)
    assert red(judged((log, [*rows, failed]))) == []
    assert red(judged(([*log, came("h", 0.9, off=True)], [*rows, failed]))) == []


# ── where the call-off found the fan-out ────────────────────────────────────────────────────────────────────────────


def hit(before: int, **more: int) -> CalledOff:
    one = judged(honest())
    return replace(one, aim=AIM, planned=100, verdict=replace(one.verdict, before=before, **more))


def test_a_share_that_was_never_hit_is_said_and_the_goal_is_not_called_met() -> None:
    found = measured([hit(40), hit(52)], ())
    assert found.met is None
    assert found.missing == ("K 没能在发到 50% 时受理解除，受理时发到 40.0%、52.0%",)
    assert measured([hit(40), hit(50)], ()).met is True


def test_a_fan_out_that_was_over_was_not_called_off_on_its_way() -> None:
    over = replace(hit(100), aim=replace(AIM, share=0.99))
    assert not over.found_its_share
    assert replace(over, verdict=replace(over.verdict, before=99)).found_its_share


def test_an_attempt_that_missed_its_share_is_judged_all_the_same() -> None:
    assert measured([hit(40, untold=1), hit(50)], ()).met is False


def test_a_city_whose_loudspeakers_heard_of_no_stop_has_not_been_measured() -> None:
    silent = replace(hit(50), aim=replace(AIM, kind=CITY))
    assert measured([silent], ()).met is None
    assert measured([replace(silent, verdict=replace(silent.verdict, loudspeakers=3))], ()).met is True


# ── for real ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_call_off_names_what_it_calls_off() -> None:
    body = Bulletin().body(datetime.now(UTC))
    first, second = (
        decode(one, CONTENT_TYPE, load({}).hazards).message for one in (body, call_off(body, datetime.now(UTC)))
    )
    assert first is not None
    assert second is not None
    assert second.kind is Kind.CANCEL
    (named,) = second.references
    assert (named.sender, named.identifier, named.sent) == (first.sender, first.identifier, first.sent)
    assert second.identifier != first.identifier


async def test_the_sink_writes_down_who_was_asked_for_when_before_it_answers(tmp_path: Path) -> None:
    async with hired("sink", tmp_path / "sink.log", arguments=["--keys"]) as sink, ClientSession() as session:
        book = SinkLog(sink)
        await book.begin()
        await book.answer_after(0.02)
        for path, key in (("1/plain", "w.officer-1.sms.0"), ("1/cancel", "x.officer-1.sms.0")):
            began = now_s()
            async with session.post(f"{sink.ready['url']}/late/{path}", data=f"To=1&Key={key}&From=2") as answer:
                assert answer.status == 200
            assert now_s() - began >= 0.02
        assert await book.count() == 2
        first, second = await book.lines()
        assert [(one.target, one.call_off) for one in (first, second)] == [("officer-1", False), ("officer-1", True)]
        assert second.at - first.at >= 0.02
        assert await book.lines() == []


def kept(verdict: Verdict) -> None:
    assert (verdict.untold, verdict.needless, verdict.out_of_order) == (0, 0, 0)
    assert verdict.before > 0
    assert verdict.calls_off >= verdict.before
    assert verdict.last_told_s is not None
    assert verdict.last_told_s < calling_off.TOLD_S


async def test_a_real_fan_out_is_called_off_on_its_way(yard: Yard) -> None:
    aim, people = Aim(kind=EMBEDDED, share=0.5, at=0.3, off=0.4), People(officers=700)
    async with (
        hired("sink", yard.log("sink"), arguments=["--keys"]) as sink,
        yard.engine(EMBEDDED, people, calling_off.wish(sink), sink) as engine,
    ):
        found = await calling_off.until_hit(engine, SinkLog(sink), aim, Bulletin(residents=False))
    kept(found[-1].verdict)
    assert found[-1].found_its_share
    assert found[-1].verdict.originals < found[-1].planned
    assert found[-1].planned > people.officers
    assert measured(found, ()).met is True


async def test_in_the_played_city_the_loudspeakers_are_stopped_too(yard: Yard) -> None:
    found = await calling_off.in_the_city(yard, officers=700)
    kept(found[-1].verdict)
    assert found[-1].verdict.loudspeakers > 0
