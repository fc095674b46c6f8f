"""`mingluo serve`: the service and the console, until SIGTERM or Ctrl-C; it drains before it ends."""

from __future__ import annotations

import asyncio
import importlib
import signal
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer

from dispatcher import __version__
from dispatcher.commands.ground import keeper_of, settled, standing, where, without_password
from dispatcher.commands.telling import WRONGLY_ASKED, aside, fail, finish, say
from dispatcher.registry.register import glance
from dispatcher.service.keys import sole_process
from dispatcher.service.listening import address
from dispatcher.service.loop import settle_down
from dispatcher.service.running import OUTER_ROLE, ROLES
from dispatcher.service.serving import Serving, serve
from dispatcher.service.tls import Files, context_of, remark
from dispatcher.settings import Settings, load
from dispatcher.telemetry import set_up_logging

_TRAINING: Final = "dispatcher.commands.training"
"""Loaded where somebody trains, with all that makes a city: a process that serves a real one never does."""
EVERY: Final = ",".join(sorted(ROLES))
app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command(name="serve")
def command(
    roles: Annotated[
        str, typer.Option(help=f"本进程承担的角色，逗号分隔；{OUTER_ROLE} 给外网区：只收服务商的回执，没有控制台和接口")
    ] = EVERY,
    training: Annotated[
        bool, typer.Option("--training", help="培训：自己的数据库和演练服务器，通知不到真实的人")
    ] = False,
    empty: Annotated[bool, typer.Option("--empty", help="数据库是空的也不装入合成数据，登记册留着自己导入")] = False,
    tls: Annotated[
        tuple[Path, Path] | None, typer.Option("--tls", metavar="CERT KEY", help="用 HTTPS：证书和私钥（PEM）")
    ] = None,
) -> None:
    """启动服务与控制台。

    测试环境会自动建表；用 SQLite、又是第一次启动（没有登记册，也没有账号）时，自动装入一座合成的吉安市，便于试用。
    已有的数据库从不改动，正式环境（profile: production）从不装入。
    """
    if training and roles != EVERY:
        fail("--training 一个进程承担全部角色：请去掉 --roles", WRONGLY_ASKED)
    if training and tls:
        fail("--training 只在本机，不用 HTTPS：请去掉 --tls", WRONGLY_ASKED)
    if training and empty:
        fail("--training 用自己的合成登记册：请去掉 --empty", WRONGLY_ASKED)
    if training:
        finish(importlib.import_module(_TRAINING).train())
        return
    files = Files(*tls) if tls else None
    given = frozenset(role.strip() for role in roles.split(",") if role.strip())
    finish(_serve(given, files, stay_empty=empty))
    aside("鸣锣已停止，没有留下正在发送的行")


async def _serve(roles: frozenset[str], files: Files | None, *, stay_empty: bool) -> None:
    settings, tls = load(), context_of(files) if files else None
    set_up_logging(settings.service.log_level, settings.service.log_format)
    stop = told_to_stop()
    code = await _ground(settings, roles, stay_empty=stay_empty)
    if files and (said := remark(files)):
        aside(said)
    if files is None and "web" in roles and (said := in_clear(settings)):
        aside(said)
    await serve(settings, roles=roles, stop=stop, on_ready=partial(tell, code=code), tls=tls)


def in_clear(settings: Settings) -> str:
    """What whoever starts it should know where other machines will reach it without TLS; empty where none will."""
    host, service = address(settings.service.listen)[0], settings.service
    if host in ("localhost", "127.0.0.1", "::1") or service.proxies or service.plain_from:
        return ""
    return (
        f"监听在 {service.listen}，没有加密：从别的机器打开控制台、调用接口，都只会看到一句说明。"
        "请加 --tls 证书 私钥，或在前面放 nginx（docs/nginx.conf）并在 service.yaml 的 proxies 里写上它的地址"
    )


def told_to_stop() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


async def _ground(settings: Settings, roles: frozenset[str], *, stay_empty: bool) -> str:
    """Where the service will stand, said before anything can fail; the code for the first account, '' where there is one."""
    say(f"鸣锣 {__version__}　环境 {settings.service.profile}")
    say(f"  数据库　　{where(settings)}")
    say(f"  消息代理　{without_password(settings.service.broker_url)}")
    with sole_process(settings):
        async with standing(settings) as context:
            if not await settled(context, stay_empty=stay_empty):
                aside(
                    "登记册是空的，谁也通知不到：请运行 mingluo registry import（试用请运行 mingluo registry sample）"
                )
            elif (await glance(context.store)).synthetic:
                say("  登记册　　合成数据（人员、号码、设备和乡村边界是虚构的，只供试用）")
            return await keeper_of(context).first_code() if "web" in roles else ""


def tell(live: Serving, *, code: str = "") -> None:
    settle_down()
    for (channel, name), why in live.service.parts.providers.off.items():
        say(f"  未启用　　{channel}.{name}：{why}")
    if live.outer and live.url:
        say(f"  只收回执　{live.url}")
    else:
        say(f"  控制台　　{live.url or '本进程不承担 web 角色'}")
    if code:
        say(f"  第一个账号　请打开 {live.url}/first，输入一次性代码 {code}（只显示这一回，24 小时内有效）")
    say("已就绪，按 Ctrl-C 停止")
