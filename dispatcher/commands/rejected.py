"""`mingluo rejected list|show|replay`: what was refused, why, the original bytes, and the same bytes in once more."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from dispatcher.commands import warn
from dispatcher.commands.ground import standing
from dispatcher.commands.letters import Letter
from dispatcher.commands.telling import emit, finish, say
from dispatcher.model import BEIJING
from dispatcher.settings import BadConfiguration, load
from dispatcher.store import rejects
from dispatcher.store.rejects import Refusal, Reject

app = typer.Typer(
    help="被拒收的报文：原文一字不改地留着。", add_completion=False, rich_markup_mode=None,
    pretty_exceptions_enable=False, no_args_is_help=True,
)  # fmt: skip


@app.command(name="list")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="最多几条")] = 50,
    json: Annotated[bool, typer.Option("--json", help="最后一行输出一个 JSON 对象")] = False,
) -> None:
    """最近被拒收的报文，新的在前。"""
    found = finish(_list(limit))
    if json:
        emit({"rejected": [{name: getattr(one, name) for name in Refusal.__dataclass_fields__} for one in found]})
        return
    for one in found:
        why = one.reason if one.reason.startswith(str(one.code)) else f"{one.code} {one.reason}"
        at = one.at.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")
        say(f"{one.id}  {at}  {one.source}  {one.door}  {one.size:,} 字节  {why}")
    if not found:
        say("没有被拒收的报文")


@app.command()
def show(
    number: Annotated[str, typer.Argument(help="list 给出的编号", metavar="ID")],
    raw: Annotated[bool, typer.Option("--raw", help="只输出原文，一个字节也不改")] = False,
) -> None:
    """一份被拒收的报文：来源、原因和原文。"""
    one = finish(_show(number))
    if raw:
        sys.stdout.buffer.write(one.raw)
        sys.stdout.buffer.flush()
        return
    say(f"{one.id}  来源 {one.source}  入口 {one.door}  {one.content_type}")
    for finding in one.findings or [{"code": one.code, "reason": one.reason}]:
        say(f"  {finding['code']} {finding['reason']}")
    say(one.raw.decode("utf-8", "replace"))


@app.command()
def replay(
    number: Annotated[str, typer.Argument(help="list 给出的编号", metavar="ID")],
    wait: Annotated[bool, typer.Option("--wait", help="一直等到发完，并报出数目")] = False,
    json: Annotated[bool, typer.Option("--json", help="最后一行输出一个 JSON 对象")] = False,
) -> None:
    """原样再送一次：拒收的原因（设置、程序、名册）改好之后用；照样重新判别，过期的仍会拒收。"""
    one = finish(_show(number))
    letter = Letter(name=f"拒收记录 {one.id}", body=one.raw, content_type=one.content_type)
    warn.deliver(letter, one.source, wait=wait, json=json)


async def _list(limit: int) -> list[Refusal]:
    async with standing(load()) as context, context.store.read() as tx:
        return await rejects.refusals(tx, limit)


async def _show(number: str) -> Reject:
    async with standing(load()) as context, context.store.read() as tx:
        one = await rejects.one(tx, number)
    if one is None:
        raise BadConfiguration(f"没有编号为 {number} 的拒收记录：请用 mingluo rejected list 核对")
    return one
