"""The service as a child process, the city as another, and the truth read from their files, so that a kill is a real kill."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import ClientSession
from sqlalchemy import text

from channels.broadcast.gateway import EBDIDS
from dispatcher.broker.contract import Inbound, Node, Parcel
from dispatcher.broker.embedded import EmbeddedBroker
from dispatcher.registry import importing, sample
from dispatcher.settings import PROJECT, load
from dispatcher.store.engine import Store, Tx, open_store
from dispatcher.store.migrating import migrate
from dispatcher.store.registry.rows import EndpointRow
from dispatcher.store.sealed import Seal

TOKEN = "rehearsal-token"
ACCOUNT = "AC00000000000000000000000000000001"
DRILL_TOKEN = "rehearsal-drill-token"
DRILL_ACCOUNT = "AC00000000000000000000000000000002"
DRILL_SECRET = "whsec_ZHJpbGwtZHJpbGwtZHJpbGwtZHJpbGw="


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """The players in a process of their own; their logs are written before they answer."""

    folder: Path
    ports: Mapping[str, int]

    def url(self, player: str) -> str:
        return f"http://127.0.0.1:{self.ports[player]}"

    def log(self, player: str) -> list[dict[str, Any]]:
        path = self.folder / f"{player}.jsonl"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


@asynccontextmanager
async def city(folder: Path, faults: Mapping[str, Mapping[str, float]]) -> AsyncIterator[City]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dispatcher.rehearsal", "--dir", str(folder), "--account", ACCOUNT, "--token", TOKEN),
        *("--drill-account", DRILL_ACCOUNT, "--drill-token", DRILL_TOKEN, "--faults", json.dumps(faults)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=PROJECT,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            ready = json.loads(await process.stdout.readline())
        yield City(folder=folder, ports=ready["ports"])
    finally:
        process.terminate()
        await process.wait()


@dataclass(slots=True, kw_only=True)
class Child:
    """One life of the service."""

    process: asyncio.subprocess.Process

    async def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    async def end(self) -> int:
        """SIGTERM: how long a drain takes is the caller's to judge."""
        self.process.terminate()
        return await self.process.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A database with Ji'an in it, and the environment every life of the service starts with."""

    database_url: str
    environment: Mapping[str, str]
    seal: Seal
    folder: Path

    async def start(self) -> Child:
        """Starts the service and waits until its door answers."""
        with (self.folder / "service.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "dispatcher", "serve"),
                env={**_inherited(), **self.environment},
                stdout=log,
                stderr=log,
                cwd=PROJECT,
            )
        host, port = self.environment["MINGLUO_LISTEN"].split(":")
        async with asyncio.timeout(60):
            while not await _answers(host, int(port)):
                assert process.returncode is None, (self.folder / "service.log").read_text(encoding="utf-8")[-2000:]
                await asyncio.sleep(0.02)
        return Child(process=process)

    async def ready(self) -> None:
        """Waits until /health/ready is green: a canary has come through the broker."""
        async with ClientSession() as session, asyncio.timeout(30):
            while True:
                async with session.get(f"http://{self.environment['MINGLUO_LISTEN']}/health/ready") as answer:
                    if answer.status == 200:
                        return
                await asyncio.sleep(0.1)

    async def send_in(self, body: bytes) -> None:
        """What `mingluo warn` does: the bytes into the embedded broker's inbox, from another process than the service."""
        store = open_store(self.database_url)
        try:
            broker = EmbeddedBroker(store, _nobody())
            await broker.put(Parcel(routing_key="city-weather", content_type="application/cap+xml", body=body))
        finally:
            await store.close()


async def ground(
    database_url: str, folder: Path, played: City, officers: int, *, residents: int = 0, **more: str
) -> Ground:
    """Migrates, and makes the sample register with every address in the city."""
    key = secrets.token_hex(32)
    ours = load({})
    await migrate(database_url)
    store = open_store(database_url)
    seal = Seal(bytes.fromhex(key))
    wish = sample.Wish(
        gateways_at=played.url("gateway") + "/gateways",
        endpoints_at=played.url("platform") + "/platforms",
        officers=officers,
        residents=residents,
    )
    sheets = sample.make(ours.config / "jian", wish)
    try:
        await importing.put(store, seal, sheets)
    finally:
        await store.close()
    endpoints = [row for row in sheets.tables[EndpointRow] if isinstance(row, EndpointRow)]
    async with ClientSession() as session:
        known = {row.id: list(row.secrets) for row in endpoints}
        for_drills = {row.id: [DRILL_SECRET] for row in endpoints}
        for player, shared in (("platform", known), ("platform_drill", for_drills)):
            async with session.post(played.url(player) + "/_rehearsal/secrets", json=shared) as answer:
                assert answer.status < 300, await answer.text()
    environment = {
        "MINGLUO_DATABASE_URL": database_url,
        "MINGLUO_SEAL_KEY": key,
        "MINGLUO_LISTEN": f"127.0.0.1:{free_port()}",
        "MINGLUO_CHANNELS__SMS__TWILIO__BASE_URL": played.url("sms"),
        "MINGLUO_TWILIO_ACCOUNT_SID": ACCOUNT,
        "MINGLUO_TWILIO_AUTH_TOKEN": TOKEN,
        "MINGLUO_TWILIO_SENDER": "+15005550006",
        "MINGLUO_EBM_SECRET": "rehearsal",
        **_for_drills(played),
        **more,
    }
    return Ground(database_url=database_url, environment=environment, seal=seal, folder=folder)


def _for_drills(played: City) -> dict[str, str]:
    return {
        "MINGLUO_CHANNELS__SMS__TWILIO_DRILL__BASE_URL": played.url("sms_drill"),
        "MINGLUO_DRILL_TWILIO_ACCOUNT_SID": DRILL_ACCOUNT,
        "MINGLUO_DRILL_TWILIO_AUTH_TOKEN": DRILL_TOKEN,
        "MINGLUO_DRILL_TWILIO_SENDER": "+15005550007",
        "MINGLUO_DRILL_EBM_BASE_URL": played.url("gateway_drill"),
        "MINGLUO_DRILL_EBM_SECRET": "rehearsal-drill",
        "MINGLUO_DRILL_WEBHOOK_BASE_URL": played.url("platform_drill"),
        "MINGLUO_DRILL_WEBHOOK_SECRET": DRILL_SECRET,
    }


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


async def opened_and_unsettled(store: Store) -> dict[str, int]:
    """By channel: rows whose call may be under way at this instant."""
    async with store.read() as tx:
        return await _unsettled(tx)


async def _unsettled(tx: Tx) -> dict[str, int]:
    rows = await tx.execute(
        text(
            "SELECT d.channel, count(*) FROM deliveries d JOIN chunks c ON c.id = d.chunk_id "
            "WHERE d.state = 0 AND d.pos < c.opened_to GROUP BY d.channel"
        )
    )
    return {row[0]: row[1] for row in rows}


async def states(store: Store) -> Counter[int]:
    async with store.read() as tx:
        rows = await tx.execute(text("SELECT state, count(*) FROM deliveries GROUP BY state"))
        return Counter({row[0]: row[1] for row in rows})


async def flagged(store: Store) -> set[str]:
    """Delivery keys that may have arrived twice, as the ledger has them."""
    async with store.read() as tx:
        rows = await tx.execute(
            text("SELECT warning_id, target, channel, round FROM deliveries WHERE possible_duplicate")
        )
        return {f"{w}.{t}.{c}.{r}" for w, t, c, r in rows}


async def planned_keys(store: Store) -> set[str]:
    async with store.read() as tx:
        rows = await tx.execute(text("SELECT warning_id, target, channel, round FROM deliveries WHERE state <> 8"))
        return {f"{w}.{t}.{c}.{r}" for w, t, c, r in rows}


async def keys_by_packet(store: Store) -> dict[int, str]:
    """EBDID sequence → delivery key: a gateway's log knows only the packet's own number."""
    async with store.read() as tx:
        rows = await tx.execute(
            text("SELECT serial, warning_id, target, channel, round FROM deliveries WHERE serial > 0")
        )
        return {serial * EBDIDS: f"{w}.{t}.{c}.{r}" for serial, w, t, c, r in rows}


async def _answers(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True


def _inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("MINGLUO_")}


def _nobody() -> Node:
    async def seen(_name: str) -> None:
        return None

    async def gave_up(_inbound: Inbound, _reason: str) -> None:
        return None

    return Node(name="sender", clock=lambda: datetime.now(UTC), seen=seen, gave_up=gave_up)
