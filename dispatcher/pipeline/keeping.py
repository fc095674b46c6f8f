"""What is stored of a message that was not refused: one row, with its plan where it goes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, TypedDict

from uuid_utils import compat as uuid

from dispatcher.geofence import Resolved
from dispatcher.intake.canonical import to_json
from dispatcher.model import Finding, WarningMessage
from dispatcher.pipeline.freeze import Frozen
from dispatcher.states import WarningState
from dispatcher.store.warnings import WarningRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """How it came: door, source, bytes, the digest of what it says."""

    door: str
    source: str
    trusted: bool
    content_type: str
    raw: bytes
    digest: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Born:
    """In which state a warning is kept, and its plan where it goes out."""

    state: WarningState
    frozen: Frozen | None = None
    kin: tuple[str, ...] = ()
    """Other sources' warnings that are of the same event."""


def row_of(
    arrival: Arrival,
    message: WarningMessage,
    resolved: Resolved,
    born: Born,
    said: tuple[Sequence[Finding], str],
) -> WarningRow:
    """`said`: the findings, and the chain it belongs to ('' begins one)."""
    (findings, chain_id), frozen, warning_id = said, born.frozen, uuid.uuid7().hex
    spoken = frozen.message if frozen else message
    return WarningRow(
        id=warning_id,
        chain_id=chain_id or warning_id,
        source=arrival.source,
        door=arrival.door,
        source_format=spoken.source_format,
        content_type=arrival.content_type,
        raw=arrival.raw,
        digest=arrival.digest,
        sender=spoken.sender,
        identifier=spoken.identifier,
        sent=spoken.sent,
        trusted=arrival.trusted,
        state=born.state,
        **content_of(spoken, frozen.resolved if frozen else resolved, findings),
        **(planned(frozen) if frozen else _NOTHING_PLANNED),
        received_at=arrival.at,
        released_at=arrival.at if born.state is WarningState.APPROVED else None,
    )


class ContentColumns(TypedDict):
    """What of a warning an edit may change."""

    kind: str
    status: str
    scope: str
    drill: bool
    event: str
    level: str | None
    headline: str
    expires: datetime | None
    message: dict[str, Any]
    area: dict[str, list[str]]
    findings: list[dict[str, Any]]


def content_of(spoken: WarningMessage, resolved: Resolved, findings: Sequence[Finding]) -> ContentColumns:
    return ContentColumns(
        kind=spoken.kind,
        status=spoken.status,
        scope=spoken.scope,
        drill=spoken.drill,
        event=spoken.hazard.name if spoken.hazard else spoken.event,
        level=spoken.level,
        headline=spoken.headline,
        expires=spoken.expires,
        message=to_json(spoken),
        area=area_of(resolved),
        findings=[asdict(finding) for finding in findings],
    )


class PlanColumns(TypedDict):
    """What is stored of a frozen plan beside its texts and chunks."""

    plan: Mapping[str, Any]
    plan_hash: str
    header_hash: str
    rows_planned: int
    broadcast_id: str


_NOTHING_PLANNED = PlanColumns(plan={"channels": {}}, plan_hash="", header_hash="", rows_planned=0, broadcast_id="")


def planned(frozen: Frozen) -> PlanColumns:
    return PlanColumns(
        plan=frozen.summary,
        plan_hash=frozen.plan.hash,
        header_hash=frozen.plan.header_hash,
        rows_planned=frozen.plan.rows,
        broadcast_id=frozen.broadcast_id,
    )


def area_of(resolved: Resolved) -> dict[str, list[str]]:
    """What is kept of a resolved area: codes of villages inside and touched, and of counties."""
    return {"villages": list(resolved.villages), "touched": list(resolved.touched), "counties": list(resolved.counties)}
