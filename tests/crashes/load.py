"""The work that outlasts the faults: large warnings below everything, and small ones above, all the time.

Whoever sends is as patient as a real source: it sends the same bytes again until it is answered. What it was told is kept.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from io import BytesIO

import aio_pika
from aiohttp import ClientError
from sqlalchemy import text

from dispatcher.broker.contract import EXCHANGE_IN
from dispatcher.settings import PROJECT
from dispatcher.store.engine import Store
from tests.crashes import letters
from tests.crashes.facts import Said
from tests.crashes.letters import Letter, Notice
from tests.crashes.stack import TOKENS, Stack

HOSTILE_SHARE = 0.1
LEAD = 400
"""Rows of small warnings that are planned ahead of their share."""
LEAST = 800
"""Rows that still wait while faults are to come."""
MOST_OPEN = 40
"""Small warnings on their way at once: a city's sources wait for their answers too."""
AGAIN_S = 0.3
LOOK_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    planned: int
    done: int

    @property
    def left(self) -> int:
        return self.planned - self.done


async def progress_of(store: Store) -> Progress:
    async with store.read() as tx:
        rows = await tx.execute(
            text(
                "SELECT (SELECT coalesce(sum(rows_planned), 0) FROM warnings),"
                " (SELECT count(*) FROM deliveries WHERE state <> 0)"
            )
        )
        planned, done = rows.one()
    return Progress(planned=int(planned), done=int(done))


class Load:
    """`run` it until `enough` is called; `said` is what every source was answered. `ground`: areas of the large ones."""

    def __init__(self, stack: Stack, chance: random.Random, deliveries: int, ground: Sequence[str]) -> None:
        self._stack = stack
        self._chance = chance
        self._deliveries = deliveries
        self._ground = ground
        self._number = 0
        self._open = 0
        self._sent = self._hostile = 0
        self._enough = asyncio.Event()
        self._townships = _codes("township")
        self._counties = _codes("county")
        self.said: list[Said] = []
        self.progress = Progress(planned=0, done=0)
        self.news = asyncio.Event()

    def enough(self) -> None:
        self._enough.set()

    async def run(self) -> None:
        """The large ones first, below what follows; then small ones, as fast as rows are done."""
        async with asyncio.TaskGroup() as group:
            for number, area in enumerate(self._ground):
                group.create_task(self._send(letters.letter(self._notice("蓝黄"[number % 2], area))))
        self.progress = await self._stack.ask(progress_of)
        large = self.progress.planned
        async with asyncio.TaskGroup() as group:
            while not (self._enough.is_set() and self.progress.planned >= self._deliveries):
                self.progress = await self._stack.ask(progress_of)
                self.news.set()
                share = max(0, self._deliveries - large) / self._deliveries
                wanted = self.progress.planned - large <= share * self.progress.done + LEAD
                if (wanted or self.progress.left < LEAST) and self._open < MOST_OPEN:
                    group.create_task(self._one())
                await asyncio.sleep(LOOK_S)

    async def _one(self) -> None:
        self._open += 1
        try:
            await self._small()
        finally:
            self._open -= 1

    async def _small(self) -> None:
        """A small warning, and what follows upon it; every tenth message is hostile."""
        chance = self._chance
        if self._hostile <= HOSTILE_SHARE * self._sent:
            self._hostile += 1
            await self._send(letters.hostile(self._notice("红", chance.choice(self._townships)), chance))
        area = chance.choice(self._counties) if chance.random() < 0.06 else chance.choice(self._townships)
        notice = self._notice(chance.choice("红红橙橙黄蓝"), area)
        fate = chance.choices(
            ("plain", "drill", "update", "cancel", "expires", "forged"), (55, 10, 12, 12, 8, 3)
        )[0]  # fmt: skip
        if fate == "drill":
            notice = replace(notice, drill=True)
        if fate == "expires" and area in self._townships:
            notice = replace(notice, valid=timedelta(seconds=chance.randint(3, 12)))
        await self._send(letters.letter(notice))
        if fate in ("update", "cancel"):
            await asyncio.sleep(chance.uniform(1.1, 8))
            await self._send(letters.letter(notice.followed_by(fate.capitalize(), self._name(), letters.now())))
        if fate == "forged":
            await self._send(letters.forged(notice))

    def _notice(self, colour: str, area: str) -> Notice:
        """No two are valid until the same minute, so that no two texts are alike."""
        name = self._name()
        valid = timedelta(hours=6, minutes=2 * self._number)
        return Notice(identifier=name, sent=letters.now(), colour=colour, area=area, valid=valid)

    def _name(self) -> str:
        self._number += 1
        return f"CHAOS-{self._number:06d}"

    async def _send(self, letter: Letter) -> None:
        """Through either door, until it is answered."""
        self._sent += 1
        over_http = self._chance.random() < 0.5
        self.said.append(await (self._post(letter) if over_http else self._publish(letter)))

    async def _post(self, letter: Letter) -> Said:
        headers = {
            "Authorization": f"Bearer {TOKENS.get(letter.source, 'no-token')}",
            "Content-Type": letter.content_type,
        }
        while True:
            try:
                async with self._stack.http.post(
                    f"{self._stack.url}/api/v1/warnings", data=BytesIO(letter.body), headers=headers
                ) as answer:
                    said = await answer.json(content_type=None)
                    if answer.status != 503:
                        return _told("http", letter, answer.status, str(said.get("warning_id", "")))
            except (ClientError, TimeoutError, OSError, ValueError):
                pass  # a source that hears nothing sends again
            await asyncio.sleep(AGAIN_S)

    async def _publish(self, letter: Letter) -> Said:
        while True:
            try:
                async with asyncio.timeout(5):
                    await self._confirmed(letter)
            except (OSError, TimeoutError, aio_pika.exceptions.AMQPError):
                await asyncio.sleep(AGAIN_S)
            else:
                return _told("amqp", letter, 200, "")

    async def _confirmed(self, letter: Letter) -> None:
        connection = await aio_pika.connect(self._stack.broker.url)
        async with connection, connection.channel(on_return_raises=True) as channel:
            exchange = await channel.get_exchange(EXCHANGE_IN)
            message = aio_pika.Message(
                letter.body, content_type=letter.content_type, delivery_mode=aio_pika.DeliveryMode.PERSISTENT
            )
            await exchange.publish(message, routing_key=letter.source)


def _told(door: str, letter: Letter, status: int, warning_id: str) -> Said:
    late = "expired on its way" if letter.fleeting and status == 422 else ""
    return Said(
        door=door,
        identity=letter.identity,
        digest=letter.digest,
        status=status,
        hostile=letter.hostile or late,
        warning_id=warning_id,
    )


def _codes(kind: str) -> list[str]:
    lines = (PROJECT / "config" / "jian" / "areas.csv").read_text(encoding="utf-8").splitlines()
    return [line.split(",")[1] for line in lines[1:] if line.split(",")[4] == kind]
