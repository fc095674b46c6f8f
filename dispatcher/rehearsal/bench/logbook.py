"""What providers wrote down before they answered, as C1 is judged by it: the sink's own log, or the played city's.

Both stand on the clock that all processes of the machine share.
"""

from __future__ import annotations

import asyncio
import json
import time
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

from dispatcher.model import Target, TargetKind
from dispatcher.rehearsal.bench.judge import Came
from dispatcher.rehearsal.bench.orders import Hand
from dispatcher.rehearsal.bench.wire import CALL_OFF

PLAYERS: Final = ("sms.jsonl", "gateway.jsonl")
OFF_WORD: Final = "解除"


class Logbook(Protocol):
    """`begin` it before a warning; `count` what has come since; read `lines` at the end.

    `answer_after`: how long the provider waits with its answers from now on, where it can be told.
    """

    async def begin(self) -> None: ...

    async def answer_after(self, seconds: float) -> None: ...

    async def count(self) -> int: ...

    async def lines(self) -> list[Came]: ...


class SinkLog:
    """The sink's: a delivery key is warning, target, channel and round; the path says whether it calls off."""

    def __init__(self, sink: Hand) -> None:
        self._sink = sink

    async def begin(self) -> None:
        await self._sink.ask("take")
        await self._sink.ask("log")

    async def answer_after(self, seconds: float) -> None:
        await self._sink.ask("late", after_s=seconds)

    async def count(self) -> int:
        return sum(int(one["count"]) for one in (await self._sink.ask("look"))["paths"].values())

    async def lines(self) -> list[Came]:
        log = (await self._sink.ask("log"))["log"]
        return [
            Came(target=_target(key), at=float(at), call_off=path.endswith(f"/{CALL_OFF}")) for key, path, at in log
        ]


class CityLog:
    """The players' files. What a phone shows says whether it calls off; of a gateway's packets, their kind."""

    def __init__(self, folder: Path) -> None:
        self._places = {folder / name: 0 for name in PLAYERS}
        self._lines: list[bytes] = []
        self._ahead_s = time.time() - time.monotonic()

    async def begin(self) -> None:
        await asyncio.to_thread(self._read_on)
        self._lines = []

    async def answer_after(self, seconds: float) -> None:
        """The players answer as fast as they can."""

    async def count(self) -> int:
        await asyncio.to_thread(self._read_on)
        return len(self._lines)

    async def lines(self) -> list[Came]:
        await asyncio.to_thread(self._read_on)
        return [self._came(json.loads(line)) for line in self._lines]

    def _read_on(self) -> None:
        for path, place in self._places.items():
            with path.open("rb") as file:
                file.seek(place)
                new = file.read()
            whole = new[: new.rfind(b"\n") + 1]
            self._places[path] += len(whole)
            self._lines += whole.splitlines()

    def _came(self, said: dict[str, Any]) -> Came:
        at = datetime.fromisoformat(said["at"]).timestamp() - self._ahead_s
        if "gateway" in said:
            gateway = Target(kind=TargetKind.GATEWAY, id=said["gateway"])
            return Came(target=str(gateway), at=at, call_off=said["kind"] == "cancel")
        return Came(target=_target(said["key"]), at=at, call_off=OFF_WORD in said["text"])


def _target(key: str) -> str:
    return key.split(".")[1]
