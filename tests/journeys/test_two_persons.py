"""Nothing reaches a provider without two persons, whatever one of them tries; and what two agreed on reaches it once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from dispatcher.accounts.authority import AccountRole, Means, Principal
from dispatcher.pipeline.approve import approve
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.edit import edit
from dispatcher.pipeline.persons import NotDone
from dispatcher.rehearsal.server import Options, playing
from dispatcher.signing import Act
from dispatcher.store import accounts
from tests.browser.standing import House, cap, code, filled, standing
from tests.dispatcher.desk import leader, officer, row_of, signed, stamp, submitted, written
from tests.journeys.test_http_warning_lands import ACCOUNT, TOKEN, completed, secrets_of

WORDS = "两人签发局"
TOKEN_OF_A_SYSTEM = Principal(means=Means.TOKEN, id="t" * 32, name="系统", role=AccountRole.APPROVER, scope=("360800",))


@pytest.mark.timeout(120)
async def test_nothing_is_sent_without_two_persons_and_once_with_them(tmp_path: Path) -> None:
    async with playing(Options(folder=tmp_path, account=ACCOUNT, token=TOKEN)) as city:
        url = await filled(tmp_path / "mingluo.db", 700, city.url("gateway"), city.url("platform"))
        city.platform.know(await secrets_of(url))
        environment = {
            "MINGLUO_TWILIO_ACCOUNT_SID": ACCOUNT,
            "MINGLUO_TWILIO_AUTH_TOKEN": TOKEN,
            "MINGLUO_CHANNELS__SMS__TWILIO__BASE_URL": city.url("sms"),
            "MINGLUO_POLICY__QUIET_FROM_HOUR": "0",  # a yellow one reaches the loudspeakers whenever this runs
            "MINGLUO_POLICY__QUIET_TO_HOUR": "0",
        }
        async with standing(url, roles=frozenset({"web", "send", "timers"}), **environment) as house:
            jian = house.context
            one, gone = await officer(jian), await leader(jian, 11)
            leaders = [await leader(jian, number) for number in range(100, 150)]
            said = words(jian, WORDS)
            put = await submitted(jian, one, **said)
            async with jian.store.begin() as tx:
                await accounts.change(tx, one.id, role=AccountRole.APPROVER.value)
                await accounts.change(tx, gone.id, role=AccountRole.AUDITOR.value)
            alone = (one, replace(one, role=AccountRole.APPROVER), TOKEN_OF_A_SYSTEM, gone)
            tried = [approve(jian, who, put.warning_id, plan_hash=put.plan_hash) for who in alone]
            assert all(isinstance(each, NotDone) for each in await asyncio.gather(*tried, return_exceptions=True))
            await _something_else_lands(house, "before")
            assert sends(tmp_path, WORDS) == []
            signing = [approve(jian, who, put.warning_id, plan_hash=put.plan_hash) for who in leaders]
            done = await asyncio.gather(*signing, return_exceptions=True)
            assert sum(not isinstance(each, NotDone) for each in done) == 1
            await completed(house, put.warning_id)
            assert [each.act for each in await signed(jian, put.warning_id)].count(Act.APPROVED) == 1
            rows = (await row_of(jian, put.warning_id)).rows_planned
            await _signed_while_it_is_edited(house, tmp_path, leaders[0])
    texts = sends(tmp_path, WORDS)
    assert len(texts) == len(set(texts)) == rows > 8


async def _signed_while_it_is_edited(house: House, folder: Path, other: Principal) -> None:
    """What leaves is what he signed, or nothing does: never the words that nobody signed."""
    jian = house.context
    one, before = await officer(jian, 2), words(jian, "改前签发局")
    put = await submitted(jian, one, **before)
    await asyncio.gather(
        edit(jian, one, put.warning_id, written(**{**before, "sender_name": "改后签发局"})),
        approve(jian, other, put.warning_id, plan_hash=put.plan_hash),
        return_exceptions=True,
    )
    row = await row_of(jian, put.warning_id)
    if row.state != "draft":
        await completed(house, put.warning_id)
    await _something_else_lands(house, "after")
    assert sends(folder, "改后签发局") == []
    assert bool(sends(folder, "改前签发局")) is (row.state != "draft")


def words(jian: Context, name: str) -> dict[str, str]:
    """A yellow warning of now, in somebody's name: his name is in whatever is sent."""
    now = jian.now()
    times = {"sent": stamp(now), "expires": stamp(now + timedelta(hours=6))}
    return {**times, "identifier": name, "sender_name": name, "headline": f"{name}发布暴雨黄色预警"}


async def _something_else_lands(house: House, identifier: str) -> None:
    """A trusted warning goes all the way: whatever could have left before it, has."""
    status, said, _ = await house.post(cap(identifier, where=code("360827103")))
    assert status == 202
    await completed(house, said["warning_id"])


def sends(folder: Path, words: str) -> Sequence[str]:
    """Recipients of what a provider was handed with these words."""
    lines = [json.loads(line) for path in folder.rglob("*.jsonl") for line in path.read_text("utf-8").splitlines()]
    return [f"{line.get('to') or line.get('recipient')}" for line in lines if words in str(line)]
