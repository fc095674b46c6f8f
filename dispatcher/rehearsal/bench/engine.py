"""One engine on its ground: started like any service, warned by its public door, watched by what it does at the sink."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from dispatcher.broker.contract import Parcel
from dispatcher.broker.rabbit import sending_in
from dispatcher.rehearsal.bench.bulletin import Bulletin, parcel
from dispatcher.rehearsal.bench.ground import Ground
from dispatcher.rehearsal.bench.orders import Hand, now_s, start

Send = Callable[[Parcel], Awaitable[None]]
IN_FLIGHT: Final = 50
WINDOW: Final = 256
RATE: Final = 1_000_000.0
"""No rate of ours holds the engine back: the sink takes what comes."""
LANDING_S: Final = 900.0
"""A million may take many minutes."""
RECEIPTS_S: Final = 3
"""Rows of a provider that owes receipts are given up soon after a run, so that no later run pays for them."""
TWILIO: Final = {
    "MINGLUO_TWILIO_ACCOUNT_SID": "AC00000000000000000000000000000001",
    "MINGLUO_TWILIO_AUTH_TOKEN": "rehearsal-token",
    "MINGLUO_TWILIO_SENDER": "+15005550006",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How the engine's SMS goes out. `at`: the sink, with its behaviour. `more`: further settings by their names."""

    sms: str = "plain"
    at: str = ""
    in_flight: int = IN_FLIGHT
    roles: str = "intake,send,timers"
    more: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One warning from its publication to its last durable row, on one clock; `first` and `last` as the sink saw them."""

    warning_id: str
    planned: int
    count: int
    published: float
    first: float
    last: float
    settled: float
    cpu_s: float
    text: str
    body_bytes: int

    @property
    def rate(self) -> float:
        """From the first POST to the last durable row."""
        return self.planned / (self.settled - self.first)

    @property
    def posted_rate(self) -> float:
        """From the first POST to the last one."""
        return self.planned / (self.last - self.first)

    @property
    def cpu_us(self) -> float:
        return self.cpu_s / self.planned * 1e6


class Engine:
    """`warn` it, and `run` a warning to its end."""

    def __init__(self, birth: Callable[[], Awaitable[Hand]], sink: Hand, send: Send | None) -> None:
        self._birth = birth
        self._hand: Hand | None = None
        self._sink = sink
        self._send = send

    @property
    def hand(self) -> Hand:
        assert self._hand is not None
        return self._hand

    async def start(self) -> None:
        """Its first life, or the next one on the same database."""
        self._hand = await self._birth()

    async def end(self) -> None:
        if self._hand is not None:
            await self._hand.end()

    async def warn(self, body: bytes) -> float:
        """Publishes; returns the moment before."""
        if self._send is None:
            return float((await self.hand.ask("put", body=body.decode()))["published"])
        at = now_s()
        await self._send(parcel(body))
        return at

    async def run(self, bulletin: Bulletin, *, complete: bool = True) -> Run:
        """One warning, until the last row is durable; nothing else goes to the sink meanwhile.

        `complete`: also waits until the service calls it completed, so that no later run pays for it.
        """
        body = bulletin.body(datetime.now(UTC))
        await self._sink.ask("take")
        await self.hand.ask("begin")
        published = await self.warn(body)
        told = await self.hand.ask("landed", LANDING_S, body=body.decode())
        paths = (await self._sink.ask("take"))["paths"].values()
        if complete:
            await self.hand.ask("completed", warning_id=told["warning_id"])
        return Run(
            warning_id=told["warning_id"],
            planned=told["planned"],
            count=sum(one["count"] for one in paths),
            published=published,
            first=min(one["first"] for one in paths),
            last=max(one["last"] for one in paths),
            settled=told["settled"],
            cpu_s=told["cpu_s"],
            text=told["text"],
            body_bytes=sum(one["body_bytes"] for one in paths) // max(1, sum(one["count"] for one in paths)),
        )


@asynccontextmanager
async def engine(ground: Ground, amqp: str, sink: Hand, wish: Wish, log: Path) -> AsyncIterator[Engine]:
    """A running engine on a copy of the ground. `amqp`: its virtual host; '' for the embedded broker."""
    async with AsyncExitStack() as opened:
        url = await opened.enter_async_context(ground.copied())
        environment = environment_of(url, amqp, ground.key, wish)
        arguments = [str(log.with_suffix(".service.log")), wish.roles]
        send = await opened.enter_async_context(sending_in(amqp)) if amqp else None
        born = Engine(partial(start, "stand", log, environment, arguments), sink, send)
        opened.push_async_callback(born.end)
        await born.start()
        yield born


def environment_of(url: str, amqp: str, key: str, wish: Wish) -> dict[str, str]:
    """A service's environment: everything it knows of this world."""
    sms = f"MINGLUO_CHANNELS__SMS__{wish.sms.upper()}__"
    levels = {
        f"MINGLUO_POLICY__LEVELS__{level}__{name}": value
        for level in ("RED", "BLUE")
        for name, value in (("RECEIPT_DEADLINE_S", str(RECEIPTS_S)), ("CHANNELS", "[sms]"))
    }
    return {
        "MINGLUO_DATABASE_URL": url,
        "MINGLUO_BROKER_URL": amqp or "embedded://",
        "MINGLUO_SEAL_KEY": key,
        "MINGLUO_LISTEN": "127.0.0.1:0",
        "MINGLUO_PROFILE": "test",
        "MINGLUO_NODE": "bench",
        **levels,
        f"{sms}KIND": wish.sms,
        f"{sms}BASE_URL": wish.at,
        f"{sms}RATE": str(RATE),
        f"{sms}IN_FLIGHT": str(wish.in_flight),
        f"{sms}WINDOW": str(WINDOW),
        f"{sms}TIMEOUT_S": "30",
        **(TWILIO if wish.sms == "twilio" else {}),
        **wish.more,
    }


def figures(run: Run) -> dict[str, Any]:
    """For the detail of a goal."""
    return {
        "planned": run.planned,
        "rate": round(run.rate),
        "rate_to_last_post": round(run.posted_rate),
        "first_ms": round((run.first - run.published) * 1000, 1),
        "last_ms": round((run.last - run.published) * 1000, 1),
        "recorded_ms_later": round((run.settled - run.last) * 1000, 1),
        "cpu_us": round(run.cpu_us, 1),
    }
