"""Buckets: nobody gets more than his burst and his rate, nobody waits longer than told, and the table does not grow."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.web.limits import Buckets

steps = st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 3, allow_nan=False)), max_size=200)


@given(steps, st.integers(1, 20), st.floats(0.5, 10))
def test_nobody_gets_more_than_burst_and_rate(asked: list[tuple[str, float]], burst: int, rate: float) -> None:
    buckets, now, got = Buckets(rate=rate, burst=burst), 0.0, dict.fromkeys("abc", 0)
    for who, later in asked:
        now += later
        got[who] += not buckets.take(who, now)
    assert all(taken <= burst + rate * now + 1e-6 for taken in got.values())


@given(st.integers(1, 20), st.floats(0.5, 10))
def test_whoever_waits_as_told_is_served_and_not_sooner(burst: int, rate: float) -> None:
    buckets = Buckets(rate=rate, burst=burst)
    assert [buckets.take("a", 0) for _ in range(burst)] == [0.0] * burst
    wait = buckets.take("a", 0)
    assert wait > 0
    assert buckets.take("a", wait / 2) > 0
    assert buckets.take("a", wait * 1.001) == 0
    assert buckets.take("b", 0) == 0, "one's haste is not another's"


def test_what_is_given_back_is_there_again_and_no_more_than_was() -> None:
    buckets = Buckets(rate=1, burst=2)
    assert [buckets.take("a", 0) > 0 for _ in range(3)] == [False, False, True]
    buckets.give_back("a")
    assert [buckets.take("a", 0) > 0 for _ in range(2)] == [False, True]
    for _ in range(9):
        buckets.give_back("b")
        buckets.give_back("a")
    assert [buckets.take("a", 0) > 0 for _ in range(3)] == [False, False, True]


def test_as_many_addresses_as_there_are_do_not_fill_the_memory_and_the_busy_one_is_remembered() -> None:
    buckets = Buckets(rate=1, burst=1, most=10)
    for number in range(1000):
        buckets.take(f"stranger {number}", 0)
        assert (buckets.take("busy", 0) > 0) == (number > 0)
    assert len(buckets) == 10
