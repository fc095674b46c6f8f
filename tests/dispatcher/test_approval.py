"""Who may let a warning go: a trusted source, and until accounts come nobody else."""

from __future__ import annotations

import pytest

from dispatcher.approval import needs_person, sendable
from dispatcher.model import Code, Status, Verdict
from tests.city import red, settings

SOURCES = settings().sources


def test_a_trusted_source_is_released_without_a_person() -> None:
    assert needs_person(red(), SOURCES["city-weather"]) is None


def test_any_other_waits_held_for_an_approval_and_the_source_is_named() -> None:
    finding = needs_person(red(), SOURCES["county-weather"])
    assert finding is not None
    assert (finding.code, finding.verdict) == (Code.APPROVAL_MISSING, Verdict.HOLD)
    assert SOURCES["county-weather"].name in finding.reason


def test_a_source_is_not_trusted_unless_somebody_wrote_so() -> None:
    assert type(SOURCES["drill"]).model_fields["trusted"].default is False


@pytest.mark.parametrize("status", list(Status))
def test_only_the_real_thing_and_a_drill_are_ever_sent(status: Status) -> None:
    assert sendable(red(status=status)) == (status in (Status.ACTUAL, Status.EXERCISE))
