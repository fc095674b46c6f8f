"""Processes of the benchmark: each takes orders, one JSON line each on its standard input, and answers each with one line.

They must leave no orphan (a process ends when its standard input closes, even if we are killed), and what goes wrong in one
is said in ours, with the process's own words.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from dispatcher.service.loop import run
from dispatcher.settings import PROJECT

Handler = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
START_LIMIT_S = 60.0
ORDER_LIMIT_S = 420.0
END_LIMIT_S = 20.0
LONGEST_LINE = 1 << 26


class BenchFailed(Exception):
    """The benchmark cannot go on: one sentence that says why."""


class Hand:
    """One process, from our side."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self.process = process
        self._log = log
        self.ready: dict[str, Any] = {}

    async def ask(self, what: str, limit_s: float = ORDER_LIMIT_S, **order: Any) -> dict[str, Any]:
        """Gives an order and waits for its answer; one order at a time."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": what, **order}).encode() + b"\n")
        answer = await self.answer(limit_s)
        if "failed" in answer:
            raise BenchFailed(f"{self.name}：{what}：{answer['failed']}（详见 {self._log}）")
        return answer

    async def answer(self, limit_s: float) -> dict[str, Any]:
        assert self.process.stdout is not None
        async with asyncio.timeout(limit_s):
            line = await self.process.stdout.readline()
        if not line:
            raise BenchFailed(f"{self.name} 中途结束了：{_last_words(self._log)}")
        found: dict[str, Any] = json.loads(line)
        return found

    async def kill(self) -> None:
        """kill -9, and nothing before it."""
        self.process.kill()
        await self.process.wait()

    async def end(self) -> None:
        """Closes its standard input, which is its signal; kills it where it does not hear."""
        if self.process.returncode is not None:
            return
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            async with asyncio.timeout(END_LIMIT_S):
                await self.process.wait()
        except TimeoutError:
            await self.kill()


async def start(module: str, log: Path, environment: Mapping[str, str], arguments: Sequence[str] = ()) -> Hand:
    """Starts a process of the benchmark and waits until it says it is ready."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MINGLUO_")}
    with log.open("ab") as said:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", f"dispatcher.rehearsal.bench.{module}", *arguments),
            env={**inherited, "PYTHONUTF8": "1", **environment},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=said,
            limit=LONGEST_LINE,
            cwd=PROJECT,
            start_new_session=True,
        )
    hand = Hand(module, process, log)
    try:
        hand.ready = await hand.answer(START_LIMIT_S)
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            await hand.kill()
        raise
    return hand


@asynccontextmanager
async def hired(
    module: str, log: Path, environment: Mapping[str, str] | None = None, arguments: Sequence[str] = ()
) -> AsyncIterator[Hand]:
    """A process for as long as the block lasts."""
    hand = await start(module, log, environment or {}, arguments)
    try:
        yield hand
    finally:
        await hand.end()


async def obey(handlers: Mapping[str, Handler], ready: Mapping[str, Any]) -> None:
    """The other side: says it is ready, then carries out orders until the standard input closes."""
    reader = asyncio.StreamReader(limit=LONGEST_LINE)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    _say({"ready": True, "pid": os.getpid(), **ready})
    while line := await reader.readline():
        order = json.loads(line)
        try:
            _say(await handlers[order["do"]](order))
        except Exception as error:  # noqa: BLE001 - whoever gave the order is told, and decides
            _say({"failed": f"{type(error).__name__}: {error}"})


def _say(answer: Mapping[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


def _last_words(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1][-300:] if lines else "没有说明"


def live(work: Coroutine[Any, Any, None]) -> None:
    """Runs a process of the benchmark: the engine's and the bare loops' on the same kind of event loop."""
    run(work)


def now_s() -> float:
    """One clock for all processes of a machine."""
    return time.monotonic()


def cpu_s() -> float:
    """What this process has used, all its threads, user and system."""
    return time.process_time()


def peak_mib() -> float:
    """The most memory this process ever held. `ru_maxrss` would be that of whoever started it, where that is more."""
    return _memory_mib("self", "VmHWM")


def held_mib(pid: int | str = "self") -> float:
    """The memory a process holds now."""
    return _memory_mib(pid, "VmRSS")


def _memory_mib(pid: int | str, what: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) / 1024
    raise BenchFailed(f"读不到进程 {pid} 的内存")
