"""When every signer of a red was paged in vain, two on duty release it, and every leader hears of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dispatcher.accounts.authority import Principal
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.lapse import release, review
from dispatcher.pipeline.page import Purpose, reviews_due, sign_off_due
from dispatcher.pipeline.persons import Hindrance, NotDone
from dispatcher.signing import Act
from dispatcher.states import DeliveryState, WarningState
from dispatcher.store import accounts
from tests.city import Clock, Provider
from tests.dispatcher.desk import leader, officer, row_of, signed, submitted
from tests.dispatcher.test_page import RED, put
from tests.dispatcher.test_sending_dispatch import counts, dispatching, until

WHY = "三名领导均未应答"


async def refused(jian: Context, who: Principal, warning_id: str, plan_hash: str, *, reason: str = WHY) -> Hindrance:
    with pytest.raises(NotDone) as stopped:
        await release(jian, who, warning_id, plan_hash=plan_hash, reason=reason)
    assert (await row_of(jian, warning_id)).released_at is None
    return stopped.value.hindrance


async def test_the_author_and_another_on_duty_release_a_red_when_every_timer_has_lapsed(
    jian: Context, clock: Clock
) -> None:
    one, two = await officer(jian), await officer(jian, 2)
    every = [await leader(jian, number) for number in (11, 12)]
    red = await submitted(jian, one, **RED)
    clock.pass_(seconds=179)
    assert await refused(jian, two, red.warning_id, red.plan_hash) is Hindrance.TOO_EARLY
    clock.pass_(seconds=1)
    await sign_off_due(jian)
    assert {page.account_id for page in await put(jian, red.warning_id, Purpose.LAPSED)} == {one.id, two.id}
    assert await refused(jian, one, red.warning_id, red.plan_hash) is Hindrance.SAME_PERSON
    assert await refused(jian, two, red.warning_id, red.plan_hash, reason=" ") is Hindrance.REASON
    assert await refused(jian, replace(two, stepped_up=False), red.warning_id, red.plan_hash) is Hindrance.STEP_UP
    assert await refused(jian, every[0], red.warning_id, red.plan_hash) is Hindrance.ROLE
    await release(jian, two, red.warning_id, plan_hash=red.plan_hash, reason=WHY)
    last = (await signed(jian, red.warning_id))[-1]
    assert (last.act, last.account_id, last.detail["author"]) == (Act.RELEASED, two.id, one.id)
    told = await put(jian, red.warning_id, Purpose.RELEASED)
    assert {page.account_id for page in told} == {each.id for each in every}


async def test_what_two_on_duty_released_is_sent(jian: Context, clock: Clock) -> None:
    one, two = await officer(jian), await officer(jian, 2)
    red = await submitted(jian, one, **RED)
    clock.pass_(seconds=180)
    await release(jian, two, red.warning_id, plan_hash=red.plan_hash, reason=WHY)
    sms = Provider()
    async with dispatching(jian.store, clock, sms=sms):
        await until(lambda: _sent(jian, red.warning_id))
    assert sms.got


async def _sent(jian: Context, warning_id: str) -> bool:
    return (await counts(jian.store, warning_id)).get(DeliveryState.SENT, 0) > 5


@pytest.mark.parametrize("who", [1, 2])
async def test_both_must_be_on_duty(jian: Context, clock: Clock, who: int) -> None:
    one, two = await officer(jian), await officer(jian, 2)
    red = await submitted(jian, one, **RED)
    async with jian.store.begin() as tx:
        await accounts.change(tx, f"{who:032x}", on_duty=False)
    clock.pass_(seconds=180)
    assert await refused(jian, two, red.warning_id, red.plan_hash) is Hindrance.ROLE


async def test_no_other_level_and_no_city_with_another_rule_releases_so(jian: Context, clock: Clock) -> None:
    one, two = await officer(jian), await officer(jian, 2)
    yellow, red = await submitted(jian, one), await submitted(jian, one, identifier="R", **RED)
    clock.pass_(seconds=900)
    assert await refused(jian, two, yellow.warning_id, yellow.plan_hash) is Hindrance.TOO_EARLY
    policy = jian.settings.policy
    approval = policy.approval.model_copy(update={"release_by_two_on_duty": False})
    jian.settings = replace(jian.settings, policy=policy.model_copy(update={"approval": approval}))
    assert await refused(jian, two, red.warning_id, red.plan_hash) is Hindrance.TOO_EARLY


async def test_it_stays_open_until_a_leader_has_reviewed_it(jian: Context, clock: Clock) -> None:
    one, two, other = await officer(jian), await officer(jian, 2), await leader(jian)
    red = await submitted(jian, one, **RED)
    with pytest.raises(NotDone) as stopped:
        await review(jian, other, red.warning_id, words="同意")
    assert stopped.value.hindrance is Hindrance.NOTHING
    clock.pass_(seconds=180)
    await release(jian, two, red.warning_id, plan_hash=red.plan_hash, reason=WHY)
    for who, words, why in ((two, "同意", Hindrance.ROLE), (other, " ", Hindrance.REASON)):
        with pytest.raises(NotDone) as stopped:
            await review(jian, who, red.warning_id, words=words)
        assert stopped.value.hindrance is why
    await review(jian, other, red.warning_id, words="同意")
    assert (await signed(jian, red.warning_id))[-1].act == Act.REVIEWED
    with pytest.raises(NotDone):
        await review(jian, other, red.warning_id, words="同意")
    assert (await row_of(jian, red.warning_id)).state == WarningState.APPROVED


async def test_until_it_is_reviewed_every_leader_is_paged_again_each_hour(jian: Context, clock: Clock) -> None:
    one, two, other = await officer(jian), await officer(jian, 2), await leader(jian)
    red = await submitted(jian, one, **RED)
    clock.pass_(seconds=180)
    await release(jian, two, red.warning_id, plan_hash=red.plan_hash, reason=WHY)
    paged = []
    for minutes in (59, 1, 30, 30):
        clock.pass_(minutes=minutes)
        paged.append(await reviews_due(jian))
    assert paged == [0, 1, 0, 1]
    assert {page.account_id for page in await put(jian, red.warning_id, Purpose.REVIEW)} == {other.id}
    await review(jian, other, red.warning_id, words="同意")
    clock.pass_(hours=3)
    assert await reviews_due(jian) == 0
