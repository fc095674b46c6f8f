"""Coming in: two factors, each good once; guessing is slow and tells nothing; a session ends when it must."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from dispatcher.accounts import second, throttle
from dispatcher.accounts.authority import AccountRole, Means
from dispatcher.accounts.entering import HALF, IDLE, LONGEST, STEPPED_UP, Wait, Wrong, digest
from dispatcher.accounts.keeping import Given, Keeper, Unfit
from dispatcher.store import accounts, audit
from dispatcher.store.engine import Store
from tests.browser.standing import SEAL
from tests.dispatcher.persons import CITY, PASSWORD, Hands, Office, office

pytestmark = pytest.mark.long

NIGHT = datetime(2026, 6, 11, 18, 39, tzinfo=UTC)


@pytest.fixture
def clock() -> Hands:
    return Hands(NIGHT)


@pytest.fixture
def there(store: Store, clock: Hands) -> Office:
    return office(store, clock)


async def refused(there: Office, login: str, password: str, address: str = "192.0.2.9") -> str:
    try:
        await there.entrance.sign_in(login, password, address)
    except (Wrong, Wait) as why:
        return f"{type(why).__name__}: {why}"
    return "let in"


async def test_a_password_alone_opens_nothing(there: Office) -> None:
    await there.person("zhang")
    half = await there.entrance.sign_in("zhang", PASSWORD, "192.0.2.1")
    known = await there.entrance.known(half)
    assert known is not None
    assert known.half
    whole = await there.entrance.prove(half, there.clock.code("zhang"), "192.0.2.1")
    assert whole != half, "a cookie planted before is worth nothing after"
    assert await there.entrance.known(half) is None
    known = await there.entrance.known(whole)
    assert known is not None
    assert (known.half, known.asleep, known.stepped_up) == (False, False, True)
    assert (known.principal.means, known.principal.role) == (Means.SESSION, AccountRole.DUTY_OFFICER)


async def test_a_code_is_good_once_also_for_whoever_looked_over_a_shoulder(there: Office) -> None:
    await there.person("zhang")
    first = await there.entrance.sign_in("zhang", PASSWORD, "192.0.2.1")
    code = there.clock.code("zhang")
    await there.entrance.prove(first, code, "192.0.2.1")
    again = await there.entrance.sign_in("zhang", PASSWORD, "192.0.2.7")
    with pytest.raises(Wrong, match="用过了"):
        await there.entrance.prove(again, code, "192.0.2.7")
    there.clock.pass_(seconds=65)
    with pytest.raises(Wrong):
        await there.entrance.prove(again, code, "192.0.2.7")


async def test_fifty_who_show_one_code_at_once_are_one(there: Office) -> None:
    await there.person("zhang")
    halves = [await there.entrance.sign_in("zhang", PASSWORD, f"192.0.2.{number}") for number in range(8)]
    code = there.clock.code("zhang")
    found = await asyncio.gather(
        *(there.entrance.prove(half, code, f"192.0.2.{number}") for number, half in enumerate(halves)),
        return_exceptions=True,
    )
    assert len([one for one in found if isinstance(one, str)]) == 1
    assert all(isinstance(one, str | Wrong) for one in found)


async def test_a_phone_whose_clock_is_slow_is_told_by_how_much(there: Office) -> None:
    await there.person("zhang")
    half = await there.entrance.sign_in("zhang", PASSWORD, "192.0.2.1")
    there.clock.pass_(minutes=-4)
    late = second.code_at(there.clock.secrets["zhang"], there.clock.now)
    there.clock.pass_(minutes=4)
    with pytest.raises(Wrong, match="手机时钟约慢 4 分钟"):
        await there.entrance.prove(half, late, "192.0.2.1")


async def test_nobody_learns_that_a_code_is_of_a_time_to_come(there: Office) -> None:
    """Whoever has the password and guesses would wait for that time and show it again."""
    await there.person("zhang")
    half = await there.entrance.sign_in("zhang", PASSWORD, "192.0.2.1")
    said = []
    for ahead in (6, 600):
        code = second.code_at(there.clock.secrets["zhang"], there.clock.now + timedelta(minutes=ahead))
        with pytest.raises(Wrong) as why:
            await there.entrance.prove(half, code, "192.0.2.1")
        said.append(str(why.value))
    assert said[0] == said[1]


async def test_no_stranger_at_the_door_keeps_an_officer_from_showing_his_code(there: Office) -> None:
    """A wrong alarm is taken back by whoever is signed in, whatever is guessed at his name from his own office."""
    await there.person("zhang")
    token = await there.session("zhang")
    for number in range(110):  # as wrong passwords are counted: hashing each takes a core for half a minute
        async with there.store.begin() as tx:
            await accounts.failed(tx, throttle.keys("zhang", f"192.0.2.{number % 3}").every, there.clock())
    assert (await refused(there, "zhang", "wrong wrong wrong", "192.0.2.1")).startswith("Wait")
    assert await there.entrance.prove(token, there.clock.code("zhang"), "192.0.2.1") == token


async def test_a_burst_of_guesses_is_one_after_another(there: Office) -> None:
    await there.person("zhang")
    tried = await asyncio.gather(*(refused(there, "zhang", f"wrong wrong {number}") for number in range(12)))
    assert sum(one.startswith("Wrong") for one in tried) == 2
    assert sum(one.startswith("Wait") for one in tried) == 10


async def test_a_paper_code_stands_in_for_the_phone_once(there: Office) -> None:
    account = await there.person("zhang")
    papers = await there.keeper.new_papers(account)
    assert len(set(papers)) == second.PAPER_CODES
    half = await there.entrance.sign_in("zhang", PASSWORD, "192.0.2.1")
    await there.entrance.prove(half, papers[3].upper().replace("-", " "), "192.0.2.1")
    half = await there.entrance.sign_in("zhang", PASSWORD, "192.0.2.1")
    with pytest.raises(Wrong):
        await there.entrance.prove(half, papers[3], "192.0.2.1")
    assert await there.keeper.papers_left(account) == 9
    await there.keeper.new_papers(account)
    there.clock.pass_(minutes=2)
    with pytest.raises(Wrong):
        await there.entrance.prove(half, papers[4], "192.0.2.1")


async def test_guessing_is_slow_and_a_name_nobody_has_is_treated_alike(there: Office) -> None:
    await there.person("zhang")
    said: dict[str, list[str]] = {"zhang": [], "nobody": []}
    for login, told in said.items():
        for _ in range(9):
            told.append(await refused(there, login, "wrong wrong wrong", f"192.0.2.{len(login)}"))
            if told[-1].startswith("Wait"):
                there.clock.pass_(seconds=float(told[-1].split()[2]))
    assert said["zhang"] == said["nobody"]
    assert [one.split()[2] for one in said["zhang"] if one.startswith("Wait")] == ["1", "2", "4", "8"]


async def test_ten_thousand_guesses_take_a_week_and_lock_nobody_out(there: Office) -> None:
    """The guesser waits a minute for each; whoever comes from his own desk waits a minute at the most, and once."""
    await there.person("zhang")
    keys = throttle.keys("zhang", "198.51.100.1")
    login = list(keys.free)[2]
    waited, failures = 0.0, 0
    for failures in range(10_000):
        waited += throttle.wait_s({keys.pair: (failures, NIGHT)}, keys, NIGHT)
    assert waited > 6 * 24 * 3600
    assert failures == 9999
    own = throttle.keys("zhang", "192.0.2.1")
    assert throttle.wait_s({login: (99, NIGHT)}, own, NIGHT) == 0
    assert throttle.wait_s({login: (10_000, NIGHT)}, own, NIGHT) == throttle.LONGEST_S


async def test_a_name_nobody_has_takes_as_long_as_one_that_somebody_has(there: Office) -> None:
    """By the work that is done, not by the clock of a busy machine: both are hashed once."""
    await there.person("zhang")
    took = {}
    for login in ("zhang", "nobody"):
        began = time.thread_time_ns(), time.process_time_ns()
        await refused(there, login, "wrong wrong wrong", f"192.0.2.{len(login)}")
        took[login] = time.process_time_ns() - began[1]
    assert 0.3 < took["zhang"] / took["nobody"] < 3


async def test_a_session_falls_asleep_and_wakes_by_a_code_and_ends_after_half_a_day(there: Office) -> None:
    await there.person("zhang")
    token = await there.session("zhang")
    there.clock.pass_(seconds=STEPPED_UP.total_seconds())
    known = await there.entrance.known(token)
    assert known is not None
    assert (known.asleep, known.stepped_up) == (False, False)
    await there.entrance.touch(known)
    there.clock.pass_(seconds=IDLE.total_seconds())
    known = await there.entrance.known(token)
    assert known is not None
    assert known.principal.asleep
    assert await there.entrance.prove(token, there.clock.code("zhang"), "192.0.2.1") == token, "its page stays"
    known = await there.entrance.known(token)
    assert known is not None
    assert not known.asleep
    assert known.stepped_up
    there.clock.pass_(seconds=LONGEST.total_seconds())
    assert await there.entrance.known(token) is None


async def test_half_a_session_is_gone_after_minutes(there: Office) -> None:
    await there.person("zhang")
    half = await there.entrance.sign_in("zhang", PASSWORD, "192.0.2.1")
    there.clock.pass_(seconds=HALF.total_seconds())
    assert await there.entrance.known(half) is None


async def test_whoever_is_disabled_or_reset_is_out_at_once(there: Office) -> None:
    chief = await there.person("chief", AccountRole.ADMINISTRATOR)
    account = await there.person("zhang")
    token = await there.session("zhang")
    known = await there.entrance.known(await there.session("chief"))
    assert known is not None
    assert known.account.id == chief
    await there.keeper.disable(known.principal, account, disabled=True)
    assert await there.entrance.known(token) is None
    assert (await refused(there, "zhang", PASSWORD)).startswith("Wrong")
    await there.keeper.disable(known.principal, account, disabled=False)
    token = await there.session("zhang")
    await there.keeper.reset("command", account)
    assert await there.entrance.known(token) is None
    assert (await refused(there, "zhang", PASSWORD)).startswith("Wrong")


async def test_another_role_holds_from_the_next_look_on(there: Office) -> None:
    await there.person("chief", AccountRole.ADMINISTRATOR)
    account = await there.person("zhang", AccountRole.APPROVER)
    token = await there.session("zhang")
    chief = await there.entrance.known(await there.session("chief"))
    assert chief is not None
    given = Given(login="zhang", name="张", role=AccountRole.AUDITOR, scope=("360827",))
    await there.keeper.change(chief.principal, account, given)
    known = await there.entrance.known(token)
    assert known is not None
    assert (known.principal.role, known.principal.scope) == (AccountRole.AUDITOR, ("360827",))


@pytest.mark.parametrize(("role", "scope"), [(AccountRole.APPROVER, CITY), (AccountRole.ADMINISTRATOR, "360827")])
async def test_nobody_changes_his_own_role_or_area(there: Office, role: AccountRole, scope: str) -> None:
    account = await there.person("chief", AccountRole.ADMINISTRATOR)
    chief = await there.entrance.known(await there.session("chief"))
    assert chief is not None
    with pytest.raises(Unfit, match="另一位管理员"):
        await there.keeper.change(chief.principal, account, Given(login="chief", name="长", role=role, scope=(scope,)))
    same = Given(login="chief", name="长", role=AccountRole.ADMINISTRATOR, scope=(CITY,))
    await there.keeper.change(chief.principal, account, same)


async def test_an_old_password_is_said_to_be_old_where_the_rule_asks_and_keeps_nobody_out(there: Office) -> None:
    await there.person("zhang")
    strict = Keeper(there.store, SEAL, there.clock, "mlps3")
    there.clock.pass_(days=89)
    account = await strict.called("zhang")
    assert account is not None
    assert strict.days_old(account) == 0
    there.clock.pass_(days=1)
    assert (strict.days_old(account), there.keeper.days_old(account)) == (90, 0)
    known = await there.entrance.known(await there.session("zhang"))
    assert known is not None
    await strict.change_password(known.account, PASSWORD, "另一串 很长的 Ci 93kd", keep="")
    account = await strict.called("zhang")
    assert account is not None
    assert strict.days_old(account) == 0


async def test_the_first_account_is_made_once_by_the_code_that_was_printed(there: Office) -> None:
    old, code = await there.keeper.first_code(), await there.keeper.first_code()
    given = Given(login="first", name="第一人", role=AccountRole.ADMINISTRATOR, scope=(CITY,))
    for wrong in ("", old, "aaaa-bbbb-cccc"):
        with pytest.raises(Wrong):
            await there.keeper.found(wrong, given)
    await there.keeper.found(code, given)
    with pytest.raises(Wrong):
        await there.keeper.found(code, given)
    assert await there.keeper.first_code() == ""
    assert [one.login for one in await there.keeper.every()] == ["first"]


async def test_a_first_code_printed_yesterday_is_no_longer_good(there: Office) -> None:
    code = await there.keeper.first_code()
    there.clock.pass_(hours=24)
    with pytest.raises(Wrong):
        await there.keeper.found(code, Given(login="x", name="x", role=AccountRole.ADMINISTRATOR, scope=(CITY,)))


WEAK = [
    "short",
    "password1234",
    "123456789012",
    "qwertyuiopas",
    "aaaaaaaaaaaaaaaa",
    "zhangzhangzh",
    "2026061120260611",
    "x" * 129,
]


@pytest.mark.parametrize("password", WEAK)
async def test_a_password_that_is_soon_guessed_is_refused_with_a_reason(there: Office, password: str) -> None:
    given = Given(login="zhang", name="张", role=AccountRole.DUTY_OFFICER, scope=(CITY,))
    _, code = await there.keeper.add("command", given)
    with pytest.raises(Unfit, match="密码"):
        await there.keeper.enrol(there.entrance, code, password, "192.0.2.1")
    await there.keeper.enrol(there.entrance, code, PASSWORD, "192.0.2.1")


async def test_a_changed_password_ends_the_sessions_elsewhere(there: Office) -> None:
    await there.person("zhang")
    here, elsewhere = await there.session("zhang"), await there.session("zhang", "192.0.2.7")
    known = await there.entrance.known(here)
    assert known is not None
    with pytest.raises(Wrong):
        await there.keeper.change_password(known.account, "wrong", "另一串 很长的 词 93kd", keep=digest(here))
    await there.keeper.change_password(known.account, PASSWORD, "另一串 很长的 词 93kd", keep=digest(here))
    assert await there.entrance.known(here) is not None
    assert await there.entrance.known(elsewhere) is None


async def test_a_systems_token_opens_until_it_is_revoked_or_its_year_is_over(there: Office) -> None:
    await there.person("chief", AccountRole.ADMINISTRATOR)
    chief = await there.entrance.known(await there.session("chief"))
    assert chief is not None
    token = await there.keeper.make_token(chief.principal, "指挥大屏", AccountRole.AUDITOR, ["360827"])
    found = await there.entrance.system(token)
    assert found is not None
    assert (found.means, found.role, found.scope) == (Means.TOKEN, AccountRole.AUDITOR, ("360827",))
    assert await there.entrance.system(token + "x") is None
    assert await there.keeper.revoke_token(chief.principal, found.id)
    assert await there.entrance.system(token) is None
    other = await there.keeper.make_token(chief.principal, "气象局", AccountRole.AUDITOR, ["360827"])
    there.clock.pass_(days=366)
    assert await there.entrance.system(other) is None


async def test_nothing_that_opens_a_door_stands_in_the_database(there: Office) -> None:
    account = await there.person("zhang")
    papers = await there.keeper.new_papers(account)
    token, secret = await there.session("zhang"), there.clock.secrets["zhang"]
    async with there.store.read() as tx:
        rows = [
            str(row)
            for table in ("accounts", "sessions", "codes", "tokens", "throttles", "audit")
            for row in await tx.execute(text(f"SELECT * FROM {table}"))
        ]
    kept = "\n".join(rows)
    for canary in (PASSWORD, secret, token, *papers, *(one.replace("-", "") for one in papers)):
        assert canary not in kept
    assert "$argon2id$" in kept


async def test_whatever_is_done_to_an_account_stands_in_the_log(there: Office) -> None:
    account = await there.person("zhang")
    await there.session("zhang")
    await refused(there, "zhang", "wrong wrong wrong")
    await refused(there, "秘密误输在此", "wrong wrong wrong")
    async with there.store.read() as tx:
        told = [(one.action, one.subject) for one in await audit.newest(tx, 20)]
        whole = str(await audit.newest(tx, 20))
    actions = [action for action, _ in reversed(told)]
    assert actions == [
        "account.added", "account.password_set", "account.second_factor_set", "account.signed_in", "account.refused",
        "account.refused",
    ]  # fmt: skip
    assert {subject for _, subject in told} == {f"account:{account}", "account:unknown"}
    assert "秘密误输在此" not in whole
