"""Accounts and tokens made, changed, disabled; and how somebody comes to his own: by a code that is good once.

There is no default account and no default password. The first account of all is made by whoever reads the code that the
service printed where it started; every other by an administrator, who never knows its password.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from uuid_utils import compat as uuid

from dispatcher.accounts import password, second, texting
from dispatcher.accounts.authority import HELD_BY_ACCOUNTS, AccountRole, Principal
from dispatcher.accounts.entering import PAPER, Entrance, Known, Wrong, digest, plain
from dispatcher.accounts.password import Rule
from dispatcher.store import accounts, audit
from dispatcher.store.accounts import Account, Code, Factor, Token
from dispatcher.store.audit import Act
from dispatcher.store.engine import AlreadyThere, Store, Tx, unique
from dispatcher.store.sealed import Seal

FIRST: Final = "first"
ENROL: Final = "enrol"
GOOD_FOR: Final = timedelta(hours=24)
TOKEN_DAYS: Final = 365
PASSWORD_DAYS: Final = 90
"""等保三级: how old a password may be. Nobody is kept out for it: he may have to warn somebody."""
COMMAND: Final = "command"
"""The actor where somebody at the machine itself asked."""


class Unfit(Exception):
    """What was given will not do: one sentence that says why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What an administrator says of an account."""

    login: str
    name: str
    role: AccountRole
    scope: tuple[str, ...]
    phone: str = ""


class Keeper:
    """One for the process."""

    def __init__(self, store: Store, seal: Seal, now: Callable[[], datetime], rule: Rule) -> None:
        self._store = store
        self._seal = seal
        self._now = now
        self._rule = rule

    # ── the first account ───────────────────────────────────────────────────────────────────────────────────────────

    async def first_code(self) -> str:
        """A new one in place of the one before, while there is no account; '' where there is."""
        code = second.new_code(3)
        async with self._store.begin() as tx:
            if await accounts.count(tx):
                return ""
            await accounts.put_codes(tx, FIRST, "", [self._code(code, FIRST, "")])
        return code

    async def empty(self) -> bool:
        async with self._store.read() as tx:
            return not await accounts.count(tx)

    async def found(self, code: str, given: Given) -> str:
        """The first account, an administrator's; the code by which he sets his password. Wrong where the code is not the one
        that was printed."""
        _fit(given)
        async with self._store.begin() as tx:
            kept = await accounts.code(tx, second.digest(code), FIRST, self._now())
            if kept is None or await accounts.count(tx) or not await accounts.use_code(tx, kept):
                raise Wrong("启动时打印的一次性代码不对，或已用过：请看服务的启动信息")
            account = self._new(given)
            await accounts.add(tx, account)
            self._log(tx, f"account:{account.id}", "account.added", account)
            return await self._enrolment(tx, account.id)

    # ── accounts ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def add(self, by: str, given: Given) -> tuple[Account, str]:
        """The account, and the code by which the person comes to it. `by`: the actor. Unfit where the name is taken."""
        _fit(given)
        account = self._new(given)
        try:
            async with self._store.begin() as tx:
                async with unique():
                    await accounts.add(tx, account)
                self._log(tx, by, "account.added", account)
                return account, await self._enrolment(tx, account.id)
        except AlreadyThere as error:
            raise Unfit(f"登录名 {account.login} 已有人用：请换一个") from error

    async def reset(self, by: str, account_id: str) -> str:
        """A new code for somebody who lost his password or his phone: what he had opens nothing any more."""
        async with self._store.begin() as tx:
            account = await _one(tx, account_id)
            await texting.void(tx, account_id, self._now())
            await accounts.change(tx, account_id, password="", totp=None, sms_at=None)
            await accounts.close_sessions(tx, account_id)
            await accounts.put_codes(tx, PAPER, account_id, [])
            self._log(tx, by, "account.reset", account)
            return await self._enrolment(tx, account_id)

    async def change(self, by: Principal, account_id: str, given: Given) -> None:
        """Role, area, name, phone: they hold from the next request on."""
        _fit(given)
        async with self._store.begin() as tx:
            before = await _one(tx, account_id)
            if before.id == by.id and (given.role, frozenset(given.scope)) != (before.role, frozenset(before.scope)):
                raise Unfit("不能改自己的角色和管辖区域：请另一位管理员来改")
            values: dict[str, object] = {"name": given.name, "role": str(given.role), "scope": list(given.scope)}
            if given.phone:  # a form shows no number: an empty field leaves it as it is
                values["phone"] = self._sealed(given.phone)
                await texting.void(tx, account_id, self._now())  # asked for on another phone
            await accounts.change(tx, account_id, **values)
            after = replace(before, name=given.name, role=str(given.role), scope=given.scope)
            self._log(tx, by.actor, "account.changed", after, {"phone": "changed"} if given.phone else None)

    async def disable(self, by: Principal, account_id: str, *, disabled: bool) -> None:
        """His sessions are over at once."""
        async with self._store.begin() as tx:
            account = await _one(tx, account_id)
            if account.id == by.id:
                raise Unfit("不能停用自己：请另一位管理员来做")
            await accounts.change(tx, account_id, disabled_at=self._now() if disabled else None)
            if disabled:
                await accounts.close_sessions(tx, account_id)
            self._log(tx, by.actor, "account.disabled" if disabled else "account.enabled", account)

    async def set_duty(self, by: Principal, account_id: str, *, on_duty: bool) -> None:
        async with self._store.begin() as tx:
            account = await _one(tx, account_id)
            await accounts.change(tx, account_id, on_duty=on_duty)
            self._log(tx, by.actor, "account.on_duty" if on_duty else "account.off_duty", account)

    async def every(self) -> list[Account]:
        async with self._store.read() as tx:
            return await accounts.every(tx)

    async def called(self, login: str) -> Account | None:
        async with self._store.read() as tx:
            return await accounts.by_login(tx, plain(login))

    # ── coming to one's own ─────────────────────────────────────────────────────────────────────────────────────────

    async def enrol(self, entrance: Entrance, code: str, given: str, address: str) -> str:
        """Sets the first password by a code; a half session's token. Wrong where the code is not good, Unfit the password."""
        async with self._store.read() as tx:
            account = await self._enrolling(tx, code)
        await self._must_be_fit(given, account)
        hashed = await password.hashed(given)
        async with self._store.begin() as tx:
            account = await self._enrolling(tx, code)
            await accounts.change(tx, account.id, password=hashed, password_at=self._now())
            self._log(tx, f"account:{account.id}", "account.password_set", account)
            return await entrance.begin(tx, account, address)

    async def _enrolling(self, tx: Tx, code: str) -> Account:
        kept = await accounts.code(tx, second.digest(code), ENROL, self._now())
        account = await accounts.by_id(tx, kept.account_id) if kept else None
        if account is None or account.disabled_at is not None:
            raise Wrong("一次性代码不对、已用过或已过期（24 小时）：请向管理员要一个新的")
        return account

    async def set_second(self, account_id: str, secret: str, code: str) -> tuple[str, ...]:
        """The app's secret, once it has shown that it has it; ten codes for paper. The enrolment code is used up now, so that
        whoever is interrupted before may begin again."""
        found = second.shown(secret, code.strip(), self._now())
        if found is None or not found.good:
            raise Wrong("验证码不对：请核对手机时间，再输入应用现在显示的六位数字")
        async with self._store.begin() as tx:
            account = await _one(tx, account_id)
            values: dict[str, object] = {"totp": self._seal.seal(secret), "totp_step": found.step, "sms_at": None}
            return await self._set(tx, account, Factor.APP, values)

    async def set_texted(self, entrance: Entrance, known: Known, code: str, address: str) -> tuple[str, ...]:
        """Codes by SMS as the second factor, once one has come back from the phone; ten codes for paper. Wrong, Wait, or Unfit
        where there is a second factor already."""
        async with self._store.begin() as tx:
            account = await _one(tx, known.account.id)
            if account.factor is not None:
                raise Unfit("这个账号已经有验证码了：要换，请管理员重置")
            sentence = await entrance.tried(tx, known, code, address, enrolling=True)
            papers = await self._set(tx, account, Factor.SMS, {"sms_at": self._now()}) if sentence is None else ()
        if sentence is not None:
            raise Wrong(sentence)
        return papers

    async def _set(self, tx: Tx, account: Account, factor: Factor, values: dict[str, object]) -> tuple[str, ...]:
        papers = tuple(second.new_code() for _ in range(second.PAPER_CODES))
        await texting.void(tx, account.id, self._now())
        await accounts.change(tx, account.id, **values)
        await accounts.put_codes(tx, ENROL, account.id, [])
        await self._put_papers(tx, account.id, papers)
        self._log(tx, f"account:{account.id}", "account.second_factor_set", account, {"with": factor})
        return papers

    async def new_papers(self, account_id: str) -> tuple[str, ...]:
        papers = tuple(second.new_code() for _ in range(second.PAPER_CODES))
        async with self._store.begin() as tx:
            account = await _one(tx, account_id)
            await self._put_papers(tx, account_id, papers)
            self._log(tx, f"account:{account_id}", "account.paper_codes_made", account)
        return papers

    async def papers_left(self, account_id: str) -> int:
        async with self._store.read() as tx:
            return await accounts.codes_left(tx, PAPER, account_id)

    async def change_password(self, account: Account, before: str, given: str, *, keep: str) -> None:
        """`keep`: the digest of the session that stays; all others of his are over."""
        if not await password.matches(before, account.password):
            raise Wrong("现在的密码不对")
        await self._must_be_fit(given, account)
        hashed = await password.hashed(given)
        async with self._store.begin() as tx:
            await accounts.change(tx, account.id, password=hashed, password_at=self._now())
            await accounts.close_sessions(tx, account.id, but=keep)
            self._log(tx, f"account:{account.id}", "account.password_changed", account)

    def days_old(self, account: Account) -> int:
        """How old a password is that should have been changed by now; 0 where nothing is due, or the rule asks for nothing."""
        if self._rule != "mlps3" or account.password_at is None:
            return 0
        days = (self._now() - account.password_at).days
        return days if days >= PASSWORD_DAYS else 0

    async def end_others(self, account: Account, *, keep: str) -> None:
        async with self._store.begin() as tx:
            await accounts.close_sessions(tx, account.id, but=keep)
            self._log(tx, f"account:{account.id}", "account.other_sessions_ended", account)

    # ── tokens of systems ───────────────────────────────────────────────────────────────────────────────────────────

    async def make_token(self, by: Principal, name: str, role: AccountRole, scope: Sequence[str]) -> str:
        """Shown once; the database has its hash."""
        if not name.strip() or role not in HELD_BY_ACCOUNTS:
            raise Unfit("请写明令牌给哪个系统用、什么角色")
        _fit_scope(scope)
        token, now = f"mingluo_{secrets.token_urlsafe(32)}", self._now()
        kept = Token(
            id=uuid.uuid7().hex,
            digest=digest(token),
            name=name.strip()[:100],
            role=str(role),
            scope=tuple(scope),
            created_at=now,
            created_by=by.id,
            ends_at=now + timedelta(days=TOKEN_DAYS),
            revoked_at=None,
        )
        async with self._store.begin() as tx:
            await accounts.add_token(tx, kept)
            detail = {"role": kept.role, "scope": list(kept.scope)}
            audit.append(tx, now, Act(actor=by.actor, action="token.made", subject=f"token:{kept.id}", detail=detail))
        return token

    async def revoke_token(self, by: Principal, token_id: str) -> bool:
        async with self._store.begin() as tx:
            done, now = await accounts.revoke_token(tx, token_id, self._now()), self._now()
            if done:
                audit.append(
                    tx, now, Act(actor=by.actor, action="token.revoked", subject=f"token:{token_id}", detail={})
                )
        return done

    async def tokens(self) -> list[Token]:
        async with self._store.read() as tx:
            return await accounts.all_tokens(tx)

    # ── ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _new(self, given: Given) -> Account:
        return Account(
            id=uuid.uuid7().hex,
            login=plain(given.login),
            name=given.name.strip(),
            role=str(given.role),
            scope=given.scope,
            phone=self._sealed(given.phone),
            password="",
            password_at=None,
            totp=None,
            totp_step=0,
            on_duty=False,
            created_at=self._now(),
            disabled_at=None,
        )

    def _sealed(self, phone: str) -> bytes:
        return self._seal.seal(texting.mobile(phone) if phone else "")

    def _code(self, code: str, purpose: str, account_id: str) -> Code:
        return Code(digest=second.digest(code), purpose=purpose, account_id=account_id, ends_at=self._now() + GOOD_FOR)

    async def _enrolment(self, tx: Tx, account_id: str) -> str:
        code = second.new_code(4)
        await accounts.put_codes(tx, ENROL, account_id, [self._code(code, ENROL, account_id)])
        return code

    async def _put_papers(self, tx: Tx, account_id: str, papers: Sequence[str]) -> None:
        kept = [
            Code(digest=second.digest(one, account_id), purpose=PAPER, account_id=account_id, ends_at=None)
            for one in papers
        ]
        await accounts.put_codes(tx, PAPER, account_id, kept)

    async def _must_be_fit(self, given: str, account: Account) -> None:
        weak = await password.weakness_of(given, [account.login, account.name], self._rule)
        if weak:
            raise Unfit(weak)

    def _log(self, tx: Tx, by: str, action: str, account: Account, more: Mapping[str, str] | None = None) -> None:
        detail = {"role": account.role, "scope": list(account.scope), **(more or {})}
        audit.append(tx, self._now(), Act(actor=by, action=action, subject=f"account:{account.id}", detail=detail))


async def _one(tx: Tx, account_id: str) -> Account:
    account = await accounts.by_id(tx, account_id)
    if account is None:
        raise Unfit("没有这个账号")
    return account


def _fit(given: Given) -> None:
    if not given.login.strip() or not given.name.strip():
        raise Unfit("请填登录名和姓名")
    if not all(one.isascii() and (one.isalnum() or one in "._-") for one in plain(given.login)):
        raise Unfit("登录名只用字母、数字和 . _ -")
    if given.phone and not texting.mobile(given.phone):
        raise Unfit("手机号应为中国大陆的 11 位手机号，短号、座机收不到短信：请核对")
    _fit_scope(given.scope)


def _fit_scope(scope: Sequence[str]) -> None:
    if not scope or not all(one.isascii() and one.isdigit() and len(one) in (6, 9, 12) for one in scope):
        raise Unfit("请填区划代码（6、9 或 12 位），如 360800")
