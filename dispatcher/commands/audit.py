"""`mingluo audit verify|show|anchor`: whether the log of what was done is whole, and what stands in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dispatcher.auditing import SHOWN, Anchor, BadAnchor, Finding, anchors_in, verify
from dispatcher.commands.ground import standing
from dispatcher.commands.telling import emit, finish, say
from dispatcher.model import BEIJING
from dispatcher.pipeline.anchor import anchor
from dispatcher.settings import BadConfiguration, load
from dispatcher.store import audit
from dispatcher.store.audit import Entry
from dispatcher.store.sealed import Seal

app = typer.Typer(
    help="操作日志：逐条相扣，改不了而不被发现。", add_completion=False, rich_markup_mode=None,
    pretty_exceptions_enable=False, no_args_is_help=True,
)  # fmt: skip
Json = Annotated[bool, typer.Option("--json", help="最后一行输出一个 JSON 对象")]


@app.command(name="verify")
def verify_(
    anchor: Annotated[Path | None, typer.Option(help="存放在别处的锚点文件：查得出截尾和整体改写")] = None,
    json: Json = False,
) -> None:
    """从第一条查到最后一条；完好时退出码为 0，有问题为 1。"""
    found = finish(_verify(anchor), BadAnchor)
    for sentence in found.faults:
        say(sentence)
    if found.count > SHOWN:
        say(f"…… 共 {found.count:,} 处")
    say(_verdict(found, anchor))
    if json:
        emit({"whole": found.whole, "entries": found.entries, "anchors": found.anchors, "faults": found.faults})
    raise typer.Exit(0 if found.whole else 1)


@app.command()
def show(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="最多几条")] = 50,
    json: Json = False,
) -> None:
    """最近的记录，新的在前。"""
    found = finish(_show(limit))
    if json:
        emit({"entries": [{name: getattr(one, name) for name in Entry.__dataclass_fields__} for one in found]})
        return
    for one in found:
        at = one.at.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")
        say(f"{one.no}  {at}  {one.actor}  {one.action}  {one.subject}  {one.detail}")
    if not found:
        say("操作日志还是空的")


@app.command(name="anchor")
def anchor_(json: Json = False) -> None:
    """现在就存一个锚点（服务每小时自己存一次）；请把锚点文件定期拷到别的机器。"""
    path, line = finish(_anchor())
    if json:
        emit(line)
    else:
        say(f"第 {line['no']} 条的锚点已签名，存入 {path}")


def _verdict(found: Finding, anchor: Path | None) -> str:
    if not found.whole:
        return f"操作日志不完好：{found.entries:,} 条中发现 {found.count:,} 处问题，请保留现场并立即上报"
    if anchor is None:
        return f"{found.entries:,} 条逐条相扣；没有给锚点文件（--anchor），截尾和整体改写查不出"
    return f"{found.entries:,} 条逐条相扣，与 {found.anchors:,} 个锚点一致"


async def _verify(anchor: Path | None) -> Finding:
    async with standing(load()) as context:
        anchors = _read(anchor, context.seal) if anchor else []
        async with context.store.read() as tx:
            return await verify(audit.entries(tx), anchors)


def _read(path: Path, seal: Seal) -> list[Anchor]:
    try:
        return anchors_in(path.read_text(encoding="utf-8").splitlines(), seal)
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfiguration(f"{path}: 锚点文件读不到（{error}）") from error


async def _show(limit: int) -> list[Entry]:
    async with standing(load()) as context, context.store.read() as tx:
        return await audit.newest(tx, limit)


async def _anchor() -> tuple[Path, dict[str, object]]:
    async with standing(load()) as context:
        return context.settings.anchor_file, dict(await anchor(context))
