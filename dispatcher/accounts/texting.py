"""A code by SMS: made, kept as what only the sealing key can say of it, put where whoever sends finds it, and used once.

It must survive a dump of the database (six digits under a plain hash are found in a second, so it is a keyed one), two
processes that are asked at once, and somebody who has a password and presses the button all night: one a minute, ten an hour.
A code is good for the session that asked for it, so that none asked for by somebody else opens one's own.
"""

from __future__ import annotations

import math
import re
import secrets
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from dispatcher.accounts.throttle import Wait
from dispatcher.store import accounts, code_texts
from dispatcher.store.accounts import Account, Code, Factor, Session
from dispatcher.store.code_texts import NewText
from dispatcher.store.engine import Tx
from dispatcher.store.sealed import Seal

SMS: Final = "sms"
GOOD_FOR: Final = timedelta(minutes=5)
EVERY: Final = timedelta(minutes=1)
COUNTED: Final = timedelta(hours=1)
MOST: Final = 10
"""Codes for an account in that time."""
DIGITS: Final = 6
_TYPED: Final = re.compile(r"[\s\-()（）]+")
_MOBILE: Final = re.compile(r"(?:\+?86)?(1\d{10})")


class Why(StrEnum):
    """Why no code is sent, as the log has it."""

    APP = "app"
    NO_PHONE = "no_phone"
    TOO_OFTEN = "too_often"


class NoText(Exception):
    """No code can be sent, now or later: one sentence that says why, and what to do."""


class TooOften(Wait):
    """The last one was a moment ago, or there were many."""

    def __init__(self, seconds: float, *, many: bool) -> None:
        wait = f"{math.ceil(seconds / 60)} 分钟" if many else f"{math.ceil(seconds)} 秒"
        said = f"一小时内已发 {MOST} 条验证码" if many else "刚发过一条验证码"
        super().__init__(seconds, f"{said}：请等 {wait}再要，或用一个备用码")


async def refused(tx: Tx, seal: Seal, account: Account, now: datetime) -> tuple[Why, Exception] | None:
    """None where he may have one now."""
    if account.factor is Factor.APP:
        return Why.APP, NoText("这个账号用手机应用：请输入应用显示的六位数字，或一个备用码")
    if not number_of(seal, account):
        return Why.NO_PHONE, NoText("这个账号没有登记手机号，不能用短信验证码：请管理员在“账号”页添加手机号")
    times = await code_texts.asked(tx, account.id, now - COUNTED)
    if len(times) >= MOST:
        return Why.TOO_OFTEN, TooOften((times[MOST - 1] + COUNTED - now).total_seconds(), many=True)
    if times and times[0] > now - EVERY:
        return Why.TOO_OFTEN, TooOften((times[0] + EVERY - now).total_seconds(), many=False)
    return None


async def put(tx: Tx, seal: Seal, session: Session, now: datetime) -> None:
    """A new code in the place of the one before."""
    code, account_id, ends_at = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}", session.account_id, now + GOOD_FOR
    kept = Code(digest=_mark(seal, session, code), purpose=SMS, account_id=account_id, ends_at=ends_at)
    await void(tx, account_id, now)
    await accounts.put_codes(tx, SMS, account_id, [kept])
    await code_texts.put(tx, NewText(account_id=account_id, words=seal.seal(code), at=now, ends_at=ends_at))
    await code_texts.forget(tx, now - COUNTED)


async def use(tx: Tx, seal: Seal, session: Session, code: str, now: datetime) -> bool:
    """Whether it was good; it is used up now."""
    kept = await accounts.code(tx, _mark(seal, session, code), SMS, now)
    if kept is None or not await accounts.use_code(tx, kept):
        return False
    await code_texts.end(tx, session.account_id, now)
    return True


async def void(tx: Tx, account_id: str, now: datetime) -> None:
    """Whatever code this account has is good no more, and does not leave."""
    await accounts.put_codes(tx, SMS, account_id, [])
    await code_texts.end(tx, account_id, now)


def is_one(typed: str) -> bool:
    """Whether it looks like a code by SMS, or of an app."""
    return len(typed) == DIGITS and typed.isascii() and typed.isdigit()


def number_of(seal: Seal, account: Account) -> str:
    """E.164; '' where the account has no phone that takes an SMS."""
    return mobile(seal.open(account.phone)) if account.phone else ""


def mobile(typed: str) -> str:
    """A mainland mobile number, however it was typed, as E.164; '' where it is none."""
    found = _MOBILE.fullmatch(_TYPED.sub("", typed)) if typed.isascii() else None
    return f"+86{found[1]}" if found else ""


def tail(number: str) -> str:
    """All that a page shows of it."""
    return f"**{number[-2:]}"


def _mark(seal: Seal, session: Session, code: str) -> str:
    return seal.mark(f"sms\n{session.account_id}\n{session.digest}\n{code}")
