"""A player's faults: the same ones in every run of one seed."""

from __future__ import annotations

from collections import Counter

import pytest

from dispatcher.rehearsal.faults import Fate, Faults, Mischief


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_share_is_a_share_and_the_same_in_every_run() -> None:
    faults = Faults(refuse=0.1)
    hit = {n for n in range(10_000) if faults.hits("refuse", f"+86154{n:08d}")}
    assert 800 < len(hit) < 1200
    assert hit == {n for n in range(10_000) if Faults(refuse=0.1).hits("refuse", f"+86154{n:08d}")}
    assert hit != {n for n in range(10_000) if Faults(refuse=0.1, seed=2).hits("refuse", f"+86154{n:08d}")}


def test_a_bad_number_stays_bad_and_a_bad_try_does_not() -> None:
    mischief = Mischief(Faults(refuse=0.5, fail=0.5), Clock())
    fates = [[mischief.fate(f"+{n}", f"key-{n}") for _ in range(20)] for n in range(50)]
    for tries in fates:
        assert set(tries) == {Fate.REFUSE} or Fate.REFUSE not in tries
        assert set(tries) == {Fate.REFUSE} or set(tries) == {Fate.FAIL, Fate.TAKE}
    assert mischief.counts == Counter(fate for tries in fates for fate in tries)


def test_what_is_refused_failed_or_throttled_was_not_taken() -> None:
    assert {fate for fate in Fate if not fate.taken} == {Fate.REFUSE, Fate.FAIL, Fate.THROTTLE}


def test_no_more_pass_than_the_rate_allows() -> None:
    clock = Clock()
    mischief = Mischief(Faults(rate=50), clock)
    taken = 0
    for _ in range(1000):
        clock.now += 0.005
        taken += mischief.fate("a", "b") is Fate.TAKE
    assert 245 <= taken <= 5 * 50 * 1.05


@pytest.mark.parametrize(
    "text", ['{"refus": 1}', '{"refuse": 2}', '{"refuse": -1}', '{"refuse": "1"}', '{"fail": true}', "[]", "{"]
)
def test_a_wrong_setting_is_named_and_changes_nothing(text: str) -> None:
    with pytest.raises(ValueError):
        Faults.read(text)


def test_settings_are_read_from_json() -> None:
    assert Faults.read('{"delay_s": 0.05, "rate": 300, "lie": 1}') == Faults(delay_s=0.05, rate=300, lie=1)
