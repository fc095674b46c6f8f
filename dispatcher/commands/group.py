"""Which commands there are: a plain table. A command's module is loaded when it is chosen, so that `--help` is instant.

It must work on any terminal: what cannot be written in its encoding becomes a question mark, never a traceback.
"""

from __future__ import annotations

import gc
import importlib
import io
import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from dispatcher import __version__

COMMANDS = {
    "demo": ("demo", "演示：把一条红色暴雨预警发给全市信息员、大喇叭和党建平台（只在本机）"),
    "serve": ("serve", "启动服务与控制台"),
    "migrate": ("migrate", "把数据库升到程序需要的结构"),
    "check": ("check", "体检：配置、数据库、消息代理、时钟、登记册、发送接口、队列"),
    "warn": ("warn", "送入一份预警报文（CAP 1.2、国家预警 XML 或本系统的 JSON）"),
    "retract": ("retract", "误发撤回：按备好的文字，告知所有可能已经收到的人"),
    "preview": ("preview", "预览：会通知谁、走哪些渠道、多久发完；不发送"),
    "why": ("why", "某人对某份预警：通知了没有、依据哪条规则、试过几次、什么内容"),
    "registry": ("registry", "登记册：sample、import、export、verify、erase"),
    "account": ("account", "账号：list、add、reset；一次性代码由本人用来设置密码和验证码"),
    "drill": ("drill", "演练：list、show、play；演一个剧本并评分（桌面只在本机，实地只通知名单上的人）"),
    "bench": ("bench", "性能基准：P1–P13、C1 和 V1，与裸循环、Celery 在同一次运行里交替测量"),
    "audit": ("audit", "操作日志：verify、show、anchor；逐条相扣，改不了而不被发现"),
    "rejected": ("rejected", "被拒收的报文：list、show、replay"),
}
"""Name → module of this folder, and what it is for."""
_COERCED = frozenset({"C.UTF-8", "C.utf8", "UTF-8"})
"""What Python itself puts into LC_CTYPE where the wanted locale is not installed."""
_CHINESE_TERMINALS = frozenset({"gb18030", "gbk", "gb2312"})


class Lazy(TyperGroup):
    """Commands by name, from the table above. The types of Click stand in a private room of Typer's: Any, here alone."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        return get_command(_loaded(COMMANDS[cmd_name][0]).app)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("命令"):
            formatter.write_dl([(name, told) for name, (_, told) in COMMANDS.items()])


def _loaded(module: str) -> Any:
    """The collector would walk again and again through what is just being made and stays: a seventh of the start."""
    gc.disable()
    try:
        return importlib.import_module(f"dispatcher.commands.{module}")
    finally:
        gc.enable()


app = typer.Typer(
    cls=Lazy, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True
)


@app.callback(invoke_without_command=True)
def mingluo(
    version: bool = typer.Option(False, "--version", help="显示版本"),
) -> None:
    """鸣锣 Mingluo：多渠道灾害预警发布。各命令的用法：mingluo 命令 --help"""
    if version:
        print(f"mingluo {__version__}")
        raise typer.Exit


def main() -> None:
    """The entry: `mingluo` and `python -m dispatcher`."""
    for stream in (sys.stdout, sys.stderr):
        _fit(stream)
    app(prog_name="mingluo")


def _fit(stream: object) -> None:
    """The terminal's own encoding where it is a Chinese one; nothing that cannot be written stops a command."""
    if not isinstance(stream, io.TextIOWrapper):
        return
    said = [os.environ.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG")]
    locale = next((one for one in said if one and one not in _COERCED), "")
    wanted = locale.partition(".")[2].partition("@")[0].lower().replace("-", "")
    if stream.isatty() and wanted in _CHINESE_TERMINALS:
        stream.reconfigure(encoding="gb18030", errors="replace")
    else:
        stream.reconfigure(errors="replace")
