"""Whoever has to know at once is paged: signers whose time has come, leaders over whose heads it was released, officers whose
warning was refused by the sender.

Rows are the truth: a page is put in the transaction of what it is about, or found due by a tick that a restart repeats, and a
second tick sends it until it has left. A drill's says so, and leaves by a drill's provider alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

import structlog

from channels.contract import Accepted, Blame, Bulletin, Message, NotKnown, Outcome, Refused
from channels.text import mark_drill, signed
from dispatcher.accounts.authority import AccountRole, Action, denial, in_person
from dispatcher.approval import alternate, due, lapsed, signers
from dispatcher.model import Level
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.persons import spoken_for
from dispatcher.signing import Act, in_words
from dispatcher.states import WarningState
from dispatcher.store import accounts, drafts, events, pages, signatures, warnings
from dispatcher.store.accounts import Account
from dispatcher.store.engine import Tx
from dispatcher.store.events import Event
from dispatcher.store.pages import NewPage, Page
from dispatcher.store.signatures import Signature
from dispatcher.store.warnings import WarningRow

AGAIN_S: Final = (10, 30, 60, 60, 60, 300, 300, 300, 300)
"""Before each further try; then it is given up, and said."""
CLAIM_S: Final = 60
AT_ONCE: Final = 6
"""Pages on their way at the same time: each takes a connection for a moment."""
REFUSED: Final = ("warning.plan_changed", "warning.unsigned", "warning.drill_mixed")
OVERLAP: Final = 1000
"""Events that were still being committed when a later one was seen."""
LOOKED_BACK: Final = timedelta(hours=1)

log = structlog.get_logger()


class Purpose(StrEnum):
    """Why somebody is paged."""

    SIGN = "sign"
    LAPSED = "lapsed"
    RELEASED = "released"
    REVIEW = "review"
    TELEPHONE = "telephone"
    OBJECTED = "objected"
    INK_DUE = "ink_due"
    RETRACTED = "retracted"
    REFUSED = "refused"


class Pager(Protocol):
    """A provider of SMS with its pace, at which somebody who waits goes before what is sent to many."""

    async def next_turn(self) -> None: ...

    def send(self, batch: Sequence[Message], now: datetime) -> Awaitable[list[Outcome]]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What whoever is paged reads, and what makes it another page."""

    purpose: Purpose
    about: str
    words: str


async def page(context: Context, tx: Tx, row: WarningRow, whom: Iterable[Account], said: Said) -> int:
    """Puts a page for each, once; returns how many are new. In the warning's history and in the chained log."""
    now, new = context.now(), []
    text = signed(said.words, context.settings.wording.signature)
    for account in whom:
        one = NewPage(
            warning_id=row.id,
            account_id=account.id,
            purpose=said.purpose,
            about=said.about[:64],
            drill=row.drill,
            text=mark_drill(text) if row.drill else text,
        )
        if await pages.put(tx, one, now):
            new.append(account.id)
    if new:
        detail = {"purpose": said.purpose, "accounts": new}
        event = Event(kind="approval.paged", subject=row.id, warning_id=row.id, detail=detail)
        await events.record(tx, now, event, logged=True)
    return len(new)


def called(row: WarningRow) -> str:
    """The warning in a few words."""
    level = Level(row.level).chinese if row.level else ""
    return f"{row.event}{level}预警（{row.headline[:40]}）"


async def able_to_sign(context: Context, tx: Tx, row: WarningRow, done: Sequence[Signature]) -> list[Account]:
    about = (await spoken_for(tx, row), done)
    return signers(context.settings.policy.approval, row.level, about, await accounts.every(tx))


async def leaders(tx: Tx, row: WarningRow) -> list[Account]:
    """Every leader of the area, whatever part he had in it."""
    return [one for one in await accounts.every(tx) if _may(one, AccountRole.APPROVER, Action.LOOK, row)]


async def officers(tx: Tx, row: WarningRow) -> list[Account]:
    """Those on duty whom it is about."""
    every = await accounts.every(tx)
    return [one for one in every if one.on_duty and _may(one, AccountRole.DUTY_OFFICER, Action.LOOK, row)]


def _may(account: Account, role: AccountRole, action: Action, row: WarningRow) -> bool:
    if account.disabled_at is not None or account.role != role:
        return False
    return denial(in_person(account), action, list(row.area["villages"])) is None


# ── ticks ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def sign_off_due(context: Context) -> int:
    """Pages whoever's time has come; returns how many. Each second."""
    async with context.store.read() as tx:
        waiting = await drafts.submitted(tx)
    paged = 0
    for warning_id in waiting:
        async with context.store.read() as tx:
            found = await _due(context, tx, warning_id)
        for said, whom in found:
            async with context.store.begin() as tx:
                row = await warnings.one(tx, warning_id, held=True)
                if row is not None and row.state == WarningState.SUBMITTED and row.plan_hash == said.about:
                    paged += await page(context, tx, row, whom, said)
    return paged


async def _due(context: Context, tx: Tx, warning_id: str) -> list[tuple[Said, list[Account]]]:
    """Looked up without the write lock: most looks find nothing new."""
    row, done = await warnings.one(tx, warning_id), await signatures.of(tx, warning_id)
    put = next((one for one in reversed(done) if one.act == Act.SUBMITTED), None)
    if row is None or put is None or row.state != WarningState.SUBMITTED:
        return []
    policy, now = context.settings.policy.approval, context.now()
    able = await able_to_sign(context, tx, row, done)
    whom = due(policy.of(row.level), put.at, (able, alternate(policy, able)), now)
    asked = f"请签发：{called(row)}，{row.rows_planned:,} 个对象，请登录审批"
    found = [(Said(purpose=Purpose.SIGN, about=row.plan_hash, words=asked), whom)]
    if lapsed(policy, row.level, put.at, now):
        words = f"各签发人均已逾时：{called(row)}，可由拟制人以外的另一名在岗值班员放行"
        found.append((Said(purpose=Purpose.LAPSED, about=row.plan_hash, words=words), await officers(tx, row)))
    return [(said, left) for said, some in found if (left := await _not_yet(tx, row, said, some))]


async def _not_yet(tx: Tx, row: WarningRow, said: Said, whom: Sequence[Account]) -> list[Account]:
    before = await pages.paged(tx, row.id, said.purpose, said.about)
    return [one for one in whom if one.id not in before]


@dataclass(slots=True)
class Looked:
    """How far the events were read: each is looked at once a process, and a little more than once."""

    after: int = 0


async def refusals_due(context: Context, looked: Looked) -> int:
    """The sender refused what was approved: the officers on duty read what differs, and what to do. Each second."""
    async with context.store.read() as tx:
        told, newest = await events.of_kinds(tx, REFUSED, looked.after, context.now() - LOOKED_BACK)
    paged = 0
    for warning_id, changed in {one.warning_id: one.detail.get("changed", ()) for one in told}.items():
        async with context.store.read() as tx:
            row = await warnings.one(tx, warning_id or "")
            words = f"未发出：{called(row)} 与签发的不符。{in_words(changed)}。请登录核对后重新送签" if row else ""
            said = Said(purpose=Purpose.REFUSED, about=row.plan_hash if row else "", words=words[:300])
            whom = await _not_yet(tx, row, said, await officers(tx, row)) if row else []
        if row is not None and whom:
            async with context.store.begin() as tx:
                paged += await page(context, tx, row, whom, said)
    looked.after = max(0, newest - OVERLAP)
    return paged


async def ink_slips_due(context: Context) -> int:
    """A sign-off by telephone whose paper has not come in time: whoever recorded it, and the leaders. Each minute."""
    before = context.now() - timedelta(hours=context.settings.policy.approval.ink_slip_hours)
    paged = 0
    async with context.store.read() as tx:
        late = await signatures.acts_before(tx, Act.TELEPHONE, before, Act.INK_SLIP)
    for one in late:
        async with context.store.read() as tx:
            row, recorder = await warnings.one(tx, one.warning_id), await accounts.by_id(tx, one.account_id)
            words = f"电话签发的书面签批单逾期未交：{called(row)}，请补签后登记" if row else ""
            said = Said(purpose=Purpose.INK_DUE, about=one.plan_hash, words=words)
            everybody = [*([recorder] if recorder else []), *await leaders(tx, row)] if row else []
            whom = await _not_yet(tx, row, said, everybody) if row else []
        if row is not None and whom:
            async with context.store.begin() as tx:
                paged += await page(context, tx, row, whom, said)
    return paged


async def reviews_due(context: Context) -> int:
    """What was released over the leaders' heads and none of them has reviewed: they are paged again every hour. Each minute."""
    hour, now = timedelta(hours=1), context.now()
    async with context.store.read() as tx:
        open_ones = await signatures.acts_before(tx, Act.RELEASED, now - hour, Act.REVIEWED)
    paged = 0
    for one in open_ones:
        hours = (now - one.at) // hour
        async with context.store.read() as tx:
            row = await warnings.one(tx, one.warning_id)
            words = f"未经签发放行的预警仍待您复核：{called(row)}，已过 {hours} 小时，请登录复核" if row else ""
            said = Said(purpose=Purpose.REVIEW, about=f"{one.plan_hash[:40]}:{hours}", words=words)
            whom = await _not_yet(tx, row, said, await leaders(tx, row)) if row else []
        if row is not None and whom:
            async with context.store.begin() as tx:
                paged += await page(context, tx, row, whom, said)
    return paged


# ── sending ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def send_pages(context: Context, pagers: Mapping[bool, Pager], limit_s: float = 10.0) -> int:
    """Sends what is due by the provider of its side (`pagers`: whether a drill's); returns how many left. Each second. They go
    side by side, so that one that hangs keeps nobody else waiting."""
    async with context.store.read() as tx:
        waiting = await pages.due(tx, context.now(), AT_ONCE)
    async with asyncio.TaskGroup() as tasks:
        sending = [tasks.create_task(_send(context, pagers, one, limit_s)) for one in waiting]
    return sum(one.result() for one in sending)


async def _send(context: Context, pagers: Mapping[bool, Pager], one: Page, limit_s: float) -> int:
    async with context.store.begin() as tx:
        mine = await pages.claim(tx, one, context.now() + timedelta(seconds=CLAIM_S))
        account, row = await accounts.by_id(tx, one.account_id), await warnings.one(tx, one.warning_id)
    if not mine or account is None or row is None:
        return 0
    outcome = await _sent(context, pagers, (one, account, row), limit_s)
    async with context.store.begin() as tx:
        return await _settled(context, tx, one, outcome)


async def _sent(
    context: Context, pagers: Mapping[bool, Pager], what: tuple[Page, Account, WarningRow], limit_s: float
) -> Outcome:
    one, account, row = what
    phone, pager = context.seal.open(account.phone) if account.phone else "", pagers.get(one.drill)
    if not phone or pager is None:
        why = "这个账号没有登记手机号" if not phone else "没有可用的短信接口"
        return Refused(code="no_way", reason=why, blame=Blame.ADDRESS)
    message = Message(id=f"page-{one.id}", to=phone, text=one.text, bulletin=_bulletin(context, one, row))
    try:
        async with asyncio.timeout(limit_s):
            await pager.next_turn()
            (outcome,) = await pager.send([message], context.now())
    except Exception as error:  # noqa: BLE001 - whatever a provider does, the page is tried again
        return NotKnown(code="error", reason=type(error).__name__)
    return outcome


async def _settled(context: Context, tx: Tx, one: Page, outcome: Outcome) -> int:
    now = context.now()
    if isinstance(outcome, Accepted):
        await pages.settle(tx, one.id, "accepted", sent_at=now, again_at=None)
        return 1
    again = AGAIN_S[one.tries] if one.tries < len(AGAIN_S) else None
    due_at = None if again is None else now + timedelta(seconds=again)
    await pages.settle(tx, one.id, f"{outcome.code} {outcome.reason}"[:200], sent_at=None, again_at=due_at)
    if due_at is None:
        log.error("一条签发通知始终没有发出去，请改用电话", warning_id=one.warning_id, account=one.account_id)
        detail = {"account": one.account_id, "purpose": one.purpose, "code": outcome.code}
        event = Event(kind="approval.page_failed", subject=one.warning_id, warning_id=one.warning_id, detail=detail)
        await events.record(tx, now, event, logged=True)
    return 0


def _bulletin(context: Context, one: Page, row: WarningRow) -> Bulletin:
    """Only what an SMS needs: the side it stands on, and until when it is worth sending."""
    now = context.now()
    return Bulletin(
        warning_id=row.id,
        chain_id=row.chain_id,
        identifier=row.identifier,
        kind="Page",
        drill=one.drill,
        test=False,
        level=row.level or "",
        rank=Level(row.level).rank if row.level else 0,
        event=row.event,
        event_code="",
        headline=mark_drill(row.headline) if one.drill else row.headline,
        sender=context.settings.service.sender_code,
        sender_name=context.settings.service.sender_name,
        sent=now,
        starts=now,
        expires=now + timedelta(hours=1),
    )
