"""C1 is judged from two records alone: what the provider wrote down before it answered, and the ledger when all is quiet.

Pure, so that a falsified record can show that each promise can be broken. Whoever the provider was asked to tell, and whoever
the ledger cannot call untouched, must be told that it is off; nobody else may be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dispatcher.model import TargetKind

HEARD: Final = frozenset({"sent", "delivered", "undelivered", "unknown"})
LOUDSPEAKERS: Final = f"{TargetKind.GATEWAY}-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """One request as the provider wrote it down, in the order they came."""

    target: str
    at: float
    call_off: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the warning that was called off. `opened`: it was let go, whatever became of it."""

    target: str
    state: str
    opened: bool
    flagged: bool
    tries: int

    @staticmethod
    def read(row: Sequence[Any]) -> Row:
        """As the engine's process tells it."""
        target, state, opened, flagged, tries = row
        return Row(target=target, state=state, opened=opened, flagged=flagged, tries=tries)

    @property
    def may_have_been_told(self) -> bool:
        """Let go and then withdrawn counts, for at the acceptance nobody knew; but not where every try surely failed."""
        withdrawn_on_its_way = self.opened and self.state == "withdrawn" and not self.tries
        return self.state in HEARD or self.flagged or withdrawn_on_its_way


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Seconds are after the acceptance; negative before it, None where nothing came."""

    originals: int
    before: int
    """Of the originals, those that came before the acceptance."""
    calls_off: int
    loudspeakers: int
    """Gateways told that it is off."""
    last_original_s: float | None
    first_told_s: float | None
    last_told_s: float | None
    untold: int
    """People who had the warning, or may have had it, and were never told that it is off."""
    needless: int
    """People told that it is off, whose row was neither let go nor sent."""
    out_of_order: int
    """People whom the warning reached after its call-off."""
    on_their_way: int
    """People told that it is off whom the warning had not reached: their row had been let go."""


def judge(log: Sequence[Came], rows: Sequence[Row], accepted: float) -> Verdict:
    """`accepted`: the earliest moment at which the call-off may have been kept, on the clock of the log."""
    warned = [one for one in log if not one.call_off]
    calls_off = [one for one in log if one.call_off]
    last_warned, first_told = _last(warned), _first(calls_off)
    owed = last_warned.keys() | {row.target for row in rows if row.may_have_been_told}
    owed_at = [at for target, at in first_told.items() if target in owed]
    allowed = owed | {row.target for row in rows if row.opened}
    return Verdict(
        originals=len(warned),
        before=sum(one.at < accepted for one in warned),
        calls_off=len(calls_off),
        loudspeakers=sum(target.startswith(LOUDSPEAKERS) for target in first_told),
        last_original_s=max(last_warned.values()) - accepted if last_warned else None,
        first_told_s=min(owed_at) - accepted if owed_at else None,
        last_told_s=max(owed_at) - accepted if owed_at else None,
        untold=len(owed - first_told.keys()),
        needless=len(first_told.keys() - allowed),
        out_of_order=sum(at < last_warned.get(target, at) for target, at in first_told.items()),
        on_their_way=len(first_told.keys() - last_warned.keys()),
    )


def _first(came: Sequence[Came]) -> Mapping[str, float]:
    found: dict[str, float] = {}
    for one in came:
        found.setdefault(one.target, one.at)
    return found


def _last(came: Sequence[Came]) -> Mapping[str, float]:
    return {one.target: one.at for one in came}
