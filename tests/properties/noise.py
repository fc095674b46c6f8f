"""What is done to drills and real warnings on their way, so that one may be taken for the other: in the database before the
sending and in the middle of it, and on the wire, message by message, right before the last door.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from msgspec.structs import replace
from sqlalchemy import text

from channels.contract import Asks, Message, Outcome
from channels.text import mark_drill, unmarked
from dispatcher.sending.calling import Way, Wire
from dispatcher.sending.dispatch import Dispatcher
from dispatcher.store import warnings
from dispatcher.store.engine import Store

FLIPS = ("column", "status", "message", "texts", "everything")
"""What of a stored warning says that it is a drill, or none."""
HARMLESS = "lane"


async def run(store: Store, statement: str, warning_id: str) -> None:
    async with store.begin() as tx:
        await tx.execute(text(statement.replace(":w", f"'{warning_id}'")))


async def flip(store: Store, what: str, warning_id: str) -> None:
    """One of its witnesses, or all of them; or its lane, which is only an order."""
    async with store.read() as tx:
        row = await warnings.one(tx, warning_id)
        bodies = {one.no: one.body for one in (await warnings.texts_of(tx, warning_id)).values()}
    assert row is not None
    other = "Actual" if row.drill else "Exercise"
    said = {
        "sqlite": f"json_set(message, '$.status', '{other}')",
        "postgresql": f"""jsonb_set(message::jsonb, '{{status}}', '"{other}"')::json""",
    }[store.dialect]
    turned = {no: unmarked(body) if row.drill else mark_drill(body) for no, body in bodies.items()}
    steps = {
        "column": [f"UPDATE warnings SET drill = {not row.drill} WHERE id = :w"],
        "status": [f"UPDATE warnings SET status = '{other}' WHERE id = :w"],
        "message": [f"UPDATE warnings SET message = {said} WHERE id = :w"],
        "texts": [
            f"UPDATE texts SET body = '{body}' WHERE warning_id = :w AND no = {no}" for no, body in turned.items()
        ],
        HARMLESS: ["UPDATE chunks SET lane = 6 - lane WHERE warning_id = :w"],
    }
    for name in FLIPS[:-1] if what == "everything" else [what]:
        for statement in steps[name]:
            await run(store, statement, warning_id)


@dataclass(slots=True)
class Struck:
    """Ids of messages. `once`: those that were let by untouched at least once."""

    hit: set[str] = field(default_factory=set)
    once: set[str] = field(default_factory=set)

    @property
    def never_whole(self) -> set[str]:
        """Those that must not have arrived."""
        return self.hit - self.once


class Noise:
    """A Way that flips a bit of some messages, or hands them to the other side's door; the door behind it is the real one."""

    def __init__(self, door: Way, others: Way, share: float, chance: random.Random, struck: Struck) -> None:
        self._door = door
        self._others = others
        self._share = share
        self._chance = chance
        self._struck = struck

    @property
    def max_batch(self) -> int:
        return self._door.max_batch

    @property
    def rests(self) -> bool:
        return self._door.rests

    def try_turn(self) -> bool:
        return self._door.try_turn()

    @property
    def asks(self) -> Asks | None:
        return self._door.asks

    def turn(self) -> Awaitable[None]:
        return self._door.turn()

    async def send(self, batch: Sequence[Message], now: datetime) -> list[Outcome]:
        given = [self._bent(message) for message in batch]
        astray = [message for message, wrong_door in given if wrong_door]
        refused = iter(await self._others.send(astray, now) if astray else ())
        rest = [message for message, wrong_door in given if not wrong_door]
        sent = iter(await self._door.send(rest, now) if rest else ())
        return [next(refused) if wrong_door else next(sent) for _, wrong_door in given]

    def _bent(self, message: Message) -> tuple[Message, bool]:
        """The message, and whether it goes to the wrong door."""
        if self._chance.random() >= self._share:
            self._struck.once.add(message.id)
            return message, False
        self._struck.hit.add(message.id)
        about, drill = message.bulletin, message.bulletin.drill
        turn = unmarked if drill else mark_drill
        match self._chance.choice(("flag", "text", "first mark", "headline", "all but the flag", "all", "door")):
            case "flag":
                return replace(message, bulletin=replace(about, drill=not drill)), False
            case "text":
                return replace(message, text=turn(message.text)), False
            case "first mark":
                bent = message.text.removeprefix("【演练】") if drill else f"【演练】{message.text}"
                return replace(message, text=bent), False
            case "headline":
                return replace(message, bulletin=replace(about, headline=turn(about.headline))), False
            case "all but the flag" | "all" as what:
                about = replace(about, headline=turn(about.headline), drill=drill is not (what == "all"))
                return replace(message, text=turn(message.text), bulletin=about), False
            case _:
                return message, True


def make_noise(dispatcher: Dispatcher, share: float, chance: random.Random) -> Struck:
    """Between the sender and every door of a running service; the wires themselves are frozen, which a fault does not mind."""
    struck = Struck()
    doors: Mapping[tuple[str, bool], list[Wire]] = {
        side: list(outlet._wires) for side, outlet in dispatcher.outlets.items()
    }
    ways = {side: wires[0].way for side, wires in doors.items()}
    for (channel, drill), wires in doors.items():
        for wire in wires:
            object.__setattr__(wire, "way", Noise(wire.way, ways[channel, not drill], share, chance, struck))
    return struck
