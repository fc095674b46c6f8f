"""The outbox: written with the change, relayed in order, and kept until the broker has confirmed it."""

from __future__ import annotations

import pytest

from dispatcher import outbox
from dispatcher.broker.contract import BrokerUnavailable, OutboundEvent
from dispatcher.store import events
from dispatcher.store.engine import Store
from dispatcher.store.events import Event
from tests.city import NOW, Clock


class Line:
    """A broker's publishing side that can be cut."""

    def __init__(self, breaks_after: int = 10**9) -> None:
        self.left = breaks_after
        self.got: list[OutboundEvent] = []

    async def publish(self, event: OutboundEvent) -> None:
        if self.left == 0:
            raise BrokerUnavailable("断了")
        self.left -= 1
        self.got.append(event)


async def _record(store: Store, *subjects: str) -> None:
    async with store.begin() as tx:
        for subject in subjects:
            event = Event(kind="warning.accepted", subject=subject, detail={"n": subject})
            await events.record(tx, NOW, event, outward=True)


async def test_events_are_relayed_once_and_in_order(store: Store) -> None:
    await _record(store, *(str(number) for number in range(120)))
    line = Line()
    assert await outbox.relay(store, line, Clock()) == 120  # type: ignore[arg-type]
    assert await outbox.relay(store, line, Clock()) == 0  # type: ignore[arg-type]
    assert [event.subject for event in line.got] == [str(number) for number in range(120)]
    assert (line.got[0].kind, line.got[0].data) == ("warning.accepted", {"n": "0"})


async def test_what_the_broker_did_not_confirm_waits_for_the_next_time(store: Store) -> None:
    await _record(store, "a", "b", "c")
    line = Line(breaks_after=1)
    with pytest.raises(BrokerUnavailable):
        await outbox.relay(store, line, Clock())  # type: ignore[arg-type]
    whole = Line()
    await outbox.relay(store, whole, Clock())  # type: ignore[arg-type]
    assert [event.subject for event in whole.got] == ["a", "b", "c"]  # at least once: `a` comes again


async def test_an_event_not_meant_for_others_stays_inside(store: Store) -> None:
    async with store.begin() as tx:
        await events.record(tx, NOW, Event(kind="chunk.in_doubt", subject="x", detail={}))
    assert await outbox.relay(store, Line(), Clock()) == 0  # type: ignore[arg-type]
    async with store.read() as tx:
        assert [event.kind for event in await events.since(tx, 0)] == ["chunk.in_doubt"]
