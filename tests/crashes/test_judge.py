"""The judge has teeth: it says nothing of a run that kept every promise, and each falsified record turns it red."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.states import DeliveryState
from tests.crashes.chaos import WINDOWS
from tests.crashes.facts import Counted, Facts, Fault, Line, Planned, Row, Said, Struck, Warned
from tests.crashes.judge import DRILL_MARK, PROMISES, judge
from tests.crashes.sabotage import SABOTAGES, Sabotage

NOON = datetime(2026, 6, 11, 4, tzinfo=UTC)
ALERT, CANCEL, DRILL = "a" * 32, "b" * 32, "d" * 32
PEOPLE = ("officer-1", "officer-2", "officer-3")


def warned(name: str, kind: str, minute: int, rows: int) -> Warned:
    return Warned(
        id=name,
        chain_id=DRILL if name == DRILL else ALERT,
        identity=("observatory", name, NOON + timedelta(minutes=minute)),
        kind=kind,
        drill=name == DRILL,
        state="cancelled" if name == ALERT else "completed",
        expires=None if kind == "Cancel" else NOON + timedelta(hours=6),
        rows_planned=rows,
    )


def told(name: str, person: str) -> Planned:
    text = f"{DRILL_MARK}{name}{DRILL_MARK}" if name == DRILL else name
    key = f"{name}.{person}.sms.0"
    return Planned(key=key, warning_id=name, channel="sms", to=f"+86{person}", text=text, suppressed=False)


def row(planned: Planned, state: DeliveryState, tries: Mapping[str, int], *, flagged: bool = False) -> Row:
    return Row(
        key=planned.key,
        warning_id=planned.warning_id,
        channel="sms",
        state=state,
        code="",
        flagged=flagged,
        tries=tries,
    )


def line(planned: Planned, minute: float) -> Line:
    return Line(
        channel="sms",
        key=planned.key,
        packet=planned.key,
        recipient=planned.to,
        text=planned.text,
        drill=planned.warning_id == DRILL,
        sink_drill=planned.warning_id == DRILL,
        at=NOON + timedelta(minutes=minute),
    )


def kept_every_promise() -> Facts:
    """Two of three heard an alert, one of them twice because of a kill; it was cancelled; and there was a drill."""
    alerts, cancels = [told(ALERT, one) for one in PEOPLE], [told(CANCEL, one) for one in PEOPLE[:2]]
    drill = told(DRILL, PEOPLE[0])
    warnings = (warned(ALERT, "Alert", 0, 3), warned(CANCEL, "Cancel", 5, 2), warned(DRILL, "Alert", 1, 1))
    rows = (
        row(alerts[0], DeliveryState.DELIVERED, {"accepted": 1}),
        row(alerts[1], DeliveryState.DELIVERED, {"in_doubt": 1, "accepted": 1}, flagged=True),
        row(alerts[2], DeliveryState.WITHDRAWN, {}),
        *(row(one, DeliveryState.DELIVERED, {"accepted": 1}) for one in (*cancels, drill)),
    )
    said = tuple(
        Said(door="http", identity=one.identity, digest=f"{number:064}", status=202, warning_id=one.id)
        for number, one in enumerate(warnings, 1)
    )
    refused = Said(door="http", identity=None, digest="f" * 64, status=422, hostile="noise")
    return Facts(
        lines=(
            *(line(one, minute) for one, minute in zip((*alerts[:2], *cancels), (1, 1.1, 6, 6.1), strict=True)),
            line(alerts[1], 2),
            line(drill, 2),
        ),
        planned=(*alerts, *cancels, drill),
        rows=rows,
        warnings=warnings,
        said=(*said, refused),
        kept_digests=frozenset(one.digest for one in said),
        struck=(Struck(fault=Fault.KILL, unsettled={"sms": 1}, began_s=1, ended_s=2, recovered_s=5),),
        books=(Counted(warning_id=ALERT, planned=3, rows=2, waiting=1),),
        snapshots=({alerts[2].key: DeliveryState.WITHDRAWN},),
        windows=WINDOWS,
        terminal_after_s=3,
    )


def test_of_a_run_that_kept_every_promise_nothing_is_said() -> None:
    assert judge(kept_every_promise()) == []


@pytest.mark.parametrize("name", SABOTAGES)
def test_a_falsified_record_turns_it_red(name: str) -> None:
    sabotage = SABOTAGES[name]
    assert sabotage.breaks in broken_by(sabotage, kept_every_promise())


def broken_by(sabotage: Sabotage, facts: Facts) -> set[str]:
    return {finding.promise for finding in judge(sabotage.do(facts))}


def test_every_promise_can_be_broken() -> None:
    """A check that nothing turns red proves nothing."""
    facts = kept_every_promise()
    assert set().union(*(broken_by(sabotage, facts) for sabotage in SABOTAGES.values())) == set(PROMISES)


@given(st.permutations(kept_every_promise().lines))
def test_the_order_in_which_lines_are_read_does_not_matter(lines: list[Line]) -> None:
    facts = kept_every_promise()
    assert judge(replace(facts, lines=tuple(lines))) == []


@given(st.sets(st.integers(0, 5), max_size=5))
def test_whatever_line_is_missing_somebody_lost_it(missing: set[int]) -> None:
    """All but one of a duplicate's lines may be missing: then it came once."""
    facts = kept_every_promise()
    lines = tuple(one for number, one in enumerate(facts.lines) if number not in missing)
    gone = {one.key for one in facts.lines} - {one.key for one in lines}
    found = [finding for finding in judge(replace(facts, lines=lines)) if finding.promise == "lost"]
    assert {finding.what.partition(":")[0] for finding in found} == gone
