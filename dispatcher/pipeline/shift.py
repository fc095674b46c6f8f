"""One shift hands over to the next: whoever goes writes what is to be known, whoever comes takes it in his own session.

Two persons, and neither can do the other's part. What was open at that moment is frozen with both names; its hash stands in the
chained log. It must survive two who take the same offer at once: one has it, and the other is told.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from dispatcher.accounts.authority import Action, Principal
from dispatcher.geofence.names import stem
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.matters import frozen, open_matters
from dispatcher.pipeline.persons import Hindrance, NotDone, Person, person
from dispatcher.store import accounts, audit, shifts
from dispatcher.store.accounts import Account
from dispatcher.store.audit import Act
from dispatcher.store.engine import AlreadyThere, Tx, storable, unique
from dispatcher.store.shifts import Entry, Written

LONGEST: Final = 4000
"""Characters of a note."""


class Step(StrEnum):
    """What somebody put down."""

    NOTE = "note"
    OFFERED = "offered"
    WITHDRAWN = "withdrawn"
    TAKEN = "taken"


async def write_note(context: Context, principal: Principal, *, words: str) -> None:
    """NotDone: ROLE, PERSON, ACCOUNT, REASON."""
    async with context.persons, context.store.begin() as tx:
        whose = await person(tx, principal, Action.HAND_OVER)
        await _put(context, tx, whose, _written(context, whose, Step.NOTE, _said(words, "请写要记下的事")))


async def offer(context: Context, principal: Principal, *, words: str, stays: bool) -> int:
    """The number of the offer. `stays`: he stays on duty when it is taken. NotDone: as `write_note`; STATE where he is not on
    duty, or offers already."""
    async with context.persons, context.store.begin() as tx:
        whose = await person(tx, principal, Action.HAND_OVER)
        said = _said(words, "请写交班内容；没有要交代的，写“无”")
        if whose.account is None or not whose.account.on_duty:
            raise NotDone(Hindrance.STATE, "您现在不在班：请先在“我的账号”登记上班，再交班")
        if any(one.account_id == whose.id for one in await shifts.still_open(tx, Step.OFFERED)):
            raise NotDone(Hindrance.STATE, "您已经交班，等人接班：要改内容，请先撤回")
        return await _put(context, tx, whose, _written(context, whose, Step.OFFERED, said, stays=stays))


async def withdraw_offer(context: Context, principal: Principal, number: int) -> None:
    """NotDone: as `write_note`; NOT_THERE; SAME_PERSON where it is another's; STATE where it has ended."""
    async with context.persons, context.store.begin() as tx:
        whose, found = await person(tx, principal, Action.HAND_OVER), await _offered(tx, number)
        if found.account_id != whose.id:
            raise NotDone(Hindrance.SAME_PERSON, "只有交班的本人能撤回")
        await _end(context, tx, whose, _written(context, whose, Step.WITHDRAWN, "", of=found))


async def take_over(context: Context, principal: Principal, number: int, *, troubles: Sequence[str]) -> int:
    """The number of the hand-over. He is on duty from now on, and the other is not, unless he stays. NotDone: as
    `withdraw_offer`; AREA where the other's area is not within his own."""
    async with context.persons, context.store.begin() as tx:
        found = await _offered(tx, number)
        whose = await person(tx, principal, Action.HAND_OVER, found.scope)
        if found.account_id == whose.id:
            raise NotDone(Hindrance.SAME_PERSON, "不能接自己的班：请接班的人用自己的账号登录来接")
        matters = frozen(await open_matters(context, tx, _stems(context, found.scope), troubles))
        detail: dict[str, Any] = {"from": found.account_id, "from_name": found.name, "offered_at": found.at.isoformat()}
        detail |= {"said": found.text, "stays": bool(found.detail.get("stays")), "matters": matters}
        taken = _written(context, whose, Step.TAKEN, "", of=found, **detail)
        done = await _end(context, tx, whose, taken)
        await _relieve(context, tx, whose, found)
        return done


async def _offered(tx: Tx, number: int) -> Entry:
    found = await shifts.one(tx, number)
    if found is None or found.step != Step.OFFERED:
        raise NotDone(Hindrance.NOT_THERE, "没有这次交班")
    return found


async def _end(context: Context, tx: Tx, whose: Person, how: Written) -> int:
    try:
        async with unique():
            return await _put(context, tx, whose, how)
    except AlreadyThere as error:
        raise NotDone(Hindrance.STATE, "这次交班已经有人接了，或已撤回：请刷新后再看") from error


async def _relieve(context: Context, tx: Tx, whose: Person, found: Entry) -> None:
    """Accounts are changed in the order of their numbers, so that two hand-overs never wait for each other."""
    duty = {whose.id: True} if found.detail.get("stays") else {whose.id: True, found.account_id: False}
    for account_id in sorted(duty):
        account = await accounts.by_id(tx, account_id)
        if account is not None and account.on_duty is not duty[account_id]:
            await accounts.change(tx, account_id, on_duty=duty[account_id])
            _log_duty(tx, context.now(), whose, account, on_duty=duty[account_id])


def _log_duty(tx: Tx, now: datetime, whose: Person, account: Account, *, on_duty: bool) -> None:
    action = "account.on_duty" if on_duty else "account.off_duty"
    detail = {"role": account.role, "scope": list(account.scope)}
    audit.append(tx, now, Act(actor=whose.actor, action=action, subject=f"account:{account.id}", detail=detail))


def _said(words: str, missing: str) -> str:
    said = storable(words).strip().replace("\r\n", "\n")
    if not said:
        raise NotDone(Hindrance.REASON, missing)
    return said[:LONGEST]


def _written(
    context: Context, whose: Person, step: Step, said: str, /, *, of: Entry | None = None, **detail: Any
) -> Written:
    return Written(
        at=context.now(),
        account_id=whose.id,
        name=whose.name,
        step=step,
        scope=of.scope if of else whose.scope,
        offer_id=of.id if of else None,
        text=said,
        detail=detail,
    )


async def _put(context: Context, tx: Tx, whose: Person, one: Written) -> int:
    """With its hash in the chained log; its words and names stand in its own table alone."""
    number = await shifts.add(tx, one)
    told = {"scope": list(one.scope), "sha256": digest(one)} | ({"offer": one.offer_id} if one.offer_id else {})
    audit.append(tx, one.at, Act(actor=whose.actor, action=f"shift.{one.step}", subject=f"shift:{number}", detail=told))
    return number


def digest(one: Written) -> str:
    """Of everything that was put down: what the log vouches for."""
    told: Mapping[str, Any] = {name: getattr(one, name) for name in Written.__dataclass_fields__ if name != "at"}
    said = json.dumps({**told, "scope": list(one.scope)}, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(said.encode()).hexdigest()


def _stems(context: Context, scope: Sequence[str]) -> tuple[str, ...]:
    """None where it is the whole city or more."""
    own = tuple(map(stem, scope))
    return () if stem(context.settings.service.city).startswith(own) else own
