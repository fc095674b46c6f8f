"""`mingluo retract WARNING`: 误发撤回 in one tap, by the same way in as any warning, so that it is judged like one."""

from __future__ import annotations

from typing import Annotated

import typer

from dispatcher.commands.ground import standing
from dispatcher.commands.letters import NATIVE, Letter
from dispatcher.commands.telling import finish
from dispatcher.commands.warn import deliver
from dispatcher.pipeline.call_off import NothingToCallOff, call_off
from dispatcher.settings import BadConfiguration, load
from dispatcher.store import warnings

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command(name="retract")
def command(
    warning: Annotated[str, typer.Argument(help="预警的编号；latest 为最近一份")],
    source: Annotated[str, typer.Option(help="以哪个来源的名义撤回（见 sources.yaml）")] = "city-weather",
    over: Annotated[bool, typer.Option("--all-clear", help="不是误发，是险情已过：按解除的文字")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="一直等到发完，并报出数目")] = False,
    json: Annotated[bool, typer.Option("--json", help="最后一行输出一个 JSON 对象")] = False,
) -> None:
    """误发撤回：按备好的文字，告知所有可能已经收到的人；还没发出的不再发，大喇叭停播。"""
    body = finish(_words(warning, retraction=not over))
    deliver(Letter(name="撤回", body=body, content_type=NATIVE), source, wait=wait, json=json)


async def _words(name: str, *, retraction: bool) -> bytes:
    async with standing(load()) as context:
        async with context.store.read() as tx:
            rows = await warnings.called(tx, name)
        try:
            body = await call_off(context, rows[0].id, retraction=retraction) if rows else None
        except NothingToCallOff as why:
            raise BadConfiguration(str(why)) from why
    if body is None:
        raise BadConfiguration(f"没有编号为 {name} 的预警：请核对，或用 latest 指最近一份")
    return body
