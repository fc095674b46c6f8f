"""What the moment, the source and the area say; and that a refusal beats a hold, then the lowest code."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.geofence import Resolved
from dispatcher.intake.judge import Circumstances, judge, verdict_of
from dispatcher.model import (
    BEIJING,
    Code,
    Finding,
    Hazard,
    Kind,
    Level,
    Reference,
    Scope,
    Status,
    Verdict,
    WarningMessage,
)
from dispatcher.settings import Source

NOW = datetime(2026, 6, 12, 20, 0, tzinfo=BEIJING)
SOURCE = Source(name="遂川县气象台", area_prefixes=("360827",))
TRUSTED = SOURCE.model_copy(update={"trusted": True})
INSIDE = Resolved(villages=("360827100201",), touched=("360827100201",), counties=("360827",))
BEFORE = (Reference(sender="suichuan", identifier="A0", sent=NOW - timedelta(hours=1)),)
ALERT = WarningMessage(
    source_format="cap-1.2",
    sender="suichuan",
    identifier="A1",
    sent=NOW,
    status=Status.ACTUAL,
    kind=Kind.ALERT,
    scope=Scope.PUBLIC,
    event="暴雨",
    hazard=Hazard(scheme="NERP", code="11B03", name="暴雨"),
    level=Level.RED,
    headline="遂川县气象台发布暴雨红色预警",
    expires=NOW + timedelta(hours=6),
)
HERE = Circumstances(source=SOURCE, now=NOW, tolerance_s=300, resolved=INSIDE, references_known=True)


def verdict(message: WarningMessage, here: Circumstances = HERE) -> tuple[Verdict, Code | None]:
    return verdict_of(judge(message, here))[:2]


def test_an_ordinary_alert_is_accepted_without_a_word() -> None:
    assert judge(ALERT, HERE) == ()


def test_five_minutes_ahead_is_a_slow_clock_and_more_is_held() -> None:
    assert verdict(replace(ALERT, sent=NOW + timedelta(minutes=5))) == (Verdict.ACCEPT, None)
    assert verdict(replace(ALERT, sent=NOW + timedelta(minutes=5, seconds=1))) == (Verdict.HOLD, Code.CLOCK)


def test_what_has_expired_on_arrival_is_refused_but_a_cancel_is_obeyed_however_late() -> None:
    late = replace(HERE, now=NOW + timedelta(hours=6))
    assert verdict(ALERT, late) == (Verdict.REJECT, Code.EXPIRED)
    cancel = replace(ALERT, kind=Kind.CANCEL, references=BEFORE)
    assert verdict(cancel, late) == (Verdict.ACCEPT, None)


@pytest.mark.parametrize("kind", [Kind.UPDATE, Kind.CANCEL, Kind.ACK, Kind.ERROR])
def test_whatever_names_nothing_stops_nothing(kind: Kind) -> None:
    assert verdict(replace(ALERT, kind=kind), replace(HERE, source=TRUSTED)) == (Verdict.HOLD, Code.REFERENCE_MISSING)


def test_an_update_of_the_unknown_is_a_first_issue_from_a_trusted_source_only() -> None:
    update = replace(ALERT, kind=Kind.UPDATE, references=BEFORE)
    unknown = replace(HERE, references_known=False)
    assert verdict(update, HERE) == (Verdict.ACCEPT, None)
    assert verdict(update, unknown) == (Verdict.HOLD, Code.REFERENCE_MISSING)
    noted = judge(update, replace(unknown, source=TRUSTED))
    assert [(finding.code, finding.verdict) for finding in noted] == [(Code.REFERENCE_MISSING, Verdict.ACCEPT)]


def test_a_cancel_of_the_unknown_is_a_tombstone_and_needs_no_area_level_or_hazard() -> None:
    cancel = replace(ALERT, kind=Kind.CANCEL, references=BEFORE, level=None, hazard=None, expires=None)
    found = judge(cancel, replace(HERE, references_known=False, resolved=None))
    assert [(finding.code, finding.verdict) for finding in found] == [(Code.REFERENCE_MISSING, Verdict.ACCEPT)]


def test_a_sender_the_source_may_not_speak_for_is_refused() -> None:
    narrow = SOURCE.model_copy(update={"senders": ("taihe",)})
    assert verdict(ALERT, replace(HERE, source=narrow)) == (Verdict.REJECT, Code.OUTSIDE_AUTHORITY)


@pytest.mark.parametrize(
    ("resolved", "wanted"),
    [
        (None, (Verdict.HOLD, Code.AREA_UNRESOLVED)),
        (replace(INSIDE, villages=()), (Verdict.HOLD, Code.AREA_UNRESOLVED)),
        (replace(INSIDE, unknown_codes=("360899",)), (Verdict.HOLD, Code.AREA_UNRESOLVED)),
        (replace(INSIDE, unread=("东乡",)), (Verdict.HOLD, Code.AREA_UNRESOLVED)),
        (replace(INSIDE, unusable=1), (Verdict.HOLD, Code.AREA_UNRESOLVED)),
        (replace(INSIDE, outside_codes=("360826",)), (Verdict.REJECT, Code.OUTSIDE_AUTHORITY)),
        (replace(INSIDE, reaches_outside=True), (Verdict.HOLD, Code.OUTSIDE_AUTHORITY)),
        (replace(INSIDE, from_text=True), (Verdict.ACCEPT, None)),
    ],
)
def test_an_area_fails_closed(resolved: Resolved | None, wanted: tuple[Verdict, Code | None]) -> None:
    assert verdict(ALERT, replace(HERE, resolved=resolved)) == wanted


def test_an_unknown_level_or_hazard_is_held() -> None:
    assert verdict(replace(ALERT, level=None)) == (Verdict.HOLD, Code.LEVEL_UNKNOWN)
    assert verdict(replace(ALERT, hazard=None)) == (Verdict.HOLD, Code.LEVEL_UNKNOWN)


def test_a_private_one_is_held_and_an_ack_is_never_sent() -> None:
    assert verdict(replace(ALERT, scope=Scope.PRIVATE))[0] is Verdict.HOLD
    assert verdict(replace(ALERT, kind=Kind.ACK, references=BEFORE))[0] is Verdict.HOLD


def test_drill_and_live_do_not_mix() -> None:
    drills = replace(HERE, source=SOURCE.model_copy(update={"drill_only": True}))
    assert verdict(ALERT, drills) == (Verdict.REJECT, Code.DRILL_MIXED)
    assert verdict(replace(ALERT, status=Status.TEST), drills) == (Verdict.REJECT, Code.DRILL_MIXED)
    assert verdict(replace(ALERT, status=Status.EXERCISE), drills) == (Verdict.ACCEPT, None)
    assert verdict(replace(ALERT, headline="【演练】遂川县发布暴雨红色预警")) == (Verdict.REJECT, Code.DRILL_MIXED)
    assert verdict(replace(ALERT, description="【演练】请转移")) == (Verdict.REJECT, Code.DRILL_MIXED)
    assert verdict(replace(ALERT, sender_name="吉安市气象台【演练】")) == (Verdict.REJECT, Code.DRILL_MIXED)
    for field in ("description", "instruction"):
        says = replace(ALERT, **{field: "此为演练：请转移"})
        assert verdict(says) == (Verdict.REJECT, Code.DRILL_MIXED)
        assert verdict(replace(says, status=Status.EXERCISE)) == (Verdict.ACCEPT, None)
    told = replace(ALERT, description="请按上月演练的路线转移")
    assert verdict(told) == (Verdict.ACCEPT, None)


findings = st.builds(Finding, code=st.sampled_from(Code), verdict=st.sampled_from(Verdict), reason=st.text(max_size=5))


@given(st.lists(findings, max_size=8))
def test_a_refusal_beats_a_hold_then_the_lowest_code_and_all_are_listed(found: list[Finding]) -> None:
    verdict, code, reason = verdict_of(found)
    refusals = [finding.code for finding in found if finding.verdict is Verdict.REJECT]
    holds = [finding.code for finding in found if finding.verdict is Verdict.HOLD]
    if refusals:
        assert (verdict, code) == (Verdict.REJECT, min(refusals))
    elif holds:
        assert (verdict, code) == (Verdict.HOLD, min(holds))
    else:
        assert (verdict, code) == (Verdict.ACCEPT, None)
    assert all(finding.reason in reason for finding in found)


@pytest.mark.parametrize("kind", [Kind.UPDATE, Kind.CANCEL, Kind.ACK, Kind.ERROR])
def test_why_something_is_held_is_said_without_the_names_of_fields(kind: Kind) -> None:
    message = replace(ALERT, kind=kind, scope=Scope.PRIVATE, hazard=None, level=None)
    found = [one.reason for one in judge(message, HERE) if one.verdict is Verdict.HOLD]
    assert len(found) >= 2
    assert [reason for reason in found if re.search("[A-Za-z]", reason)] == []
