"""How value and met follow from the figures, and what the last line of `bench --json` holds."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest

from dispatcher.rehearsal.bench import paired
from dispatcher.rehearsal.bench.goals import (
    TITLES,
    Measured,
    as_markdown,
    at_least,
    at_most,
    chosen,
    not_measured,
    report,
)
from dispatcher.settings import PROJECT


def test_the_value_of_a_goal_is_that_of_its_worst_check() -> None:
    found = Measured(goal="P1", checks=(at_least("a", 0.9, 0.75), at_least("b", 1.0, 1.1), at_least("c", 5.0, 1.0)))
    facts = found.facts()
    assert (facts["value"], facts["goal"], facts["worst"], facts["met"]) == (1.0, 1.1, "b", False)
    assert facts["sense"] == "at_least"


def test_the_worst_is_that_with_the_least_room_whichever_way_it_is_bound() -> None:
    found = Measured(goal="P4", checks=(at_most("first", 90.0, 100.0), at_most("recorded", 20.0, 200.0)))
    assert found.worst is not None
    assert found.worst.name == "first"
    assert found.met is True


def test_what_took_no_time_at_all_is_not_the_worst() -> None:
    found = Measured(
        goal="C1", checks=(at_most("last", -0.05, 2.0), at_most("told", 7.5, 10.0), at_most("n", 0.0, 2.0))
    )
    assert found.worst is not None
    assert (found.worst.name, found.met) == ("told", True)


@pytest.mark.parametrize(("value", "met"), [(0.0, True), (1.0, False)])
def test_nothing_may_be_lost_and_one_lost_is_a_goal_missed(value: float, met: bool) -> None:
    found = Measured(goal="P9", checks=(at_most("lost", value, 0.0), at_most("duplicates", 0.0, 306.0)))
    assert found.met is met


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    assert not_measured("P2", "没有 RabbitMQ").met is None
    assert Measured(goal="P1", checks=(at_least("a", 1.0, 0.75), at_least("b", None, 0.75))).met is None


def test_a_goal_that_could_only_be_half_measured_is_not_called_met_but_may_be_missed() -> None:
    half = ("没有 PostgreSQL",)
    assert Measured(goal="P1", checks=(at_least("a", 1.0, 0.75),), missing=half).met is None
    assert Measured(goal="P1", checks=(at_least("a", 0.5, 0.75),), missing=half).met is False


def test_a_bound_that_is_just_met_is_met() -> None:
    assert at_least("a", 0.75, 0.75).met is True
    assert at_most("a", 150.0, 150.0).met is True


def test_every_goal_has_a_title_and_stands_in_its_order() -> None:
    assert chosen("") == [*[f"P{number}" for number in range(1, 14)], "C1", "V1"] == list(TITLES)


def test_only_some_goals_may_be_asked_for_in_any_order_and_case() -> None:
    assert chosen("p4, P1") == ["P1", "P4"]


def test_a_goal_that_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match="P99"):
        chosen("P1,P99")


def test_the_report_holds_every_goal_with_value_goal_met_and_detail() -> None:
    whole = report([Measured(goal="P13", checks=(at_most("idle", 120.04, 150.0, "MiB"),))], {"cores": 2})
    goal = json.loads(json.dumps(whole))["goals"]["P13"]
    assert (goal["value"], goal["goal"], goal["met"]) == (120.0, 150.0, True)
    assert goal["detail"]["checks"][0]["unit"] == "MiB"


def test_what_was_not_measured_is_null_in_the_report_and_says_why() -> None:
    goal = report([not_measured("P2", "没有安装 celery")], {})["goals"]["P2"]
    assert (goal["value"], goal["goal"], goal["met"]) == (None, None, None)
    assert goal["missing"] == ["没有安装 celery"]


def test_the_table_of_the_readme_names_day_and_machine_and_every_check() -> None:
    machine = {"at": "2026-11-28T10:00:00+08:00", "cores": 2, "processor": "X", "python": "3.11.7"}
    found = [
        Measured(goal="P1", checks=(at_least("甲", 0.8, 0.75), at_least("乙", None, 1.1))),
        not_measured("P2", "无"),
    ]
    told = as_markdown(found, machine)
    assert told.startswith("2026-11-28, 2 cores of X, CPython 3.11.7.")
    assert "| P1 | 甲 | 0.8 | ≥ 0.75 | yes |" in told
    assert "| P1 | 乙 |  | ≥ 1.1 | not measured |" in told
    assert "| 无 | | not measured |" in told


async def test_sides_take_turns_and_whoever_was_first_is_last_in_the_next_round() -> None:
    order: list[str] = []

    async def side(name: str) -> str:
        order.append(name)
        return name

    sides = {"a": lambda: side("a"), "b": lambda: side("b")}
    found = await paired.in_turn(3, sides, lambda _what, _done, _total: None)
    assert "".join(order) == "abbaab"
    assert found == {"a": ["a"] * 3, "b": ["b"] * 3}


def test_a_ratio_is_the_median_of_the_rounds_so_that_one_disturbed_round_moves_nothing() -> None:
    assert math.isclose(paired.ratio([2.0, 2.0, 200.0], [1.0, 1.0, 1.0]), 2.0)
    assert paired.spread([1.0, 3.0, 2.0]) == {"median": 2.0, "min": 1.0, "max": 3.0, "rounds": 3}


def test_a_percentile_is_a_value_that_was_measured() -> None:
    assert paired.percentile([float(number) for number in range(1, 101)], 0.95) == 95.0
    assert paired.percentile([7.0], 0.95) == 7.0


@pytest.mark.long
def test_the_peak_of_a_process_is_its_own_and_not_that_of_whoever_started_it() -> None:
    fat = bytearray(b"\x01") * (400 * 2**20)
    say = "from dispatcher.rehearsal.bench.orders import peak_mib; print(peak_mib())"
    done = subprocess.run([sys.executable, "-c", say], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert float(done.stdout) < len(fat) / 2**20
