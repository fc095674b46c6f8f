"""`mingluo warn FILE`: a warning in, by the broker the service listens to, so that it is judged like any other."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from standardwebhooks.webhooks import Webhook
from uuid_utils import compat as uuid

from dispatcher import reporting
from dispatcher.broker import send_in
from dispatcher.broker.contract import Parcel
from dispatcher.commands import letters
from dispatcher.commands.ground import standing, where, without_password
from dispatcher.commands.letters import CannotRead, Letter
from dispatcher.commands.telling import WRONGLY_ASKED, aside, emit, fail, finish, say
from dispatcher.model import Channel, Code
from dispatcher.pipeline.arrival import Awaited, arrived, awaited
from dispatcher.pipeline.context import Context
from dispatcher.rehearsal.demo_screen import CHANNEL_CHINESE
from dispatcher.service.assembly import clock
from dispatcher.service.keys import Occupied, sole_process, sqlite_file
from dispatcher.settings import BadConfiguration, Settings, Source, load
from dispatcher.states import WarningState
from dispatcher.store.ledger import Refusal
from dispatcher.store.warnings import WarningRow

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
LOOK_S = 0.5
SILENT_S = 60.0
STILL = (
    WarningState.REJECTED, WarningState.HELD, WarningState.RECEIVED, WarningState.DRAFT, WarningState.COMPLETED,
    WarningState.SUPERSEDED, WarningState.CANCELLED, WarningState.EXPIRED,
)  # fmt: skip
"""States in which waiting longer shows nothing new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """What became of it. `ok`: it was accepted, held for a person included."""

    ok: bool
    facts: dict[str, Any]


@app.command(name="warn")
def command(
    file: Annotated[Path, typer.Argument(help="报文文件", metavar="FILE")],
    source: Annotated[str, typer.Option(help="以哪个来源的名义送入（见 sources.yaml）")] = "city-weather",
    wait: Annotated[bool, typer.Option("--wait", help="一直等到发完，并报出数目")] = False,
    json: Annotated[bool, typer.Option("--json", help="最后一行输出一个 JSON 对象")] = False,
) -> None:
    """送入一份预警报文；由正在运行的服务接收、判别、发送。"""
    try:
        letter = letters.read(file)
    except CannotRead as error:
        fail(str(error), WRONGLY_ASKED)
        raise
    deliver(letter, source, wait=wait, json=json)


def deliver(letter: Letter, source: str, *, wait: bool, json: bool) -> None:
    """Hands it in, tells what became of it, and ends the process with an honest code."""
    end = finish(_warn(letter, source, wait=wait))
    if json:
        emit(end.facts)
    raise typer.Exit(0 if end.ok else 1)


async def _warn(letter: Letter, name: str, *, wait: bool) -> End:
    settings = load()
    parcel = _parcel(letter, name, _source(settings, name), clock())
    async with standing(settings) as context:
        what = await awaited(context.store, letter.body, letter.content_type, settings.hazards)
        await send_in(settings.service.broker_url, parcel, context.store, clock())
        aside(f"已交给消息代理 {without_password(settings.service.broker_url)}，数据库 {where(settings)}")
        if not _served(settings):
            aside("现在没有 mingluo serve 在用这个数据库：报文已存好，服务启动后即处理")
        return await _follow(context, what) if wait else End(ok=True, facts={"sent": True, "source": name})


def _source(settings: Settings, name: str) -> Source:
    source = settings.sources.get(name)
    if source is None:
        raise BadConfiguration(f"sources.yaml 里没有来源“{name}”，可用的有：{'、'.join(settings.sources)}")
    return source


def _parcel(letter: Letter, name: str, source: Source, now: datetime) -> Parcel:
    """Signed where the source must sign and its secret is at hand."""
    number = uuid.uuid7().hex
    headers = {"x-mingluo-door": "cli"}
    if source.secret is not None:
        try:
            signed = Webhook(source.secret.get_secret_value()).sign(number, now, letter.body.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise BadConfiguration(f"{letter.name} 不是 UTF-8，无法签名：请转换编码后再送") from error
        headers |= {
            "webhook-id": number,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signed,
        }
    return Parcel(
        routing_key=name, content_type=letter.content_type, body=letter.body, headers=headers, message_id=number
    )


def _served(settings: Settings) -> bool:
    """On SQLite the lock tells; elsewhere other machines may serve, and nobody can know from here."""
    if sqlite_file(settings.service.database_url) is None:
        return True
    try:
        with sole_process(settings):
            return False
    except Occupied:
        return True


async def _follow(context: Context, what: Awaited) -> End:
    waited = 0.0
    while (row := await arrived(context.store, what)) is None:
        if waited > SILENT_S:
            aside(f"{SILENT_S:.0f} 秒内没有被接收：请确认 mingluo serve 正在运行，并用着同一个数据库")
            return End(ok=False, facts={"sent": True, "warning_id": ""})
        await asyncio.sleep(LOOK_S)
        waited += LOOK_S
    if isinstance(row, Refusal):
        say(f"拒收：{row.reason}")
        return End(ok=False, facts={"warning_id": "", "verdict": "reject", "code": row.code, "reason": row.reason})
    return await _dispatched(context, row)


async def _dispatched(context: Context, row: WarningRow) -> End:
    register = await context.register()
    told = ""
    while True:
        found = await reporting.summary(context.store, register, row.id)
        assert found is not None
        counted = "；".join(
            f"{CHANNEL_CHINESE[Channel(channel)]} 已发 {cell.sent:,} 送达 {cell.delivered:,} / {cell.planned:,}"
            for channel, cell in sorted(found.channels.items())
        )
        if counted != told:
            told = counted
            say(counted)
        if WarningState(found.warning.state) in STILL:
            break
        await asyncio.sleep(LOOK_S)
    state = found.warning.state
    reasons = "；".join(f"{Code(int(one['code'])).chinese}：{one['reason']}" for one in found.warning.findings)
    say(f"状态 {state}{'：' + reasons if reasons else ''}")
    return End(
        ok=True,
        facts={
            "warning_id": row.id,
            "state": state,
            "planned": {channel: cell.planned for channel, cell in found.channels.items()},
            "sent": {channel: cell.sent for channel, cell in found.channels.items()},
            "delivered": {channel: cell.delivered for channel, cell in found.channels.items()},
            "failed": found.total.failed + found.total.missed,
        },
    )
