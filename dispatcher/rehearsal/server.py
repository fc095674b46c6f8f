"""Starts all players on loopback, each on a port of its own, says where, and ends with whoever started it.

It must leave no orphan: it ends on SIGTERM, and when its standard input closes if that is a pipe from its parent.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import stat
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from aiohttp import web

from dispatcher.rehearsal.aliyun import Aliyun
from dispatcher.rehearsal.faults import Faults
from dispatcher.rehearsal.gateway import Gateways
from dispatcher.rehearsal.platform import Platforms
from dispatcher.rehearsal.player import Player
from dispatcher.rehearsal.reports import Reports
from dispatcher.rehearsal.sms import Twilio
from dispatcher.service.loop import run as run_on_loop

HOST: Final = "127.0.0.1"
LINE: Final = 64 * 1024
"""A thousand numbers in a query are 14 kB."""
PLAYERS: Final = ("sms", "gateway", "platform", "aliyun")
DRILL: Final = "_drill"
"""What the players of drills are called besides: they have accounts, ports and logs of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`folder` gets a log for each player, `name.jsonl`. `port`: 0 = any; else the first of eight.

    `account` and `token` are those of both SMS providers: Twilio's (player `sms`) and Aliyun's; `drill` are those of the
    two for drills.
    """

    folder: Path
    account: str
    token: str
    drill: tuple[str, str] = ("ACdrill", "drill")
    port: int = 0
    secrets: Mapping[str, list[str]] = field(default_factory=dict)
    faults: Mapping[str, Faults] = field(default_factory=dict)
    """Player (one of PLAYERS, or of those for drills) → what it does wrong from the start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Players:
    """One of each."""

    sms: Twilio
    gateway: Gateways
    platform: Platforms
    aliyun: Aliyun

    def __iter__(self) -> Iterator[Player]:
        return iter((self.sms, self.gateway, self.platform, self.aliyun))


@dataclass(frozen=True, slots=True, kw_only=True)
class City(Players):
    """Where the players stand: base URLs, and the players themselves for tests in the same process; those of drills apart."""

    drill: Players
    ports: Mapping[str, int]

    def url(self, player: str) -> str:
        return f"http://{HOST}:{self.ports[player]}"


@asynccontextmanager
async def playing(options: Options, clock: Callable[[], float] = time.time) -> AsyncIterator[City]:
    """The city, for as long as the block lasts."""
    reports = Reports()
    live = _players(options, (options.account, options.token), "", (reports, clock))
    drill = _players(options, options.drill, DRILL, (reports, clock))
    live.platform.know(options.secrets)
    async with AsyncExitStack() as stack:
        ports = {}
        for number, player in enumerate((*live, *drill)):
            stack.callback(player.close)
            ports[player.name] = await _open(player, options.port + number if options.port else 0, stack)
        try:
            async with asyncio.TaskGroup() as group:
                sending = group.create_task(reports.run())
                yield City(**{player: getattr(live, player) for player in PLAYERS}, drill=drill, ports=ports)
                sending.cancel()
        except BaseExceptionGroup as group_error:
            raise group_error.exceptions[0] from None  # what went wrong inside the block, as it was


def _players(
    options: Options, account: tuple[str, str], suffix: str, common: tuple[Reports, Callable[[], float]]
) -> Players:
    def named(player: str) -> tuple[Path, Faults, Reports, Callable[[], float]]:
        name = f"{player}{suffix}"
        return options.folder / f"{name}.jsonl", options.faults.get(name, Faults()), *common

    return Players(
        sms=Twilio(*named("sms"), account),
        gateway=Gateways(*named("gateway")),
        platform=Platforms(*named("platform")),
        aliyun=Aliyun(*named("aliyun"), account),
    )


async def _open(player: Player, port: int, stack: AsyncExitStack) -> int:
    server = web.Server(player.handle, access_log=None, max_line_size=LINE)
    runner = web.ServerRunner(server, handler_cancellation=True, shutdown_timeout=0.1)
    stack.push_async_callback(runner.cleanup)
    await runner.setup()
    await web.TCPSite(runner, HOST, port, backlog=1024).start()
    return int(runner.addresses[0][1])


async def run(options: Options) -> None:
    """Plays until SIGTERM, SIGINT or the end of a piped standard input; prints one JSON line when ready."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    _watch_parent(stop)
    async with playing(options) as city:
        print(json.dumps({"ports": city.ports, "pid": os.getpid(), "dir": str(options.folder)}), flush=True)
        await stop.wait()


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m dispatcher.rehearsal",
        description="本机上的“城市”：扮演两家短信服务商、网关和党建平台，演练专用的另有一套",
    )
    parser.add_argument(
        "--dir",
        type=Path,
        required=True,
        help="记录写在这个文件夹，一个角色一份：sms.jsonl、aliyun.jsonl、gateway.jsonl、platform.jsonl，演练的另加 _drill",
    )
    parser.add_argument("--port", type=int, default=0, help="八个端口中的第一个；0 为任意空闲端口")
    parser.add_argument("--account", default="ACrehearsal", help="短信账户，Twilio 和阿里云同用")
    parser.add_argument("--token", default="rehearsal", help="短信账户的密钥")
    parser.add_argument("--drill-account", default="ACdrill", help="演练专用的短信账户")
    parser.add_argument("--drill-token", default="drill", help="演练专用短信账户的密钥")
    parser.add_argument("--secrets", type=Path, help="党建平台密钥文件，JSON：{端点: [密钥, …]}")
    parser.add_argument("--faults", default="{}", help='故障，JSON：{"sms": {"refuse": 0.01, "delay_s": 0.05}}')
    given = parser.parse_args(arguments)
    try:
        faults = _read_faults(given.faults)
        secrets = json.loads(given.secrets.read_text("utf-8")) if given.secrets else {}
    except (OSError, ValueError) as error:
        print(f"参数有误，请改正：{error}", file=sys.stderr)
        return 2
    options = Options(
        folder=given.dir,
        account=given.account,
        token=given.token,
        drill=(given.drill_account, given.drill_token),
        port=given.port,
        secrets=secrets,
        faults=faults,
    )
    run_on_loop(run(options))
    return 0


def _read_faults(text: str) -> dict[str, Faults]:
    faults = {name: Faults.read(json.dumps(one)) for name, one in json.loads(text).items()}
    if unknown := faults.keys() - {f"{name}{suffix}" for name in PLAYERS for suffix in ("", DRILL)}:
        raise ValueError(f"没有这个角色：{'、'.join(sorted(unknown))}")
    return faults


def _watch_parent(stop: asyncio.Event) -> None:
    """A pipe closes when its other end dies, even by kill -9; a terminal or /dev/null says nothing about a parent."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return
    loop = asyncio.get_running_loop()

    def heard() -> None:
        if not os.read(0, 4096):
            loop.remove_reader(0)
            stop.set()

    loop.add_reader(0, heard)
