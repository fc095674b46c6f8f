"""From a name and a password to a session, and out of it again.

A session is a random number in a cookie; the database has its hash. It ends after twelve hours, when its account is disabled,
and when somebody signs out; after a quarter of an hour without a hand on it, it falls asleep: what is on the screen stays,
and nothing can be done until the person has shown himself again. It must survive many who guess (throttle.py), a code shown
twice, a cookie somebody planted (a new number at every sign-in), and an account changed while its session lives.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, assert_never

from dispatcher.accounts import password, second, texting, throttle
from dispatcher.accounts.authority import AccountRole, Means, Principal, in_person
from dispatcher.accounts.throttle import Wait
from dispatcher.store import accounts, audit, code_texts
from dispatcher.store.accounts import Account, Factor, Session
from dispatcher.store.audit import Act
from dispatcher.store.code_texts import Fate
from dispatcher.store.engine import Store, Tx
from dispatcher.store.sealed import Seal
from dispatcher.store.together import Together

IDLE: Final = timedelta(minutes=15)
LONGEST: Final = timedelta(hours=12)
HALF: Final = timedelta(minutes=5)
"""How long a session that showed its password may take for its second factor."""
STEPPED_UP: Final = timedelta(minutes=5)
SEEN_EVERY: Final = timedelta(seconds=20)
"""A request a second need not be a write a second."""
PAPER: Final = "paper"
UNKNOWN_CODE: Final = "验证码不对：请核对是不是这个账号的，并在手机上打开“自动设置时间”"
UNKNOWN_TEXT: Final = "验证码不对、已用过或已过期（5 分钟）：只有最新一条短信里的有效，并要在要它的这个页面上输入"
MOST_HASHING: Final = 20
"""Passwords that wait to be hashed, two at a time: a few seconds' worth."""


class Wrong(Exception):
    """Name or password, or the code: one sentence for all, so that nobody learns which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Whoever a session belongs to. `half`: only the password was shown. `asleep`: nobody touched it for a while."""

    account: Account
    session: Session
    half: bool
    asleep: bool
    stepped_up: bool

    @property
    def principal(self) -> Principal:
        return in_person(self.account, stepped_up=self.stepped_up, asleep=self.asleep)


class Entrance:
    """One for the process."""

    def __init__(self, store: Store, seal: Seal, now: Callable[[], datetime]) -> None:
        self._store = store
        self._seal = seal
        self._now = now
        self._hashing = 0
        self._sessions: Together[str, tuple[Session, Account]] = Together(self._look)

    async def sign_in(self, login: str, given: str, address: str) -> str:
        """A half session's token, for the cookie; Wrong or Wait."""
        login, now = plain(login), self._now()
        keys = throttle.keys(login, address)
        account = await self._counted(login, keys, now)
        known = account.password if account and account.ready and account.disabled_at is None else ""
        good = await self._hashed_in_turn(given, known)
        async with self._store.begin() as tx:
            if not good or account is None:
                _log(tx, now, account, "account.refused", {"with": "password"})
            else:
                await accounts.take_back(tx, keys.every)
                token = await self._open(tx, account, address)
        if not good or account is None:
            raise Wrong("账号或密码不对，或账号已停用")
        return token

    async def _counted(self, login: str, keys: throttle.Keys, now: datetime) -> Account | None:
        """Counted before it is looked at, and taken back where it was right: a burst of guesses is one after another."""
        async with self._store.begin() as tx:
            await accounts.hold_guesses(tx, keys.pair)
            await _must_not_wait(tx, keys, now)
            await accounts.failed(tx, keys.every, now)
            return await accounts.by_login(tx, login)

    async def _hashed_in_turn(self, given: str, known: str) -> bool:
        if self._hashing >= MOST_HASHING:
            raise Wait(5.0)
        self._hashing += 1
        try:
            return await password.matches(given, known)
        finally:
            self._hashing -= 1

    async def _open(self, tx: Tx, account: Account, address: str) -> str:
        token, now = secrets.token_urlsafe(32), self._now()
        await accounts.close_stale(tx, seen_before=now - LONGEST, begun_before=now - LONGEST)
        await accounts.forget_failures(tx, now - throttle.FORGOTTEN)
        session = Session(
            digest=digest(token),
            account_id=account.id,
            created_at=now,
            seen_at=now,
            proven_at=None,
            address=address[:45],
        )
        await accounts.open_session(tx, session)
        return token

    async def begin(self, tx: Tx, account: Account, address: str) -> str:
        """A half session for somebody who has just set a password, in the transaction of that."""
        return await self._open(tx, account, address)

    async def prove(self, token: str, code: str, address: str) -> str:
        """Shows the second factor: at signing in, to wake a session that fell asleep, and before what a session alone is not
        enough for. A new token at signing in; the same one otherwise. Wrong, Wait, or LookupError where there is no session."""
        found = await self.known(token)
        if found is None:
            raise LookupError("no session")
        async with self._store.begin() as tx:
            sentence = await self.tried(tx, found, code, address)
            if sentence is None:
                token = await self._proven(tx, found, token, address)
        if sentence is not None:
            raise Wrong(sentence)
        return token

    async def tried(self, tx: Tx, found: Known, code: str, address: str, *, enrolling: bool = False) -> str | None:
        """None where the code was good, and is used up; else why not, and that is counted. Wait. `enrolling`: it came by SMS,
        which is to become his second factor."""
        keys, now = throttle.proving(found.account.id, address), self._now()
        await accounts.hold_guesses(tx, keys.pair)
        await _must_not_wait(tx, keys, now)
        if enrolling:
            sentence = await self._use_text(tx, found, code.strip())
        else:
            sentence = await self._use(tx, found, code.strip())
        if sentence is not None:
            await accounts.failed(tx, keys.every, now)
            _log(tx, now, found.account, "account.refused", {"with": "second factor"})
        else:
            await accounts.forgive(tx, [keys.pair, throttle.keys(found.account.login, address).pair])
        return sentence

    async def ask_code(self, token: str) -> None:
        """A code by SMS, for whoever has shown the password. Wait, NoText, or LookupError where there is no session."""
        found = await self.known(token)
        if found is None:
            raise LookupError("no session")
        keys, now = throttle.asking(found.account.id), self._now()
        async with self._store.begin() as tx:
            await accounts.hold_guesses(tx, keys.pair)
            await _must_not_wait(tx, keys, now)
            refused = await texting.refused(tx, self._seal, found.account, now)
            if refused is not None:
                await accounts.failed(tx, keys.every, now)
                _log(tx, now, found.account, "account.code_refused", {"why": refused[0]})
            else:
                await accounts.forgive(tx, [keys.pair])
                await texting.put(tx, self._seal, found.session, now)
                _log(tx, now, found.account, "account.code_asked", {"by": Factor.SMS})
        if refused is not None:
            raise refused[1]

    def phone_tail(self, account: Account) -> str:
        """The last two digits of the phone that codes go to; '' where there is none."""
        number = texting.number_of(self._seal, account)
        return texting.tail(number) if number else ""

    async def text_fate(self, account: Account) -> Fate | None:
        """What became of the code that is good now; None where there is none."""
        async with self._store.read() as tx:
            found = await code_texts.current(tx, account.id, self._now())
        return found.fate if found else None

    async def _proven(self, tx: Tx, found: Known, token: str, address: str) -> str:
        now = self._now()
        if not found.half:
            await accounts.proven(tx, found.session.digest, now)
            _log(tx, now, found.account, "account.stepped_up", {})
            return token
        await accounts.close_session(tx, found.session.digest)
        token = await self._open(tx, found.account, address)
        await accounts.proven(tx, digest(token), now)
        _log(tx, now, found.account, "account.signed_in", {})
        return token

    async def complete(self, token: str, address: str) -> str:
        """Whoever has just set his second factor has shown it. LookupError where there is no half session."""
        found = await self.known(token)
        if found is None or not found.half:
            raise LookupError("no half session")
        async with self._store.begin() as tx:
            return await self._proven(tx, found, token, address)

    async def _use(self, tx: Tx, found: Known, code: str) -> str | None:
        """None where it was good, and is used up now; else why not."""
        account, factor = found.account, found.account.factor
        if texting.is_one(code):
            match factor:
                case Factor.APP:
                    return await self._use_totp(tx, account, code)
                case Factor.SMS:
                    return await self._use_text(tx, found, code)
                case None:
                    return UNKNOWN_CODE
                case _:
                    assert_never(factor)
        paper = await accounts.code(tx, second.digest(code, account.id), PAPER, self._now())
        return None if paper is not None and await accounts.use_code(tx, paper) else UNKNOWN_CODE

    async def _use_text(self, tx: Tx, found: Known, code: str) -> str | None:
        good = texting.is_one(code) and await texting.use(tx, self._seal, found.session, code, self._now())
        return None if good else UNKNOWN_TEXT

    async def _use_totp(self, tx: Tx, account: Account, code: str) -> str | None:
        assert account.totp is not None
        found = second.shown(self._seal.open(account.totp), code, self._now())
        if found is None or found.off_s > 0:  # whoever hears that a code is of a time to come waits for that time
            return UNKNOWN_CODE
        if not found.good:
            return f"这个验证码已过时：手机时钟约慢 {-found.off_s // 60} 分钟，请在手机上打开“自动设置时间”"
        return None if await accounts.use_step(tx, account.id, found.step) else "这个验证码用过了：请等下一个"

    async def known(self, token: str) -> Known | None:
        """None where there is no such session, or no more."""
        found = await self._sessions.of(digest(token))
        return None if found is None else _as_of(*found, self._now())

    async def _look(self, digests: Sequence[str]) -> dict[str, tuple[Session, Account]]:
        """Hundreds of screens ask every second whether they still may look."""
        async with self._store.read() as tx:
            return await accounts.sessions_of(tx, digests)

    async def touch(self, known: Known) -> None:
        """A hand was on it."""
        now = self._now()
        if now - known.session.seen_at >= SEEN_EVERY:
            async with self._store.begin() as tx:
                await accounts.seen(tx, known.session.digest, now)

    async def sign_out(self, token: str) -> None:
        found = await self.known(token)
        async with self._store.begin() as tx:
            await accounts.close_session(tx, digest(token))
            if found is not None:
                _log(tx, self._now(), found.account, "account.signed_out", {})

    async def system(self, token: str) -> Principal | None:
        """Whoever has a token of ours."""
        async with self._store.read() as tx:
            found = await accounts.token(tx, digest(token))
        if found is None or found.revoked_at is not None or found.ends_at <= self._now():
            return None
        return Principal(
            means=Means.TOKEN, id=found.id, name=found.name, role=AccountRole(found.role), scope=found.scope
        )


def _as_of(session: Session, account: Account, now: datetime) -> Known | None:
    half = session.proven_at is None
    limit = HALF if half else LONGEST
    if account.disabled_at is not None or now - session.created_at >= limit:
        return None
    return Known(
        account=account,
        session=session,
        half=half,
        asleep=now - session.seen_at >= IDLE,
        stepped_up=session.proven_at is not None and now - session.proven_at < STEPPED_UP,
    )


async def _must_not_wait(tx: Tx, keys: throttle.Keys, now: datetime) -> None:
    waiting = throttle.wait_s(await accounts.failures(tx, keys.every), keys, now)
    if waiting > 0:
        raise Wait(waiting)


def plain(login: str) -> str:
    return login.strip().lower()[:64]


def digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def form_key(token: str) -> str:
    """What stands in the forms of a session's pages, and nowhere else: made of the cookie, and no way back to it."""
    return hmac.digest(token.encode("utf-8", "surrogateescape"), b"form", "sha256").hex()[:32]


def _log(tx: Tx, now: datetime, account: Account | None, action: str, detail: dict[str, str]) -> None:
    """A name nobody has is not written down: people type their password there."""
    who = f"account:{account.id}" if account else "account:unknown"
    audit.append(tx, now, Act(actor=who, action=action, subject=who, detail=detail))
