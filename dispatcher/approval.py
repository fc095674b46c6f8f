"""Who may let a warning go: a source that is trusted, or two persons.

What a trusted source sends is released without a person; any other waits as held with code 250, named and visible. In profile
production trusted requires signed (checked at start): a routing key is no proof of who speaks. The second person is no one who
had a hand in what it says, whatever session he comes by.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from dispatcher.accounts.authority import AccountRole, Action, denial, in_person
from dispatcher.model import Code, Finding, Status, Verdict, WarningMessage
from dispatcher.settings import Approval, LevelApproval, Source
from dispatcher.signing import hands
from dispatcher.store.accounts import Account
from dispatcher.store.signatures import Signature


def needs_person(message: WarningMessage, source: Source) -> Finding | None:
    """None where the source may release by itself; else the hold that says a person is needed."""
    if source.trusted:
        return None
    return Finding(
        code=Code.APPROVAL_MISSING,
        verdict=Verdict.HOLD,
        reason=f"来源“{source.name}”未设为直通：请值班员核对后送签，由另一人签发",
    )


def sendable(message: WarningMessage) -> bool:
    """System, Test and Draft messages are validated and recorded, and go no further."""
    return message.status in (Status.ACTUAL, Status.EXERCISE)


def is_signer(approval: Approval, level: str | None, login: str) -> bool:
    """Whether an account of the signers' role may sign this level."""
    return not approval.of(level).leader or not approval.leaders or login in {*approval.leaders, approval.alternate}


def signers(
    approval: Approval, level: str | None, about: tuple[Sequence[str], Sequence[Signature]], every: Sequence[Account]
) -> list[Account]:
    """Who could let it go, in the order in which they are asked: those on duty first, then as policy.yaml names them.
    `about`: the villages it speaks for, and who did what to it."""
    villages, signatures = about
    wrote, named = hands(signatures), list(approval.leaders)
    able = [
        one
        for one in every
        if one.disabled_at is None
        and one.role == AccountRole.APPROVER
        and one.id not in wrote
        and is_signer(approval, level, one.login)
        and denial(in_person(one), Action.APPROVE, villages) is None
    ]
    place = {login: number for number, login in enumerate(named)}
    return sorted(able, key=lambda one: (not one.on_duty, place.get(one.login, len(named)), one.login))


def alternate(approval: Approval, able: Sequence[Account]) -> Account | None:
    """The one who is named, else the next after the first."""
    return next((one for one in able if one.login == approval.alternate), able[1] if len(able) > 1 else None)


def due(
    rules: LevelApproval, submitted_at: datetime, able: tuple[Sequence[Account], Account | None], now: datetime
) -> list[Account]:
    """Whom it is time to page, whether he has been paged or not."""
    every, second = able
    passed = now - submitted_at

    def reached(after_s: int | None) -> bool:
        return after_s is not None and passed >= timedelta(seconds=after_s)

    if reached(rules.every_s):
        return list(every)
    found = [every[0]] if every and reached(rules.first_s) else []
    return found + ([second] if second is not None and second not in found and reached(rules.alternate_s) else [])


def lapsed(approval: Approval, level: str | None, submitted_at: datetime, now: datetime) -> bool:
    """Whether every signer's time is over, and two on duty may release it."""
    after_s = approval.of(level).release_after_s
    return approval.release_by_two_on_duty and after_s is not None and now - submitted_at >= timedelta(seconds=after_s)
