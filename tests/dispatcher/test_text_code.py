"""A code by SMS leaves at once, by whichever process sends, as long as it is good, and by the live provider alone."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from channels.contract import Accepted, Blame, Message, NotKnown, Refused, TryAgain
from channels.text import is_drill
from dispatcher.pipeline.text_code import AGAIN_S, CLAIM, claimed, keep_texting, text_codes
from dispatcher.store import accounts, code_texts
from dispatcher.store.code_texts import Fate
from dispatcher.store.engine import Store
from tests.city import Provider, always
from tests.dispatcher.persons import Hands, Office, office
from tests.dispatcher.phones import NUMBER, added, context_of
from tests.dispatcher.test_sending_dispatch import until

NIGHT = datetime(2026, 6, 11, 18, 39, tzinfo=UTC)


@pytest.fixture
def there(store: Store) -> Office:
    return office(store, Hands(NIGHT))


async def asked(there: Office, login: str = "li") -> str:
    """Somebody who waits for a code; his account's id."""
    account, half = await added(there, login)
    await there.entrance.ask_code(half)
    return account


async def fate(there: Office, account_id: str) -> Fate | None:
    async with there.store.read() as tx:
        found = await code_texts.current(tx, account_id, there.clock())
    return found.fate if found else None


async def words_left(store: Store) -> int:
    async with store.read() as tx:
        return int((await tx.execute(text("SELECT count(*) FROM code_texts WHERE words IS NOT NULL"))).scalar_one())


async def test_it_goes_once_to_the_sealed_number_signed_and_no_drill(there: Office) -> None:
    account, provider, context = await asked(there), Provider(), context_of(there)
    assert await text_codes(context, provider) == 1
    assert await text_codes(context, provider) == 0
    (message,) = provider.got
    assert message.to == NUMBER
    assert message.text.startswith("【吉安应急】验证码 ")
    assert message.text.endswith("，5 分钟内有效，只在您自己的登录页面输入，不要告诉任何人。")
    assert not message.bulletin.drill
    assert not is_drill(message.text)
    assert message.bulletin.expires == NIGHT + timedelta(minutes=5)
    assert await fate(there, account) is Fate.SENT
    assert await words_left(there.store) == 0


async def test_after_its_five_minutes_it_is_not_sent_and_its_words_are_gone(there: Office) -> None:
    await asked(there)
    provider = Provider()
    there.clock.pass_(minutes=5)
    assert await text_codes(context_of(there), provider) == 0
    assert provider.got == []
    assert await words_left(there.store) == 0


async def test_a_process_without_a_provider_leaves_it_to_the_others_until_it_has_run_out(there: Office) -> None:
    await asked(there)
    assert await text_codes(context_of(there), None) == 0
    assert await words_left(there.store) == 1
    there.clock.pass_(minutes=5)
    await text_codes(context_of(there), None)
    assert await words_left(there.store) == 0


class Slow(Provider):
    """Its turn comes when the five minutes are over."""

    def __init__(self, clock: Hands) -> None:
        super().__init__()
        self.clock = clock

    async def turn(self) -> None:
        self.clock.pass_(minutes=5)


async def test_it_is_not_sent_where_its_turn_came_too_late(there: Office) -> None:
    await asked(there)
    provider = Slow(there.clock)
    assert await text_codes(context_of(there), provider) == 0
    assert provider.got == []
    assert await words_left(there.store) == 0


@pytest.mark.parametrize("outcome", [TryAgain(code="503", reason="忙"), NotKnown(code="cut", reason="断线")])
async def test_it_is_tried_a_few_times_and_then_given_up(there: Office, outcome: TryAgain | NotKnown) -> None:
    account, provider, context = await asked(there), Provider(answer=always(outcome)), context_of(there)
    for wait in (*AGAIN_S, 100):
        assert await fate(there, account) is Fate.WAITING
        assert await text_codes(context, provider) == 0
        assert await text_codes(context, provider) == 0
        there.clock.pass_(seconds=wait)
    assert await text_codes(context, provider) == 0
    assert len(provider.got) == len(AGAIN_S) + 1
    assert len(set(provider.ids)) == 1
    assert await fate(there, account) is Fate.LOST
    assert await words_left(there.store) == 0


async def test_what_the_provider_refuses_for_good_is_given_up_at_once(there: Office) -> None:
    answer = always(Refused(code="21211", reason="号码有误", blame=Blame.ADDRESS))
    account, provider = await asked(there), Provider(answer=answer)
    await text_codes(context_of(there), provider)
    there.clock.pass_(minutes=1)
    await text_codes(context_of(there), provider)
    assert len(provider.got) == 1
    assert await fate(there, account) is Fate.LOST


async def test_a_provider_that_breaks_and_then_mends_loses_no_code(there: Office) -> None:
    await asked(there)

    def broken(_: Message) -> Accepted:
        raise ConnectionResetError("cut")

    assert await text_codes(context_of(there), Provider(answer=broken)) == 0
    there.clock.pass_(seconds=AGAIN_S[0])
    assert await text_codes(context_of(there), Provider()) == 1


async def test_a_code_in_the_hands_of_a_process_that_died_is_sent_by_another(there: Office) -> None:
    await asked(there)
    context, provider = context_of(there), Provider()
    assert len(await claimed(context, provider)) == 1
    assert await text_codes(context, provider) == 0
    there.clock.pass_(seconds=CLAIM.total_seconds())
    assert await text_codes(context, provider) == 1


async def test_of_two_processes_that_look_at_once_one_sends(there: Office) -> None:
    await asked(there)
    providers = [Provider(), Provider()]
    sent = await asyncio.gather(*(text_codes(context_of(there), one) for one in providers))
    assert sum(sent) == sum(len(one.got) for one in providers) == 1


async def test_a_code_that_was_overtaken_by_a_newer_one_does_not_leave(there: Office) -> None:
    _, half = await added(there, "li")
    await there.entrance.ask_code(half)
    there.clock.pass_(seconds=60)
    await there.entrance.ask_code(half)
    provider = Provider()
    assert await text_codes(context_of(there), provider) == 1
    assert len(provider.got) == 1


async def test_whoever_was_disabled_meanwhile_is_sent_none(there: Office) -> None:
    account, provider = await asked(there), Provider()
    async with there.store.begin() as tx:
        await accounts.change(tx, account, disabled_at=there.clock())
    assert await text_codes(context_of(there), provider) == 0
    assert provider.got == []


@pytest.mark.long
async def test_one_that_hangs_keeps_nobody_else_waiting(there: Office) -> None:
    provider, hold = Provider(), asyncio.Event()
    provider.hold = hold
    await asked(there, "li")
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(keep_texting(context_of(there), provider))
        await until(lambda: _under_way(provider, 1))
        await asked(there, "ma")
        await until(lambda: _under_way(provider, 2))
        hold.set()
        await until(lambda: _none_left(there.store))
        running.cancel()


async def _under_way(provider: Provider, number: int) -> bool:
    return provider.under_way == number


async def _none_left(store: Store) -> bool:
    return await words_left(store) == 0
