"""`mingluo bench`: the goals of speed and size, measured on this machine beside what they are compared with."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from dispatcher.commands.telling import WRONGLY_ASKED, emit, fail, finish
from dispatcher.rehearsal.bench.goals import chosen
from dispatcher.rehearsal.bench.orders import BenchFailed
from dispatcher.rehearsal.bench.run import Wanted, run
from dispatcher.rehearsal.bench.screen import BenchScreen
from dispatcher.rehearsal.bench.servers import Servers

STOPPED = 143
app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def bench(
    only: Annotated[str, typer.Option(help="只量这些目标，逗号分隔，如 P1,P4；默认全部")] = "",
    postgres: Annotated[
        str,
        typer.Option(envvar="MINGLUO_TEST_PG_URL", help="本机 PostgreSQL（postgresql://…，能建库）；没有则只量内置的"),
    ] = "",
    amqp: Annotated[str, typer.Option(envvar="MINGLUO_TEST_AMQP_URL", help="本机 RabbitMQ（amqp://…）")] = "",
    rabbitmqctl: Annotated[str, typer.Option(envvar="MINGLUO_TEST_RABBITMQCTL", help="建专用虚拟主机的命令")] = "",
    json: Annotated[bool, typer.Option("--json", help="最后一行输出一个 JSON 对象")] = False,
) -> None:
    """量 P1–P13、C1 和 V1：引擎与裸循环、Celery 等在同一次运行里交替测量，打印比值。

    每次用自己的数据库和虚拟主机，用完即删；只在本机。没有的服务、量不了的目标照实说明，记为 null。
    make bench 会先找到或启动 PostgreSQL 和 RabbitMQ。
    """
    try:
        goals = chosen(only)
        servers = Servers.read(postgres, amqp, rabbitmqctl)
    except (ValueError, BenchFailed) as error:
        fail(str(error), WRONGLY_ASKED)
    screen = BenchScreen(sys.stderr if json else sys.stdout)
    try:
        found = finish(run(Wanted(goals=goals, servers=servers), screen), BenchFailed)
    except asyncio.CancelledError:
        fail("已中止：本次的数据库和虚拟主机都已删除", STOPPED)
    if json:
        emit(found)
