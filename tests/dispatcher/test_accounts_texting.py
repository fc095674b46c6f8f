"""Codes by SMS: good once, for minutes, for whoever asked; asked for seldom; and nowhere in clear."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from dispatcher.accounts.entering import IDLE, STEPPED_UP, Entrance, Wrong
from dispatcher.accounts.keeping import Given, Unfit
from dispatcher.accounts.texting import GOOD_FOR, MOST, NoText, TooOften, mobile
from dispatcher.accounts.throttle import Wait
from dispatcher.store import accounts, audit
from dispatcher.store.accounts import Factor
from dispatcher.store.code_texts import Fate
from dispatcher.store.engine import Store
from tests.browser.standing import SEAL
from tests.dispatcher.persons import CITY, PASSWORD, Hands, Office, office
from tests.dispatcher.phones import DESK, NUMBER, Phone, added, entered, texted

pytestmark = pytest.mark.long

NIGHT = datetime(2026, 6, 11, 18, 39, tzinfo=UTC)


@pytest.fixture
def there(store: Store) -> Office:
    return office(store, Hands(NIGHT))


@pytest.fixture
def phone(there: Office) -> Phone:
    return Phone(there)


async def half_of(there: Office, login: str, address: str = DESK) -> str:
    return await there.entrance.sign_in(login, PASSWORD, address)


async def test_the_code_of_the_sms_lets_in_and_is_good_once(there: Office, phone: Phone) -> None:
    await texted(there, "li", phone)
    half = await half_of(there, "li")
    await there.entrance.ask_code(half)
    code = await phone.code()
    token = await there.entrance.prove(half, code, DESK)
    known = await there.entrance.known(token)
    assert known is not None
    assert (known.half, known.stepped_up) == (False, True)
    for again in (token, await half_of(there, "li")):
        with pytest.raises(Wrong):
            await there.entrance.prove(again, code, DESK)
        there.clock.pass_(seconds=2)


async def test_it_also_wakes_a_session_and_steps_it_up(there: Office, phone: Phone) -> None:
    await texted(there, "li", phone)
    token = await entered(there, "li", phone)
    there.clock.pass_(seconds=IDLE.total_seconds() + STEPPED_UP.total_seconds())
    await there.entrance.ask_code(token)
    assert await there.entrance.prove(token, await phone.code(), DESK) == token
    known = await there.entrance.known(token)
    assert known is not None
    assert (known.asleep, known.stepped_up) == (False, True)


async def test_only_the_newest_is_good(there: Office, phone: Phone) -> None:
    await texted(there, "li", phone)
    token = await entered(there, "li", phone)
    await there.entrance.ask_code(token)
    old = await phone.code()
    there.clock.pass_(seconds=60)
    await there.entrance.ask_code(token)
    new = await phone.code()
    if old != new:
        with pytest.raises(Wrong):
            await there.entrance.prove(token, old, DESK)
    assert await there.entrance.prove(token, new, DESK) == token


@pytest.mark.parametrize(("seconds", "good"), [(299, True), (300, False)])
async def test_it_is_good_for_five_minutes(there: Office, phone: Phone, seconds: int, good: bool) -> None:
    await texted(there, "li", phone)
    token = await entered(there, "li", phone)
    await there.entrance.ask_code(token)
    code = await phone.code()
    there.clock.pass_(seconds=seconds)
    if good:
        await there.entrance.prove(token, code, DESK)
    else:
        with pytest.raises(Wrong, match="已过期"):
            await there.entrance.prove(token, code, DESK)


async def test_a_code_of_another_account_or_of_another_session_opens_nothing(there: Office, phone: Phone) -> None:
    for login in ("li", "ma"):
        await texted(there, login, phone)
    mine, others = await half_of(there, "li"), await half_of(there, "ma")
    elsewhere = await half_of(there, "li", "192.0.2.7")
    await there.entrance.ask_code(mine)
    code = await phone.code()
    for token in (others, elsewhere):
        with pytest.raises(Wrong):
            await there.entrance.prove(token, code, DESK)
        there.clock.pass_(seconds=2)
    await there.entrance.prove(mine, code, DESK)


async def test_fifty_who_show_one_code_at_once_are_one(there: Office, phone: Phone) -> None:
    await texted(there, "li", phone)
    half = await half_of(there, "li")
    await there.entrance.ask_code(half)
    code = await phone.code()
    tried = [there.entrance.prove(half, code, f"192.0.2.{number}") for number in range(8)]
    found = await asyncio.gather(*tried, return_exceptions=True)
    assert len([one for one in found if isinstance(one, str)]) == 1
    assert all(isinstance(one, str | Wrong | LookupError) for one in found)


async def test_wrong_codes_are_throttled_as_an_apps_are(there: Office, phone: Phone) -> None:
    await texted(there, "li", phone)
    half, waits = await half_of(there, "li"), []
    await there.entrance.ask_code(half)
    code = await phone.code()
    for _ in range(5):
        try:
            await there.entrance.prove(half, "abc123", DESK)
        except Wait as why:
            waits.append(why.seconds)
            there.clock.pass_(seconds=why.seconds)
        except Wrong:
            pass
    assert waits == [1.0, 2.0]
    there.clock.pass_(seconds=10)
    await there.entrance.prove(half, code, DESK)


async def test_a_code_on_paper_stands_in_for_the_phone(there: Office, phone: Phone) -> None:
    account = await texted(there, "li", phone)
    papers = await there.keeper.new_papers(account)
    await there.entrance.prove(await half_of(there, "li"), papers[2], DESK)


# ── asking ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_one_a_minute_and_ten_an_hour_whichever_process_is_asked(there: Office, phone: Phone) -> None:
    await texted(there, "li", phone)
    there.clock.pass_(hours=1)
    token = await there.entrance.sign_in("li", PASSWORD, DESK)
    beside = Entrance(there.store, SEAL, there.clock)
    await there.entrance.ask_code(token)
    there.clock.pass_(seconds=20)
    with pytest.raises(TooOften, match="请等 40 秒") as why:
        await beside.ask_code(token)
    assert why.value.seconds == 40.0
    there.clock.pass_(seconds=40)
    await beside.ask_code(token)
    for number in range(2, MOST):
        there.clock.pass_(seconds=60)
        token = await there.entrance.sign_in("li", PASSWORD, DESK)
        await (there.entrance, beside)[number % 2].ask_code(token)
    there.clock.pass_(minutes=2)
    token = await there.entrance.sign_in("li", PASSWORD, DESK)
    with pytest.raises(TooOften, match=r"一小时内已发 10 条.*49 分钟"):
        await beside.ask_code(token)
    there.clock.pass_(minutes=49)
    await there.entrance.ask_code(await there.entrance.sign_in("li", PASSWORD, DESK))


async def test_who_asks_eight_times_at_once_is_sent_one(there: Office, phone: Phone) -> None:
    await texted(there, "li", phone)
    half, beside = await half_of(there, "li"), Entrance(there.store, SEAL, there.clock)
    asked = [(there.entrance, beside)[number % 2].ask_code(half) for number in range(8)]
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert found.count(None) == 1
    assert all(one is None or isinstance(one, Wait) for one in found)
    await phone.code()


async def test_nobody_without_the_password_can_ask(there: Office, phone: Phone) -> None:
    await texted(there, "li", phone)
    for token in ("", "guessed"):
        with pytest.raises(LookupError):
            await there.entrance.ask_code(token)


async def test_whose_factor_is_an_app_is_sent_none_though_he_has_a_phone(there: Office, phone: Phone) -> None:
    account = await there.person("zhang")
    async with there.store.begin() as tx:
        await accounts.change(tx, account, phone=SEAL.seal(NUMBER))
    half = await half_of(there, "zhang")
    with pytest.raises(NoText, match="手机应用"):
        await there.entrance.ask_code(half)
    known = await there.entrance.known(half)
    assert known is not None
    with pytest.raises(Unfit, match="已经有验证码"):
        await there.keeper.set_texted(there.entrance, known, "123456", DESK)
    found = await there.keeper.called("zhang")
    assert found is not None
    assert found.factor is Factor.APP


async def test_whoever_has_no_phone_is_told_whom_to_ask(there: Office) -> None:
    _, half = await added(there, "li", "")
    with pytest.raises(NoText, match="请管理员在“账号”页添加手机号"):
        await there.entrance.ask_code(half)


async def test_a_button_that_was_refused_again_and_again_fills_no_log(there: Office) -> None:
    _, half = await added(there, "li", "")
    for _ in range(60):
        there.clock.pass_(seconds=1)
        with pytest.raises((NoText, Wait)):
            await there.entrance.ask_code(half)
    async with there.store.read() as tx:
        told = [one.action for one in await audit.newest(tx, 100)]
    assert 2 <= told.count("account.code_refused") <= 8


# ── coming to one's own ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_sms_is_the_factor_once_its_code_has_come_back(there: Office, phone: Phone) -> None:
    _, half = await added(there, "li")
    await there.entrance.ask_code(half)
    code = await phone.code()
    known = await there.entrance.known(half)
    assert known is not None
    with pytest.raises(Wrong):
        await there.entrance.prove(half, code, DESK)  # that way he would come in without a second factor
    with pytest.raises(Wrong):
        await there.keeper.set_texted(there.entrance, known, "12345", DESK)
    there.clock.pass_(seconds=1)
    papers = await there.keeper.set_texted(there.entrance, known, code, DESK)
    assert len(papers) == 10
    found = await there.keeper.called("li")
    assert found is not None
    assert (found.ready, found.factor) == (True, Factor.SMS)
    assert await there.entrance.text_fate(found) is None
    assert there.entrance.phone_tail(found) == "**21"


async def test_after_a_reset_or_with_another_phone_no_code_on_its_way_is_good(there: Office, phone: Phone) -> None:
    chief = await there.person("chief")
    account = await texted(there, "li", phone)
    token = await entered(there, "li", phone)
    await there.entrance.ask_code(token)
    code = await phone.code()
    by = await there.entrance.known(await there.session("chief"))
    assert by is not None
    assert by.account.id == chief
    given = Given(login="li", name="li", role=by.principal.role, scope=(CITY,), phone="138 0000 1234")
    await there.keeper.change(by.principal, account, given)
    with pytest.raises(Wrong):
        await there.entrance.prove(token, code, DESK)
    there.clock.pass_(minutes=2)
    await there.entrance.ask_code(token)
    await there.keeper.reset("command", account)
    found = await there.keeper.called("li")
    assert found is not None
    assert (found.factor, await there.entrance.text_fate(found)) == (None, None)


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("15400001234", "+8615400001234"), ("+86 154-0000-1234", "+8615400001234"), ("8615400001234", "+8615400001234"),
        ("0796-8223344", ""), ("110", ""), ("１５４００００１２３４", ""), ("+15005550006", ""), ("", ""),
    ],
)  # fmt: skip
def test_a_mobile_number_is_known_however_it_was_typed(typed: str, number: str) -> None:
    assert mobile(typed) == number


async def test_an_account_with_a_number_that_takes_no_sms_is_not_made(there: Office) -> None:
    with pytest.raises(Unfit, match="手机号"):
        await added(there, "li", "0796-8223344")


# ── what is left behind ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_no_code_stands_in_the_database_before_it_left_or_after(there: Office, phone: Phone) -> None:
    """Nor a hash from which it could be found: the database alone says nothing of six digits."""
    await texted(there, "li", phone)
    token = await entered(there, "li", phone)
    await there.entrance.ask_code(token)
    before = await everything(there.store)
    code = await phone.code()
    after = await everything(there.store)
    for kept in (before, after):
        assert code not in kept
        assert code.encode().hex() not in kept
        assert NUMBER[3:] not in kept
    async with there.store.read() as tx:
        assert (await tx.execute(text("SELECT count(*) FROM code_texts WHERE words IS NOT NULL"))).scalar_one() == 0


async def everything(store: Store) -> str:
    """Times and random ids apart, in which six digits may stand by chance."""
    tables = {
        "accounts": "login, name, role, scope, phone, password",
        "codes": "purpose, digest",
        "code_texts": "words",
        "audit": "actor, action, subject, detail",
        "events": "kind, detail",
    }
    async with store.read() as tx:
        found = [row for name, what in tables.items() for row in await tx.execute(text(f"SELECT {what} FROM {name}"))]
    return "\n".join(str(row) for row in found)


async def test_what_was_asked_refused_and_set_stands_in_the_log(there: Office, phone: Phone) -> None:
    account = await texted(there, "li", phone)
    half = await half_of(there, "li")
    await there.entrance.ask_code(half)
    with pytest.raises(TooOften):
        await there.entrance.ask_code(half)
    with pytest.raises(Wrong):
        await there.entrance.prove(half, "1234567", DESK)
    async with there.store.read() as tx:
        told = [(one.action, one.detail) for one in reversed(await audit.newest(tx, 20))]
        subjects = {one.subject for one in await audit.newest(tx, 20)}
    assert [action for action, _ in told] == [
        "account.added", "account.password_set", "account.code_asked", "account.second_factor_set", "account.code_asked",
        "account.code_refused", "account.refused",
    ]  # fmt: skip
    assert '"with":"sms"' in str(told[3][1]).replace("'", '"').replace(" ", "")
    assert '"why":"too_often"' in str(told[5][1]).replace("'", '"').replace(" ", "")
    assert subjects == {f"account:{account}"}


async def test_what_became_of_it_is_told_while_it_is_good(there: Office, phone: Phone) -> None:
    await texted(there, "li", phone)
    half = await half_of(there, "li")
    known = await there.entrance.known(half)
    assert known is not None
    assert await there.entrance.text_fate(known.account) is None
    await there.entrance.ask_code(half)
    assert await there.entrance.text_fate(known.account) is Fate.WAITING
    await phone.code()
    assert await there.entrance.text_fate(known.account) is Fate.SENT
    there.clock.now += timedelta(seconds=GOOD_FOR.total_seconds())
    assert await there.entrance.text_fate(known.account) is None
