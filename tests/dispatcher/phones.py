"""People whose second factor is their phone: the SMS leave as they do in the service, and are read by whoever has it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from dispatcher.accounts.authority import AccountRole
from dispatcher.accounts.keeping import Given
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.text_code import text_codes
from tests.browser.standing import SEAL
from tests.city import Provider, settings
from tests.dispatcher.persons import CITY, PASSWORD, Office

NUMBER = "+8615400004321"
DESK = "192.0.2.1"
DIGITS = re.compile(r"验证码 (\d{6})，")


def context_of(there: Office) -> Context:
    return Context(settings=settings(), store=there.store, seal=SEAL, now=there.clock)


@dataclass(slots=True)
class Phone:
    """What came to it, newest last."""

    there: Office
    provider: Provider = field(default_factory=Provider)

    async def code(self) -> str:
        """What is due is sent; the digits of the newest."""
        assert await text_codes(context_of(self.there), self.provider) == 1
        found = DIGITS.search(self.provider.got[-1].text)
        assert found is not None
        return found[1]


async def added(there: Office, login: str, phone: str = NUMBER) -> tuple[str, str]:
    """Somebody with a password and no second factor yet: his account's id, and a half session."""
    given = Given(login=login, name=login, role=AccountRole.DUTY_OFFICER, scope=(CITY,), phone=phone)
    account, code = await there.keeper.add("command", given)
    return account.id, await there.keeper.enrol(there.entrance, code, PASSWORD, DESK)


async def texted(there: Office, login: str, phone: Phone) -> str:
    """Somebody whose second factor is SMS; his account's id. Two minutes later."""
    account, half = await added(there, login)
    await there.entrance.ask_code(half)
    known = await there.entrance.known(half)
    assert known is not None
    await there.keeper.set_texted(there.entrance, known, await phone.code(), DESK)
    there.clock.pass_(minutes=2)
    return account


async def entered(there: Office, login: str, phone: Phone) -> str:
    """Signed in; two minutes later."""
    half = await there.entrance.sign_in(login, PASSWORD, DESK)
    await there.entrance.ask_code(half)
    token = await there.entrance.prove(half, await phone.code(), DESK)
    there.clock.pass_(minutes=2)
    return token
