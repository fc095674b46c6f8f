"""What a provider's answer means: every outcome on every level, the retry plan, throttling, doubt and the end of a warning."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from channels.contract import Accepted, Blame, Bulletin, NotKnown, Outcome, Refused, TryAgain
from dispatcher.model import Level
from dispatcher.sending.approved import Approved
from dispatcher.sending.live import Live
from dispatcher.sending.outcome import Call, not_sent, settle
from dispatcher.states import DELIVERY, DeliveryState, WarningState
from dispatcher.store.deliveries import Row, Settled
from tests.city import NOW, settings

POLICY = settings().policy
EXPIRES = NOW + timedelta(hours=6)
LATER = NOW + timedelta(seconds=2)

AGAIN = TryAgain(code="503", reason="忙")
THROTTLED = TryAgain(code="429", reason="慢些", throttled=True)
DOUBT = NotKnown(code="timeout", reason="没有应答")
REFUSED = Refused(code="21211", reason="号码有误", blame=Blame.ADDRESS)

every_level = pytest.mark.parametrize("level", list(Level))


def middle() -> float:
    """The jitter that changes nothing."""
    return 0.5


def row(**changes: object) -> Row:
    made = Row(
        warning_id="w",
        channel="sms",
        target="officer-JA00001",
        why=0,
        round=0,
        pos=0,
        text_no=0,
        areas="",
        serial=0,
        calls=0,
        tries=0,
        township="360827102",
        possible_duplicate=False,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def live(level: Level = Level.RED, *, expires: datetime = EXPIRES, ended: DeliveryState | None = None) -> Live:
    bulletin = Bulletin(
        warning_id="w",
        chain_id="w",
        identifier="1",
        kind="Alert",
        drill=False,
        test=False,
        level=level,
        rank=level.rank,
        event="暴雨",
        event_code="11B03",
        headline="",
        sender="s",
        sender_name="s",
        sent=NOW,
        starts=NOW,
        expires=expires,
    )
    return Live(
        bulletin=bulletin,
        texts={},
        policy=POLICY.levels[level],
        hours=POLICY,
        sounds_at_night=True,
        approved=Approved(wrong=""),
        state=WarningState.DISPATCHING,
        ended=(ended, "") if ended else None,
    )


def call(of: Row | None = None, by: Live | None = None, ended_at: datetime = LATER) -> tuple[Call, Row]:
    made = Call(chunk_id=1, live=by or live(), provider="twilio", started_at=NOW, ended_at=ended_at)
    return made, of or row()


def waits(settled: Settled) -> float:
    assert settled.state is DeliveryState.PLANNED
    assert settled.due_at is not None
    return (settled.due_at - settled.at).total_seconds()


# ── one answer ──────────────────────────────────────────────────────────────────────────────────────────────────────


@every_level
@pytest.mark.parametrize(
    ("outcome", "state", "name"),
    [
        (Accepted(ref="SM1"), DeliveryState.SENT, "accepted"),
        (Accepted(ref="SM1", delivered=True), DeliveryState.DELIVERED, "accepted"),
        (AGAIN, DeliveryState.PLANNED, "try_again"),
        (THROTTLED, DeliveryState.PLANNED, "try_again"),
        (REFUSED, DeliveryState.FAILED, "refused"),
    ],
)
def test_an_answer_means_the_same_on_every_level(
    level: Level, outcome: Outcome, state: DeliveryState, name: str
) -> None:
    settled = settle(*call(by=live(level)), outcome, middle)
    assert settled.state is state
    assert settled.attempt is not None
    assert settled.attempt.outcome == name
    assert (settled.due_at is not None) == (state is DeliveryState.PLANNED)


@every_level
def test_no_answer_is_tried_again_where_a_duplicate_is_better_than_silence_and_left_unknown_elsewhere(
    level: Level,
) -> None:
    one = row()
    settled = settle(*call(one, live(level)), DOUBT, middle)
    assert one.possible_duplicate, "whoever gets a second one must find it flagged"
    assert settled.state is (DeliveryState.PLANNED if level in (Level.RED, Level.ORANGE) else DeliveryState.UNKNOWN)


@pytest.mark.parametrize("outcome", [Accepted(), AGAIN, THROTTLED, DOUBT, REFUSED])
def test_every_call_is_counted_and_recorded_with_its_times(outcome: Outcome) -> None:
    one = row(calls=4)
    attempt = settle(*call(one), outcome, middle).attempt
    assert one.calls == 5
    assert attempt is not None
    assert (attempt.no, attempt.provider, attempt.started_at, attempt.ended_at) == (5, "twilio", NOW, LATER)


def test_only_a_throttled_call_costs_no_try() -> None:
    counted = []
    for outcome in (Accepted(), AGAIN, THROTTLED, DOUBT, REFUSED):
        one = row()
        settle(*call(one), outcome, middle)
        counted.append(one.tries)
    assert counted == [1, 1, 0, 1, 1]


def test_a_code_too_long_for_the_ledger_is_cut_and_not_lost() -> None:
    settled = settle(*call(), TryAgain(code="x" * 99, reason="长"), middle)
    assert settled.code == "x" * 32


# ── the plan of tries ───────────────────────────────────────────────────────────────────────────────────────────────


def _run(level: Level, outcome: Outcome, most: int = 40) -> tuple[list[float], DeliveryState]:
    """Tries one row again and again until it ends; the waits between and the end."""
    found: list[float] = []
    one, at = row(), NOW
    while len(found) < most:
        settled = settle(*call(one, live(level), ended_at=at), outcome, middle)
        if settled.state is not DeliveryState.PLANNED:
            return found, settled.state
        found.append(waits(settled))
        assert settled.due_at is not None
        at = settled.due_at
    return found, DeliveryState.PLANNED


@pytest.mark.parametrize("level", [Level.RED, Level.ORANGE])
def test_life_safety_is_tried_after_1_3_10_and_30_seconds_and_then_every_minute(level: Level) -> None:
    found, state = _run(level, AGAIN)
    assert found == [1, 3, 10, 30] + [60] * 36
    assert state is DeliveryState.PLANNED


def test_a_red_is_tried_until_it_expires_and_then_says_expired() -> None:
    found, state = _run(Level.RED, AGAIN, most=1000)
    assert state is DeliveryState.EXPIRED
    assert sum(found) <= (EXPIRES - NOW).total_seconds()
    assert sum(found) > (EXPIRES - NOW).total_seconds() - 61


@pytest.mark.parametrize("level", [Level.YELLOW, Level.BLUE])
def test_the_lower_levels_are_tried_four_times_more_and_then_failed(level: Level) -> None:
    assert _run(level, AGAIN) == ([5, 30, 120, 600], DeliveryState.FAILED)


def test_a_red_whose_every_try_stays_unanswered_ends_unknown_and_flagged() -> None:
    found, state = _run(Level.RED, DOUBT, most=1000)
    assert state is DeliveryState.UNKNOWN
    assert len(found) > 300


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 8))
def test_waits_are_spread_by_half_so_that_ten_thousand_do_not_knock_at_once(drawn: float, tries: int) -> None:
    plain = POLICY.levels[Level.RED].retry_s[tries] if tries < 5 else 60
    found = waits(settle(*call(row(tries=tries - 1)), AGAIN, lambda: drawn))
    assert plain * 0.5 <= found + 1e-6
    assert found <= plain * 1.5


# ── throttling ──────────────────────────────────────────────────────────────────────────────────────────────────────


@given(st.floats(0, 1, exclude_max=True), st.floats(0, 600))
def test_a_provider_that_says_when_is_never_asked_sooner(drawn: float, after_s: float) -> None:
    for throttled in (True, False):
        outcome = TryAgain(code="429", reason="慢些", after_s=after_s, throttled=throttled)
        assert waits(settle(*call(), outcome, lambda: drawn)) >= after_s - 1e-6


def test_a_provider_that_throttles_for_hours_uses_up_no_try() -> None:
    one = row()
    for _ in range(500):
        assert settle(*call(one), THROTTLED, middle).state is DeliveryState.PLANNED
    assert (one.tries, one.calls) == (0, 500)


def test_a_provider_that_says_to_come_after_the_expiry_is_not_asked_again() -> None:
    outcome = TryAgain(code="429", reason="慢些", after_s=7 * 3600, throttled=True)
    assert settle(*call(), outcome, middle).state is DeliveryState.EXPIRED


# ── the end of a warning ────────────────────────────────────────────────────────────────────────────────────────────


@every_level
@pytest.mark.parametrize("outcome", [AGAIN, THROTTLED])
@pytest.mark.parametrize("ended", [DeliveryState.WITHDRAWN, DeliveryState.EXPIRED])
def test_of_a_warning_that_ended_nothing_is_tried_again(level: Level, outcome: Outcome, ended: DeliveryState) -> None:
    settled = settle(*call(by=live(level, ended=ended)), outcome, middle)
    assert settled.state is ended
    assert settled.due_at is None


def test_of_a_warning_that_was_refused_meanwhile_a_row_bears_the_refusals_code() -> None:
    refused = live()
    refused.ended = (DeliveryState.FAILED, "240")
    settled = settle(*call(by=refused), AGAIN, middle)
    assert (settled.state, settled.code, settled.due_at) == (DeliveryState.FAILED, "240", None)


@pytest.mark.parametrize("outcome", [AGAIN, THROTTLED, DOUBT])
def test_a_row_that_may_have_arrived_ends_unknown_and_never_as_if_unsent(outcome: Outcome) -> None:
    doubtful = row(possible_duplicate=True)
    assert settle(*call(doubtful, live(ended=DeliveryState.WITHDRAWN)), outcome, middle).state is DeliveryState.UNKNOWN
    last = row(possible_duplicate=True)
    assert settle(*call(last, live(expires=LATER)), outcome, middle).state is DeliveryState.UNKNOWN


@pytest.mark.parametrize("outcome", [Accepted(), Accepted(delivered=True), REFUSED])
def test_what_the_provider_has_said_stands_even_if_the_warning_ended_meanwhile(outcome: Outcome) -> None:
    ended = settle(*call(by=live(ended=DeliveryState.WITHDRAWN)), outcome, middle)
    assert ended.state is settle(*call(), outcome, middle).state


def test_a_row_never_handed_over_has_no_attempt() -> None:
    settled = not_sent(1, row(), DeliveryState.WITHDRAWN, NOW, "called_off")
    assert (settled.state, settled.code, settled.attempt, settled.due_at) == (
        DeliveryState.WITHDRAWN,
        "called_off",
        None,
        None,
    )


# ── whatever comes ──────────────────────────────────────────────────────────────────────────────────────────────────

outcomes = st.one_of(
    st.builds(Accepted, ref=st.text(max_size=5), delivered=st.booleans()),
    st.builds(
        TryAgain, code=st.just("c"), reason=st.just("r"), after_s=st.none() | st.floats(0, 1e5), throttled=st.booleans()
    ),
    st.builds(NotKnown, code=st.just("c"), reason=st.just("r")),
    st.builds(Refused, code=st.just("c"), reason=st.just("r"), blame=st.sampled_from(Blame)),
)


@given(st.lists(outcomes, min_size=1, max_size=12), st.sampled_from(Level), st.floats(0, 1, exclude_max=True))
def test_whatever_a_provider_answers_a_row_ends_in_a_state_or_waits_for_a_time_before_the_expiry(
    answers: list[Outcome], level: Level, drawn: float
) -> None:
    one, at, doubted = row(), NOW, False
    for answer in answers:
        settled = settle(*call(one, live(level), ended_at=at), answer, lambda: drawn)
        doubted = doubted or isinstance(answer, NotKnown)
        assert one.possible_duplicate == doubted
        if settled.state is not DeliveryState.PLANNED:
            assert settled.state in DELIVERY[DeliveryState.PLANNED]
            assert settled.due_at is None
            return
        assert settled.due_at is not None
        assert at <= settled.due_at < EXPIRES
        at = settled.due_at
