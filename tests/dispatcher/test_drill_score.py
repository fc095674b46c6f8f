"""The score is arithmetic that can be argued with: what was measured counts, what was not is said, each part has a reason."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.rehearsal.drill.measuring import Measured, Villages
from dispatcher.rehearsal.drill.scenario import Expect
from dispatcher.rehearsal.drill.score import WEIGHTS, About, Part, Proof, Score, facts, score
from dispatcher.reporting import Cell

CLEAN = Proof(lost=0, duplicates=0, unplanned=0, unmarked=0, logged=100)
STEP = Measured(
    name="red",
    warning_id="0" * 32,
    kind="Alert",
    level="red",
    channels={"sms": Cell(delivered=95, missed=5)},
    villages=Villages(total=20, due=18, reached=18),
    first_s=1.0,
    last_s=60.0,
    called_off=None,
)


def expecting(**said: object) -> Expect:
    """As a file says it."""
    return Expect.model_validate(said)


def judged(expect: Expect, step: Measured = STEP, proof: Proof | None = CLEAN) -> Score:
    return score([step], {"red": expect}, proof)


def part(of: Score, about: About) -> Part:
    (found,) = [one for one in of.parts if one.about is about]
    return found


def test_what_was_expected_and_reached_is_a_hundred() -> None:
    expect = expecting(reach={"sms": 0.95}, villages=0.9, first_within="00:00:05", all_within="00:01:00")
    assert judged(expect).total == 100


def test_half_of_what_was_expected_is_half_and_says_so() -> None:
    found = judged(expecting(reach={"sms": 1.0}), replace(STEP, channels={"sms": Cell(delivered=50, missed=50)}))
    assert part(found, About.REACH).got == 0.5
    assert "短信应发 100，送达 50（50%），要求 100%" in part(found, About.REACH).reason
    assert found.total == int(100 * (35 * 0.5 + 20) / 55)


def test_twice_the_time_is_half_and_a_first_message_that_never_left_is_nothing() -> None:
    late = judged(expecting(first_within="00:00:05"), replace(STEP, first_s=10.0))
    assert part(late, About.TIMES).got == 0.5
    never = judged(expecting(first_within="00:00:05"), replace(STEP, first_s=None))
    assert part(never, About.TIMES).got == 0.0
    assert "没有发出" in part(never, About.TIMES).reason


def test_villages_where_nobody_can_be_told_count_at_the_desk_and_not_in_the_field() -> None:
    at_desk, in_field = judged(expecting(villages=1.0)), judged(expecting(villages=1.0), proof=None)
    assert part(at_desk, About.VILLAGES).got == 0.9
    assert "2 个村无人也无喇叭" in part(at_desk, About.VILLAGES).reason
    assert part(in_field, About.VILLAGES).got == 1.0


def test_what_a_list_or_a_withdrawal_kept_back_was_not_due() -> None:
    kept = replace(STEP, channels={"sms": Cell(delivered=2, suppressed=90, ended=8)})
    assert part(judged(expecting(reach={"sms": 1.0}), kept), About.REACH).got == 1.0


def test_where_nobody_was_to_be_told_nothing_is_measured_instead_of_everything_being_well() -> None:
    nobody = replace(
        STEP, channels={"sms": Cell(suppressed=90)}, villages=Villages(total=20, due=0, reached=0), first_s=None
    )
    expect = expecting(reach={"sms": 0.95}, villages=0.9, first_within="00:00:05")
    found = judged(expect, nobody, None)
    assert found.total is None
    assert [one.got for one in found.parts] == [None] * 5
    assert "不在演练名单" in part(found, About.REACH).reason


@pytest.mark.parametrize("fault", ["lost", "duplicates", "unplanned", "unmarked"])
def test_one_message_lost_doubled_strange_or_unmarked_takes_the_whole_proof(fault: str) -> None:
    found = judged(expecting(reach={"sms": 0.95}), proof=replace(CLEAN, **{fault: 1}))
    assert part(found, About.PROOF).got == 0.0
    assert found.total == int(100 * 35 / 55)


def test_a_call_off_is_measured_by_whoever_had_heard() -> None:
    off = replace(STEP, kind="Cancel", called_off=(40, 30))
    assert part(judged(expecting(called_off=1.0), off), About.CALLED_OFF).got == 0.75
    unheard = judged(expecting(called_off=1.0), replace(off, called_off=(0, 0)))
    assert part(unheard, About.CALLED_OFF).got is None


def test_answers_have_their_room_and_no_points_yet() -> None:
    found = judged(expecting(reach={"sms": 0.95}))
    told = facts(found)
    assert told["answers"] is None
    assert told["total"] == 100
    assert told["red_first_s"] == 1.0
    assert "answers" in told["not_measured"]
    (room,) = [one for one in told["parts"] if one["about"] == "answers"]
    assert (room["got"], room["weight"]) == (None, WEIGHTS[About.ANSWERS])
    assert "叫应" in room["reason"]


@given(
    st.lists(
        st.tuples(st.integers(0, 50), st.integers(0, 50), st.floats(0.01, 1), st.none() | st.floats(0.001, 1e5)),
        max_size=6,
    ),
    st.booleans(),
)
def test_a_total_lies_between_nothing_and_a_hundred_and_is_a_hundred_only_where_every_part_is_whole(
    steps: list[tuple[int, int, float, float | None]], clean: bool
) -> None:
    given_ = {
        f"s{number}": (
            replace(STEP, name=f"s{number}", channels={"sms": Cell(delivered=got, missed=lost)}, first_s=first),
            expecting(reach={"sms": wanted}, first_within="00:00:01"),
        )
        for number, (got, lost, wanted, first) in enumerate(steps)
    }
    proof = CLEAN if clean else replace(CLEAN, lost=1)
    found = score([one for one, _ in given_.values()], {name: expect for name, (_, expect) in given_.items()}, proof)
    assert found.total is not None
    assert 0 <= found.total <= 100
    whole = all(one.got in (None, 1.0) for one in found.parts)
    assert (found.total == 100) == whole
