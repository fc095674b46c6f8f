"""The verdict on a run: pure functions over what was recorded, each of them one promise.

They believe the providers' logs, which are written before an answer leaves, the frozen plan, and nobody's summary. A
finding is a broken promise; none is what everybody hopes for.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dispatcher.states import DELIVERY, ENDED, TERMINAL, DeliveryState, WarningState
from tests.crashes.facts import Facts, Fault, Line, Planned, Row, Warned

RECOVERED_S = 10.0
STACK_RECOVERED_S = 30.0
TERMINAL_S = 60.0
LATE_S = 1.0
"""A call that began in time may be written down this much later."""
DRILL_MARK = "【演练】"
HEARD = frozenset({DeliveryState.SENT, DeliveryState.DELIVERED, DeliveryState.UNDELIVERED})
EXCUSED = frozenset(
    {DeliveryState.FAILED, DeliveryState.SUPPRESSED, DeliveryState.EXPIRED, DeliveryState.WITHDRAWN}
)  # fmt: skip
ACCEPTED = frozenset({200, 202})
ASKED_AGAIN = frozenset({503})


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A broken promise, and what shows it."""

    promise: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """The facts, looked up by what they are about."""

    facts: Facts
    lines: dict[str, list[Line]]
    rows: dict[str, Row]
    planned: dict[str, Planned]
    warnings: dict[str, Warned]

    @staticmethod
    def of(facts: Facts) -> Books:
        lines: dict[str, list[Line]] = defaultdict(list)
        for line in facts.lines:
            lines[line.key].append(line)
        return Books(
            facts=facts,
            lines=dict(lines),
            rows={row.key: row for row in facts.rows},
            planned={row.key: row for row in facts.planned},
            warnings={warned.id: warned for warned in facts.warnings},
        )

    def repeats(self) -> dict[str, int]:
        """Delivery → how often its receiver got what it had already."""
        again = {
            key: sum(times - 1 for times in Counter(line.packet for line in lines).values())
            for key, lines in self.lines.items()
        }
        return {key: times for key, times in again.items() if times}


def judge(facts: Facts) -> list[Finding]:
    """Every broken promise."""
    books = Books.of(facts)
    return [Finding(promise=name, what=what) for name, check in PROMISES.items() for what in check(books)]


def _lost(books: Books) -> Iterator[str]:
    """Planned, not refused for good, and in no log."""
    for key, planned in books.planned.items():
        row = books.rows.get(key)
        if row is None:
            yield f"{key}: on the approved list, not in the ledger"
        elif key not in books.lines and not planned.suppressed and not _excused(books, row):
            yield f"{key}: {row.state.label}, and nobody got it"


def _excused(books: Books, row: Row) -> bool:
    """In doubt when its warning was called off: it is not sent again, and says so."""
    ended = WarningState(books.warnings[row.warning_id].state) in ENDED
    return row.state in EXCUSED or row.state is DeliveryState.PLANNED or (row.state is DeliveryState.UNKNOWN and ended)


def _given_up(books: Books) -> Iterator[str]:
    """Failed is what a provider refused, or took and could not deliver; never what we gave up."""
    for row in books.facts.rows:
        if row.state is DeliveryState.FAILED and not row.tries.get("refused") and row.key not in books.lines:
            yield f"{row.key}: failed ({row.code}), and no provider refused it"


def _strange(books: Books) -> Iterator[str]:
    """Whoever is not on the approved list, or gets what was not approved for them."""
    for line in books.facts.lines:
        planned = books.planned.get(line.key)
        if planned is None:
            yield f"{line.key}: {line.channel} told somebody who is not on any list"
        elif planned.to != line.recipient:
            yield f"{line.key}: went to another address"
        elif planned.text != line.text:
            yield f"{line.key}: another text than was approved"


def _unflagged(books: Books) -> Iterator[str]:
    """A duplicate nobody was told of."""
    for key, times in books.repeats().items():
        row = books.rows.get(key)
        if row is not None and not row.flagged:
            yield f"{key}: came {times + 1} times, not flagged"


def _unexplained(books: Books) -> Iterator[str]:
    """Each repetition needs a call that may have been lost: cut off by a crash, or unanswered by the provider."""
    for key, times in books.repeats().items():
        row = books.rows.get(key)
        reasons = (row.tries.get("in_doubt", 0) + row.tries.get("not_known", 0)) if row is not None else 0
        if times > reasons * max(1, len({line.packet for line in books.lines[key]})):
            yield f"{key}: came {times + 1} times for {reasons} doubtful calls"


def _too_many(books: Books) -> Iterator[str]:
    """A crash leaves W rows in doubt at the most."""
    doubtful: Counter[str] = Counter()
    for row in books.facts.rows:
        warned = books.warnings.get(row.warning_id)
        outlet = f"{row.channel}_drill" if warned is not None and warned.drill else row.channel
        doubtful[outlet] += bool(row.tries.get("in_doubt"))
    deaths = books.facts.deaths()
    for channel, window in books.facts.windows.items():
        if doubtful[channel] > window * deaths:
            yield f"{channel}: {doubtful[channel]} rows in doubt after {deaths} deaths, at most {window} each"
    for struck in books.facts.struck:
        for channel, number in struck.unsettled.items():
            if number > books.facts.windows[channel]:
                yield f"{channel}: {number} rows opened and unsettled at a {struck.fault}"


def _flagged_for_nothing(books: Books) -> Iterator[str]:
    """A flag costs trust: it needs a doubtful call."""
    for row in books.facts.rows:
        if row.flagged and not (row.tries.get("in_doubt") or row.tries.get("not_known")):
            yield f"{row.key}: flagged, and no call was in doubt"


def _taken_twice(books: Books) -> Iterator[str]:
    """A delivery is over with the call that a provider is known to have taken: the record has one at the most."""
    for row in books.facts.rows:
        if (taken := row.tries.get("accepted", 0) + row.tries.get("looked_up", 0)) > 1:
            yield f"{row.key}: taken {taken} times on record"


def _too_late(books: Books) -> Iterator[str]:
    for line in books.facts.lines:
        planned = books.planned.get(line.key)
        warned = books.warnings.get(planned.warning_id) if planned is not None else None
        if warned is None or warned.expires is None:
            continue
        after = (line.at - warned.expires).total_seconds()
        if after > LATE_S:
            yield f"{line.key}: sent {after:.1f} s after it expired"


def _out_of_order(books: Books) -> Iterator[str]:
    """Nobody hears an earlier version of an event after a later one."""
    newest: dict[tuple[str, str, str], Warned] = {}
    for line in sorted(books.facts.lines, key=lambda line: line.at):
        planned = books.planned.get(line.key)
        warned = books.warnings.get(planned.warning_id) if planned is not None else None
        if warned is None:
            continue
        whom = (warned.chain_id, line.channel, line.recipient)
        before = newest.setdefault(whom, warned)
        if warned.identity[2] < before.identity[2]:
            yield f"{line.key}: the {warned.kind} came after the {before.kind}"
        elif warned.identity[2] > before.identity[2]:
            newest[whom] = warned


def _mixed_up(books: Books) -> Iterator[str]:
    """A drill is never taken for real, nor the other way: neither by what it says nor by whom it went to."""
    for line in books.facts.lines:
        planned = books.planned.get(line.key)
        warned = books.warnings.get(planned.warning_id) if planned is not None else None
        if warned is not None and {
            line.drill,
            line.sink_drill,
            DRILL_MARK in line.text,
        } != {warned.drill}:
            yield f"{line.key}: a {'drill' if warned.drill else 'live warning'}, and {line.channel} took it otherwise"


def _forgotten(books: Books) -> Iterator[str]:
    """Accepted means committed."""
    known = {warned.identity for warned in books.facts.warnings}
    for said in books.facts.said:
        if said.status not in ACCEPTED:
            continue
        if said.warning_id and said.warning_id not in books.warnings:
            yield f"{said.door}: {said.status} for warning {said.warning_id}, which does not exist"
        elif said.digest not in books.facts.kept_digests and (said.identity is None or said.identity not in known):
            yield f"{said.door}: {said.status}, and nothing was kept of it"


def _fooled(books: Books) -> Iterator[str]:
    """A hostile message is refused or held, sends nothing, and breaks nothing."""
    for said in books.facts.said:
        if not said.hostile and said.status not in ACCEPTED:
            yield f"{said.door}: a genuine message was answered {said.status}"
        if said.hostile and said.status >= 500 and said.status not in ASKED_AGAIN:
            yield f"{said.door}: {said.hostile} was answered {said.status}"
    hostile = {said.identity for said in books.facts.said if said.hostile and said.identity}
    genuine = {said.identity for said in books.facts.said if not said.hostile}
    for warned in books.facts.warnings:
        if warned.rows_planned and warned.identity not in genuine:
            yield f"{warned.id}: {'a hostile' if warned.identity in hostile else 'an unknown'} message is being sent"


def _untrue(books: Books) -> Iterator[str]:
    """Sent is what a provider has."""
    for row in books.facts.rows:
        if row.state in HEARD and row.key not in books.lines:
            yield f"{row.key}: {row.state.label}, and the provider never saw it"


def _unfinished(books: Books) -> Iterator[str]:
    for row in books.facts.rows:
        if row.state not in TERMINAL:
            yield f"{row.key}: still {row.state.label}"
    if books.facts.terminal_after_s > TERMINAL_S * books.facts.patience:
        yield f"the last row was terminal {books.facts.terminal_after_s:.0f} s after the last fault"


def _unbalanced(books: Books) -> Iterator[str]:
    """Nothing is in no state, at any instant."""
    rows = Counter(row.warning_id for row in books.facts.rows)
    for warned in books.facts.warnings:
        if warned.rows_planned != rows[warned.id]:
            yield f"{warned.id}: {warned.rows_planned} planned, {rows[warned.id]} in the ledger"
    for one in books.facts.books:
        if one.planned != one.rows + one.waiting:
            yield f"{one.warning_id}: {one.planned} planned, {one.rows} in the ledger and {one.waiting} to come"


def _backwards(books: Books) -> Iterator[str]:
    for snapshot in books.facts.snapshots:
        for key, was in snapshot.items():
            row = books.rows.get(key)
            if row is None or not (row.state is was or row.state in _reachable(was)):
                yield f"{key}: was {was.label}, is {row.state.label if row else 'gone'}"


def _reachable(state: DeliveryState) -> frozenset[DeliveryState]:
    found: set[DeliveryState] = set()
    at = [state]
    while at:
        new = DELIVERY[at.pop()] - found
        found |= new
        at += new
    return frozenset(found)


def _slow(books: Books) -> Iterator[str]:
    for struck in books.facts.struck:
        limit = STACK_RECOVERED_S if struck.fault is Fault.STACK_KILL else RECOVERED_S
        took = struck.recovered_s - struck.ended_s
        if took > limit * books.facts.patience:
            yield f"{struck.fault}: recovered after {took:.1f} s"


def _hollow(books: Books) -> Iterator[str]:
    """A fault that met no work proves nothing."""
    for struck in books.facts.struck:
        if not struck.counts:
            yield f"{struck.fault}: nothing was under way"


PROMISES: dict[str, Callable[[Books], Iterator[str]]] = {
    "lost": _lost,
    "given up": _given_up,
    "strange": _strange,
    "unflagged duplicate": _unflagged,
    "unexplained duplicate": _unexplained,
    "too many in doubt": _too_many,
    "flagged for nothing": _flagged_for_nothing,
    "taken twice": _taken_twice,
    "sent after expiry": _too_late,
    "out of order": _out_of_order,
    "drill and live mixed": _mixed_up,
    "accepted and not kept": _forgotten,
    "fooled": _fooled,
    "untrue": _untrue,
    "unfinished": _unfinished,
    "unbalanced": _unbalanced,
    "backwards": _backwards,
    "slow recovery": _slow,
    "hollow fault": _hollow,
}
