"""Falsified records: each of them breaks one promise in the facts of a run, and the judge has to notice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from dispatcher.states import DeliveryState
from tests.crashes.facts import Facts, Fault, Line, Row, Said, Warned
from tests.crashes.judge import HEARD


@dataclass(frozen=True, slots=True, kw_only=True)
class Sabotage:
    """What is done to the facts, and the promise that is broken by it."""

    do: Callable[[Facts], Facts]
    breaks: str


def _line_of(facts: Facts, row: Row) -> Line:
    return next(line for line in facts.lines if line.key == row.key)


def _heard_once(facts: Facts) -> Row:
    """A row that went out as it should: one line, no doubt."""
    times = {line.key: 0 for line in facts.lines}
    for line in facts.lines:
        times[line.key] += 1
    return next(row for row in facts.rows if row.state in HEARD and not row.flagged and times.get(row.key) == 1)


def _unheard(facts: Facts) -> Row:
    logged = {line.key for line in facts.lines}
    return next(row for row in facts.rows if row.key not in logged)


def _with(facts: Facts, old: Row, **new: object) -> Facts:
    changed = replace(old, **new)  # type: ignore[arg-type]
    return replace(facts, rows=tuple(changed if row is old else row for row in facts.rows))


def _replaced(facts: Facts, old: Line, new: Line) -> Facts:
    return replace(facts, lines=tuple(new if line is old else line for line in facts.lines))


def _warning_of(facts: Facts, row: Row) -> Warned:
    return next(warned for warned in facts.warnings if warned.id == row.warning_id)


def drop_a_line(facts: Facts) -> Facts:
    key = _heard_once(facts).key
    return replace(facts, lines=tuple(line for line in facts.lines if line.key != key))


def replay_a_line(facts: Facts) -> Facts:
    return replace(facts, lines=(*facts.lines, _line_of(facts, _heard_once(facts))))


def replay_a_flagged_one_too_often(facts: Facts) -> Facts:
    row = _heard_once(facts)
    line = _line_of(facts, row)
    doubted = _with(facts, row, flagged=True, tries={"in_doubt": 1})
    return replace(doubted, lines=(*facts.lines, line, line))


def unflag_a_duplicate(facts: Facts) -> Facts:
    row = _heard_once(facts)
    doubted = _with(facts, row, flagged=False, tries={"in_doubt": 1})
    return replace(doubted, lines=(*facts.lines, _line_of(facts, row)))


def flag_for_nothing(facts: Facts) -> Facts:
    return _with(facts, _heard_once(facts), flagged=True, tries={"accepted": 1})


def send_after_expiry(facts: Facts) -> Facts:
    row = next(row for row in facts.rows if row.state in HEARD and _warning_of(facts, row).expires is not None)
    line, expires = _line_of(facts, row), _warning_of(facts, row).expires
    assert expires is not None
    return _replaced(facts, line, replace(line, at=expires + timedelta(seconds=5)))


def answer_before_the_commit(facts: Facts) -> Facts:
    early = Said(door="http", identity=None, digest="0" * 64, status=202, warning_id="0" * 32)
    return replace(facts, said=(*facts.said, early))


def confirm_and_forget(facts: Facts) -> Facts:
    """RabbitMQ confirmed it, and neither a warning nor a refused message has these bytes."""
    return replace(facts, said=(*facts.said, Said(door="amqp", identity=None, digest="0" * 64, status=200)))


def call_it_delivered(facts: Facts) -> Facts:
    return _with(facts, _unheard(facts), state=DeliveryState.DELIVERED)


def give_up_quietly(facts: Facts) -> Facts:
    return _with(facts, _unheard(facts), state=DeliveryState.FAILED, code="tired", tries={})


def leave_a_row_planned(facts: Facts) -> Facts:
    return _with(facts, facts.rows[0], state=DeliveryState.PLANNED)


def take_a_row_out_of_the_ledger(facts: Facts) -> Facts:
    return replace(facts, rows=facts.rows[1:])


def alert_after_the_cancel(facts: Facts) -> Facts:
    """A cancel that the same person heard a moment before."""
    row = _heard_once(facts)
    line, warned = _line_of(facts, row), _warning_of(facts, row)
    sender, identifier, sent = warned.identity
    later = (sender, f"{identifier}-cancel", sent + timedelta(seconds=1))
    cancel = replace(warned, id="c" * 32, kind="Cancel", identity=later, rows_planned=1)
    planned = next(one for one in facts.planned if one.key == row.key)
    return replace(
        facts,
        warnings=(*facts.warnings, cancel),
        planned=(*facts.planned, replace(planned, key="cancel", warning_id=cancel.id)),
        rows=(*facts.rows, replace(row, key="cancel", warning_id=cancel.id)),
        lines=(*facts.lines, replace(line, key="cancel", packet="cancel", at=line.at - timedelta(seconds=1))),
    )


def drill_to_a_live_sink(facts: Facts) -> Facts:
    line = facts.lines[0]
    return _replaced(facts, line, replace(line, sink_drill=not line.sink_drill))


def a_drill_that_calls_itself_real(facts: Facts) -> Facts:
    line = facts.lines[0]
    return _replaced(facts, line, replace(line, drill=not line.drill))


def doubt_more_than_the_window(facts: Facts) -> Facts:
    """More rows than the deaths explain: where there were few, the deaths are taken away."""
    doubted = _with(facts, facts.rows[0], tries={"in_doubt": 1})
    return replace(doubted, struck=tuple(replace(one, fault=Fault.LINE_RESET) for one in facts.struck))


def record_a_second_taking(facts: Facts) -> Facts:
    row = _heard_once(facts)
    return _with(facts, row, tries={**row.tries, "accepted": 2})


def open_more_than_the_window(facts: Facts) -> Facts:
    first = replace(facts.struck[0], unsettled={"sms": facts.windows["sms"] + 1})
    return replace(facts, struck=(first, *facts.struck[1:]))


def tell_a_stranger(facts: Facts) -> Facts:
    return _replaced(facts, facts.lines[0], replace(facts.lines[0], recipient="+8615400000000"))


def reword_on_the_way(facts: Facts) -> Facts:
    return _replaced(facts, facts.lines[0], replace(facts.lines[0], text=facts.lines[0].text + "！"))


def believe_a_hostile_one(facts: Facts) -> Facts:
    first = next(warned for warned in facts.warnings if warned.rows_planned)
    said = tuple(replace(one, hostile="forged") if one.identity == first.identity else one for one in facts.said)
    return replace(facts, said=said)


def break_on_a_hostile_one(facts: Facts) -> Facts:
    crashed = Said(door="http", identity=None, digest="0" * 64, status=500, hostile="noise")
    return replace(facts, said=(*facts.said, crashed))


def go_backwards(facts: Facts) -> Facts:
    row = _unheard(facts)
    return replace(facts, snapshots=(*facts.snapshots, {row.key: DeliveryState.DELIVERED}))


def lose_count(facts: Facts) -> Facts:
    return replace(facts, books=(replace(facts.books[0], waiting=facts.books[0].waiting + 1), *facts.books[1:]))


def strike_nothing(facts: Facts) -> Facts:
    return replace(facts, struck=(replace(facts.struck[0], unsettled={}), *facts.struck[1:]))


def recover_slowly(facts: Facts) -> Facts:
    first = facts.struck[0]
    return replace(facts, struck=(replace(first, recovered_s=first.ended_s + 100), *facts.struck[1:]))


def end_late(facts: Facts) -> Facts:
    return replace(facts, terminal_after_s=200.0)


SABOTAGES: Mapping[str, Sabotage] = {
    f"{sabotage.do.__name__.replace('_', ' ')}: {sabotage.breaks}": sabotage
    for sabotage in (
        Sabotage(do=drop_a_line, breaks="lost"),
        Sabotage(do=drop_a_line, breaks="untrue"),
        Sabotage(do=replay_a_line, breaks="unflagged duplicate"),
        Sabotage(do=replay_a_flagged_one_too_often, breaks="unexplained duplicate"),
        Sabotage(do=unflag_a_duplicate, breaks="unflagged duplicate"),
        Sabotage(do=flag_for_nothing, breaks="flagged for nothing"),
        Sabotage(do=record_a_second_taking, breaks="taken twice"),
        Sabotage(do=send_after_expiry, breaks="sent after expiry"),
        Sabotage(do=answer_before_the_commit, breaks="accepted and not kept"),
        Sabotage(do=confirm_and_forget, breaks="accepted and not kept"),
        Sabotage(do=call_it_delivered, breaks="untrue"),
        Sabotage(do=give_up_quietly, breaks="given up"),
        Sabotage(do=leave_a_row_planned, breaks="unfinished"),
        Sabotage(do=take_a_row_out_of_the_ledger, breaks="lost"),
        Sabotage(do=alert_after_the_cancel, breaks="out of order"),
        Sabotage(do=drill_to_a_live_sink, breaks="drill and live mixed"),
        Sabotage(do=a_drill_that_calls_itself_real, breaks="drill and live mixed"),
        Sabotage(do=doubt_more_than_the_window, breaks="too many in doubt"),
        Sabotage(do=open_more_than_the_window, breaks="too many in doubt"),
        Sabotage(do=tell_a_stranger, breaks="strange"),
        Sabotage(do=reword_on_the_way, breaks="strange"),
        Sabotage(do=believe_a_hostile_one, breaks="fooled"),
        Sabotage(do=break_on_a_hostile_one, breaks="fooled"),
        Sabotage(do=go_backwards, breaks="backwards"),
        Sabotage(do=lose_count, breaks="unbalanced"),
        Sabotage(do=strike_nothing, breaks="hollow fault"),
        Sabotage(do=recover_slowly, breaks="slow recovery"),
        Sabotage(do=end_late, breaks="unfinished"),
    )
}
