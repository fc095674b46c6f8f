"""The sample that a newcomer gets. A module of its own, so that a process that serves a real register never loads it."""

from __future__ import annotations

import asyncio
import sys

from dispatcher.pipeline.context import Context
from dispatcher.registry import importing, sample
from dispatcher.rehearsal.demo_screen import Screen
from dispatcher.settings import PROJECT

GATEWAYS_AT = "http://127.0.0.1:8091/gateways"
PLATFORMS_AT = "http://127.0.0.1:8092/platforms"
"""Where `python -m dispatcher.rehearsal --port 8090` plays them."""


async def fill(context: Context) -> None:
    """A new database gets the sample, as `mingluo registry sample` makes it when nothing is said; and nobody can miss that."""
    screen = Screen(sys.stderr)
    screen.title("数据库是空的，现在装入一座【合成】的吉安市，供试用")
    screen.line("  人员、号码、设备和乡村边界全是虚构的：通知不到任何真实的人。")
    screen.line(
        "  不想要：请删去这个数据库文件，改用 mingluo serve --empty 启动，再用 mingluo registry import 导入真实的登记册。"
    )
    await make_sample(context, sample.Wish(gateways_at=GATEWAYS_AT, endpoints_at=PLATFORMS_AT), screen)


async def make_sample(context: Context, wish: sample.Wish, screen: Screen) -> int:
    """Returns the register's new version."""
    with screen.working("生成吉安市登记册（合成数据）") as tell:
        sheets = await asyncio.to_thread(sample.make, PROJECT / "config" / "jian", wish)
        return await importing.put(context.store, context.seal, sheets, tell=tell)
