"""Bytes from a door become a warning, kept once: rejected, held, or approved with audience and plan frozen.

Accepted means committed: whoever sent it is answered only after that. It must survive the same message twice (at the same
instant, through two doors), the same identity with other content (refused and put on record), hostile bytes, a Cancel that
comes before what it cancels, and a crash at any line.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import structlog
from uuid_utils import compat as uuid

from dispatcher.approval import needs_person, sendable
from dispatcher.geofence import Resolved
from dispatcher.intake import signature
from dispatcher.intake.canonical import digest
from dispatcher.intake.decode import decode
from dispatcher.intake.findings import Decoded
from dispatcher.intake.judge import Circumstances, judge, verdict_of
from dispatcher.model import Code, Finding, Kind, Verdict, WarningMessage
from dispatcher.pipeline import chaining, merging, releasing
from dispatcher.pipeline.chaining import OVER, OVERTAKEN, Company, chain_findings, identity_of, overtaken_on_arrival
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.freeze import freeze, freeze_cancel, resolve_area, with_expiry
from dispatcher.pipeline.keeping import Arrival, Born, row_of
from dispatcher.pipeline.releasing import By, Loosed
from dispatcher.planning import lane_of
from dispatcher.settings import Source
from dispatcher.signing import Act
from dispatcher.states import WAITING, WarningState
from dispatcher.store import chains, chunks, events, kin, rejects, warnings
from dispatcher.store.engine import AlreadyThere, Tx, storable, unique
from dispatcher.store.events import Event
from dispatcher.store.rejects import Reject
from dispatcher.store.warnings import WarningRow
from dispatcher.telemetry import mask

READ_ASIDE = 64 * 1024

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """What a door handed over. `source` is the routing key, the token's owner or the name on the command line."""

    door: str
    source: str
    content_type: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    user_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of it. `warning_id` is empty where it was rejected; `repeated`: we had it already, nothing was done."""

    verdict: Verdict
    code: Code | None
    reason: str
    warning_id: str = ""
    state: WarningState = WarningState.REJECTED
    repeated: bool = False
    findings: tuple[Finding, ...] = ()
    content_conflict: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """Of a person who may release it alone. `whose` is asked inside the transaction and raises where he may not; `released` is
    done in it, once it has been."""

    whose: Callable[[Tx], Awaitable[By]]
    released: Callable[[Tx, WarningRow], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A readable message on its way to a verdict."""

    incoming: Incoming
    source: Source
    message: WarningMessage
    digest: str
    findings: tuple[Finding, ...]
    resolved: Resolved
    hand: Hand | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """All that speaks against it, and what follows."""

    verdict: Verdict
    code: Code | None
    reason: str
    findings: tuple[Finding, ...]


async def accept(context: Context, incoming: Incoming) -> Answer:
    """Judges and keeps a message; raises only where the database is away (the door then asks to come again)."""
    incoming = replace(
        incoming, source=storable(incoming.source)[:64], content_type=storable(incoming.content_type)[:200]
    )
    source, strangers = _source(context, incoming)
    if source is None:
        return await _reject(context, incoming, strangers)
    return await take_in(context, incoming, source)


async def take_in(context: Context, incoming: Incoming, source: Source, hand: Hand | None = None) -> Answer:
    """From a source that is who it says."""
    decoded = await _decoded(context, incoming)
    if decoded.message is None:
        return await _reject(context, incoming, decoded.findings)
    message = with_expiry(context, decoded.message)
    if source.trusted:
        context.make_way(lane_of(message))
    resolved = await resolve_area(context, message, source)
    case = _Case(
        incoming=incoming,
        source=source,
        message=message,
        digest=digest(decoded.message),
        findings=decoded.findings,
        resolved=resolved,
        hand=hand,
    )
    before = await _before(context, case)
    if before is not None and not _gives_way(before, case):
        return await _again(context, case, before)
    try:
        return await _keep(context, case)
    except AlreadyThere:  # it is there already, or was kept between our look and our commit
        before = await _before(context, case)
        if before is None:
            raise
        return await _again(context, case, before)


def _source(context: Context, incoming: Incoming) -> tuple[Source | None, tuple[Finding, ...]]:
    source = context.settings.sources.get(incoming.source)
    if source is None:
        return None, (_not_him(f"不认识的来源“{incoming.source}”：请在 sources.yaml 登记"),)
    if incoming.door not in source.doors:
        return None, (_not_him(f"来源“{source.name}”不允许从 {incoming.door} 进入"),)
    if incoming.door == "amqp" and source.amqp_user and incoming.user_id != source.amqp_user:
        return None, (_not_him(f"来源“{source.name}”的消息须由 RabbitMQ 用户 {source.amqp_user} 发布"),)
    forged = signature.check(incoming.body, incoming.headers, source, context.now())
    return (None, (forged,)) if forged else (source, ())


def _not_him(reason: str) -> Finding:
    return Finding(code=Code.SIGNATURE, verdict=Verdict.REJECT, reason=reason)


async def _decoded(context: Context, incoming: Incoming) -> Decoded:
    """A large or hostile body is read off the loop, so that a red behind it does not wait."""
    if len(incoming.body) <= READ_ASIDE:
        return decode(incoming.body, incoming.content_type, context.settings.hazards)
    return await asyncio.to_thread(decode, incoming.body, incoming.content_type, context.settings.hazards)


async def _before(context: Context, case: _Case) -> WarningRow | None:
    async with context.store.read() as tx:
        return await warnings.by_identity(tx, identity_of(case.message))


def _gives_way(before: WarningRow, case: _Case) -> bool:
    """What an untrusted source sent, and only waits for a person, does not keep out whoever needs none."""
    waits = before.state in WAITING and not before.trusted
    return waits and case.source.trusted and before.drill is case.message.drill


async def _again(context: Context, case: _Case, before: WarningRow) -> Answer:
    """The same message again: the same answer. The same identity with other content: refused, and put on record."""
    if before.digest == case.digest:
        verdict, code, reason = verdict_of(_findings(before))
        return Answer(
            verdict=verdict,
            code=code,
            reason=reason,
            warning_id=before.id,
            state=WarningState(before.state),
            repeated=True,
        )
    conflict = Finding(
        code=Code.DUPLICATE_CONFLICT,
        verdict=Verdict.REJECT,
        reason=f"编号 {case.message.identifier} 已收过，内容与先前不同：先前的不变，这一份拒收",
    )
    answer = await _reject(context, case.incoming, (conflict,))
    return replace(answer, content_conflict=True)


async def _keep(context: Context, case: _Case) -> Answer:
    """One transaction: references, verdict, plan, release. What has to stop in memory stops after the commit."""
    async with context.store.begin() as tx:
        by = await case.hand.whose(tx) if case.hand else _by_itself(context, case)
        await chains.hold(tx, joins=bool(case.message.references))
        company = await chaining.company(tx, case.message)
        judged = _judge(context, case, company)
        if judged.verdict is Verdict.REJECT:
            return await _reject_in(context, tx, case.incoming, judged.findings)
        if judged.verdict is Verdict.ACCEPT:
            await _make_room(context, tx, case)
        born = await _decide(context, tx, case, judged, company)
        row = row_of(_arrival(context, case), case.message, case.resolved, born, (judged.findings, company.chain_id))
        async with unique():
            await warnings.keep(tx, row, case.message.references)
        if born.state is not WarningState.HELD:
            await chains.join(tx, [one.id for one in company.every], row.chain_id)
        loosed = await _release(context, tx, (row, born), company, by)
        await _record(context, tx, row, judged, by)
        if case.hand and born.state is WarningState.APPROVED:
            await case.hand.released(tx, row)
    if born.state is WarningState.APPROVED:
        releasing.tell(context, loosed)
    return Answer(
        verdict=judged.verdict,
        code=judged.code,
        reason=judged.reason,
        warning_id=row.id,
        state=born.state,
        findings=judged.findings,
    )


async def _make_room(context: Context, tx: Tx, case: _Case) -> None:
    """The copy that waited for a person ends, said aloud; this one, which needs nobody, takes its identity."""
    before = await warnings.by_identity(tx, identity_of(case.message))
    if before is None or not _gives_way(before, case):
        return
    now = context.now()
    if await warnings.move(tx, before.id, WarningState.REJECTED, ended_at=now):
        reason = f"来源“{case.source.name}”直通送达同一编号，来自 {before.source} 的这一份不再等待核对"
        detail = {"source": before.source, "door": before.door, "code": int(Code.DUPLICATE_CONFLICT), "reason": reason}
        actor = f"source:{case.incoming.source}"
        event = Event(actor=actor, kind="warning.rejected", subject=before.id, warning_id=before.id, detail=detail)
        await events.record(tx, now, event, outward=True)


def _judge(context: Context, case: _Case, company: Company) -> _Judged:
    findings = case.findings + judge(
        case.message,
        Circumstances(
            source=case.source,
            now=context.now(),
            tolerance_s=context.settings.policy.future_tolerance_s,
            resolved=case.resolved,
            references_known=bool(company.before) or not case.message.references,
        ),
    )
    findings += chain_findings(case.message, case.source, company)
    if overtaken_on_arrival(case.message, company) is not None:
        findings += (OVERTAKEN,)
    elif case.message.kind is Kind.CANCEL and company.over:
        findings += (OVER,)
    if verdict_of(findings)[0] is Verdict.ACCEPT and (person := needs_person(case.message, case.source)):
        findings = (*findings, person)
    verdict, code, reason = verdict_of(findings)
    return _Judged(verdict=verdict, code=code, reason=reason, findings=findings)


async def _decide(context: Context, tx: Tx, case: _Case, judged: _Judged, company: Company) -> Born:
    """What becomes of a message that is not refused."""
    if judged.verdict is Verdict.HOLD:
        return Born(state=WarningState.HELD)
    if not sendable(case.message) or case.message.kind in (Kind.ACK, Kind.ERROR):
        return Born(state=WarningState.RECEIVED)
    overtaken = overtaken_on_arrival(case.message, company)
    if overtaken is not None:
        return Born(state=overtaken)
    if releasing.nothing_to_end(case.message, company):
        return Born(state=WarningState.RECEIVED)  # a tombstone: should what it cancels still come, it is not sent
    await releasing.silence(tx, case.message.kind, company)
    if case.message.kind is not Kind.CANCEL:
        about = (case.message, case.resolved, case.incoming.source)
        company = await merging.with_kin(context, tx, company, about)
        frozen = await freeze(context, tx, case.message, case.resolved, company)
        return Born(state=WarningState.APPROVED, frozen=frozen, kin=tuple(row.id for row in company.kin))
    frozen = await freeze_cancel(context, tx, case.message, company.told)
    return Born(state=WarningState.APPROVED, frozen=frozen)


def _arrival(context: Context, case: _Case) -> Arrival:
    return Arrival(
        door=case.incoming.door,
        source=case.incoming.source,
        trusted=case.source.trusted,
        content_type=case.incoming.content_type,
        raw=case.incoming.body,
        digest=case.digest,
        at=context.now(),
    )


def _by_itself(context: Context, case: _Case) -> By:
    """A source that may lets it go by itself, and that is put down as what it is."""
    name = case.incoming.source
    return By(account_id="", actor=f"source:{name}", act=Act.TRUSTED, at=context.now(), detail={"source": name})


async def _release(context: Context, tx: Tx, born: tuple[WarningRow, Born], company: Company, by: By) -> Loosed:
    row, (frozen, others) = born[0], (born[1].frozen, born[1].kin)
    if frozen is None:
        return Loosed()
    await releasing.keep_plan(tx, row, frozen, by)
    await chunks.release(tx, row.id)
    await kin.link(tx, row.id, others)
    return await releasing.overtake(context, tx, row, company)


async def _record(context: Context, tx: Tx, row: WarningRow, judged: _Judged, by: By) -> None:
    detail = {
        "identifier": row.identifier,
        "source": row.source,
        "level": row.level or "",
        "event": row.event,
        "drill": row.drill,
        "state": row.state,
        "rows": row.rows_planned,
        "code": int(judged.code or 0),
        "reason": judged.reason,
    }
    kind = "warning.held" if judged.verdict is Verdict.HOLD else "warning.accepted"
    told = [Event(actor=by.actor, kind=kind, subject=row.id, warning_id=row.id, detail=detail)]
    if row.state == WarningState.APPROVED:
        who = by.account_id or f"直通：{row.source}"
        signed = {"by": who, "act": by.act, "plan_hash": row.plan_hash}
        told.append(Event(actor=by.actor, kind="warning.approved", subject=row.id, warning_id=row.id, detail=signed))
    await events.record_all(tx, context.now(), told)


async def put_aside(context: Context, incoming: Incoming, code: int, reason: str) -> None:
    """Our own handling failed at every try: the bytes are kept, and can be replayed once it is mended."""
    async with context.store.begin() as tx:
        await _keep_refused(context, tx, incoming, code, (reason, ()))


async def _reject(context: Context, incoming: Incoming, findings: tuple[Finding, ...]) -> Answer:
    async with context.store.begin() as tx:
        return await _reject_in(context, tx, incoming, findings)


async def _reject_in(context: Context, tx: Tx, incoming: Incoming, findings: tuple[Finding, ...]) -> Answer:
    verdict, code, reason = verdict_of(findings)
    await _keep_refused(context, tx, incoming, int(code or 0), (reason, findings))
    return Answer(verdict=verdict, code=code, reason=reason, findings=findings)


async def _keep_refused(
    context: Context, tx: Tx, incoming: Incoming, code: int, why: tuple[str, Sequence[Finding]]
) -> None:
    """The bytes as they came, the code and the sentence; and whoever listens is told."""
    (said, findings), now, reject_id = why, context.now(), uuid.uuid7().hex
    reason = mask(storable(said))
    await rejects.keep(
        tx,
        Reject(
            id=reject_id,
            at=now,
            source=incoming.source,
            door=incoming.door,
            content_type=incoming.content_type,
            raw=incoming.body,
            digest=hashlib.sha256(incoming.body).hexdigest(),
            code=code,
            reason=reason,
            findings=[asdict(replace(finding, reason=mask(storable(finding.reason)))) for finding in findings],
        ),
    )
    detail = {"source": incoming.source, "door": incoming.door, "code": code, "reason": reason}
    event = Event(actor=f"source:{incoming.source}", kind="warning.rejected", subject=reject_id, detail=detail)
    await events.record(tx, now, event, outward=True)
    log.info("拒收一份报文，原文已留存", reject=reject_id, code=code, source=incoming.source)


def _findings(row: WarningRow) -> tuple[Finding, ...]:
    return tuple(
        Finding(code=Code(found["code"]), verdict=Verdict(found["verdict"]), reason=str(found["reason"]))
        for found in row.findings
    )
