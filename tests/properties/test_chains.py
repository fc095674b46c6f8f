"""Alerts, updates, call-offs and their repetitions in any order, while the sending goes on, fails, dies and comes back: the
house does what a small model says, answer by answer and state by state, and everybody hears what he is to hear, in order.

`chain_letters.py` is what is said, `chain_model.py` what must become of it, `chain_house.py` what it is tried on.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

import aiosqlite
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from channels.text import DRILL
from dispatcher.model import Channel, Verdict, Why
from dispatcher.sending import dispatch, outlet, writer
from dispatcher.states import DELIVERY, LIVE, TERMINAL, DeliveryState, WarningState
from tests.properties.chain_city import Ground, laid
from tests.properties.chain_house import CHANNELS, Call, House, Line
from tests.properties.chain_letters import EVENTS, Letter, letters_of
from tests.properties.chain_model import SOURCES, Hearing, Model, Seat, Told, Version

T = TypeVar("T")
D = DeliveryState
HEARD = {"sent", "delivered", "not known", None}
"""Answers after which somebody may have heard it; None: no answer came."""
LEFT = (D.SENT, D.DELIVERED, D.UNDELIVERED, D.UNKNOWN)

SOURCE = st.sampled_from([None, None, None, None, *SOURCES])
"""None: the one that such a letter comes from."""
ANSWERS = st.lists(st.sampled_from(["sent", "sent", "delivered", "not known", "again", "refused", "hangs"]), max_size=6)
LATE_ANSWER = st.sampled_from(["sent", "not known", "refused"])
MEANWHILE = st.one_of(
    st.tuples(st.just("time"), st.sampled_from([1, 5, 40, 600, 3600, 4 * 3600]), st.booleans()),
    st.tuples(st.just("reports"), st.integers(0, 12), st.sampled_from([D.DELIVERED, D.UNDELIVERED, D.FAILED])),
    st.just(("dies",)),
)


class Chains(RuleBasedStateMachine):
    letters: Bundle[Letter] = Bundle("letters")

    def __init__(self, ground: Ground) -> None:
        super().__init__()
        self.house = House(ground)
        self.model = Model()
        self.events: dict[int, list[Letter]] = {}
        self.posted: set[Letter] = set()
        self.refused = 0
        self.over: dict[str, int] = {}
        """Warning → how many calls had been made when it was over."""
        self.states: dict[tuple[str, Seat], DeliveryState] = {}
        self.looked_at = 0

    @property
    def now(self) -> datetime:
        return self.house.clock()

    # ── what happens ────────────────────────────────────────────────────────────────────────────────────────────────

    @initialize(target=letters, events=st.lists(EVENTS, min_size=1, max_size=3))
    def events_are_written(self, events: list[dict[str, Any]]) -> Any:
        return multiple(*(letter for event in events for letter in self._written(event)))

    @precondition(lambda self: len(self.events) < 5)
    @rule(target=letters, event=EVENTS)
    def one_more_is_written(self, event: dict[str, Any]) -> Any:
        return multiple(*self._written(event))

    def _written(self, event: dict[str, Any]) -> list[Letter]:
        number = len(self.events) + 1
        self.events[number] = letters_of(event, number, self.now, self.events.get(number - 1, ()))
        return self.events[number]

    @rule(letter=letters, source=SOURCE, variant=st.sampled_from([0, 0, 0, 1]))
    def a_letter_comes(self, letter: Letter, source: str | None, variant: int) -> None:
        """Any: early, late, for the first time or again; `variant`: with other words under the same name."""
        self._comes(replace(letter, variant=variant), source)

    @rule(letter=letters, last=st.booleans())
    def a_new_letter_comes(self, letter: Letter, last: bool) -> None:
        """Of the same event."""
        new = [one for one in self.events[letter.event] if one not in self.posted]
        self._comes(new[-last] if new else letter, None)

    @rule(letter=letters, channel=st.sampled_from(CHANNELS), calls=st.integers(1, 4))
    def the_next_letter_comes_and_some_are_called(self, letter: Letter, channel: Channel, calls: int) -> None:
        self.a_new_letter_comes(letter, False)
        self.house.do(self.house.sends(channel, calls))

    @rule(channel=st.sampled_from(CHANNELS), calls=st.integers(1, 8), answers=ANSWERS, late=LATE_ANSWER)
    def some_are_called(self, channel: Channel, calls: int, answers: list[str], late: str) -> None:
        self.house.do(self.house.sends(channel, calls, answers, late))

    @rule(what=MEANWHILE)
    def meanwhile(self, what: tuple[Any, ...]) -> None:
        match what:
            case "time", seconds, looks:
                self.house.clock.pass_(seconds=seconds)
                if looks:
                    self._looks_round()
                else:
                    self.house.do(self.house.goes_on())
            case "reports", first, state:
                answers = HEARD if state is D.DELIVERED else {"sent"}
                for call in [one for one in self.house.calls if one.answer in answers][first : first + 3]:
                    self.house.do(self.house.hears(call, state))
            case _:
                self.house.do(self.house.dies_and_comes_back())

    def _looks_round(self) -> None:
        self._are_over(self.model.runs_out(self.now))
        self.house.do(self.house.looks_round())

    def _comes(self, letter: Letter, source: str | None) -> None:
        if self.model.known_fault(letter):
            return
        source = source or ("drill" if letter.drill else "city-weather")
        expected = self.model.expects(letter, source, self.now, self._hearing())
        answer = self.house.do(self.house.takes(letter, source))
        repeated = expected.repeats is not None
        got = (answer.verdict, answer.code, _standing(answer.state), answer.repeated)
        assert got == (expected.verdict, expected.code, expected.state, repeated), f"{letter}: {answer.reason}"
        assert not expected.repeats or answer.warning_id == expected.repeats.id
        if expected.state is WarningState.APPROVED and not repeated:
            frozen = self.house.frozen(answer.warning_id)
            listed = {seat: why is Why.FORMER for seat, why, _ in frozen}
            assert listed == expected.listed, f"{letter}: to be told are {expected.listed}, not {listed}"
            assert len(frozen) == len(listed), "nobody is on a list twice"
            assert {seat for seat, _, quiet in frozen if quiet} == expected.quiet, f"{letter}: not rung again"
        self.posted.add(letter)
        self.refused += expected.verdict is Verdict.REJECT
        self._are_over(version for version, _ in expected.ends)
        self.model.keep(letter, source, self.now, expected, answer.warning_id)

    def _are_over(self, versions: Iterable[Version]) -> None:
        self.over |= dict.fromkeys([version.id for version in versions], len(self.house.calls))

    def _hearing(self) -> Hearing:
        """Who may have heard what, by the providers' own book; rows in doubt count, and those that a report calls failed
        do not."""
        answers, hearing = self._answers(), defaultdict(list)
        for line in self.house.ledger():
            heard = bool(answers[line.warning, line.seat] & HEARD) and line.state is not D.FAILED
            told = Told(
                seat=line.seat,
                may_have_heard=heard or line.doubtful or line.state is D.DELIVERED,
                proven=line.state in (D.SENT, D.DELIVERED),
                surely=line.state is D.DELIVERED,
                former=line.why is Why.FORMER,
            )
            hearing[line.warning].append(told)
        return hearing

    def _answers(self) -> Mapping[tuple[str, Seat], set[str | None]]:
        answers = defaultdict(set)
        for call in self.house.calls:
            answers[call.warning, call.seat] |= {call.answer, "delivered"} if call.arrived else {call.answer}
        return answers

    # ── what holds at any instant ───────────────────────────────────────────────────────────────────────────────────

    @invariant()
    def every_version_stands_as_the_model_says_and_no_row_is_in_no_state(self) -> None:
        entries, lines = self.house.entries(), self.house.ledger()
        states = {version.id: version.state for version in self.model.versions}
        states |= {version.id: WarningState.REJECTED for version in self.model.displaced}
        assert {entry.id: _standing(entry.state) for entry in entries} == states
        planned = Counter(line.warning for line in lines)
        assert [entry for entry in entries if entry.rows != planned[entry.id] + entry.unplanned] == []
        assert self.house.refused() == self.refused
        answers = self._answers()
        for line in lines:
            self._row_holds(line, states[line.warning], answers[line.warning, line.seat])

    @invariant()
    def at_most_one_version_of_an_event_is_in_force_and_none_is_later(self) -> None:
        for event in self.model.events():
            in_force = [one for one in event if one.state is WarningState.APPROVED]
            assert len(in_force) <= 1
            for one in in_force:
                later = [other for other in event if other.counts and other.letter.turn > one.letter.turn]
                assert not later or (one.cancels and all(other.cancels for other in later)), "only a second call-off"

    @invariant()
    def nobody_is_called_too_late_twice_or_out_of_turn(self) -> None:
        for number in range(self.looked_at, len(self.house.calls)):
            self._call_holds(number, self.house.calls[number])
        self.looked_at = len(self.house.calls)

    def _row_holds(self, line: Line, state: WarningState, answers: set[str | None]) -> None:
        before = self.states.get((line.warning, line.seat), line.state)
        self.states[line.warning, line.seat] = line.state
        assert line.state is before or line.state in _later(before), f"{before.name} became {line.state.name}"
        assert line.flagged or "not known" not in answers
        if state is WarningState.APPROVED:
            assert line.state is not D.WITHDRAWN
        elif line.state is D.PLANNED:
            assert line.doubtful, "what is over, and was not opened, is withdrawn"
        if answers & {"sent", "delivered"}:
            assert line.state in (*LEFT, D.FAILED)
        if line.state in LEFT and not (answers & HEARD):
            assert line.state is D.DELIVERED or (line.state is D.UNKNOWN and line.flagged)

    def _call_holds(self, number: int, call: Call) -> None:
        version = self._version(call.warning)
        assert number < self.over.get(call.warning, number + 1), "it was over"
        assert call.at < version.expires
        assert call.drill is version.letter.drill
        assert (call.text.startswith(DRILL), call.text.endswith(DRILL)) == (call.drill, call.drill)
        event = {one.id: one.letter.turn for one in [version, *self.model.event_of(version.letter)]}
        before = [one for one in self.house.calls[:number] if one.seat == call.seat and one.warning in event]
        assert all(event[one.warning] <= version.letter.turn for one in before), "he has heard a later one"
        assert {one.answer for one in before if one.warning == call.warning} <= {"again", "not known", None}

    def _version(self, warning: str) -> Version:
        return next(one for one in self.model.versions if one.id == warning)

    # ── what holds at the end ───────────────────────────────────────────────────────────────────────────────────────

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:
                self._to_the_end()
        finally:
            self.house.close()

    def _to_the_end(self) -> None:
        """Everybody takes everything, every report comes, the night passes: nothing is left, and everybody has heard."""
        while True:
            made = len(self.house.calls)
            for channel in CHANNELS:
                self.house.do(self.house.sends(channel, 10_000))
            for call in [one for one in self.house.calls if one.answer in HEARD]:
                self.house.do(self.house.hears(call, D.DELIVERED))
            self._looks_round()
            due = self.house.next_due()
            if due is not None:
                self.house.clock.at = max(due, self.now)
                self._looks_round()
            elif len(self.house.calls) == made:  # else a drill may have been opened, now that nothing real waits
                break
        self.every_version_stands_as_the_model_says_and_no_row_is_in_no_state()
        self.nobody_is_called_too_late_twice_or_out_of_turn()
        lines, answers = self.house.ledger(), self._answers()
        assert [line for line in lines if line.state not in TERMINAL] == []
        in_force = {one.id for one in self.model.versions if one.state is WarningState.APPROVED}
        assert {one.state for one in self.house.entries() if one.id in in_force} <= {WarningState.COMPLETED}
        for line in [one for one in lines if one.warning in in_force]:
            _has_heard_or_says_why_not(line, answers[line.warning, line.seat])


def _has_heard_or_says_why_not(line: Line, answers: set[str | None]) -> None:
    match line.state:
        case D.DELIVERED | D.UNDELIVERED:
            assert answers & HEARD
        case D.UNKNOWN:  # or opened each time we died: a doubt is a try, and its level has only so many
            assert answers & HEARD or line.flagged
        case D.FAILED:
            assert answers & {"refused", "sent"}
        case D.EXPIRED | D.SUPPRESSED:
            assert line.code
        case _:
            raise AssertionError(line)


def _standing(state: WarningState) -> WarningState:
    return WarningState.APPROVED if state in LIVE else state


@cache
def _later(state: DeliveryState) -> frozenset[DeliveryState]:
    """Whatever may follow, at once or by steps."""
    return DELIVERY[state].union(*map(_later, DELIVERY[state]))


# ── the tests ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def _at_once(_connection: object, call: Callable[..., T], *given: object, **more: object) -> T:
    return call(*given, **more)


@pytest.fixture
def ground(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    """SQLite's driver hands each statement to a thread and waits, which is half of all the time: here it is called where we
    stand. And whoever waits for company or looks again does so at once."""
    monkeypatch.setattr(aiosqlite.Connection, "_execute", _at_once)
    monkeypatch.setattr(writer, "GROUP_S", 0.0)
    monkeypatch.setattr(outlet, "LOOK_S", 0.002)
    monkeypatch.setattr(dispatch, "TOGETHER_S", 0.0)
    with laid() as found:
        yield found


def _tried(ground: Ground, runs: int) -> None:
    how = settings(max_examples=runs, stateful_step_count=50, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(lambda: Chains(ground), settings=how)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("_part", [1, 2])
def test_the_latest_holds_and_everybody_hears_it_in_whatever_order_it_comes(ground: Ground, _part: int) -> None:
    """In parts, so that two workers share them; each part has a seed of its own."""
    _tried(ground, 100)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("_part", range(10))
def test_the_latest_holds_in_two_thousand_orders(ground: Ground, _part: int) -> None:
    _tried(ground, 200)
