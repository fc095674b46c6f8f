"""Whether everything that is kept of a warning agrees on one question: is it a drill. Pure, so that all of it can be tested.

A drill is a property fixed at creation. It stands in a column, in the status, in the message, and in the marks of every text,
so that one flipped bit is a contradiction and not a way out of the house.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from channels.text import mark_drill, mismarked, unmarked
from dispatcher.model import Status
from dispatcher.store.packing import Header
from dispatcher.store.warnings import Standing, WarningRow


def contradictions(row: WarningRow | Standing, texts: Iterable[str]) -> tuple[str, ...]:
    """What says otherwise than the column `drill`."""
    said = {
        "status": (row.status == Status.EXERCISE) is not row.drill,
        "message": (row.message.get("status", row.status) == Status.EXERCISE) is not row.drill,
        "texts": any(mismarked(body, drill=row.drill) for body in texts),
    }
    return tuple(name for name, wrong in said.items() if wrong)


def other_side(header: Header) -> Header:
    """The header this warning would have were it a drill and not live, or the other way: what was approved, if somebody
    turned all of it over."""
    return replace(
        header,
        drill=not header.drill,
        status=Status.ACTUAL if header.drill else Status.EXERCISE,
        texts=[unmarked(body) if header.drill else mark_drill(body) for body in header.texts],
    )
