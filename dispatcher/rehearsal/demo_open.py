"""A demo that stays open: its people are made, its other warnings put beside the red, and the console waits for browsers.

It must end cleanly at Ctrl-C or SIGTERM. `l` and Enter in the terminal prints new links; whatever is piped in is let be.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from dispatcher.accounts.authority import AccountRole
from dispatcher.rehearsal.demo_people import Person, linked, people, tell_people
from dispatcher.rehearsal.demo_screen import Screen
from dispatcher.rehearsal.demo_stage import StageFailed
from dispatcher.rehearsal.demo_world import World, put_beside
from dispatcher.service.listening import bind
from dispatcher.service.serving import Serving, links_of
from dispatcher.settings import BadConfiguration, load
from dispatcher.store.accounts import Account

HOST: Final = "127.0.0.1"
PORT: Final = 8080
AGAIN: Final = "l"


@dataclass(slots=True, kw_only=True)
class Open:
    """What stands when the console waits."""

    live: Serving
    screen: Screen
    accounts: Sequence[Account]
    world: World
    found: Sequence[Person] = ()

    async def tell(self) -> None:
        """New links for all; those of before open nothing any more."""
        self.found = await linked(links_of(self.live.context), self.accounts, self.live.url)
        tell_people(self.screen, self.found)

    @property
    def facts(self) -> Mapping[str, Any]:
        """What `--json` says besides."""
        world = self.world
        return {
            "console": self.live.url,
            "people": [
                {"role": str(one.role), "name": one.account.name, "login": one.account.login, "link": one.link}
                for one in self.found
            ],
            "open": {"drill": world.drill, "held": world.held, "submitted": world.submitted},
        }


def refuse_in_production() -> None:
    """The demo ignores the environment; but where that, or the configuration, is production's, nobody comes in by a link."""
    try:
        production = load().production
    except BadConfiguration as error:
        why = str(error).partition("\n")[0]
        raise StageFailed(
            f"--serve 只在测试环境（profile: test）里开，而这台机器的设置读不通（{why}）：请先改正"
        ) from error
    if production:
        raise StageFailed(
            "正式环境（profile: production）不开演示的控制台：请在另一台机器上，或用 MINGLUO_PROFILE=test 再试"
        )


def listen_at() -> str:
    """A fixed place, so that a bookmark holds; any free port where another program stands there."""
    try:
        bound, _ = bind(HOST, PORT)
    except OSError:
        return f"{HOST}:0"
    bound.close()
    return f"{HOST}:{PORT}"


async def opened(live: Serving, screen: Screen) -> Open:
    with screen.working("建六个账号"):
        accounts = await people(live.context)
    officer = next(one for one in accounts if one.role == AccountRole.DUTY_OFFICER)
    made = Person(account=officer, link="")
    found = Open(live=live, screen=screen, accounts=accounts, world=await put_beside(live, made.principal, screen))
    await found.tell()
    return found


async def until_told_to_stop(found: Open) -> None:
    """New links whenever they are asked for."""
    more = f"；要新的链接，按 {AGAIN} 再按回车" if sys.stdin.isatty() else ""
    found.screen.line(f"\n控制台一直开着：{found.live.url} ，按 Ctrl-C 结束{more}", style="bold")
    stop, asked = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with _typed(asked), asyncio.TaskGroup() as group:
        telling = group.create_task(_tell_again(found, asked))
        await stop.wait()
        telling.cancel()
    found.screen.line("\n正在收尾：停止发送，关闭服务")


async def _tell_again(found: Open, asked: asyncio.Event) -> None:
    while True:
        await asked.wait()
        asked.clear()
        await found.tell()


@asynccontextmanager
async def _typed(asked: asyncio.Event) -> AsyncIterator[None]:
    """Sets it when somebody types so; a terminal hands over a line at a time."""
    if not sys.stdin.isatty():
        yield
        return
    loop, keyboard = asyncio.get_running_loop(), sys.stdin.fileno()

    def heard() -> None:
        line = os.read(keyboard, 4096)
        if not line:
            loop.remove_reader(keyboard)
        elif line.strip().lower() == AGAIN.encode():
            asked.set()

    loop.add_reader(keyboard, heard)
    try:
        yield
    finally:
        loop.remove_reader(keyboard)
