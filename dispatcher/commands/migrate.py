"""`mingluo migrate`: brings the database to the newest schema, with the owner's rights where they are given."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from dispatcher.commands.ground import where
from dispatcher.commands.telling import emit, finish, say
from dispatcher.settings import load
from dispatcher.store.migrating import migrate

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
OWNERS = "MINGLUO_MIGRATE_DATABASE_URL"


@app.command(name="migrate")
def command(json: Annotated[bool, typer.Option("--json", help="最后一行输出一个 JSON 对象")] = False) -> None:
    """把数据库升到程序需要的结构；设有 MINGLUO_MIGRATE_DATABASE_URL 时用它（属主的账号），服务的账号只得到它需要的权限。"""
    place, revision = finish(_migrate())
    if json:
        emit({"database": place, "revision": revision})
    else:
        say(f"数据库结构已是 {revision}：{place}")


async def _migrate() -> tuple[str, str]:
    services, environment = load().service.database_url, dict(os.environ)
    if environment.get(OWNERS):
        environment["MINGLUO_DATABASE_URL"] = environment[OWNERS]
    settings = load(environment)
    return where(settings), await migrate(settings.service.database_url, services)
