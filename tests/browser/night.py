"""A night in an invented city, with one warning in each state: what every page of the tour is opened on.

Nothing is sent anywhere: what became of a row is written as the sender would write it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from dispatcher.accounts.authority import AccountRole, Principal
from dispatcher.model import BEIJING
from dispatcher.pipeline.approve import approve
from dispatcher.pipeline.correct import retract
from dispatcher.pipeline.draft import draft
from dispatcher.pipeline.send_back import send_back
from dispatcher.pipeline.shift import offer, take_over
from dispatcher.pipeline.submit import Submitted, submit
from dispatcher.registry.register import Register
from dispatcher.states import DeliveryState
from dispatcher.store import ledger
from dispatcher.store.deliveries import Row
from tests.browser.people import People, people
from tests.browser.standing import (
    DRILL_SMS,
    DRILL_TOKEN,
    HELD_TOKEN,
    SENT,
    House,
    all_in_hand,
    cap,
    code,
    standing,
    take_in_hand,
)

TOWNS = ("360827102", "360827101", "360827103")
"""Whose officers and loudspeakers take part in the drill."""
DRILL_GATEWAYS = {"MINGLUO_DRILL_EBM_BASE_URL": "http://127.0.0.1:9"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """Ids of warnings, by what stands with them; and who is there."""

    house: House
    people: People
    red: str
    """In force, under way: most are told, some are not."""
    drill: str
    held: str
    unjoined: str
    """Held, for it does not say which warning it ends."""
    draft: str
    submitted: str
    to_be_read_out: str
    """Put forward by another officer: the one of the tour may put down that a leader said yes by telephone."""
    returned: str
    signed: str
    """Signed by a second person; nearly all are told."""
    mistaken: str
    """Taken back after it had gone out."""
    taking_back: str
    """What took it back."""
    missed: str
    """Somebody whom the red did not reach by SMS."""
    handover: int
    """A hand-over that another officer took."""

    @property
    def url(self) -> str:
        return self.house.url


def drilled(register: Register) -> dict[str, str]:
    """The environment of a service whose next drill is told to the officers of three townships."""
    listed = sorted({post.officer_id for post in register.posts if post.area_code.startswith(TOWNS)})
    until: date = datetime.now(UTC).astimezone(BEIJING).date() + timedelta(days=7)
    agreed = ", ".join(f'{{township: "{town}", by: 书面同意, until: {until}}}' for town in TOWNS)
    return {
        **DRILL_SMS,
        **DRILL_GATEWAYS,
        "MINGLUO_DRILLS__PARTICIPANTS": f"[{', '.join(listed)}]",
        "MINGLUO_DRILLS__CONSENTS": f"[{agreed}]",
    }


@asynccontextmanager
async def night(database_url: str, register: Register) -> AsyncIterator[Night]:
    """On a filled database without warnings or accounts. Takes seconds."""
    async with standing(database_url, frozenset({"web", "intake"}), **drilled(register)) as house:
        yield await _fallen(house)


async def _fallen(house: House) -> Night:
    there = await people(house.context)
    lin = (await there.another("lin", "林值班", AccountRole.DUTY_OFFICER)).principal
    handover = await _handed_over(house, there, lin)
    status, _, _ = await house.post(b"<alert>")
    assert status == 422
    mistaken, taking_back = await _taken_back(house, there)
    held = await _sent(house, HELD_TOKEN, "held", headline="遂川县气象台发布暴雨橙色预警", where=code("360827"))
    later = (SENT + timedelta(minutes=1)).astimezone(BEIJING).isoformat()
    unjoined = await _sent(
        house, HELD_TOKEN, "over", sent=later, kind="Cancel", headline="遂川县气象台解除暴雨预警", where=code("360827")
    )
    unsigned = await _drafted(house, there, 1, event="森林火险", level="orange", headline="遂川县发布森林火险橙色预警")
    put = await _submitted(house, there, 2, event="山洪灾害", level="red", headline="遂川县发布山洪灾害红色预警")
    orange = written(house.context.now(), 5, event="暴雨", level="orange", headline="遂川县发布暴雨橙色预警")
    kept = await draft(house.context, lin, orange)
    await submit(house.context, lin, kept.warning_id)
    back = await _submitted(house, there, 3, event="大风", level="blue", headline="遂川县发布大风蓝色预警")
    await send_back(house.context, there.leader.principal, back.warning_id, reason="少写了草林镇，请补上再送")
    signed = await _submitted(house, there, 4, event="暴雨", level="yellow", headline="遂川县发布暴雨黄色预警")
    await approve(house.context, there.leader.principal, signed.warning_id, plan_hash=signed.plan_hash, reason="同意")
    for channel in ("sms", "party"):
        await all_in_hand(house, channel, of(300))
    drill = await _sent(
        house, DRILL_TOKEN, "drill", status="Exercise", where="".join(map(code, TOWNS)), place="遂川县碧洲镇等三镇",
        headline="【演练】遂川县暴雨红色预警",
    )  # fmt: skip
    await take_in_hand(house, "sms", of(40), drill=True)
    red = await _sent(house, None, "36080041600000_20260403023830")
    for channel in ("sms", "sms", "broadcast"):
        await take_in_hand(house, channel, of(9))
    return Night(
        house=house, people=there, red=red, drill=drill, held=held, unjoined=unjoined, draft=unsigned, submitted=put.warning_id,
        to_be_read_out=kept.warning_id, returned=back.warning_id, signed=signed.warning_id, mistaken=mistaken,
        taking_back=taking_back, missed=await _missed(house, red), handover=handover,
    )  # fmt: skip


async def _handed_over(house: House, there: People, to: Principal) -> int:
    words = "遂川县雨还在下，碧洲镇转移到哪一步请每小时问一次。"
    number = await offer(house.context, there.duty_officer.principal, words=words, stays=True)
    return await take_over(house.context, to, number, troubles=())


async def _missed(house: House, warning_id: str) -> str:
    async with house.context.store.read() as tx:
        found = await ledger.troubled(tx, warning_id, 2000)
    return next(one.target for one in found if one.channel == "sms" and one.target.startswith("officer-"))


def of(every: int) -> Callable[[Row], tuple[DeliveryState, str]]:
    """The fates of rows: of so many one failed, one is not known of, two are with the provider; all others are told."""
    few = {0: (DeliveryState.FAILED, "30005"), 1: (DeliveryState.UNKNOWN, "no_receipt")}
    way = (DeliveryState.SENT, "")

    def fate(row: Row) -> tuple[DeliveryState, str]:
        return few.get(row.pos % every) or (way if row.pos % every in (2, 3) else (DeliveryState.DELIVERED, ""))

    return fate


async def _sent(house: House, token: str | None, identifier: str, **changes: str) -> str:
    """From a source; None: from the trusted one."""
    body = cap(identifier, **changes)
    status, said, _ = await (house.post(body) if token is None else house.post(body, token))
    assert status == 202, said
    return str(said["warning_id"])


async def _drafted(house: House, there: People, number: int, **changes: Any) -> str:
    kept = await draft(house.context, there.duty_officer.principal, written(house.context.now(), number, **changes))
    return kept.warning_id


async def _submitted(house: House, there: People, number: int, **changes: Any) -> Submitted:
    warning_id = await _drafted(house, there, number, **changes)
    return await submit(house.context, there.duty_officer.principal, warning_id)


async def _taken_back(house: House, there: People) -> tuple[str, str]:
    wrong = await _sent(house, None, "mistaken", where=code("360826"), headline="泰和县气象台发布暴雨橙色预警")
    await take_in_hand(house, "sms", of(30))
    await take_in_hand(house, "broadcast", of(30))
    answer = await retract(house.context, there.duty_officer.principal, wrong)
    for channel in ("sms", "broadcast", "party"):
        await all_in_hand(house, channel, of(200))
    return wrong, answer.warning_id


def written(now: datetime, number: int, **changes: Any) -> bytes:
    """A warning of a county's own, as its officer writes it at this moment."""
    at = now.astimezone(BEIJING).replace(microsecond=0)
    said: dict[str, Any] = {
        "sender": "36082741700000",
        "identifier": f"36082741700000_{at:%Y%m%d%H%M%S}{number}",
        "sent": at.isoformat(),
        "status": "Actual",
        "kind": "Alert",
        "scope": "Public",
        "sender_name": "遂川县应急管理局",
        "event": "暴雨",
        "level": "yellow",
        "headline": "遂川县应急管理局发布暴雨黄色预警",
        "description": "预计未来3小时碧洲镇、草林镇降雨量将达50毫米以上，局地可能引发山洪。",
        "instruction": "请立即撤离沟口、低洼地带和危旧房屋，转移到村级避灾点。",
        "expires": (at + timedelta(hours=6)).isoformat(),
        "areas": [{"description": "碧洲镇、草林镇", "geocodes": ["360827102000", "360827101000"]}],
    }
    return json.dumps({**said, **changes}, ensure_ascii=False).encode()
