"""People at the console for tests: accounts in a real database, and what they write."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from dispatcher.accounts.authority import AccountRole, Means, Principal
from dispatcher.model import BEIJING
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.draft import draft
from dispatcher.pipeline.submit import Submitted, submit
from dispatcher.store import accounts, signatures, warnings
from dispatcher.store.accounts import Account
from dispatcher.store.signatures import Signature
from dispatcher.store.warnings import WarningRow
from tests.city import NOW

CITY = ("360800",)
PHONE = "+8615400000{:03d}"


def account(number: int, role: AccountRole, **changes: Any) -> Account:
    """On duty, ready, for the whole city; without a phone until `add` seals one."""
    given: dict[str, Any] = {
        "id": f"{number:032x}",
        "login": f"login{number}",
        "name": f"甲{number}",
        "role": role.value,
        "scope": CITY,
        "phone": b"",
        "password": "x",
        "totp": b"x",
        "password_at": None,
        "totp_step": 0,
        "on_duty": True,
        "created_at": NOW,
        "disabled_at": None,
    }
    return Account(**{**given, **changes})


async def add(context: Context, one: Account) -> Principal:
    """Signed in, with the second factor shown a moment ago."""
    sealed = context.seal.seal(PHONE.format(int(one.id, 16)))
    async with context.store.begin() as tx:
        await accounts.add(tx, Account(**{**_plain(one), "phone": one.phone or sealed}))
    return come(one)


def come(one: Account, *, stepped_up: bool = True) -> Principal:
    return Principal(
        means=Means.SESSION,
        id=one.id,
        name=one.name,
        role=AccountRole(one.role),
        scope=one.scope,
        stepped_up=stepped_up,
    )


def _plain(one: Account) -> dict[str, Any]:
    return {name: getattr(one, name) for name in Account.__dataclass_fields__}


async def officer(context: Context, number: int = 1, **changes: Any) -> Principal:
    return await add(context, account(number, AccountRole.DUTY_OFFICER, **changes))


async def leader(context: Context, number: int = 11, **changes: Any) -> Principal:
    return await add(context, account(number, AccountRole.APPROVER, **changes))


def written(**changes: Any) -> bytes:
    """A warning of the county's own, as an officer writes it."""
    said: dict[str, Any] = {
        "sender": "36082741700000",
        "identifier": "36082741700000_20260403023900",
        "sent": stamp(NOW),
        "status": "Actual",
        "kind": "Alert",
        "scope": "Public",
        "sender_name": "遂川县应急管理局",
        "event": "暴雨",
        "level": "yellow",
        "headline": "遂川县应急管理局发布暴雨黄色预警",
        "description": "预计未来3小时碧洲镇降雨量将达50毫米以上。",
        "expires": stamp(NOW + timedelta(hours=6)),
        "areas": [{"description": "碧洲镇", "geocodes": ["360827102000"]}],
    }
    return json.dumps({**said, **changes}, ensure_ascii=False).encode()


def stamp(at: datetime) -> str:
    return at.astimezone(BEIJING).isoformat(timespec="seconds")


async def submitted(context: Context, author: Principal, **changes: Any) -> Submitted:
    kept = await draft(context, author, written(**changes))
    return await submit(context, author, kept.warning_id)


async def row_of(context: Context, warning_id: str) -> WarningRow:
    async with context.store.read() as tx:
        row = await warnings.one(tx, warning_id)
    assert row is not None
    return row


async def signed(context: Context, warning_id: str) -> list[Signature]:
    async with context.store.read() as tx:
        return await signatures.of(tx, warning_id)
