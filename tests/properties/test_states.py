"""The tables of states as a whole: whatever is tried on them in whatever order, they hold."""

from __future__ import annotations

from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher import states
from dispatcher.states import (
    BROADCAST,
    CALL_OUT,
    DELIVERY,
    GATEWAY,
    TERMINAL,
    WARNING,
    BroadcastState,
    CallOutState,
    DeliveryState,
    GatewayState,
    WarningState,
)
from tests.properties.states_page import PLACE, page

TABLES: dict[str, tuple[Any, type[Enum], Enum]] = {
    "warning": (WARNING, WarningState, WarningState.RECEIVED),
    "delivery": (DELIVERY, DeliveryState, DeliveryState.PLANNED),
    "broadcast": (BROADCAST, BroadcastState, BroadcastState.UNPROCESSED),
    "gateway": (GATEWAY, GatewayState, GatewayState.UNKNOWN),
    "call_out": (CALL_OUT, CallOutState, CallOutState.OPEN),
}
every_table = pytest.mark.parametrize("name", TABLES)


def reachable(table: dict[Enum, frozenset[Enum]], start: Enum) -> set[Enum]:
    seen, found = {start}, [start]
    while found:
        found = [after for state in found for after in table[state] if after not in seen]
        seen.update(found)
    return seen


@every_table
def test_every_state_has_its_row_and_leads_only_to_states(name: str) -> None:
    table, kind, _ = TABLES[name]
    assert set(table) == set(kind)
    assert {after for row in table.values() for after in row} <= set(kind)


@every_table
def test_every_state_can_be_reached_and_none_leads_to_itself(name: str) -> None:
    table, kind, start = TABLES[name]
    assert reachable(table, start) == set(kind)
    assert [state for state, row in table.items() if state in row] == []


@every_table
def test_nothing_comes_back_to_where_it_began(name: str) -> None:
    table, _, start = TABLES[name]
    assert start not in {after for row in table.values() for after in row}


@pytest.mark.parametrize("name", ["delivery", "broadcast"])
@given(data=st.data())
def test_a_machine_fact_only_ever_moves_forward(name: str, data: st.DataObject) -> None:
    """However long one walks, no state is met twice: a late or repeated receipt cannot turn the ledger back."""
    table, _, start = TABLES[name]
    state, path = start, [start]
    while table[state]:
        state = data.draw(st.sampled_from(sorted(table[state], key=lambda after: after.name)))
        path.append(state)
    assert len(path) == len(set(path))


def test_what_waits_for_nothing_becomes_only_better() -> None:
    """From an ended delivery the one way on is what a late receipt proves; nothing that ended is sent again."""
    for state in TERMINAL:
        assert DELIVERY[state] <= {DeliveryState.DELIVERED, DeliveryState.UNDELIVERED}
        assert not DELIVERY[state] & {DeliveryState.PLANNED, DeliveryState.SENT}
    assert {state for state, row in DELIVERY.items() if state not in TERMINAL} == {
        DeliveryState.PLANNED,
        DeliveryState.SENT,
    }


def test_what_was_delivered_stays_delivered_and_what_was_not_to_be_sent_stays_unsent() -> None:
    assert DELIVERY[DeliveryState.DELIVERED] == frozenset()
    assert DELIVERY[DeliveryState.SUPPRESSED] == frozenset()


def test_a_receipt_of_a_try_believed_lost_counts() -> None:
    """Only what was never sent at all cannot turn out to have arrived."""
    before = set(states.may_become(DeliveryState.DELIVERED))
    assert before == set(DeliveryState) - {DeliveryState.DELIVERED, DeliveryState.SUPPRESSED}


@given(st.sampled_from(DeliveryState), st.sampled_from(DeliveryState))
def test_the_guard_of_a_delivery_is_the_table_read_backwards(before: DeliveryState, after: DeliveryState) -> None:
    assert (before in states.may_become(after)) == (after in DELIVERY[before])


@given(st.sampled_from(WarningState), st.sampled_from(WarningState))
def test_the_guard_of_a_warning_is_the_table_read_backwards(before: WarningState, after: WarningState) -> None:
    assert (before in states.warning_may_become(after)) == (after in WARNING[before])


def test_nothing_goes_out_without_having_been_approved() -> None:
    """Take `approved` away, and no warning ever reaches `dispatching`."""
    without = {state: row - {WarningState.APPROVED} for state, row in WARNING.items()}
    unreached = set(WarningState) - reachable(without, WarningState.RECEIVED)  # type: ignore[arg-type]
    assert unreached >= {WarningState.DISPATCHING, WarningState.DISPATCHED, WarningState.COMPLETED}


def test_a_warning_that_was_refused_or_ended_stays_so() -> None:
    for state in (WarningState.REJECTED, WarningState.SUPERSEDED, WarningState.CANCELLED, WarningState.EXPIRED):
        assert WARNING[state] == frozenset()


def test_every_warning_in_force_can_be_called_off_raised_or_run_out() -> None:
    for state in states.LIVE:
        assert WARNING[state] >= {WarningState.SUPERSEDED, WarningState.CANCELLED, WarningState.EXPIRED}
    assert states.SENDING < states.LIVE


def test_the_page_of_states_is_made_from_the_tables() -> None:
    """If this fails: `python -m tests.properties.states_page`."""
    assert PLACE.read_text(encoding="utf-8") == page()
