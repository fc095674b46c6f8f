"""What a leader reads before he signs: the words as people get them, three numbers, who wrote it, and how long it has waited.

All of it is of the frozen plan whose hash he signs: nothing here is worded or counted anew.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from dispatcher.accounts.authority import Action, Principal, denial, may_once_awake
from dispatcher.approval import alternate, is_signer
from dispatcher.intake.canonical import from_json
from dispatcher.linting import Remark
from dispatcher.model import Channel, Kind, TargetKind
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.lint import of_kept
from dispatcher.pipeline.page import Purpose, able_to_sign
from dispatcher.pipeline.persons import spoken_for
from dispatcher.pipeline.preview import quiet_until
from dispatcher.signing import WRITES, Act, hands
from dispatcher.states import WarningState
from dispatcher.store import accounts, ledger, pages, signatures, warnings
from dispatcher.store.accounts import Account
from dispatcher.store.engine import Tx
from dispatcher.store.packing import unpack
from dispatcher.store.signatures import Signature
from dispatcher.store.warnings import TextRow, WarningRow
from dispatcher.web import reach
from dispatcher.web.console.naming import KINDS, called
from dispatcher.web.console.tiles import Map, map_of
from dispatcher.web.parts import Parts

PLACES: Final = 12
"""Of those out of reach, how many are named."""
_ORDER: Final = (TargetKind.OFFICER, TargetKind.RESIDENT, TargetKind.OFFICE, TargetKind.GATEWAY, TargetKind.ENDPOINT)
_BY_TWO: Final = "可由拟制人以外的另一名在岗值班员逾时放行"
_MACHINES: Final = (TargetKind.GATEWAY, TargetKind.ENDPOINT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A text as most of its readers get it. `seconds`: how long it is spoken, 0 where it is read; `others`: texts that differ
    by place or role."""

    channel: str
    to: str
    body: str
    segments: int
    seconds: int
    rows: int
    others: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What happens while nobody signs, and when. `lacks`: it needs somebody, and there is nobody."""

    at: datetime
    what: str
    who: str
    past: bool
    lacks: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """Who did what to it, and when."""

    name: str
    act: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """`told`: people by SMS; `sounding`: gateways, from `silent_until` on where it is night; `hindrance`: why whoever looks
    cannot do it, '' where he can; `signers`: login and name of the leaders who may sign; `fresh`: whether his second factor was
    shown a moment ago."""

    row: WarningRow
    at: datetime
    synthetic: bool
    map: Map | None
    words: tuple[Words, ...]
    told: int
    sounding: int
    platforms: int
    silent_until: datetime | None
    unreached: int
    places: tuple[tuple[str, str], ...]
    not_sent: Mapping[str, int]
    hands: tuple[Hand, ...]
    submitted: datetime
    steps: tuple[Step, ...]
    paged: tuple[str, ...]
    remarks: tuple[Remark, ...]
    reason: bool
    hindrance: str
    signers: tuple[tuple[str, str], ...]
    fresh: bool

    @property
    def ends(self) -> bool:
        """It calls something off."""
        return self.row.kind == Kind.CANCEL

    @property
    def changes(self) -> datetime:
        """When it says something else though nobody did anything: quiet hours begin and end on the hour."""
        hour = self.at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        times = (hour, self.row.expires or hour, *(step.at for step in self.steps))
        return min(at for at in times if at > self.at)

    @property
    def next(self) -> Step | None:
        return next((step for step in self.steps if not step.past), None)


def may_sign(who: Principal, row: WarningRow, areas: Sequence[str]) -> bool:
    """By role and area; whether he had a hand in it is said on the sheet. `areas`: whom it speaks to."""
    return row.state == WarningState.SUBMITTED and may_once_awake(who, Action.APPROVE, areas or None)


async def sheet(site: Parts, row: WarningRow, who: Principal, action: Action = Action.APPROVE) -> Sheet:
    """Of a warning that waits for a signature. `action`: signing it, or putting down that a leader did so by telephone."""
    context = site.doors.context
    register, now = await context.register(), context.now()
    async with context.store.read() as tx:
        texts, frozen = await warnings.texts_of(tx, row.id), await ledger.frozen(tx, row.id)
        done = await signatures.of(tx, row.id)
        able, written = await able_to_sign(context, tx, row, done), await _hands(tx, done)
        asked = await _paged(tx, row)
        own, areas = await accounts.by_id(tx, who.id), await spoken_for(tx, row)
        units = await reach.by_unit(tx, site.frozen, row.id)
    counted = await asyncio.to_thread(_counted, frozen)
    submitted = _submitted(row, done)
    plan = row.plan
    return Sheet(
        row=row,
        at=now,
        synthetic=register.synthetic,
        map=map_of(await site.atlas.of(register), row, reach.table(register, row, units), None),
        words=_words(counted, texts, context.settings.lint.characters_a_second),
        told=sum(rows for (channel, _), rows in counted.rows.items() if channel == Channel.SMS),
        sounding=sum(rows for (_, kind), rows in counted.rows.items() if kind is TargetKind.GATEWAY),
        platforms=sum(rows for (_, kind), rows in counted.rows.items() if kind is TargetKind.ENDPOINT),
        silent_until=quiet_until(context, from_json(row.message), now),
        unreached=int(plan.get("unreachable_count", 0)),
        places=tuple((called(register, one["area"]), one["why"]) for one in plan.get("unreachable", ())[:PLACES]),
        not_sent=plan.get("suppressed", {}),
        hands=written,
        submitted=submitted,
        steps=tuple(_steps(context, row, able, (submitted, now))),
        paged=asked,
        remarks=of_kept(context, register, row).remarks,
        reason=context.settings.policy.approval.of(row.level).reason,
        hindrance=(_no_call if action is Action.RECORD_CALL else _hindrance)(context, (row, areas), (who, own), done),
        signers=tuple((one.login, one.name) for one in able),
        fresh=denial(who, action) is None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    """Rows that will be sent, by channel and kind, and by text."""

    rows: Mapping[tuple[str, TargetKind], int]
    texts: Mapping[tuple[str, TargetKind], Counter[int]]


def _counted(frozen: Sequence[tuple[str, bytes]]) -> _Counted:
    rows: Counter[tuple[str, TargetKind]] = Counter()
    texts: dict[tuple[str, TargetKind], Counter[int]] = {}
    for channel, blob in frozen:
        for one in unpack(blob):
            if not one.suppressed:
                key = channel, TargetKind(one.target.partition("-")[0])
                rows[key] += 1
                texts.setdefault(key, Counter())[one.text_no] += 1
    return _Counted(rows=rows, texts=texts)


def _words(counted: _Counted, texts: Mapping[int, TextRow], characters_a_second: float) -> tuple[Words, ...]:
    found = []
    for (channel, kind), used in sorted(counted.texts.items(), key=lambda item: _ORDER.index(item[0][1])):
        text = texts[used.most_common(1)[0][0]]
        aloud = channel in (Channel.BROADCAST, Channel.VOICE)
        found.append(
            Words(
                channel=channel,
                to="" if kind in _MACHINES else KINDS[kind],
                body=text.body,
                segments=text.segments,
                seconds=round(len(text.body) / characters_a_second) if aloud else 0,
                rows=used.total(),
                others=len(used) - 1,
            )
        )
    return tuple(found)


def _submitted(row: WarningRow, done: Sequence[Signature]) -> datetime:
    return next((one.at for one in reversed(done) if one.act == Act.SUBMITTED), row.received_at)


def _steps(context: Context, row: WarningRow, able: Sequence[Account], of: tuple[datetime, datetime]) -> list[Step]:
    """As `pipeline/page.py` pages, and `pipeline/lapse.py` lets two officers release."""
    policy, (submitted, now) = context.settings.policy.approval, of
    rules, second = policy.of(row.level), alternate(policy, able)
    release = rules.release_after_s if policy.release_by_two_on_duty else None
    planned = (
        (rules.first_s, "通知首位签发人", able[0].name if able else ""),
        (rules.alternate_s, "通知候补签发人", second.name if second else ""),
        (rules.every_s, "通知全部签发人", "、".join(one.name for one in able[:6])),
        (release, _BY_TWO, ""),
    )
    times = [
        (submitted + timedelta(seconds=after_s), what, who) for after_s, what, who in planned if after_s is not None
    ]
    return [
        Step(at=at, what=what, who=who, past=at <= now, lacks=not who and what != _BY_TWO)
        for at, what, who in sorted(times, key=lambda one: one[0])
    ]


async def _hands(tx: Tx, done: Sequence[Signature]) -> tuple[Hand, ...]:
    found = []
    for one in done:
        if one.act in WRITES | {Act.RETURNED}:
            account = await accounts.by_id(tx, one.account_id)
            found.append(Hand(name=account.name if account else one.account_id, act=one.act, at=one.at))
    return tuple(found)


async def _paged(tx: Tx, row: WarningRow) -> tuple[str, ...]:
    """Who was paged of this very plan, and whether that left the house."""
    found = []
    for one in await pages.of_warning(tx, row.id):
        account = await accounts.by_id(tx, one.account_id)
        if (
            one.purpose == Purpose.SIGN
            and one.about == row.plan_hash
            and account is not None
            and one.sent_at is not None
        ):
            found.append(account.name)
    return tuple(found)


def _hindrance(
    context: Context,
    of: tuple[WarningRow, Sequence[str]],
    who: tuple[Principal, Account | None],
    done: Sequence[Signature],
) -> str:
    (row, areas), (principal, account) = of, who
    if not may_sign(principal, row, areas):
        return "您可以看，签发由有此权限的领导操作"
    if principal.id in hands(done):
        return "拟制、修改或送签过这条预警的人不能再签发：请由另一人签发"
    if account is None or not is_signer(context.settings.policy.approval, row.level, account.login):
        return "橙色、红色预警须由指定的领导签发"
    return ""


def _no_call(
    _context: Context,
    of: tuple[WarningRow, Sequence[str]],
    who: tuple[Principal, Account | None],
    done: Sequence[Signature],
) -> str:
    """As `pipeline/telephone.py` will judge: said before anybody rings a leader."""
    principal, account = who
    if not may_once_awake(principal, Action.RECORD_CALL, of[1] or None):
        return "您可以看，电话请示由有此权限的值班员登记"
    if principal.id in hands(done):
        return "拟制、修改或送签过这条预警的人不能登记电话请示：请由另一名在岗的值班员登记"
    if account is None or not account.on_duty:
        return "电话请示须由在岗的值班员登记：请先登记在岗"
    return ""
