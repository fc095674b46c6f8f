"""People for browsers: one of each role, with a password and a second factor, and as many sessions as they have browsers.

Their accounts are written as the keeper leaves them after enrolment, so that a test does not hash six passwords before it
begins; who wants to see the signing-in itself uses `sign_in`, by the pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from playwright.async_api import Page
from uuid_utils import compat as uuid

from dispatcher.accounts import password, second
from dispatcher.accounts.authority import AccountRole, Principal, in_person
from dispatcher.accounts.entering import Entrance
from dispatcher.pipeline.context import Context
from dispatcher.store import accounts
from dispatcher.store.accounts import Account

PASSWORD: Final = "四盏灯 在 江口 vf82"
CITY: Final = "360800"
TOWNSHIP: Final = "360827102"
PHONE: Final = "+8615400009{:03d}"
NAMES: Final[Mapping[AccountRole, tuple[str, str]]] = {
    AccountRole.DUTY_OFFICER: ("zhou", "周值班"),
    AccountRole.APPROVER: ("liu", "刘局长"),
    AccountRole.TOWNSHIP_CLERK: ("biezhou", "碧洲镇应急办"),
    AccountRole.GATEWAY_OPERATOR: ("peng", "彭播发"),
    AccountRole.AUDITOR: ("xiao", "肖审计"),
    AccountRole.ADMINISTRATOR: ("chief", "郭管理"),
}
_HASHED: list[str] = []
"""Of the one password, made once a process."""


@dataclass(slots=True, kw_only=True)
class Person:
    """Somebody with an account."""

    context: Context
    account: Account
    secret: str
    last: datetime | None = None

    @property
    def login(self) -> str:
        return self.account.login

    @property
    def name(self) -> str:
        return self.account.name

    @property
    def role(self) -> AccountRole:
        return AccountRole(self.account.role)

    @property
    def principal(self) -> Principal:
        """As a pipeline's verb knows him."""
        return in_person(self.account)

    async def session(self) -> str:
        """A cookie's token; as one has it who has just shown his second factor."""
        entrance = Entrance(self.context.store, self.context.seal, self.context.now)
        async with self.context.store.begin() as tx:
            half = await entrance.begin(tx, self.account, "127.0.0.1")
        return await entrance.complete(half, "127.0.0.1")

    def code(self) -> str:
        """What his app shows: never the same twice, so that it is good at once. The second is of half a minute ahead, as of a
        phone that goes fast; a third within the minute would be refused."""
        now = self.context.now()
        step = timedelta(seconds=second.STEP_S)
        self.last = now if self.last is None or self.last + step < now else self.last + step
        return second.code_at(self.secret, self.last)


@dataclass(slots=True, kw_only=True)
class People:
    """One of each role, by what they do; `another` makes more."""

    context: Context
    known: dict[AccountRole, Person] = field(default_factory=dict)

    def __getitem__(self, role: AccountRole) -> Person:
        return self.known[role]

    @property
    def duty_officer(self) -> Person:
        return self[AccountRole.DUTY_OFFICER]

    @property
    def leader(self) -> Person:
        return self[AccountRole.APPROVER]

    @property
    def clerk(self) -> Person:
        return self[AccountRole.TOWNSHIP_CLERK]

    @property
    def operator(self) -> Person:
        return self[AccountRole.GATEWAY_OPERATOR]

    @property
    def auditor(self) -> Person:
        return self[AccountRole.AUDITOR]

    @property
    def administrator(self) -> Person:
        return self[AccountRole.ADMINISTRATOR]

    async def another(self, login: str, name: str, role: AccountRole, scope: str = CITY) -> Person:
        if not _HASHED:
            _HASHED.append(await password.hashed(PASSWORD))
        now, secret = self.context.now(), second.new_secret()
        seal = self.context.seal
        account = Account(
            id=uuid.uuid7().hex,
            login=login,
            name=name,
            role=role.value,
            scope=(scope,),
            phone=seal.seal(PHONE.format(sum(login.encode()) % 1000)),
            password=_HASHED[0],
            password_at=now,
            totp=seal.seal(secret),
            totp_step=0,
            on_duty=role in (AccountRole.DUTY_OFFICER, AccountRole.APPROVER),
            created_at=now,
            disabled_at=None,
        )
        async with self.context.store.begin() as tx:
            await accounts.add(tx, account)
        return Person(context=self.context, account=account, secret=secret)


async def people(context: Context) -> People:
    made = People(context=context)
    for role, (login, name) in NAMES.items():
        scope = TOWNSHIP if role is AccountRole.TOWNSHIP_CLERK else CITY
        made.known[role] = await made.another(login, name, role, scope)
    return made


async def sign_in(page: Page, url: str, person: Person) -> None:
    """By the pages, both factors, as he does it every morning."""
    await page.goto(f"{url}/sign-in")
    await page.locator("input[name=login]").fill(person.login)
    await page.locator("input[name=password]").fill(PASSWORD)
    await page.locator("main form button[type=submit]").first.click()
    await page.wait_for_url("**/sign-in/second*")
    await page.locator("input[name=code]").fill(person.code())
    await page.locator("main form button[type=submit]").first.click()
    await page.wait_for_url(f"{url}/")
