"""One question, many witnesses: is it a drill. Whatever is flipped, alone or with others, is noticed."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from channels.text import mark_drill, unmarked
from dispatcher.model import Status
from dispatcher.planning import header_of, make_plan
from dispatcher.sending.mixing import contradictions, other_side
from dispatcher.store.packing import header_hash
from dispatcher.store.warnings import WarningRow
from tests.city import both, frame, gateways, people, red, row_as_kept

SIDES = [False, True]
CROWD = both(people(3), gateways(2))


def kept(*, drill: bool) -> tuple[WarningRow, list[str]]:
    message = red(status=Status.EXERCISE) if drill else red()
    plan = make_plan(message, CROWD, frame())
    return row_as_kept(message, plan), [text.body for text in plan.texts]


def turned(row: WarningRow, texts: list[str], column: bool, status: bool, message: bool, text: bool) -> WarningRow:
    """The row with some of its witnesses flipped; `texts` in place."""
    other = Status.ACTUAL if row.drill else Status.EXERCISE
    if text:
        texts[0] = unmarked(texts[0]) if row.drill else mark_drill(texts[0])
    return replace(
        row,
        drill=row.drill is not column,
        status=other if status else row.status,
        message={**row.message, "status": other.value} if message else row.message,
    )


@pytest.mark.parametrize("drill", SIDES)
def test_whatever_is_flipped_but_not_all_of_it_is_a_contradiction(drill: bool) -> None:
    for flipped in product((False, True), repeat=4):
        row, texts = kept(drill=drill)
        found = contradictions(turned(row, texts, *flipped), texts)
        assert bool(found) is (any(flipped) and not (all(flipped) and len(texts) == 1)), flipped


@pytest.mark.parametrize("drill", SIDES)
def test_all_of_it_turned_over_is_known_by_the_hash_that_was_approved(drill: bool) -> None:
    message = red(status=Status.EXERCISE) if drill else red()
    plan = make_plan(message, CROWD, frame())
    approved = header_of(message, frame(), list(plan.channels), plan.texts)
    assert header_hash(approved) == plan.header_hash
    elsewhere = other_side(approved)
    assert elsewhere.drill is not drill
    assert header_hash(elsewhere) != plan.header_hash
    assert header_hash(other_side(elsewhere)) == plan.header_hash


@pytest.mark.parametrize("status", [Status.TEST, Status.SYSTEM, Status.DRAFT])
def test_what_only_tests_the_line_is_no_drill_and_contradicts_nothing(status: Status) -> None:
    message = red(status=status)
    plan = make_plan(message, CROWD, frame())
    assert contradictions(row_as_kept(message, plan), [text.body for text in plan.texts]) == ()


def test_a_message_kept_before_its_status_was_kept_with_it_is_judged_by_the_rest() -> None:
    row, texts = kept(drill=True)
    old = replace(row, message={name: value for name, value in row.message.items() if name != "status"})
    assert contradictions(old, texts) == ()
