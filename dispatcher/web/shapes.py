"""The bodies, as models: what OpenAPI shows and what is written. Times are ISO 8601 with their zone."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Body(BaseModel):
    model_config = ConfigDict(frozen=True)


class Problem(BaseModel):
    """RFC 9457. `code`: a number of the table of codes, or a word."""

    model_config = ConfigDict(frozen=True, extra="allow")
    type: str
    title: str
    status: int
    code: str
    detail: str
    instance: str


class FindingOut(Body):
    code: int
    verdict: str
    reason: str


class RemarkOut(Body):
    """Of the wording. `severity` warn: change it before it goes out; note: know it. Nothing is held for one."""

    rule: str
    severity: Literal["warn", "note"]
    field: str = Field(description="Of the message, or the channel whose text it is about.")
    found: str
    sentence: str


class SpokenOut(Body):
    """A text as people get it, with the longest name of a place in it."""

    channel: str
    to: str = Field(description="Whom it is for, where a channel has several texts.")
    text: str
    units: int = Field(description="UTF-16 code units, as carriers count.")
    segments: int = Field(description="SMS parts; 0 on other channels.")
    lost: str = Field(description="What was cut off to keep within the parts the city pays for.")
    seconds: int = Field(description="How long it is spoken; 0 where it is read.")


class LintOut(Body):
    """Nothing was judged, held or written. `findings`: what reading the bytes said of them."""

    remarks: tuple[RemarkOut, ...]
    texts: tuple[SpokenOut, ...]
    findings: tuple[FindingOut, ...]


class Accepted(Body):
    """The commit lies behind this answer. `verdict` hold: it waits for a person, `code` says why."""

    warning_id: str
    state: str
    verdict: str
    code: int | None
    reason: str
    repeated: bool = Field(description="We had it already; nothing was done again.")
    findings: tuple[FindingOut, ...] = ()


class WarningItem(Body):
    id: str
    chain_id: str
    source: str
    door: str
    sender: str
    identifier: str
    sent: datetime
    kind: str
    status: str
    drill: bool
    event: str
    level: str | None
    headline: str
    expires: datetime | None
    state: str
    rows_planned: int
    received_at: datetime
    dispatched_at: datetime | None
    completed_at: datetime | None


class WarningPage(Body):
    warnings: tuple[WarningItem, ...]
    next_before: str | None = Field(description="`before` of the next page; null on the last one.")


class TallyOut(Body):
    """Rows by state. planned = pending + sent + delivered + undelivered + unknown + failed + ended + suppressed."""

    planned: int
    pending: int
    sent: int = Field(description="Taken by the provider, no receipt yet.")
    delivered: int
    undelivered: int
    unknown: int
    failed: int
    ended: int = Field(description="Withdrawn or expired before it was sent.")
    suppressed: int
    reached: float | None = Field(description="delivered / (planned - suppressed); null where nobody is planned.")


class TimesOut(Body):
    accepted: datetime
    released: datetime | None
    first_sent: datetime | None
    last_sent: datetime | None
    dispatched: datetime | None
    completed: datetime | None
    ended: datetime | None


class TroubleOut(Body):
    channel: str
    state: str
    code: str
    rows: int


class Place(Body):
    area: str
    name: str
    why: str


class ChainItem(Body):
    id: str
    chain_id: str
    sender: str
    identifier: str
    kind: str
    state: str
    headline: str
    received_at: datetime
    ended_by: str | None


class EventOut(Body):
    id: int
    at: datetime
    kind: str
    detail: dict[str, Any]


class WarningDetail(Body):
    warning: WarningItem
    chain: tuple[ChainItem, ...] = Field(
        description="All versions of the event, oldest first; another source's of the same event have a chain_id of their own."
    )
    channels: dict[str, TallyOut]
    total: TallyOut
    possible_duplicates: int
    times: TimesOut
    troubles: tuple[TroubleOut, ...]
    plan: dict[str, Any]
    plan_hash: str
    broadcast_id: str
    villages: int
    findings: tuple[FindingOut, ...]
    remarks: tuple[RemarkOut, ...] = Field(description="Of its words, with today's wording.yaml and lint.yaml.")
    unreachable: tuple[Place, ...]
    unreachable_count: int
    events: tuple[EventOut, ...]
    message: dict[str, Any] = Field(description="The warning as its issuer said it.")


class AttemptLine(Body):
    no: int
    key: str
    started: datetime
    ended: datetime
    outcome: str
    provider_ref: str
    provider: str
    code: str
    reason: str
    possible_duplicate: bool


class DeliveryLine(Body):
    """One line of the ledger; `delivery_key` is the same over all attempts."""

    delivery_key: str
    warning_id: str
    target: str
    channel: str
    round: int
    why: str
    why_text: str
    township: str
    state: str
    code: str
    due: datetime | None
    sent: datetime | None
    ended: datetime | None
    attempts: tuple[AttemptLine, ...]
    possible_duplicate: bool


class UnitOut(Body):
    """A county (6 digits) or township (9); a county's own posts stand under its 6 digits, the city's under its."""

    code: str
    name: str
    level: str
    in_area: bool
    tally: TallyOut


class CountyOut(Body):
    county: UnitOut
    townships: tuple[UnitOut, ...]


class TownshipTable(Body):
    warning_id: str
    total: TallyOut
    counties: tuple[CountyOut, ...]


class ReceiptOut(Body):
    at: datetime
    channel: str
    state: str
    code: str
    detail: str


class ToldOut(Body):
    channel: str
    round: int
    why: str
    why_text: str
    text: str
    state: str
    code: str
    possible_duplicate: bool
    attempts: tuple[AttemptLine, ...]
    receipts: tuple[ReceiptOut, ...]


class WhyOut(Body):
    """Told or not, by which rule, which attempts, which text. `reason` speaks where `told` is empty."""

    warning_id: str
    target: str
    told: tuple[ToldOut, ...]
    reason: str


class PreviewOut(Body):
    """Nothing was written."""

    verdict: str
    code: int | None
    reason: str
    source_format: str
    msg_type: str
    drill: bool
    level: str
    hazard: str
    villages: tuple[str, ...]
    villages_touched: tuple[str, ...]
    townships_touched: tuple[str, ...]
    officers: int
    residents: int
    gateways: int
    endpoints: int
    offices: int
    former: int
    already_told: int
    channels: dict[str, dict[str, Any]]
    unreachable: tuple[dict[str, str], ...]
    left_out: int
    findings: tuple[FindingOut, ...]
    reasons: dict[str, int]
    texts: tuple[str, ...]
    remarks: tuple[RemarkOut, ...]


class GatewayItem(Body):
    id: str
    ebrid: str
    area_code: str
    name: str
    level: str
    parent: str
    lat: float
    lon: float
    online: bool
    villages: int


class GatewayList(Body):
    gateways: tuple[GatewayItem, ...]
    synthetic: bool


class CommandLine(Body):
    """One packet pushed to a gateway and its answer. `receipts`: all it reported since on this delivery.

    `no` counts the tries of a message; of a question it is the number it stands under in the record.
    """

    packet: Literal["message", "question"]
    warning_id: str
    ebm_id: str
    no: int
    started: datetime
    ended: datetime
    outcome: str
    code: str
    reason: str
    provider_ref: str
    trace: str = Field(description="What went over the wire, secrets blotted.")
    receipts: tuple[ReceiptOut, ...]


class RejectItem(Body):
    id: str
    at: datetime
    source: str
    door: str
    content_type: str
    digest: str
    size: int
    code: int
    reason: str


class RejectPage(Body):
    rejects: tuple[RejectItem, ...]
    next_before: str | None


class LiveCounts(Body):
    """`counts` of the live stream: one warning under way."""

    warning_id: str
    state: str
    channels: dict[str, TallyOut]
    total: TallyOut
    first_sent: datetime | None
    last_sent: datetime | None


class LiveBeat(Body):
    """`beat` of the live stream: it is alive, what time it is here, and how often a page may ask for what moves."""

    at: datetime
    ask_every_ms: int


class LiveEvent(Body):
    """`event` of the live stream; its number is the stream's id."""

    id: int
    at: datetime
    kind: str
    warning_id: str | None
    subject: str
    detail: dict[str, Any]


class DependencyOut(Body):
    name: str
    ok: bool
    problem: str
    canary_age_s: float | None
    detail: str


class ReadyOut(Body):
    ready: bool
    problems: tuple[str, ...]
    notices: tuple[str, ...]
    dependencies: tuple[DependencyOut, ...]
    providers_off: dict[str, str]
    clock_skew_s: float
    synthetic: bool


class AliveOut(Body):
    alive: bool
