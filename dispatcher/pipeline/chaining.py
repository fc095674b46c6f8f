"""What a message may do to the warnings it refers to, and what those that came before it do to it.

A drill never touches what is real, a source never calls off what lies outside its area, and a message that only waits for
a person, or only tests the line, silences nobody.
"""

from __future__ import annotations

from collections.abc import Sequence

from dispatcher.model import Code, Finding, Kind, Status, Verdict, WarningMessage
from dispatcher.settings import Source
from dispatcher.states import LIVE, WarningState
from dispatcher.store.warnings import WarningRow

OVERTAKEN = Finding(
    code=Code.REFERENCE_MISSING, verdict=Verdict.ACCEPT, reason="引用本条的更新或解除先到一步，本条只登记，不再发送"
)
_ISSUED = LIVE | {WarningState.SUPERSEDED, WarningState.CANCELLED, WarningState.EXPIRED}
_SENDABLE = (Status.ACTUAL, Status.EXERCISE)


def chain_findings(message: WarningMessage, source: Source, chain: Sequence[WarningRow]) -> tuple[Finding, ...]:
    """240 where drill and live would meet; 214 where the chain lies outside what the source may speak for."""
    found = []
    if any(row.drill is not message.drill for row in chain):
        found.append(
            Finding(code=Code.DRILL_MIXED, verdict=Verdict.REJECT, reason="演练不能更新或解除实战预警，反之亦然")
        )
    outside = sorted({village[:6] for row in chain for village in row.area["villages"] if not _may(source, village)})
    if outside:
        reason = f"所引用的预警涉及 {'、'.join(outside[:5])}，超出来源“{source.name}”的管辖区域"
        found.append(Finding(code=Code.OUTSIDE_AUTHORITY, verdict=Verdict.REJECT, reason=reason))
    return tuple(found)


def overtaken_on_arrival(message: WarningMessage, later: Sequence[WarningRow]) -> WarningState | None:
    """An Update that was issued, or a Cancel of a trusted source, came before this message: it is kept and not sent."""
    same = [row for row in later if row.drill is message.drill and Status(row.status) in _SENDABLE]
    if any(row.kind == Kind.CANCEL and row.trusted and row.state != WarningState.HELD for row in same):
        return WarningState.CANCELLED
    if any(row.kind == Kind.UPDATE and WarningState(row.state) in _ISSUED for row in same):
        return WarningState.SUPERSEDED
    return None


def _may(source: Source, village: str) -> bool:
    """A city's prefix (360800) covers its counties; any other is the beginning of what it covers."""
    return any(
        village.startswith(prefix[:4] if len(prefix) == 6 and prefix.endswith("00") else prefix)
        for prefix in source.area_prefixes
    )
