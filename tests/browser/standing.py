"""A whole service with its doors open, for tests that come in by HTTP: real database, real register, real socket.

Unless told, nothing is sent (the role `send` is off): what became of a row is written by `take_in_hand`, as the sender
would.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from channels.catalog import build
from channels.transport import Transport
from dispatcher.model import BEIJING, Channel
from dispatcher.pipeline.accept import accept
from dispatcher.pipeline.context import Context
from dispatcher.receipts import ReceiptBook
from dispatcher.registry.importing import put
from dispatcher.registry.register import Register
from dispatcher.registry.sample import Wish, make
from dispatcher.service.listening import bind
from dispatcher.service.running import Service
from dispatcher.service.serving import Rehearsal, serving
from dispatcher.settings import PROJECT, Settings, load
from dispatcher.states import DeliveryState
from dispatcher.store import chunks, deliveries
from dispatcher.store.chunks import Holder
from dispatcher.store.deliveries import Attempt, Row, Settled
from dispatcher.store.engine import open_store
from dispatcher.store.migrating import migrate
from dispatcher.store.packing import unpack
from dispatcher.store.sealed import Seal
from dispatcher.web.doors import Doors, Ready
from dispatcher.web.site import Site

SEAL = Seal(bytes(32))
TOKEN = "city-token-0123456789"
HELD_TOKEN = "county-token-0123456789"
DRILL_TOKEN = "drill-token-0123456789"
TWILIO_TOKEN = "twilio-token"
TWILIO_DRILL_TOKEN = "twilio-drill-token"
DRILL_SMS = {
    "MINGLUO_DRILL_TWILIO_ACCOUNT_SID": "AC2",
    "MINGLUO_DRILL_TWILIO_AUTH_TOKEN": TWILIO_DRILL_TOKEN,
    "MINGLUO_DRILL_TWILIO_SENDER": "+15005550007",
}
"""Switches SMS for drills on."""
EBM_SECRET = "ebm-secret-for-tests"


def settings(database_url: str, **environment: str) -> Settings:
    """The project's own, with tokens and a Twilio account that reaches nobody."""
    return load(
        {
            "MINGLUO_DATABASE_URL": database_url,
            "MINGLUO_LISTEN": "127.0.0.1:0",
            "MINGLUO_SEAL_KEY": "00" * 32,
            "MINGLUO_TOKEN_CITY_WEATHER": TOKEN,
            "MINGLUO_TOKEN_COUNTY_WEATHER": HELD_TOKEN,
            "MINGLUO_TOKEN_DRILL": DRILL_TOKEN,
            "MINGLUO_TWILIO_ACCOUNT_SID": "AC1",
            "MINGLUO_TWILIO_AUTH_TOKEN": TWILIO_TOKEN,
            "MINGLUO_TWILIO_SENDER": "+15005550006",
            "MINGLUO_EBM_SECRET": EBM_SECRET,
            **environment,
        }
    )


NOWHERE = "http://127.0.0.1:9"
KNOWN: dict[str, Register] = {}
"""By the URL of a copy, the register it was copied with: read again as soon as it has changed, and not before."""


async def filled(path: Path, officers: int = 900, gateways: str = NOWHERE, platforms: str = NOWHERE) -> str:
    """The URL of a new database with Ji'an's real places and invented people."""
    url = f"sqlite+aiosqlite:///{path}"
    await migrate(url)
    await settle_in(
        url, Wish(gateways_at=f"{gateways}/gateways", endpoints_at=f"{platforms}/platforms", officers=officers)
    )
    return url


async def settle_in(url: str, wish: Wish) -> None:
    """Fills a migrated database."""
    store = open_store(url)
    await put(store, SEAL, make(PROJECT / "config" / "jian", wish))
    await store.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """An open service. `http` asks it; `source` asks as the trusted source."""

    url: str
    context: Context
    service: Service
    http: aiohttp.ClientSession

    async def post(
        self, body: bytes, token: str = TOKEN, path: str = "/api/v1/warnings", **headers: str
    ) -> tuple[int, dict[str, Any], Any]:
        given = {"Content-Type": "application/cap+xml", "Authorization": f"Bearer {token}", **headers}
        async with self.http.post(f"{self.url}{path}", data=body, headers=given) as answer:
            return answer.status, await answer.json(content_type=None), answer.headers

    async def get(self, path: str, **headers: str) -> tuple[int, Any, Any]:
        async with self.http.get(f"{self.url}{path}", headers=headers) as answer:
            return answer.status, await answer.json(content_type=None), answer.headers

    async def text(self, path: str, **headers: str) -> tuple[int, str, Any]:
        async with self.http.get(f"{self.url}{path}", headers=headers) as answer:
            return answer.status, await answer.text(), answer.headers


@asynccontextmanager
async def standing(
    database_url: str, roles: frozenset[str] = frozenset({"web"}), **environment: str
) -> AsyncIterator[House]:
    """The service as `mingluo serve` wires it, until the block ends; only these roles of it."""
    ours = settings(database_url, **environment)
    async with (
        serving(ours, roles=roles, rehearsal=Rehearsal(register=KNOWN.get(database_url))) as live,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as http,
    ):
        yield House(url=live.url, service=live.service, context=live.context, http=http)


@asynccontextmanager
async def without_database() -> AsyncIterator[str]:
    """The site alone, its database on a port where nobody answers; yields its URL."""
    ours = settings("postgresql+asyncpg://nobody@127.0.0.1:1/nothing")
    bound, url = bind("127.0.0.1", 0)
    context = Context(
        settings=ours, store=open_store(ours.service.database_url), seal=SEAL, now=lambda: datetime.now(UTC)
    )
    book = ReceiptBook(context.store, context.now)
    transport = Transport(loopback_only=True)
    twilio = build("sms", "twilio", ours.channels[Channel.SMS]["twilio"], transport, f"{url}/api/v1/callbacks").reads
    assert twilio is not None

    async def readiness() -> Ready:
        return Ready(problems=("数据库没有应答",), providers_off={})

    site = Site(
        Doors(
            context=context,
            book=book,
            accept=lambda incoming: accept(context, incoming),
            readers={(Channel.SMS, "twilio"): twilio},
            readiness=readiness,
            public_url=url,
            max_body_bytes=ours.service.max_body_bytes,
        )
    )
    await site.start(bound)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(book.run())
        try:
            yield url
        finally:
            running.cancel()
            await site.close()
            await transport.close()
            await context.store.close()


Fate = Callable[[Row], tuple[DeliveryState, str]]


async def take_in_hand(house: House, channel: str, fate: Fate, *, drill: bool = False) -> int:
    """Takes the most urgent chunk of a channel, of a drill or of what is real, and settles its rows as `fate` says; returns
    how many."""
    taken = await _taken(house, channel, fate, drill=drill)
    assert taken is not None
    return taken


async def all_in_hand(house: House, channel: str, fate: Fate) -> None:
    """Of what is real, until no chunk is left."""
    while await _taken(house, channel, fate, drill=False) is not None:
        continue


async def _taken(house: House, channel: str, fate: Fate, *, drill: bool) -> int | None:
    now = house.context.now()
    async with house.context.store.begin() as tx:
        holder = Holder(node="test", epoch=1)
        chunk = await chunks.take(tx, channel, holder, drill=drill)
        if chunk is None:
            return None
        rows = await deliveries.plan(tx, chunk, unpack(chunk.packed), 1, None)
    results = [_settled(chunk.id, number, row, fate, now) for number, row in enumerate(rows)]
    await deliveries.group_commit(house.context.store, holder, {chunk.id: chunk.size}, results)
    return len(rows)


def _settled(chunk_id: int, number: int, row: Row, fate: Fate, now: datetime) -> Settled:
    state, code = fate(row)
    row.calls = row.tries = 1
    started = now + timedelta(milliseconds=3 * number)
    refused = state is DeliveryState.FAILED
    attempt = Attempt(
        no=1,
        provider="test",
        started_at=started,
        ended_at=started + timedelta(milliseconds=20),
        outcome="refused" if refused else "accepted",
        code=code,
        reason="号码 +8615400001234 无法送达" if refused else "",
        provider_ref="" if refused else f"SM{number:06d}",
        trace="<EBD>…</EBD>" if row.channel == "broadcast" else "",
    )
    return Settled(chunk_id=chunk_id, row=row, state=state, code=code, at=now, attempt=attempt)


_TEMPLATE = """<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>{identifier}</identifier>
<sender>36080041600000</sender><sent>{sent}</sent><status>{status}</status>
<msgType>{kind}</msgType><scope>Public</scope>{references}<info><language>zh-CN</language><category>Met</category>
<event>暴雨</event><urgency>Immediate</urgency><severity>Extreme</severity><certainty>Observed</certainty>
<effective>{sent}</effective><expires>{expires}</expires>
<senderName>吉安市气象台</senderName><headline>{headline}</headline>
<description>{description}</description><instruction>请立即转移低洼地带和山洪沟口的群众。</instruction>
<area><areaDesc>{place}</areaDesc>{where}</area></info></alert>"""
SENT = datetime.now(UTC).replace(microsecond=0)
RAIN = "预计未来3小时吉安市大部分乡镇降雨量将达100毫米以上，可能引发山洪、地质灾害和城乡内涝。"


def cap(identifier: str = "36080041600000_20260403023830", **changes: str) -> bytes:
    """A red rainstorm warning for the whole city; `where` is the area's geocodes or polygon."""
    sent = SENT.astimezone(BEIJING)
    values = {
        "sent": sent.isoformat(),
        "expires": (sent + timedelta(hours=6)).isoformat(),
        "status": "Actual",
        "kind": "Alert",
        "references": "",
        "headline": "吉安市气象台发布暴雨红色预警[Ⅰ级/特别严重]",
        "description": RAIN,
        "place": "吉安市",
        "where": code("360800"),
        **changes,
    }
    return _TEMPLATE.format(identifier=identifier, **values).encode()


def code(value: str) -> str:
    return f"<geocode><valueName>CPEAS Geographic Code</valueName><value>{value}</value></geocode>"
