"""People with accounts: as an administrator makes them, and as they come in by the pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.cookies import SimpleCookie

import aiohttp

from dispatcher.accounts import second
from dispatcher.accounts.authority import AccountRole
from dispatcher.accounts.entering import Entrance
from dispatcher.accounts.keeping import Given, Keeper
from dispatcher.store.engine import Store
from tests.browser.standing import SEAL

PASSWORD = "四盏灯 在 江口 vf82"
CITY = "360800"
KEY = re.compile(r'name="key" value="([^"]+)"')


@dataclass(slots=True)
class Hands:
    """A clock that is moved by hand, and codes that are never used twice."""

    now: datetime
    secrets: dict[str, str] = field(default_factory=dict)

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **much: float) -> None:
        self.now += timedelta(**much)

    def code(self, login: str) -> str:
        """The next one his app shows: half a minute later."""
        self.pass_(seconds=second.STEP_S)
        return second.code_at(self.secrets[login], self.now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """Where accounts are kept, without a web site."""

    store: Store
    clock: Hands
    keeper: Keeper
    entrance: Entrance

    async def person(self, login: str, role: AccountRole = AccountRole.DUTY_OFFICER, scope: str = CITY) -> str:
        """Somebody with an account, a password and a second factor; his account's id."""
        given = Given(login=login, name=f"{role.chinese}{login}", role=role, scope=(scope,))
        account, code = await self.keeper.add("command", given)
        await self.keeper.enrol(self.entrance, code, PASSWORD, "192.0.2.1")
        secret = self.clock.secrets[login] = second.new_secret()
        await self.keeper.set_second(account.id, secret, self.clock.code(login))
        return account.id

    async def session(self, login: str, address: str = "192.0.2.1") -> str:
        token = await self.entrance.sign_in(login, PASSWORD, address)
        return await self.entrance.prove(token, self.clock.code(login), address)


def office(store: Store, clock: Hands) -> Office:
    keeper, entrance = Keeper(store, SEAL, clock, "asvs"), Entrance(store, SEAL, clock)
    return Office(store=store, clock=clock, keeper=keeper, entrance=entrance)


@dataclass(slots=True, kw_only=True)
class Browser:
    """One person's browser: cookies, and the key of the page it last saw."""

    url: str
    http: aiohttp.ClientSession
    cookies: dict[str, str] = field(default_factory=dict)
    page: str = ""
    status: int = 0
    at: str = ""

    async def get(self, path: str, **headers: str) -> str:
        return await self._ask("GET", path, None, headers)

    async def post(self, path: str, form: Mapping[str, str] | None = None, **headers: str) -> str:
        key = KEY.search(self.page)
        return await self._ask("POST", path, {"key": key.group(1) if key else "", **(form or {})}, headers)

    async def _ask(self, method: str, path: str, form: Mapping[str, str] | None, headers: Mapping[str, str]) -> str:
        given = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin", **headers}
        if self.cookies:
            given["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        async with self.http.request(
            method, self.url + path, data=form, headers=given, allow_redirects=False
        ) as answer:
            self.status, self.at = answer.status, answer.headers.get("Location", "")
            for line in answer.headers.getall("Set-Cookie", []):
                for name, morsel in SimpleCookie(line).items():
                    self.cookies[name] = morsel.value
                    if not morsel.value:
                        del self.cookies[name]
            text = await answer.text()
        if text:
            self.page = text
        return text

    async def enter(self, login: str, password: str, code: Callable[[], str]) -> None:
        await self.get("/sign-in")
        await self.post("/sign-in", {"login": login, "password": password})
        await self.get("/sign-in/second")
        await self.post("/sign-in/second", {"code": code()})
        await self.get("/")
