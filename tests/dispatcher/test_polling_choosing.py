"""What need not be fetched is only what the feed plainly says; and a feed that fails is left alone longer and longer."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from dispatcher.polling.choosing import LONGEST_PAUSE_S, is_elsewhere, is_over, newest, pause_s
from dispatcher.polling.reading import Entry, Place
from tests.city import NOW

JIAN = ("3608", "吉安")


def entry(
    key: str = "1", updated: datetime | None = NOW, expires: datetime | None = None, places: tuple[Place, ...] = ()
) -> Entry:
    return Entry(key=key, id=key, version="", updated=updated, expires=expires, href="/a", body=b"", places=places)


def place(*codes: str, names: tuple[str, ...] = (), drawn: bool = False) -> Place:
    return Place(codes=codes, names=names, drawn=drawn)


# ── elsewhere ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "code",
    ["360800", "360827102200", "360827102", "360827000000", "360000", "360000000000", "000000", "100000000000"],
)
def test_a_code_of_ours_or_of_what_holds_us_is_not_elsewhere(code: str) -> None:
    assert not is_elsewhere(entry(places=(place(code),)), JIAN)


@pytest.mark.parametrize("code", ["360900", "361000000000", "360700", "370000", "440000000000", "361002100"])
def test_a_code_of_others_is_elsewhere_whatever_its_name_and_shape(code: str) -> None:
    assert is_elsewhere(entry(places=(place(code, names=("吉安街道",), drawn=True),)), JIAN)


@pytest.mark.parametrize(
    "places",
    [
        (),
        (place("360900"), place("360827")),
        (place("360900"), place(drawn=True)),
        (place("360900", "AZZ540"),),
        (place("36090"),),
        (place(names=("广东省",), drawn=True),),
        (place("x", names=("广东省",)),),
        (place(names=("江西省吉安市遂川县",)),),
    ],
)
def test_what_is_not_plainly_elsewhere_is_fetched(places: tuple[Place, ...]) -> None:
    assert not is_elsewhere(entry(places=places), JIAN)


def test_names_alone_are_held_against_words_alone() -> None:
    other = entry(places=(place(names=("广东省韶关市",)),))
    assert is_elsewhere(other, JIAN)
    assert not is_elsewhere(other, ("3608",))
    assert not is_elsewhere(other, ())


# ── over ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("age", "left", "over"),
    [
        (timedelta(hours=25), timedelta(hours=-1), True),
        (timedelta(hours=25), timedelta(hours=1), False),
        (timedelta(hours=23), timedelta(hours=-1), False),
        (timedelta(hours=25), None, False),
    ],
)
def test_only_what_is_old_and_past_its_end_is_over(age: timedelta, left: timedelta | None, over: bool) -> None:
    assert is_over(entry(updated=NOW - age, expires=None if left is None else NOW + left), NOW) is over


def test_without_a_date_nothing_is_over() -> None:
    assert not is_over(entry(updated=None, expires=NOW - timedelta(days=9)), NOW)


# ── order and number ────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_newest_are_kept_and_come_oldest_first() -> None:
    given = [entry(str(hours), NOW - timedelta(hours=hours)) for hours in (1, 3, 2, 4)]
    assert [one.key for one in newest([entry("?", None), *given], 3)] == ["2", "1", "?"]


# ── how long to wait ────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_pause_is_doubled_up_to_a_quarter_of_an_hour() -> None:
    assert [pause_s(failures, 60, None, 0) for failures in range(1, 7)] == [60, 120, 240, 480, 900, 900]
    assert pause_s(10**6, 60, None, 0) == LONGEST_PAUSE_S == 900


def test_chance_takes_up_to_half_of_it_off() -> None:
    assert [pause_s(2, 60, None, chance) for chance in (0, 0.5, 1)] == [120, 90, 60]


def test_the_other_side_is_obeyed_within_the_quarter_of_an_hour() -> None:
    assert [pause_s(1, 60, after_s, 1) for after_s in (0, 200, 3600)] == [30, 200, 900]
