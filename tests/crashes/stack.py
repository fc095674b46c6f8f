"""A whole service of our own: PostgreSQL and RabbitMQ on their own ports, bad lines before them, and dispatchers as children.

Everything can be killed, frozen and started again by itself. The harness looks past the bad lines, so that it sees what is
there and not what the service is made to see.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit

import aio_pika
import asyncpg
from aiohttp import ClientError, ClientSession, ClientTimeout
from sqlalchemy.exc import SQLAlchemyError

from dispatcher.store.engine import Store, open_store
from tests.crashes import harness
from tests.crashes.harness import Child, City, Ground
from tests.crashes.proxy import Proxy, proxy_to
from tests.crashes.recording import PLAYERS
from tests.services import AMQP_URL, PG_URL, postgres, rabbitmq
from tests.services.private import Kept

T = TypeVar("T")
LOOK_S = 0.05
START_S = 60.0
TOKENS = {"city-weather": "city-token-0123456789", "drill": "drill-token-0123456789"}
FIRST, SECOND = "first", "second"


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """Where the servers' programs are."""

    database: Path
    broker: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One of our own services. Orders wait for the keeper in a thread, so that load and proxies go on."""

    kept: Kept
    url: str
    answers: Callable[[str], Awaitable[bool]]

    async def order(self, verb: str) -> None:
        await asyncio.to_thread(self.kept.order, verb)

    async def answering(self) -> None:
        async with asyncio.timeout(START_S):
            while not await self.answers(self.url):
                await asyncio.sleep(LOOK_S)


@dataclass(slots=True, kw_only=True)
class Stack:
    """`grounds`: by node; `children`: those that live."""

    played: City
    database: Server
    broker: Server
    database_line: Proxy
    broker_line: Proxy
    grounds: Mapping[str, Ground]
    store: Store
    http: ClientSession
    children: dict[str, Child] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://{self.grounds[FIRST].environment['MINGLUO_LISTEN']}"

    async def start(self, node: str) -> None:
        """As a supervisor does: again until it stays, because at a start whatever it leans on may be away."""
        async with asyncio.timeout(START_S):
            while True:
                try:
                    self.children[node] = await self.grounds[node].start()
                except AssertionError:
                    continue
                return

    async def kill(self, node: str) -> None:
        await self.children.pop(node).kill()

    async def ready(self, node: str = FIRST) -> bool:
        address = self.grounds[node].environment["MINGLUO_LISTEN"]
        try:
            async with self.http.get(f"http://{address}/health/ready") as answer:
                return answer.status == 200
        except (ClientError, TimeoutError, OSError):
            return False

    async def ask(self, question: Callable[[Store], Awaitable[T]]) -> T:
        """Of the database itself, whatever its state: again until it answers."""
        async with asyncio.timeout(START_S):
            while True:
                try:
                    return await question(self.store)
                except (SQLAlchemyError, OSError, TimeoutError):
                    await asyncio.sleep(LOOK_S)

    def logged(self) -> int:
        """Bytes that the providers have written: it grows with every message that arrives."""
        logs = (self.played.folder / f"{player}.jsonl" for player in PLAYERS)
        return sum(log.stat().st_size for log in logs if log.exists())


async def _database_answers(url: str) -> bool:
    try:
        connection = await asyncpg.connect(url, timeout=2, command_timeout=2)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    await connection.close()
    return True


async def _broker_answers(url: str) -> bool:
    try:
        async with asyncio.timeout(2):
            connection = await aio_pika.connect(url)
    except (OSError, TimeoutError, aio_pika.exceptions.AMQPError):
        return False
    await connection.close()
    return True


@asynccontextmanager
async def standing(
    folder: Path, programs: Programs, people: tuple[int, int], faults: Mapping[str, Mapping[str, float]], **more: str
) -> AsyncIterator[Stack]:
    """The stack with Ji'an in its register, no dispatcher started. `people`: officers, residents; `more`: settings."""
    async with AsyncExitStack() as opened:
        database, broker = await _servers(programs, opened)
        url = await postgres.create_database(database.url)
        database_line = await opened.enter_async_context(proxy_to("127.0.0.1", _port(database.url)))
        broker_line = await opened.enter_async_context(proxy_to("127.0.0.1", _port(broker.url)))
        played = await opened.enter_async_context(harness.city(folder, faults))
        settings = {
            "MINGLUO_DATABASE_URL": _through(url, database_line.port),
            "MINGLUO_BROKER_URL": _through(broker.url, broker_line.port),
            "MINGLUO_TOKEN_CITY_WEATHER": TOKENS["city-weather"],
            "MINGLUO_TOKEN_DRILL": TOKENS["drill"],
            "MINGLUO_DRILLS__PARTICIPANTS": f"[{', '.join(f'JA{number + 1:05d}' for number in range(people[0]))}]",
        }
        ground = await harness.ground(url, folder, played, people[0], residents=people[1], **{**settings, **more})
        store = open_store(url)
        opened.push_async_callback(store.close)
        http = await opened.enter_async_context(ClientSession(timeout=ClientTimeout(total=10)))
        stack = Stack(
            played=played,
            database=database,
            broker=broker,
            database_line=database_line,
            broker_line=broker_line,
            grounds=_nodes(ground),
            store=store,
            http=http,
        )
        opened.push_async_callback(_end, stack)
        yield stack


async def _servers(programs: Programs, opened: AsyncExitStack) -> tuple[Server, Server]:
    servers = []
    for start, program, variable, answers in (
        (lambda path: postgres.start(path, durable=True), programs.database, PG_URL, _database_answers),
        (rabbitmq.start, programs.broker, AMQP_URL, _broker_answers),
    ):
        found, kept = await asyncio.to_thread(start, program)
        opened.push_async_callback(asyncio.to_thread, kept.stop)
        servers.append(Server(kept=kept, url=found.environment[variable], answers=answers))
    return servers[0], servers[1]


def _nodes(ground: Ground) -> dict[str, Ground]:
    """Two nodes of one service; receipts go to the first, which is always there in the end."""
    first = {**ground.environment, "MINGLUO_NODE": FIRST}
    first["MINGLUO_PUBLIC_URL"] = f"http://{first['MINGLUO_LISTEN']}"
    second = {**first, "MINGLUO_NODE": SECOND, "MINGLUO_LISTEN": f"127.0.0.1:{harness.free_port()}"}
    return {FIRST: replace(ground, environment=first), SECOND: replace(ground, environment=second)}


async def _end(stack: Stack) -> None:
    for node in list(stack.children):
        await stack.kill(node)


async def restarted(stack: Stack, chance: random.Random) -> None:
    """Everything again, in random order and a little apart, as machines come up after the power does."""

    async def one(start: Callable[[], Awaitable[None]]) -> None:
        await asyncio.sleep(chance.uniform(0, 1))
        await start()

    async def server(kept: Server) -> None:
        await kept.order("start")
        await kept.answering()

    async with asyncio.TaskGroup() as group:
        group.create_task(one(lambda: server(stack.database)))
        group.create_task(one(lambda: server(stack.broker)))
        group.create_task(one(lambda: stack.start(FIRST)))


def _port(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


def _through(url: str, port: int) -> str:
    parts = urlsplit(url)
    user = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{port}"))
