"""The people of a demo that stays open: one of each role, invented, and the one-time links by which one is each of them.

Their accounts are made as an administrator makes them and come to as their owners do, so that every page tells the truth of
them; password and second factor are thrown away. The officer and the leader are on duty.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dispatcher.accounts import second
from dispatcher.accounts.authority import AccountRole, Principal, in_person
from dispatcher.accounts.entering import Entrance
from dispatcher.accounts.keeping import COMMAND, Given, Keeper
from dispatcher.accounts.linking import Links
from dispatcher.pipeline.context import Context
from dispatcher.rehearsal.demo_screen import Screen
from dispatcher.store.accounts import Account

CITY: Final = "360800"
TOWNSHIP: Final = "360827102"
"""碧洲镇, which all of the demo's warnings touch."""
ADDRESS: Final = "127.0.0.1"
_NAMES: Final[Mapping[AccountRole, tuple[str, str]]] = {
    AccountRole.DUTY_OFFICER: ("zhou", "周明礼"),
    AccountRole.APPROVER: ("liu", "刘远山"),
    AccountRole.TOWNSHIP_CLERK: ("peng", "彭小满"),
    AccountRole.GATEWAY_OPERATOR: ("xiao", "肖一鸣"),
    AccountRole.AUDITOR: ("guo", "郭慎之"),
    AccountRole.ADMINISTRATOR: ("luo", "罗守正"),
}
_ON_DUTY: Final = (AccountRole.DUTY_OFFICER, AccountRole.APPROVER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody of the demo. `link`: the whole address, good once."""

    account: Account
    link: str

    @property
    def role(self) -> AccountRole:
        return AccountRole(self.account.role)

    @property
    def principal(self) -> Principal:
        """Come by himself."""
        return in_person(self.account)


async def people(context: Context) -> list[Account]:
    """Makes them all."""
    keeper = Keeper(context.store, context.seal, context.now, context.settings.service.passwords)
    entrance = Entrance(context.store, context.seal, context.now)
    return [await _person(context, keeper, entrance, role) for role in _NAMES]


async def _person(context: Context, keeper: Keeper, entrance: Entrance, role: AccountRole) -> Account:
    login, name = _NAMES[role]
    scope = (TOWNSHIP if role is AccountRole.TOWNSHIP_CLERK else CITY,)
    phone = f"1540000{1001 + list(_NAMES).index(role)}"
    account, code = await keeper.add(COMMAND, Given(login=login, name=name, role=role, scope=scope, phone=phone))
    await keeper.enrol(entrance, code, f"{secrets.token_urlsafe(24)}-Aa1", ADDRESS)
    secret = second.new_secret()
    await keeper.set_second(account.id, secret, second.code_at(secret, context.now()))
    if role in _ON_DUTY:
        await keeper.set_duty(in_person(account), account.id, on_duty=True)
    return await keeper.called(login) or account


async def linked(links: Links, accounts: Sequence[Account], url: str) -> list[Person]:
    """Each with a new link; the ones before are void."""
    return [Person(account=one, link=f"{url}/demo/{await links.make(one.id)}") for one in accounts]


def tell_people(screen: Screen, found: Sequence[Person]) -> None:
    """Lines, and no table: a link that a narrow terminal cuts off opens nothing."""
    screen.title("用哪个人的身份看，就在浏览器里打开哪个链接（人都是虚构的；每个链接用一次，24 小时内有效）")
    screen.line(f"  {'角色'.ljust(6, '　')}{'姓名'.ljust(5, '　')}一次性链接", style="bold")
    for one in found:
        screen.line(f"  {one.role.chinese.ljust(6, '　')}{one.account.name.ljust(5, '　')}{one.link}")
    screen.line("  一个浏览器里同时只能是一个人：要看两人怎样分工，第二个人用另一个浏览器或无痕窗口。")
