"""The warnings of one event: what a message may do to those that came before it, and what they do to it.

What the latest says holds, whatever order they arrive in: by `sent`, and at the same second a cancel over an update over
an alert. A drill never touches what is real, a source never calls off what lies outside its area, and a message that only
waits for a person, or only tests the line, silences nobody.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from dispatcher.geofence import Resolved
from dispatcher.intake.canonical import from_json
from dispatcher.model import Code, Finding, Kind, Reference, Status, Verdict, WarningMessage
from dispatcher.settings import Source
from dispatcher.states import LIVE, WAITING, WarningState
from dispatcher.store import chains
from dispatcher.store.engine import Tx
from dispatcher.store.warnings import WarningRow

OVER = Finding(
    code=Code.REFERENCE_MISSING,
    verdict=Verdict.ACCEPT,
    reason="该预警此前已经解除，听到过的人都已告知，本条只登记，不再发送",
)
OVERTAKEN = Finding(
    code=Code.REFERENCE_MISSING, verdict=Verdict.ACCEPT, reason="更晚的更新或解除先到一步，本条只登记，不再发送"
)
_RANK: Final = {Kind.ALERT: 0, Kind.UPDATE: 1, Kind.CANCEL: 2}
_SENDABLE = (Status.ACTUAL, Status.EXERCISE)
CONTINUED: Final = "继续发布"
"""An issuer's word in the headline for: as before, and for longer."""
_ALIKE: Final = ("level", "hazard", "event", "status", "scope", "restriction", "narrowing", "responses", "instruction")
"""What has to be the same for it to be the same warning."""

Place = tuple[datetime, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """`before`: versions of the event that this message is later than, oldest first; `after`: those it comes too late for.

    Of `after` only what was issued is there, and trusted cancels that found nothing to cancel.
    """

    before: Sequence[WarningRow]
    after: Sequence[WarningRow]
    parked: Sequence[WarningRow] = ()
    """Those that came before it of which they speak, and wait for a person: they join, and change nothing."""
    kin: Sequence[WarningRow] = ()
    """Other sources' warnings in force of the same event."""

    @property
    def chain_id(self) -> str:
        """'' where it is the first of its event."""
        return next((row.chain_id for row in self.every), "")

    @property
    def every(self) -> Sequence[WarningRow]:
        return [*self.before, *self.after, *self.parked]

    @property
    def told(self) -> Sequence[WarningRow]:
        """Those of `before` that say something: not the cancels."""
        return [row for row in self.before if row.kind != Kind.CANCEL]

    @property
    def over(self) -> bool:
        """The last that was said of it is that it is called off."""
        issued = [row for row in self.before if row.released_at is not None]
        holds = any(row.kind != Kind.CANCEL and WarningState(row.state) in LIVE for row in issued)
        return bool(issued) and issued[-1].kind == Kind.CANCEL and not holds


def identity_of(message: WarningMessage) -> Reference:
    return Reference(sender=message.sender, identifier=message.identifier, sent=message.sent)


def _identity(row: WarningRow) -> Reference:
    return Reference(sender=row.sender, identifier=row.identifier, sent=row.sent)


async def company(tx: Tx, message: WarningMessage) -> Company:
    """Whoever it names, whoever names it or names the same, and their chains. A drill that names what is real, or the other
    way round, is no company: it is refused when it comes second, and must not stand in the way when it came first."""
    every, naming = await chains.family(tx, identity_of(message), message.references)
    family = [row for row in every if row.drill is message.drill or _identity(row) in message.references]
    after = [row for row in family if row.id in naming or _place_of(row) > _place(message.sent, message.kind)]
    late = {row.id for row in after}
    return Company(
        before=sorted((row for row in family if row.id not in late), key=_place_of),
        after=sorted(filter(_counts, after), key=_place_of),
        parked=[row for row in after if not _counts(row)],
    )


def chain_findings(message: WarningMessage, source: Source, company: Company) -> tuple[Finding, ...]:
    """240 where drill and live would meet; 214 where the chain lies outside what the source may speak for."""
    if not message.references:
        return ()
    found = []
    if any(row.drill is not message.drill for row in company.every):
        found.append(
            Finding(code=Code.DRILL_MIXED, verdict=Verdict.REJECT, reason="演练不能更新或解除实战预警，反之亦然")
        )
    villages = {village for row in company.before for village in row.area["villages"]}
    outside = sorted({village[:6] for village in villages if not _may(source, village)})
    if outside:
        reason = f"所引用的预警涉及 {'、'.join(outside[:5])}，超出来源“{source.name}”的管辖区域"
        found.append(Finding(code=Code.OUTSIDE_AUTHORITY, verdict=Verdict.REJECT, reason=reason))
    return tuple(found)


def overtaken_on_arrival(message: WarningMessage, company: Company) -> WarningState | None:
    """What the latest of those it comes too late for has made of it: kept, and not sent."""
    same = [row for row in company.after if row.drill is message.drill]
    if not same:
        return None
    return WarningState.CANCELLED if same[-1].kind == Kind.CANCEL else WarningState.SUPERSEDED


def ends(kind: str, before: WarningRow) -> WarningState | None:
    """What an issued message of this kind makes of an earlier version that is still in force."""
    if WarningState(before.state) not in LIVE | WAITING:
        return None
    return WarningState.CANCELLED if kind == Kind.CANCEL and before.kind != Kind.CANCEL else WarningState.SUPERSEDED


def area_of(row: WarningRow) -> Resolved:
    """The area of a version, as it was resolved when it came."""
    villages, touched, counties = (tuple(row.area[name]) for name in ("villages", "touched", "counties"))
    return Resolved(villages=villages, touched=touched, counties=counties)


def carried_on(
    message: WarningMessage, resolved: Resolved, chain: Sequence[WarningRow], now: datetime
) -> tuple[str, ...]:
    """Ids of the last versions of a chain that say what this one says, so that who heard one need not hear it again
    (继续发布): unbroken, and still in force. In doubt none: then everyone is told."""
    issued = [row for row in chain if row.released_at is not None]
    if not issued or WarningState(issued[-1].state) not in LIVE or not _in_time(issued[-1], now):
        return ()
    return unbroken(message, resolved, issued, now)


def unbroken(
    message: WarningMessage, resolved: Resolved, chain: Sequence[WarningRow], now: datetime
) -> tuple[str, ...]:
    """Ids of the last versions before it that say the same, and whose own time has not run out: who heard of none but one
    that has believes that it is over."""
    issued = [row for row in chain if row.released_at is not None]
    alike = itertools.takewhile(lambda row: _says_the_same(message, resolved, row), reversed(issued))
    return tuple([row.id for row in alike if _in_time(row, now)])


def _says_the_same(message: WarningMessage, resolved: Resolved, before: WarningRow) -> bool:
    if before.kind == Kind.CANCEL or message.kind is Kind.CANCEL:
        return False
    said = from_json(before.message)
    same_words = CONTINUED in message.headline or message.description == said.description
    same_place = all(set(getattr(resolved, name)) == set(before.area[name]) for name in ("villages", "touched"))
    return same_place and same_words and all(getattr(message, name) == getattr(said, name) for name in _ALIKE)


def _in_time(row: WarningRow, now: datetime) -> bool:
    return row.expires is not None and row.expires > now


def _counts(row: WarningRow) -> bool:
    if Status(row.status) not in _SENDABLE:
        return False
    return row.released_at is not None or (row.kind == Kind.CANCEL and row.trusted and row.state not in WAITING)


def _place_of(row: WarningRow) -> Place:
    return _place(row.sent, Kind(row.kind))


def _place(sent: datetime, kind: Kind) -> Place:
    return sent, _RANK.get(kind, 0)


def _may(source: Source, village: str) -> bool:
    """A city's prefix (360800) covers its counties; any other is the beginning of what it covers."""
    return any(
        village.startswith(prefix[:4] if len(prefix) == 6 and prefix.endswith("00") else prefix)
        for prefix in source.area_prefixes
    )
