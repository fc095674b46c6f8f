"""`mingluo warn FILE`: a warning in, by the broker the service listens to, so that it is judged like any other."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
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
from dispatcher.model import BEIJING, Channel, Code
from dispatcher.pipeline.arrival import Awaited, arrived, awaited
from dispatcher.pipeline.context import Context
from dispatcher.rehearsal import demo_warnings
from dispatcher.service.assembly import clock
from dispatcher.service.keys import Occupied, sole_process
from dispatcher.settings import BadConfiguration, Settings, Source, load, sqlite_file
from dispatcher.states import WarningState
from dispatcher.store import ledger
from dispatcher.store.rejects import Refusal
from dispatcher.store.warnings import WarningRow

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
LOOK_S = 0.5
SILENT_S = 60.0
STILL_S = 10.0
"""How long nothing may move before it is said what is waited for."""
EARLIER = timedelta(seconds=30)
"""What was received so long before it was handed in is another copy."""
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
    file: Annotated[Path | None, typer.Argument(help="报文文件", metavar="FILE")] = None,
    source: Annotated[str, typer.Option(help="以哪个来源的名义送入（见 sources.yaml）")] = "city-weather",
    sample: Annotated[
        str, typer.Option(help="不用文件，用现成的样例（遂川两个乡镇的红色预警）：send 送入，print 打印")
    ] = "",
    wait: Annotated[bool, typer.Option("--wait", help="一直等到发完，并报出数目")] = False,
    json: Annotated[bool, typer.Option("--json", help="最后一行输出一个 JSON 对象")] = False,
) -> None:
    """送入一份预警报文；由正在运行的服务接收、判别、发送。"""
    if (file is None) is not (sample in ("send", "print")):
        fail("请给出一个报文文件，或者用 --sample send（送入样例）、--sample print（打印样例）", WRONGLY_ASKED)
    try:
        letter = _sample() if file is None else letters.read(file)
    except CannotRead as error:
        fail(str(error), WRONGLY_ASKED)
        raise
    if sample == "print":
        say(letter.body.decode("utf-8").rstrip())
        return
    deliver(letter, source, wait=wait, json=json)


def _sample() -> Letter:
    body = demo_warnings.filled(demo_warnings.TWO_TOWNSHIPS, clock())
    return Letter(name="样例报文", body=body, content_type=demo_warnings.CONTENT_TYPE)


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
            return End(ok=not wait, facts={"sent": True, "source": name})
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
    waited, began = 0.0, clock()
    aside("等它发完；按 Ctrl-C 只是不再等，预警照发")
    while (row := await arrived(context.store, what)) is None:
        if waited > SILENT_S:
            aside(f"{SILENT_S:.0f} 秒内没有被接收：请确认 mingluo serve 正在运行，并用着同一个数据库")
            return End(ok=False, facts={"sent": True, "warning_id": ""})
        await asyncio.sleep(LOOK_S)
        waited += LOOK_S
    if isinstance(row, Refusal):
        say(f"拒收：{row.reason}")
        return End(ok=False, facts={"warning_id": "", "verdict": "reject", "code": row.code, "reason": row.reason})
    if row.received_at < began - EARLIER:
        at = row.received_at.astimezone(BEIJING).strftime("%m-%d %H:%M:%S")
        say(f"同一编号先前已收过（{at}，来源 {row.source}），这一份没有再发；先前那份：")
    return await _dispatched(context, row)


async def _dispatched(context: Context, row: WarningRow) -> End:
    register = await context.register()
    told, since = "", 0.0
    while True:
        found = await reporting.summary(context.store, register, row.id)
        assert found is not None
        counted = "；".join(
            f"{Channel(channel).chinese} 已发 {cell.sent:,} 送达 {cell.delivered:,} / {cell.planned:,}"
            for channel, cell in sorted(found.channels.items())
        )
        if counted != told:
            told, since = counted, 0.0
            say(counted)
        elif (since := since + LOOK_S) == STILL_S:
            say(await _why_still(context, row))
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


async def _why_still(context: Context, row: WarningRow) -> str:
    """Said once, when nothing has moved for a while."""
    async with context.store.read() as tx:
        retrying = await ledger.retrying(tx, row.id)
        waiting = await ledger.unplanned(tx, row.id)
    said = [f"{Channel(one.channel).chinese} {one.rows:,} 条正在重试（{one.code or '等待'}）" for one in retrying]
    said += [
        f"{Channel(channel).chinese} {sum(one.size for one in waiting if one.channel == channel):,} 条还没有开始发"
        for channel in sorted({one.channel for one in waiting})
    ]
    return f"还在等：{'；'.join(said) or '回执'}；原因见 mingluo check 和控制台，会一直试到预警过期"
