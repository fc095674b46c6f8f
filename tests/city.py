"""A small Ji'an for tests: a warning with a frozen plan, a clock that stands still, a provider that does as it is told.

The builders read as sentences: `await released(store, red(), people(40))`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np

from channels.contract import Accepted, Asks, Message, Outcome
from dispatcher.intake.canonical import to_json
from dispatcher.model import (
    BEIJING,
    Audience,
    Channel,
    Hazard,
    Kind,
    Level,
    Member,
    ResidentHits,
    Scope,
    Status,
    Target,
    TargetKind,
    WarningMessage,
    Why,
)
from dispatcher.planning import Frame, Plan, make_plan
from dispatcher.settings import Settings, load
from dispatcher.signing import FACTS, WORDINGS, Act, facts_of, wordings_of
from dispatcher.store import chunks, signatures, warnings
from dispatcher.store.engine import Store, Tx
from dispatcher.store.signatures import Signature
from dispatcher.store.warnings import WarningRow

NOW = datetime(2026, 4, 2, 18, 39, tzinfo=UTC)
"""02:39 in Ji'an."""
VILLAGES = ("360827102200", "360827102201")
PLACES = {"360827102": "遂川县碧洲镇", "360827": "遂川县", "360800": "吉安市"}


class Clock:
    """`now()`; moves only when told."""

    def __init__(self, at: datetime = NOW) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def pass_(self, **span: float) -> None:
        self.at += timedelta(**span)


def settings(**environment: str) -> Settings:
    """The project's own configuration, with an environment of the test's choosing."""
    return load(environment) if environment else _as_shipped()


@cache
def _as_shipped() -> Settings:
    return load({})


def red(**changes: object) -> WarningMessage:
    """A red rainstorm warning for 碧洲镇, in force for six hours."""
    message = WarningMessage(
        source_format="test",
        sender="36080041600000",
        identifier="36080041600000_20260403023900",
        sent=NOW,
        status=Status.ACTUAL,
        kind=Kind.ALERT,
        scope=Scope.PUBLIC,
        sender_name="吉安市气象台",
        event="暴雨",
        hazard=Hazard(scheme="NERP", code="11B03", name="暴雨"),
        level=Level.RED,
        expires=NOW + timedelta(hours=6),
        headline="吉安市气象台发布暴雨红色预警",
        description="预计未来3小时碧洲镇降雨量将达100毫米以上。",
    )
    return replace(message, **changes)  # type: ignore[arg-type]


def people(count: int, township: str = "360827102") -> Audience:
    """So many officers of one township, told because of their posts."""
    return _audience(
        [
            Member(
                target=Target(kind=TargetKind.OFFICER, id=f"JA{number:05d}"),
                channel=Channel.SMS,
                why=Why.VILLAGE_POST,
                township=township,
            )
            for number in range(count)
        ]
    )


def gateways(count: int) -> Audience:
    return _audience(
        [
            Member(
                target=Target(kind=TargetKind.GATEWAY, id=f"GW{number:05d}"),
                channel=Channel.BROADCAST,
                why=Why.GATEWAY_COVERS,
                township="360827102",
                areas=VILLAGES,
            )
            for number in range(count)
        ]
    )


def both(first: Audience, second: Audience) -> Audience:
    return replace(first, members=first.members + second.members)


def _audience(members: Sequence[Member]) -> Audience:
    nobody = ResidentHits(id=np.empty(0, np.int64), township=np.empty(0, np.int32), townships=())
    return Audience(members=tuple(members), residents=nobody)


def frame(broadcast_id: str = "") -> Frame:
    ours = settings()
    return Frame(
        policy=ours.policy,
        wording=ours.wording,
        places=PLACES,
        villages=VILLAGES,
        broadcast_id=broadcast_id,
        limit=None,
        drill_channels=frozenset(Channel),
    )


async def kept(tx: Tx, message: WarningMessage, audience: Audience, number: int = 1) -> WarningRow:
    """A warning in force with its frozen plan, as `accept` would leave it; `number` makes its id."""
    message = replace(message, identifier=f"{message.identifier}_{number}")
    plan = make_plan(message, audience, frame())
    row = row_as_kept(message, plan, number)
    await warnings.keep(tx, row, ())
    await warnings.keep_texts(tx, row.id, plan.texts)
    await chunks.freeze(tx, row.id, plan.chunks)
    await chunks.release(tx, row.id)
    facts = {**facts_of(row, plan.texts, await chunks.shapes(tx, row.id)), WORDINGS: wordings_of(plan.texts)}
    detail = {FACTS: facts, "source": row.source}
    by_itself = Signature(
        warning_id=row.id, at=NOW, account_id="", act=Act.TRUSTED, plan_hash=row.plan_hash, detail=detail
    )
    await signatures.sign(tx, by_itself)
    return row


def row_as_kept(message: WarningMessage, plan: Plan, number: int = 1) -> WarningRow:
    return WarningRow(
        id=f"{number:032x}",
        chain_id=f"{number:032x}",
        source="city-weather",
        door="test",
        source_format=message.source_format,
        content_type="text/plain",
        raw=b"",
        digest="",
        sender=message.sender,
        identifier=message.identifier,
        sent=message.sent,
        kind=message.kind,
        status=message.status,
        scope=message.scope,
        drill=message.drill,
        trusted=True,
        event=message.event,
        level=message.level,
        headline=message.headline,
        expires=message.expires,
        message=to_json(message),
        findings=[],
        state="approved",
        area={"villages": list(VILLAGES), "touched": list(VILLAGES), "counties": ["360827"]},
        plan={"channels": dict(plan.channels)},
        plan_hash=plan.hash,
        header_hash=plan.header_hash,
        rows_planned=plan.rows,
        broadcast_id="",
        received_at=message.sent,
        released_at=message.sent,
    )


async def released(store: Store, message: WarningMessage, audience: Audience, number: int = 1) -> WarningRow:
    async with store.begin() as tx:
        return await kept(tx, message, audience, number)


def always(outcome: Outcome) -> Callable[[Message], Outcome]:
    return lambda _message: outcome


@dataclass
class Provider:
    """A provider that writes down what it was sent, then answers by `answer`; `hold` keeps it from answering."""

    answer: Callable[[Message], Outcome] = field(default=always(Accepted(ref="1")))
    max_batch: int = 1
    got: list[Message] = field(default_factory=list)
    hold: asyncio.Event | None = None
    under_way: int = 0
    most_under_way: int = 0
    resting: bool = False

    @property
    def rests(self) -> bool:
        return self.resting

    def try_turn(self) -> bool:
        return not self.resting

    @property
    def asks(self) -> Asks | None:
        return self if isinstance(self, Asks) else None

    async def turn(self) -> None:
        while self.resting:
            await asyncio.sleep(0.01)

    async def next_turn(self) -> None:
        await self.turn()

    async def send(self, batch: Sequence[Message], now: datetime) -> list[Outcome]:
        self.got += batch
        self.under_way += len(batch)
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            if self.hold is not None:
                await self.hold.wait()
            return [self.answer(message) for message in batch]
        finally:
            self.under_way -= len(batch)

    async def close(self) -> None:
        return None

    @property
    def ids(self) -> list[str]:
        return [message.id for message in self.got]


def cap(
    identifier: str = "36080041600000_20260403023900",
    sent: datetime = NOW,
    kind: str = "Alert",
    area: str = "360827102000",
    **more: str,
) -> bytes:
    local = sent.astimezone(BEIJING).isoformat(timespec="seconds")
    expires = (sent + timedelta(hours=6)).astimezone(BEIJING).isoformat(timespec="seconds")
    references = f"<references>{more['references']}</references>" if "references" in more else ""
    info = f"""<info><language>zh-CN</language><category>Met</category><event>暴雨</event><urgency>Immediate</urgency>
<severity>{more.get("severity", "Extreme")}</severity><certainty>Observed</certainty><expires>{expires}</expires>
<senderName>吉安市气象台</senderName><headline>{more.get("headline", "吉安市气象台发布暴雨红色预警[Ⅰ级/特别严重]")}</headline>
<description>预计未来3小时碧洲镇降雨量将达100毫米以上。</description>
<area><areaDesc>碧洲镇</areaDesc>
<geocode><valueName>CPEAS Geographic Code</valueName><value>{area}</value></geocode></area></info>"""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>{identifier}</identifier><sender>36080041600000</sender>
<sent>{local}</sent><status>{more.get("status", "Actual")}</status><msgType>{kind}</msgType><scope>Public</scope>{references}
{"" if kind == "Cancel" else info}</alert>""".encode()


def named(identifier: str, sent: datetime = NOW) -> str:
    return f"36080041600000,{identifier},{sent.astimezone(BEIJING).isoformat(timespec='seconds')}"


def amp(sent: datetime = NOW, kind: str = "Alert", first: datetime | None = None, area: str = "360827102000") -> bytes:
    """The same as the national system (12379) writes it; `first`: when the issue it updates or cancels was sent."""
    written = sent.astimezone(BEIJING).isoformat(" ", timespec="seconds")
    expires = (sent + timedelta(hours=6)).astimezone(BEIJING).isoformat(" ", timespec="seconds")
    references = f"<references>{national(first)}</references>" if first else ""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="http://com.icss.amp"><identifier>{national(sent)}</identifier><sender>吉安市气象局</sender>
<senderCode>36080041600000</senderCode><sendTime>{written}</sendTime><status>Actual</status><msgType>{kind}</msgType>
<scope>Public</scope>{references}<info><language>zh-CN</language><eventType>11B03</eventType><urgency>Unknown</urgency>
<severity>Red</severity><certainty>Unknown</certainty><effective>{written}</effective><expires>{expires}</expires>
<senderName>李明</senderName><headline>吉安市气象局{"解除" if kind == "Cancel" else "发布"}暴雨红色预警</headline>
<description>预计未来3小时碧洲镇降雨量将达100毫米以上。</description>
<area><areaDesc>碧洲镇</areaDesc><geocode>{area}</geocode></area></info></alert>""".encode()


def national(sent: datetime) -> str:
    """The identifier of the national rule."""
    return f"36080041600000_{sent.astimezone(BEIJING):%Y%m%d%H%M%S}"
