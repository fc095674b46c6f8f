"""An unchanged warning that is issued again (继续发布) runs on: whoever heard it is not rung again, everybody else is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from dispatcher.model import Channel
from dispatcher.pipeline.accept import Answer
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.preview import preview
from dispatcher.store import warnings
from tests.city import NOW, Clock, cap, named
from tests.dispatcher.test_accept import sent_in
from tests.dispatcher.test_former import COUNTY, FIRST, SECOND, TOWN, arrived, listed, reached

THIRD = "36080041600000_20260403024100"


def again(identifier: str, minutes: int, of: str, at: int = 0, **more: str) -> bytes:
    """An Update of what was sent `at` minutes after the first."""
    references = named(of, NOW + timedelta(minutes=at))
    return cap(identifier, NOW + timedelta(minutes=minutes), kind="Update", references=references, **more)


async def silent(jian: Context, answer: Answer) -> set[str]:
    """Targets on the frozen list that are not rung."""
    return {
        target for (target, _), (row, _) in (await listed(jian, answer)).items() if row.suppressed == "already_told"
    }


async def test_whoever_heard_is_not_rung_again_and_whoever_did_not_is(jian: Context) -> None:
    await sent_in(jian, cap(FIRST))
    heard = await arrived(jian, Channel.SMS, 5)
    heard |= await arrived(jian, Channel.BROADCAST)
    platforms = await arrived(jian, Channel.PARTY)
    second = await sent_in(jian, again(SECOND, 2, FIRST))
    rows = await listed(jian, second)
    assert await silent(jian, second) == heard
    assert {target for (target, _), (row, _) in rows.items() if not row.suppressed} >= platforms, "platforms see all"
    assert any(target.startswith("officer") and not row.suppressed for (target, _), (row, _) in rows.items())
    async with jian.store.read() as tx:
        first, now = await warnings.called(tx, FIRST), await warnings.one(tx, second.warning_id)
    assert now is not None
    assert (first[0].state, now.expires) == ("superseded", NOW + timedelta(hours=6, minutes=2))


async def test_three_in_a_row_ring_once(jian: Context) -> None:
    await sent_in(jian, cap(FIRST))
    heard = await arrived(jian, Channel.SMS)
    await sent_in(jian, again(SECOND, 1, FIRST))
    late = await arrived(jian, Channel.BROADCAST)
    assert await silent(jian, await sent_in(jian, again(THIRD, 2, SECOND, 1))) == heard | late


@pytest.mark.parametrize(
    "change",
    [
        {"severity": "Severe", "headline": "吉安市气象台发布暴雨橙色预警"},
        {"area": "360827103000"},
        {"area": COUNTY},
        {"instruction": "请立即转移。"},
        {"description": "预计未来3小时碧洲镇降雨量将达200毫米以上。"},
    ],
)
async def test_what_is_changed_rings(jian: Context, change: dict[str, str]) -> None:
    await sent_in(jian, cap(FIRST))
    await arrived(jian, Channel.SMS)
    words = {name: change[name] for name in change if name in ("severity", "headline", "area")}
    body = again(SECOND, 1, FIRST, **words)
    if "instruction" in change:
        body = body.replace(
            b"</description>", f"</description><instruction>{change['instruction']}</instruction>".encode()
        )
    if "description" in change:
        body = body.replace(b"100", b"200")
    assert await silent(jian, await sent_in(jian, body)) == set()


async def test_the_issuers_word_that_it_continues_counts_for_the_words_but_not_for_what_is_to_be_done(
    jian: Context,
) -> None:
    await sent_in(jian, cap(FIRST))
    heard = await arrived(jian, Channel.SMS)
    body = again(SECOND, 1, FIRST, headline="吉安市气象台继续发布暴雨红色预警").replace(b"100", b"110")
    assert await silent(jian, await sent_in(jian, body)) == heard
    await arrived(jian, Channel.BROADCAST)
    third = again(THIRD, 2, SECOND, 1, headline="吉安市气象台继续发布暴雨红色预警").replace(
        b"</description>", "</description><instruction>请立即转移。</instruction>".encode()
    )
    assert await silent(jian, await sent_in(jian, third)) == set()


async def test_what_had_run_out_rings_again(jian: Context, clock: Clock) -> None:
    await sent_in(jian, cap(FIRST))
    await arrived(jian, Channel.SMS)
    clock.pass_(hours=7)
    assert await silent(jian, await sent_in(jian, again(SECOND, 7 * 60, FIRST))) == set()


async def test_the_cancel_reaches_those_who_were_not_rung_again(jian: Context) -> None:
    await sent_in(jian, cap(FIRST))
    heard = await arrived(jian, Channel.SMS)
    await sent_in(jian, again(SECOND, 1, FIRST))
    cancel = cap(THIRD, NOW + timedelta(minutes=2), kind="Cancel", references=named(SECOND, NOW + timedelta(minutes=1)))
    told = await listed(jian, await sent_in(jian, cancel))
    assert {target for target, _ in told} == heard
    assert not any(row.suppressed for row, _ in told.values())


async def test_the_preview_counts_them(jian: Context) -> None:
    await sent_in(jian, cap(FIRST))
    heard = await arrived(jian, Channel.SMS, 5)
    found = await preview(jian, again(SECOND, 1, FIRST), "application/cap+xml", None)
    assert found.already_told == len(heard) == 5
    assert found.channels["sms"]["targets"] == found.officers + found.residents + found.offices - 5
    assert (await preview(jian, cap(THIRD, area=TOWN), "application/cap+xml", None)).already_told == 0


async def test_who_was_only_sent_to_is_told_again(jian: Context) -> None:
    await sent_in(jian, cap(FIRST))
    await reached(jian, Channel.SMS)
    assert await silent(jian, await sent_in(jian, again(SECOND, 1, FIRST))) == set()


async def test_a_gateway_that_stands_in_for_more_villages_sounds_again(jian: Context) -> None:
    await sent_in(jian, cap(FIRST))
    gateways = await arrived(jian, Channel.BROADCAST)
    async with jian.store.begin() as tx:
        await tx.execute(text("UPDATE deliveries SET areas = '360827102200' WHERE channel = 'broadcast'"))
    assert not gateways & await silent(jian, await sent_in(jian, again(SECOND, 1, FIRST)))
