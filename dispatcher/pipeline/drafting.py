"""What a draft says, judged: shared by all that write one or put one forward. An officer speaks for his own area alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from dispatcher.approval import sendable
from dispatcher.geofence import Resolved
from dispatcher.intake.decode import decode
from dispatcher.intake.judge import Circumstances, judge
from dispatcher.model import Code, Finding, Kind, Verdict, WarningMessage
from dispatcher.pipeline import chaining
from dispatcher.pipeline.chaining import Company, chain_findings, overtaken_on_arrival
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.freeze import resolve_area, with_expiry
from dispatcher.pipeline.persons import Case, refuse
from dispatcher.pipeline.releasing import nothing_to_end
from dispatcher.settings import Source
from dispatcher.states import WarningState
from dispatcher.store import drafts, warnings
from dispatcher.store.engine import Tx
from dispatcher.store.warnings import WarningRow

LEFT_TO_A_PERSON = frozenset({Code.REFERENCE_MISSING})
"""What holds a source's message, and two persons may decide on their own word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What stood in the bytes, with an expiry, and its area."""

    message: WarningMessage
    said: WarningMessage
    """As it was decoded: what a repeat is known by."""
    resolved: Resolved
    findings: tuple[Finding, ...]


def desk(scope: Sequence[str]) -> Source:
    """The console as a source: it may speak for its officer's area, and what it says waits for a second person."""
    return Source(name="值班室拟制", doors=(), area_prefixes=tuple(scope))


async def read(context: Context, body: bytes, scope: Sequence[str]) -> Read:
    """Raises NotDone where it cannot be read."""
    decoded = decode(body, "application/json", context.settings.hazards)
    if decoded.message is None or any(one.verdict is Verdict.REJECT for one in decoded.findings):
        raise refuse(decoded.findings)
    message = with_expiry(context, decoded.message)
    resolved = await resolve_area(context, message, desk(scope))
    return Read(message=message, said=decoded.message, resolved=resolved, findings=decoded.findings)


async def judged(
    context: Context, tx: Tx, about: tuple[WarningMessage, Resolved], scope: Sequence[str]
) -> tuple[tuple[Finding, ...], Company]:
    """All that speaks against it, and the other warnings of its event."""
    message, resolved = about
    company, source = await chaining.company(tx, message), desk(scope)
    circumstances = Circumstances(
        source=source,
        now=context.now(),
        tolerance_s=context.settings.policy.future_tolerance_s,
        resolved=resolved,
        references_known=bool(company.before) or not message.references,
    )
    return (*judge(message, circumstances), *chain_findings(message, source, company)), company


def kept_against(row: WarningRow) -> list[Finding]:
    """What only its bytes showed, and still holds until somebody edits it: shapes that cross themselves, two infos that
    disagree."""
    holds = [one for one in row.findings if one["verdict"] == Verdict.HOLD and one["code"] in _OF_BYTES]
    return [Finding(code=Code(one["code"]), verdict=Verdict.HOLD, reason=str(one["reason"])) for one in holds]


_OF_BYTES = (Code.GEOMETRY, Code.LEVEL_UNKNOWN)


async def back_to_draft(tx: Tx, case: Case) -> None:
    """Its plan, and with it whatever was signed, is void. What was submitted comes back first, as if it had been returned."""
    if case.state is WarningState.SUBMITTED:
        await warnings.move(tx, case.row.id, WarningState.RETURNED)
    if case.state is not WarningState.DRAFT:
        await warnings.move(tx, case.row.id, WarningState.DRAFT)
    await drafts.thaw(tx, case.row.id)


def areas_of(message: WarningMessage, resolved: Resolved, company: Company) -> Collection[str] | None:
    """What it is about: a Cancel names no place of its own. None where nobody knows yet; without an area nothing is
    submitted."""
    villages = set(resolved.villages)
    if message.kind is Kind.CANCEL:
        villages |= {village for row in company.told for village in row.area["villages"]}
    return villages or None


def unsendable(message: WarningMessage, findings: Sequence[Finding], company: Company) -> tuple[Finding, ...]:
    """Why it cannot be put forward; empty where it can."""
    stops = [
        one
        for one in findings
        if one.verdict is Verdict.REJECT or (one.verdict is Verdict.HOLD and one.code not in LEFT_TO_A_PERSON)
    ]
    if not sendable(message) or message.kind in (Kind.ACK, Kind.ERROR):
        stops.append(_stop(Code.FORMAT, "这类报文（测试、系统消息、草稿、回执）只登记、不对外发送，不用送签"))
    elif overtaken_on_arrival(message, company) is not None:
        stops.append(_stop(Code.REFERENCE_MISSING, "更晚的更新或解除已经发出：请以它为准，需要时另拟一条"))
    elif nothing_to_end(message, company):
        stops.append(_stop(Code.REFERENCE_MISSING, "所解除的预警没有发出过，或者已经解除，不用再解除"))
    return tuple(stops)


def _stop(code: Code, reason: str) -> Finding:
    return Finding(code=code, verdict=Verdict.REJECT, reason=reason)
