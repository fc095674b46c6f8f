"""`mingluo demo`: a whole night in a minute, on loopback; ends with 0 only if nothing was lost."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from dispatcher.commands.telling import emit, finish
from dispatcher.registry.sample import CannotMake
from dispatcher.rehearsal.demo import Wish, run
from dispatcher.rehearsal.demo_screen import Screen
from dispatcher.rehearsal.demo_stage import StageFailed

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def demo(
    officers: Annotated[int, typer.Option(help="灾害信息员人数")] = 3_200,
    residents: Annotated[int, typer.Option(help="住户人数")] = 2_000,
    json: Annotated[bool, typer.Option("--json", help="最后一行输出一个 JSON 对象")] = False,
    serve: Annotated[
        bool,
        typer.Option(
            "--serve",
            help="演示结束后控制台继续开着，另有演练、待核、待签发各一份，打印六个人的一次性链接；按 Ctrl-C 结束",
        ),
    ] = False,
    warning: Annotated[Path | None, typer.Option(help="改发这份报文（CAP 1.2、国家预警 XML 或 JSON）")] = None,
) -> None:
    """把一条红色暴雨预警发给全市信息员、大喇叭和党建平台。

    发送对象是本机另一个进程里的真实 HTTP 服务；不连外网，不理会环境里的 MINGLUO_*。没有丢失时退出码为 0。
    正式环境（profile: production）里不接受 --serve。
    """
    wish = Wish(officers=officers, residents=residents, warning=warning, serve=serve)
    screen = Screen(sys.stderr if json else sys.stdout)
    ok = finish(run(wish, screen, emit if json else lambda _facts: None), StageFailed, CannotMake)
    raise typer.Exit(0 if ok else 1)
