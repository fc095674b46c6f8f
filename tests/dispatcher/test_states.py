"""What a duty officer reads of a state, and what the diagram shows."""

from __future__ import annotations

from dispatcher.states import DELIVERY, WARNING, DeliveryState, diagram


def test_every_state_of_a_delivery_has_a_chinese_word_of_its_own() -> None:
    words = [state.chinese for state in DeliveryState]
    assert len(set(words)) == len(DeliveryState)
    assert all("\u4e00" <= char <= "\u9fff" for word in words for char in word)


def test_the_number_of_a_state_is_written_in_the_ledger_and_never_changes() -> None:
    assert {state.label: int(state) for state in DeliveryState} == {
        "planned": 0,
        "sent": 1,
        "delivered": 2,
        "undelivered": 3,
        "unknown": 4,
        "failed": 5,
        "expired": 6,
        "withdrawn": 7,
        "suppressed": 8,
    }


def test_the_diagram_draws_every_way_once_and_the_same_each_time() -> None:
    drawn = diagram(DELIVERY).splitlines()
    assert drawn[0] == "stateDiagram-v2"
    assert len(drawn) - 1 == len(set(drawn[1:])) == sum(len(row) for row in DELIVERY.values())
    assert "    planned --> delivered" in drawn
    assert diagram(WARNING) == diagram(dict(WARNING))
