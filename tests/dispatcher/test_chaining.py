"""One event, many messages, any order: what the latest says holds."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import event

from dispatcher.intake.rules import MOST_REFERENCES
from dispatcher.model import Code, Reference, Verdict
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.lint import lint
from dispatcher.states import LIVE, WarningState
from dispatcher.store import chains, warnings
from dispatcher.store.engine import Store
from dispatcher.store.warnings import WarningRow
from tests.city import NOW, amp, cap, named
from tests.dispatcher.test_accept import sent_in

pytestmark = pytest.mark.long

AT = {"A": NOW, "U1": NOW + timedelta(minutes=1), "U2": NOW + timedelta(minutes=2), "C": NOW + timedelta(minutes=3)}
KINDS = {"A": "Alert", "U1": "Update", "U2": "Update", "C": "Cancel"}


def said(name: str, of: str = "A") -> bytes:
    more = {} if name == "A" else {"references": named(of, AT[of])}
    return cap(name, AT[name], kind=KINDS[name], **more)


async def kept(jian: Context, order: tuple[str, ...]) -> dict[str, WarningRow]:
    """The messages in this order of arrival, each twice; then what is kept of them."""
    for name in order:
        answer = await sent_in(jian, said(name))
        assert answer.warning_id
        assert (await sent_in(jian, said(name))).repeated
    async with jian.store.read() as tx:
        return {row.identifier: row for row in await warnings.latest(tx)}


@pytest.mark.parametrize("order", list(permutations(("A", "U1", "U2", "C"))), ids=" ".join)
async def test_a_called_off_event_stays_called_off_in_whatever_order_its_messages_come(
    jian: Context, order: tuple[str, ...]
) -> None:
    rows = await kept(jian, order)
    assert len(rows) == 4
    assert len({row.chain_id for row in rows.values()}) == 1
    assert not [name for name in ("A", "U1", "U2") if WarningState(rows[name].state) in LIVE]
    issued = [name for name in order if rows[name].released_at is not None]
    assert issued == sorted(issued, key=lambda name: AT[name]), "what is older than what was issued is never issued"
    nothing_to_call_off = order[0] == "C"
    assert (rows["C"].state == WarningState.RECEIVED) is nothing_to_call_off
    assert nothing_to_call_off or rows["C"].state == WarningState.APPROVED


@pytest.mark.parametrize("order", list(permutations(("A", "U1", "U2"))), ids=" ".join)
async def test_only_the_latest_version_is_in_force_in_whatever_order_they_come(
    jian: Context, order: tuple[str, ...]
) -> None:
    rows = await kept(jian, order)
    assert {name: rows[name].state for name in rows} == {
        "A": WarningState.SUPERSEDED,
        "U1": WarningState.SUPERSEDED,
        "U2": WarningState.APPROVED,
    }


async def test_a_new_update_of_a_cancelled_event_is_issued_and_withdraws_the_all_clear_that_waits(
    jian: Context,
) -> None:
    await sent_in(jian, said("A"))
    await sent_in(jian, cap("C0", AT["U1"], kind="Cancel", references=named("A", AT["A"])))
    again = await sent_in(jian, said("U2"))
    assert again.state is WarningState.APPROVED
    async with jian.store.read() as tx:
        states = {row.identifier: row.state for row in await warnings.latest(tx)}
    assert states == {"A": WarningState.CANCELLED, "C0": WarningState.SUPERSEDED, "U2": WarningState.APPROVED}


async def test_two_updates_of_an_alert_that_never_came_are_one_event(jian: Context) -> None:
    await sent_in(jian, said("U1"))
    await sent_in(jian, said("U2"))
    async with jian.store.read() as tx:
        rows = {row.identifier: row for row in await warnings.latest(tx)}
    assert (rows["U1"].state, rows["U2"].state) == (WarningState.SUPERSEDED, WarningState.APPROVED)
    assert rows["U1"].chain_id == rows["U2"].chain_id


async def test_a_version_that_names_two_chains_makes_them_one(jian: Context) -> None:
    await sent_in(jian, said("A"))
    await sent_in(jian, cap("B", AT["A"], area="360827103000"))
    both = f"{named('A', AT['A'])} {named('B', AT['A'])}"
    await sent_in(jian, cap("U1", AT["U1"], kind="Update", references=both))
    await sent_in(jian, cap("C", AT["C"], kind="Cancel", references=named("B", AT["A"])))
    async with jian.store.read() as tx:
        rows = {row.identifier: row for row in await warnings.latest(tx)}
    assert len({row.chain_id for row in rows.values()}) == 1
    assert rows["U1"].state == WarningState.CANCELLED


@pytest.mark.parametrize("order", list(permutations(("A", "U1", "C"))), ids=" ".join)
async def test_the_national_systems_messages_find_each_other_by_the_first_issues_identifier(
    jian: Context, order: tuple[str, ...]
) -> None:
    """Update and Cancel both name the first issue, without the time it was sent."""
    for name in order:
        first = None if name == "A" else AT["A"]
        assert (await sent_in(jian, amp(AT[name], KINDS[name], first))).warning_id
    async with jian.store.read() as tx:
        rows = {row.kind: row for row in await warnings.latest(tx)}
    assert len({row.chain_id for row in rows.values()}) == 1
    assert not [kind for kind in ("Alert", "Update") if WarningState(rows[kind].state) in LIVE]
    assert (rows["Cancel"].state == WarningState.RECEIVED) is (order[0] == "C")


async def test_an_alert_that_names_a_live_one_is_held_to_the_same_rules_as_an_update(jian: Context) -> None:
    """Else a drill could silence what is real by calling itself an Alert."""
    first = await sent_in(jian, said("A"))
    drill = cap("D", AT["U1"], status="Exercise", references=named("A", AT["A"]))
    answer = await sent_in(jian, drill, source="drill")
    assert (answer.verdict, answer.code) == (Verdict.REJECT, Code.DRILL_MIXED)
    async with jian.store.read() as tx:
        row = await warnings.one(tx, first.warning_id)
    assert row is not None
    assert row.state == WarningState.APPROVED


async def test_a_drill_that_names_what_is_real_before_it_comes_stands_in_nobodys_way(jian: Context) -> None:
    for number, of in enumerate(("A", "A", "U1")):
        drill = cap(
            f"D{number}",
            NOW + timedelta(seconds=number),
            kind="Update",
            status="Exercise",
            references=named(of, AT[of]),
        )
        await sent_in(jian, drill, source="drill")
    for name in ("A", "U1", "U2", "C"):
        answer = await sent_in(jian, said(name))
        assert (answer.verdict, answer.state) == (Verdict.ACCEPT, WarningState.APPROVED), name
    late = cap("D9", NOW + timedelta(minutes=4), kind="Cancel", status="Exercise", references=named("A", AT["A"]))
    assert (await sent_in(jian, late, source="drill")).code == Code.DRILL_MIXED


async def test_what_was_parked_for_a_reference_joins_it_when_it_comes(jian: Context) -> None:
    parked = await sent_in(jian, said("U1"), source="county-weather")
    assert (parked.state, parked.code) == (WarningState.HELD, Code.REFERENCE_MISSING)
    first = await sent_in(jian, said("A"))
    assert first.state is WarningState.APPROVED, "what waits for a person silences nobody"
    async with jian.store.read() as tx:
        row = await warnings.one(tx, first.warning_id)
        assert row is not None
        rows = await warnings.chain(tx, row.chain_id)
    assert {row.identifier: row.state for row in rows} == {"A": WarningState.APPROVED, "U1": WarningState.HELD}


async def test_a_real_one_that_names_a_drill_still_to_come_has_no_part_in_that(jian: Context) -> None:
    await sent_in(jian, cap("U1", AT["U1"], kind="Update", references=named("A", AT["A"])))
    drill = await sent_in(jian, cap("A", AT["A"], status="Exercise"), source="drill")
    assert (drill.verdict, drill.state) == (Verdict.ACCEPT, WarningState.APPROVED)
    mixed = await sent_in(jian, said("C"))
    assert (mixed.verdict, mixed.code) == (Verdict.REJECT, Code.DRILL_MIXED), "it names the drill itself"
    async with jian.store.read() as tx:
        rows = {row.identifier: row for row in await warnings.latest(tx)}
    assert rows["U1"].state == WarningState.APPROVED
    assert rows["U1"].chain_id != rows["A"].chain_id


async def test_what_waits_for_a_person_makes_no_two_events_one(jian: Context) -> None:
    """It names both; whether it is right is not known yet, and a later version of the one must not end the other."""
    await sent_in(jian, said("A"))
    await sent_in(jian, cap("B", NOW, area="360827103000"))
    both = f"{named('A', AT['A'])} {named('B', NOW)}"
    waits = await sent_in(jian, cap("H", AT["U1"], kind="Update", references=both), source="county-weather")
    assert waits.state is WarningState.HELD
    assert (await sent_in(jian, said("U2"))).state is WarningState.APPROVED
    async with jian.store.read() as tx:
        rows = {row.identifier: row for row in await warnings.latest(tx)}
    assert {name: rows[name].state for name in "AB"} == {"A": WarningState.SUPERSEDED, "B": WarningState.APPROVED}
    assert rows["B"].chain_id != rows["A"].chain_id == rows["U2"].chain_id


async def test_a_drill_that_is_older_than_the_real_warning_it_names_is_refused_all_the_same(jian: Context) -> None:
    await sent_in(jian, said("U2"))
    for kind in ("Update", "Cancel"):
        drill = cap(f"D-{kind}", NOW, kind=kind, status="Exercise", references=named("U2", AT["U2"]))
        answer = await sent_in(jian, drill, source="drill")
        assert (answer.verdict, answer.code) == (Verdict.REJECT, Code.DRILL_MIXED)


async def test_a_cancel_of_two_warnings_ends_the_one_that_is_still_in_force(jian: Context) -> None:
    await sent_in(jian, said("A"))
    await sent_in(jian, cap("A2", NOW, area="360827103000"))
    await sent_in(jian, cap("C1", AT["U1"], kind="Cancel", references=named("A", AT["A"])))
    both = f"{named('A', AT['A'])} {named('A2', NOW)}"
    answer = await sent_in(jian, cap("C2", AT["U2"], kind="Cancel", references=both))
    assert answer.state is WarningState.APPROVED
    async with jian.store.read() as tx:
        rows = {row.identifier: row for row in await warnings.latest(tx)}
    assert rows["A2"].state == WarningState.CANCELLED


@pytest.mark.parametrize("how_many", [1_000, 10_000], ids="{}".format)
async def test_a_cancel_may_name_very_many_and_calls_off_the_one_that_came(jian: Context, how_many: int) -> None:
    """A thousand are taken, more are refused with a sentence; neither breaks the database."""
    await sent_in(jian, said("A"))
    every = " ".join([*(named(f"lost-{number}", AT["A"]) for number in range(how_many - 1)), named("A", AT["A"])])
    body = cap("C", AT["C"], kind="Cancel", references=every)
    read = await lint(jian, body, "application/cap+xml", None)
    assert [one.code for one in read.findings] == ([Code.SIZE] if how_many > MOST_REFERENCES else [])
    answer = await sent_in(jian, body)
    async with jian.store.read() as tx:
        rows = {row.identifier: row.state for row in await warnings.latest(tx)}
    if how_many > MOST_REFERENCES:
        assert answer.verdict is Verdict.REJECT
        assert rows["A"] == WarningState.APPROVED
    else:
        assert rows == {"A": WarningState.CANCELLED, "C": WarningState.APPROVED}


async def test_who_is_named_is_found_by_an_index_and_not_by_walking_all_that_was_ever_kept(sqlite_store: Store) -> None:
    """The whole city's sending waits meanwhile: SQLite has one writer."""
    told: list[str] = []

    def explain(connection: Any, cursor: Any, statement: str, values: Any, *_: object) -> None:
        if statement.startswith("SELECT"):
            plain = connection.connection.driver_connection._conn  # past the loop, which waits for us
            told.extend(row[3] for row in plain.execute(f"EXPLAIN QUERY PLAN {statement}", values))

    references = tuple([Reference(sender="s", identifier=f"n{number}", sent=NOW) for number in range(3)])
    async with sqlite_store.read() as tx:
        event.listen(sqlite_store.engine.sync_engine, "before_cursor_execute", explain)
        await chains.family(tx, references[0], references[1:])
    assert [one for one in told if one.startswith("SCAN warning")] == [], told
    assert any("ix_warnings_identifier" in one for one in told), told
