"""Somebody lays hands on a warning: is it there, may he, is he who he was a moment ago; and it is put down that he did.

All of it inside the transaction of what he does, with the account and the warning held, so that whoever is disabled, is given
another role, or edits at the same instant comes before it or after it, and never in between.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from dispatcher.accounts.authority import AccountRole, Action, Denial, Means, Principal, denial
from dispatcher.intake.canonical import from_json
from dispatcher.intake.judge import verdict_of
from dispatcher.model import Code, Finding, Kind
from dispatcher.pipeline import chaining
from dispatcher.pipeline.releasing import By
from dispatcher.signing import Act
from dispatcher.states import WarningState
from dispatcher.store import accounts, chains, chunks, events, signatures, warnings
from dispatcher.store.accounts import Account
from dispatcher.store.engine import Tx
from dispatcher.store.events import Event
from dispatcher.store.signatures import Signature
from dispatcher.store.warnings import WarningRow


class Hindrance(StrEnum):
    """Why nothing was done."""

    NOT_THERE = "not_there"
    ROLE = "role"
    AREA = "area"
    PERSON = "person"
    STEP_UP = "step_up"
    ACCOUNT = "account"
    SAME_PERSON = "same_person"
    STATE = "state"
    CHANGED = "changed"
    OUTGROWN = "outgrown"
    TOO_EARLY = "too_early"
    REASON = "reason"
    FINDINGS = "findings"
    NOTHING = "nothing"


class NotDone(Exception):
    """Nothing was changed. `sentence` says in Chinese what to do; `code` and `findings` are intake's, where it judged."""

    def __init__(
        self, hindrance: Hindrance, sentence: str, *, code: Code | None = None, findings: Sequence[Finding] = ()
    ) -> None:
        super().__init__(sentence)
        self.hindrance = hindrance
        self.sentence = sentence
        self.code = code
        self.findings = tuple(findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whoever does it, as his account stands now. `made_by`: of a system's token, the account that made it."""

    id: str
    actor: str
    name: str
    role: AccountRole
    scope: tuple[str, ...]
    account: Account | None
    made_by: str

    def by(self, act: Act, at: datetime, **detail: Any) -> By:
        made_by = {"made_by": self.made_by} if self.made_by else {}
        return By(account_id=self.id, actor=self.actor, act=act, at=at, detail={**detail, **made_by})


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A warning that nobody else changes until the transaction ends, and who did what to it."""

    row: WarningRow
    signatures: Sequence[Signature]

    @property
    def state(self) -> WarningState:
        return WarningState(self.row.state)

    @property
    def villages(self) -> list[str]:
        return list(self.row.area["villages"])


_DENIED: Final[Mapping[Denial, tuple[Hindrance, str]]] = {
    Denial.ROLE: (Hindrance.ROLE, "您的角色不能{action}：请由有此权限的人操作"),
    Denial.AREA: (Hindrance.AREA, "区域超出您的管辖范围，不能{action}：请报上一级，或缩小区域"),
    Denial.PERSON: (Hindrance.PERSON, "{action}必须由本人登录操作，系统令牌不行"),
    Denial.ASLEEP: (Hindrance.STEP_UP, "离开太久，{action}之前请再验证一次动态码"),
    Denial.STEP_UP: (Hindrance.STEP_UP, "{action}之前请再验证一次动态码"),
}


async def person(tx: Tx, principal: Principal, action: Action, areas: Collection[str] | None = None) -> Person:
    """Who he is now, where he may; else NotDone. His account is held until this transaction ends."""
    account, made_by, scope = None, "", principal.scope
    if principal.means is Means.SESSION:
        account = await accounts.by_id(tx, principal.id, held=True)
        if account is None or account.disabled_at is not None or account.role != principal.role:
            raise NotDone(Hindrance.ACCOUNT, "您的账号已停用或换了角色，这一步没有做：请重新登录")
        scope = account.scope
    denied = denial(replace(principal, scope=scope), action, areas)
    if denied is not None or principal.means is Means.SOURCE:
        hindrance, sentence = _DENIED[denied or Denial.ROLE]
        code = Code.OUTSIDE_AUTHORITY if hindrance is Hindrance.AREA else None
        raise NotDone(hindrance, sentence.format(action=action.chinese), code=code)
    if principal.means is Means.TOKEN:
        made_by = await _maker(tx, principal.id)
    return Person(
        id=principal.id,
        actor=principal.actor,
        name=account.name if account else principal.name,
        role=principal.role,
        scope=scope,
        account=account,
        made_by=made_by,
    )


async def _maker(tx: Tx, token_id: str) -> str:
    found = next((one for one in await accounts.all_tokens(tx) if one.id == token_id), None)
    if found is None or found.revoked_at is not None:
        raise NotDone(Hindrance.ACCOUNT, "这个令牌已经作废")
    return found.created_by


async def held(tx: Tx, warning_id: str) -> Case:
    """The warning, its chains and its chunks held, in the order in which everybody holds them."""
    before = await warnings.one(tx, warning_id)
    if before is None:
        raise NotDone(Hindrance.NOT_THERE, "没有这条预警")
    await chains.hold(tx, joins=bool(before.message["references"]))
    await chunks.hold(tx, warning_id)
    row = await warnings.one(tx, warning_id, held=True)
    assert row is not None, "nobody deletes a warning"
    if row.message["references"] != before.message["references"]:
        raise NotDone(Hindrance.CHANGED, "别人刚刚改过这条预警：请刷新后再试")
    return Case(row=row, signatures=await signatures.of(tx, warning_id))


async def spoken_for(tx: Tx, row: WarningRow) -> list[str]:
    """The villages it speaks to: a Cancel to all that any version told, also where it joins their chain only as it leaves."""
    if row.kind != Kind.CANCEL:
        return list(row.area["villages"])
    company = await chaining.company(tx, from_json(row.message))
    return sorted({village for one in (*company.told, row) for village in one.area["villages"]})


def in_state(case: Case, states: Collection[WarningState], sentence: str) -> None:
    """NotDone where it is in none of these."""
    if case.state not in states:
        raise NotDone(Hindrance.STATE, f"{sentence}（现在是“{case.state.chinese}”）")


def refuse(findings: Sequence[Finding]) -> NotDone:
    _, code, reason = verdict_of(findings)
    return NotDone(Hindrance.FINDINGS, reason, code=code, findings=findings)


async def note(tx: Tx, person: Person, row: WarningRow, what: tuple[str, datetime, Mapping[str, Any]]) -> None:
    """In the chained log, and in the warning's own history. `what`: kind, when, detail."""
    kind, at, detail = what
    event = Event(actor=person.actor, kind=kind, subject=row.id, warning_id=row.id, detail=detail)
    await events.record(tx, at, event, logged=True)
