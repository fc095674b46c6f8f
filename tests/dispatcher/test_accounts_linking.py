"""A one-time link: good once, for a day, until there is a newer one; and nowhere but as a hash."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from dispatcher.accounts.authority import AccountRole, in_person
from dispatcher.accounts.entering import IDLE, STEPPED_UP, Wrong
from dispatcher.accounts.keeping import Given
from dispatcher.accounts.linking import GOOD_FOR, Links
from dispatcher.store import accounts
from dispatcher.store.accounts import Account
from dispatcher.store.engine import Store
from tests.dispatcher.persons import CITY, PASSWORD, Hands, Office, office

NIGHT = datetime(2026, 6, 11, 18, 39, tzinfo=UTC)
HERE = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Links, and somebody whom they let in."""

    there: Office
    links: Links
    account: Account


@pytest.fixture
async def door(store: Store) -> Door:
    there = office(store, Hands(NIGHT))
    await there.person("liu", AccountRole.APPROVER)
    account = await there.keeper.called("liu")
    assert account is not None
    return Door(there=there, links=Links(store, there.clock, there.entrance), account=account)


async def test_a_link_lets_its_person_in_once_with_both_factors_shown(door: Door) -> None:
    token = await door.links.make(door.account.id)
    assert len(bytes.fromhex(token)) == 16
    for _ in range(3):
        found = await door.links.whose(token)
        assert found is not None, "to look uses nothing up"
        assert found.id == door.account.id
    known = await door.there.entrance.known(await door.links.enter(token, HERE))
    assert known is not None
    assert (known.account.login, known.half, known.asleep, known.stepped_up) == ("liu", False, False, True)
    assert await door.links.whose(token) is None
    with pytest.raises(Wrong, match="已用过"):
        await door.links.enter(token, HERE)


async def test_of_many_who_press_at_once_one_comes_in(door: Door) -> None:
    token = await door.links.make(door.account.id)
    tried = await asyncio.gather(*(door.links.enter(token, HERE) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(one, str) for one in tried) == 1
    assert all(isinstance(one, str | Wrong) for one in tried)


async def test_a_day_later_or_when_there_is_a_newer_one_it_opens_nothing(door: Door) -> None:
    old = await door.links.make(door.account.id)
    new = await door.links.make(door.account.id)
    assert await door.links.whose(old) is None
    assert await door.links.whose(new) is not None
    door.there.clock.pass_(seconds=GOOD_FOR.total_seconds())
    with pytest.raises(Wrong):
        await door.links.enter(new, HERE)


async def test_whoever_was_disabled_comes_in_by_no_link(door: Door) -> None:
    chief, _ = await door.there.keeper.add(
        "command", Given(login="chief", name="管理", role=AccountRole.ADMINISTRATOR, scope=(CITY,))
    )
    token = await door.links.make(door.account.id)
    await door.there.keeper.disable(in_person(chief), door.account.id, disabled=True)
    assert await door.links.whose(token) is None
    with pytest.raises(Wrong):
        await door.links.enter(token, HERE)


async def test_what_opens_lies_nowhere_and_what_was_done_is_on_record(door: Door, store: Store) -> None:
    token = await door.links.make(door.account.id)
    async with store.read() as tx:
        rows = (await tx.execute(text("SELECT * FROM codes"))).all()
        assert await accounts.codes_left(tx, "link", door.account.id) == 1
    assert token not in str(rows)
    session = await door.links.enter(token, HERE)
    await door.links.show_again(session)
    async with store.read() as tx:
        log = (await tx.execute(text("SELECT action, detail FROM audit ORDER BY no"))).all()
    assert [row.action for row in log][-4:] == [
        "account.link_made", "account.link_used", "account.signed_in", "account.code_waived",
    ]  # fmt: skip
    assert token not in str(log)


async def test_a_session_that_fell_asleep_or_has_to_show_a_code_goes_on_and_half_a_one_does_not(door: Door) -> None:
    session = await door.links.enter(await door.links.make(door.account.id), HERE)
    door.there.clock.pass_(seconds=max(IDLE, STEPPED_UP, timedelta()).total_seconds())
    known = await door.there.entrance.known(session)
    assert known is not None
    assert (known.asleep, known.stepped_up) == (True, False)
    await door.links.show_again(session)
    known = await door.there.entrance.known(session)
    assert known is not None
    assert (known.asleep, known.stepped_up) == (False, True)
    half = await door.there.entrance.sign_in("liu", PASSWORD, HERE)
    for nobody in (half, "", "0" * 32):
        with pytest.raises(LookupError):
            await door.links.show_again(nobody)
