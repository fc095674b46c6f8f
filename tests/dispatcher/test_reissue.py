"""What was changed behind the signature is put forward anew as it was signed, and nothing else is made of it."""

from __future__ import annotations

import json

import pytest

from dispatcher.accounts.authority import Principal
from dispatcher.pipeline.approve import approve
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.persons import Hindrance, NotDone
from dispatcher.pipeline.reissue import reissue
from dispatcher.pipeline.submit import submit
from dispatcher.states import DeliveryState, WarningState
from tests.city import Clock, Provider
from tests.dispatcher.desk import leader, officer, row_of, submitted
from tests.dispatcher.test_page import _refused as refused_aloud
from tests.dispatcher.test_sending_dispatch import counts, dispatching, until
from tests.dispatcher.test_signing import run


async def refused(jian: Context, people: tuple[Principal, Principal], statement: str) -> str:
    """Signed, changed, and refused by the sender."""
    put = await submitted(jian, people[0])
    await approve(jian, people[1], put.warning_id, plan_hash=put.plan_hash)
    await run(jian.store, statement, w=put.warning_id)
    async with dispatching(jian.store, Clock(), sms=Provider()):
        await until(lambda: refused_aloud(jian, put.warning_id))
    return put.warning_id


async def test_it_leaves_as_it_was_signed_when_two_have_signed_it_again(jian: Context, clock: Clock) -> None:
    one, other = await officer(jian), await leader(jian)
    changed = await refused(jian, (one, other), "UPDATE warnings SET headline = '别的标题' WHERE id = :w")
    clock.pass_(minutes=1)
    anew = await reissue(jian, one, changed)
    with pytest.raises(NotDone) as stopped:
        await approve(jian, other, anew.warning_id, plan_hash="")
    assert stopped.value.hindrance is Hindrance.STATE
    put = await submit(jian, one, anew.warning_id)
    await approve(jian, other, put.warning_id, plan_hash=put.plan_hash)
    before, after = await row_of(jian, changed), await row_of(jian, put.warning_id)
    assert (before.state, before.headline) == (WarningState.SUPERSEDED, "别的标题")
    assert (after.kind, after.headline, after.chain_id) == ("Update", before.message["headline"], before.chain_id)
    sms = Provider()
    async with dispatching(jian.store, clock, sms=sms):
        await until(lambda: _sent(jian, after.id))
    assert sms.got
    assert {message.bulletin.warning_id for message in sms.got} == {after.id}


async def _sent(jian: Context, warning_id: str) -> bool:
    return (await counts(jian.store, warning_id)).get(DeliveryState.SENT, 0) > 5


async def test_a_message_that_was_changed_itself_is_read_from_its_bytes(jian: Context, clock: Clock) -> None:
    one, other = await officer(jian), await leader(jian)
    put = await submitted(jian, one)
    whole = {**(await row_of(jian, put.warning_id)).message, "description": "没有事"}
    said = json.dumps(whole, ensure_ascii=False).replace("'", "''").replace(":", "\\:")
    await approve(jian, other, put.warning_id, plan_hash=put.plan_hash)
    await run(jian.store, f"UPDATE warnings SET message = '{said}' WHERE id = :w", w=put.warning_id)
    async with dispatching(jian.store, Clock(), sms=Provider()):
        await until(lambda: refused_aloud(jian, put.warning_id))
    clock.pass_(minutes=1)
    anew = await row_of(jian, (await reissue(jian, one, put.warning_id)).warning_id)
    assert anew.message["description"] == "预计未来3小时碧洲镇降雨量将达50毫米以上。"
    await run(jian.store, "UPDATE warnings SET raw = :b WHERE id = :w", b=b"{}", w=put.warning_id)
    with pytest.raises(NotDone) as stopped:
        await reissue(jian, one, put.warning_id)
    assert stopped.value.hindrance is Hindrance.CHANGED


async def test_what_was_not_refused_and_whoever_may_not_write_makes_nothing_anew(jian: Context) -> None:
    one, other = await officer(jian), await leader(jian)
    put = await submitted(jian, one)
    for who, warning_id, why in (
        (one, put.warning_id, Hindrance.NOTHING),
        (one, "0" * 32, Hindrance.NOT_THERE),
        (other, put.warning_id, Hindrance.ROLE),
    ):
        with pytest.raises(NotDone) as stopped:
            await reissue(jian, who, warning_id)
        assert stopped.value.hindrance is why
