"""`mingluo check`: the doctor. Each thing the service leans on in one line; it changes nothing and sends nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import typer

from channels.transport import Transport
from dispatcher.commands.ground import where, without_password
from dispatcher.commands.telling import emit, finish, say, sentence_of
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.poll import ask_for, entries_of
from dispatcher.polling.fetching import Document, Failed, Fetcher
from dispatcher.polling.reading import NotAFeed
from dispatcher.registry import verifying
from dispatcher.registry.register import count_units
from dispatcher.service import schema
from dispatcher.service.assembly import Providers, broker_of, clock, fetcher_of, open_context, providers_of
from dispatcher.service.listening import address
from dispatcher.settings import Feed, Settings, load
from dispatcher.store import nodes, queues, uplinks
from dispatcher.store.sealed import WrongKey

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
SKEW_S = 2.0
STUCK_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing looked at; `problem` is empty when all is well."""

    name: str
    detail: str
    problem: str = ""


@app.command(name="check")
def command(json: Annotated[bool, typer.Option("--json", help="最后一行输出一个 JSON 对象")] = False) -> None:
    """体检：配置、数据库、结构、密钥、时钟、消息代理、登记册、发送接口、上游目录、队列。有一项不对，退出码为 1。"""
    lines = finish(_check())
    for line in lines:
        mark = "✗" if line.problem else "✓"
        say(f"{mark} {line.name}　{line.detail}{'　' if line.detail and line.problem else ''}{line.problem}")
    problems = [line.problem for line in lines if line.problem]
    say(f"有 {len(problems)} 项不对，请按上面的说明处理" if problems else "一切正常")
    if json:
        told = [{"name": line.name, "detail": line.detail, "problem": line.problem} for line in lines]
        emit({"ok": not problems, "checks": told})
    raise typer.Exit(1 if problems else 0)


async def _check() -> list[Line]:
    settings = load()
    address(settings.service.listen)
    found = providers_of(settings, Transport(loopback=not settings.production), "http://127.0.0.1")
    lines = [
        Line(name="配置", detail=f"{settings.config}，环境 {settings.service.profile}"),
        _providers(settings, found),
        _drill_providers(found),
        *await _feeds(settings),
    ]
    async with _database(settings, lines) as context:
        if context is not None:
            lines += [await look(context) for look in (_clock, _broker, _queues, _uplinks, _register)]
    return lines


def _providers(settings: Settings, found: Providers) -> Line:
    on = "、".join(f"{channel}.{name}" for (channel, name), paced in found.on.items() if not paced.drill)
    used = {channel for policy in settings.policy.levels.values() for channel in policy.channels}
    missing = sorted(used - found.channels(drill=False))
    off = [why for channel in missing for why in found.why_off(channel, drill=False)]
    dumb = [f"{channel.chinese}没有可用的发送接口" for channel in missing]
    return Line(name="发送接口", detail=on or "一个也没有启用", problem="；".join(off or dumb))


def _drill_providers(found: Providers) -> Line:
    """A house without any is whole: its drills are kept and planned, and nothing of them leaves."""
    on = "、".join(f"{channel}.{name}" for (channel, name), paced in found.on.items() if paced.drill)
    return Line(name="演练接口", detail=on or "一个也没有启用：演练只登记，不发送")


async def _feeds(settings: Settings) -> list[Line]:
    fetcher = fetcher_of(settings)
    try:
        return [
            await _feed(fetcher, f"上游 {source.name}", source.feed)
            for source in settings.sources.values()
            if source.feed is not None
        ]
    finally:
        await fetcher.close()


async def _feed(fetcher: Fetcher, name: str, feed: Feed) -> Line:
    """Read as the service reads it; and whether what it lists would be asked for. Nothing is taken in."""
    ask = ask_for(feed)
    found = await fetcher.get(ask, clock())
    if not isinstance(found, Document):
        return Line(name=name, detail=feed.url, problem=found.reason if isinstance(found, Failed) else "应答里没有内容")
    try:
        entries = entries_of(found)
    except NotAFeed as error:
        return Line(name=name, detail=feed.url, problem=str(error))
    refused = [why for entry in entries if entry.href and (why := fetcher.refuses(entry.href, ask))]
    problem = f"有 {len(refused)} 份预警读不到：{refused[0]}" if refused else ""
    return Line(name=name, detail=f"{feed.url}，{len(entries)} 条", problem=problem)


@asynccontextmanager
async def _database(settings: Settings, lines: list[Line]) -> AsyncIterator[Context | None]:
    """Yields None where nothing further can be looked at."""
    context = None
    try:
        outdated = await schema.check(settings)
        lines.append(Line(name="数据库", detail=where(settings), problem=outdated))
        if not outdated:
            context = await open_context(settings)
            lines.append(Line(name="密封密钥", detail="与数据库相符"))
    except Exception as error:
        problem = sentence_of(error)
        if problem is None:
            raise
        if isinstance(error, WrongKey):
            problem = f"{problem}：请把 MINGLUO_SEAL_KEY 改回建库时的那一把；其余各项要等它改好才能查"
            lines.append(Line(name="密封密钥", detail="", problem=problem))
        else:
            lines.append(Line(name="数据库", detail=where(settings), problem=f"{problem}；其余各项要等它可用才能查"))
    try:
        yield context
    finally:
        if context is not None:
            await context.store.close()


async def _clock(context: Context) -> Line:
    async with context.store.read() as tx:
        skew = (clock() - (await nodes.database_now(tx)).astimezone(UTC)).total_seconds()
    ahead = "早" if skew < 0 else "晚"
    problem = f"本机时钟比数据库{ahead} {abs(skew):.1f} 秒：请校时" if abs(skew) > SKEW_S else ""
    return Line(name="时钟", detail=f"与数据库相差 {abs(skew):.1f} 秒", problem=problem)


async def _broker(context: Context) -> Line:
    """The line and the topology; the way in is proven by whoever serves."""
    service, now = context.settings.service, clock()
    async with context.store.read() as tx:
        proven = (await nodes.canary_times(tx)).get(service.node)
    broker = broker_of(context)
    try:
        await broker.start()
        health = await broker.ready(now, proven or now)
    finally:
        await broker.close()
    age = f"，{service.node} 的探测消息 {_age(proven, now)}前来过" if proven else "，还没有服务的探测消息来过"
    return Line(name="消息代理", detail=f"{without_password(service.broker_url)}{age}", problem=health.problem)


async def _queues(context: Context) -> Line:
    async with context.store.read() as tx:
        found = await queues.waiting(tx)
    now = clock()
    detail = (
        f"待收 {found.inbox:,}，待外发事件 {found.outbox:,}，在发分块 {found.chunks:,}，待重试 {found.rows:,}，"
        f"已拒收 {found.rejects:,}"
    )
    return Line(name="队列", detail=detail, problem="；".join(_stuck(found, now)))


async def _uplinks(context: Context) -> Line:
    """Nobody interprets them yet: whoever is on duty should know that there are some."""
    async with context.store.read() as tx:
        heard = await uplinks.heard(tx)
    last = f"，最近一条 {_age(heard.last_at, clock())}前收到" if heard.last_at else ""
    return Line(name="上行短信", detail=f"留存 {heard.count:,} 条{last}")


def _stuck(found: queues.Queues, now: datetime) -> Iterator[str]:
    for what, oldest in (("收件", found.oldest_inbox), ("外发事件", found.oldest_outbox)):
        if oldest is not None and (now - oldest).total_seconds() > STUCK_S:
            yield f"{what}等了 {_age(oldest, now)}：请确认 mingluo serve 正在运行"


async def _register(context: Context) -> Line:
    register = await context.register()
    if not register.officers:
        return Line(
            name="登记册", detail="空的", problem="谁也通知不到：请运行 mingluo registry import（试用：sample）"
        )
    units = count_units(register.areas.values())
    holes = len(verifying.verify(register))
    detail = (
        f"乡级单位 {units.total}，村 {len(register.geofence.village_codes):,}，岗位人员 {len(register.officers):,}，"
        f"网关 {len(register.gateways):,}{'，合成数据' if register.synthetic else ''}"
    )
    problem = f"有 {holes:,} 处会让人收不到预警：请运行 mingluo registry verify" if holes else ""
    return Line(name="登记册", detail=detail, problem=problem)


def _age(at: datetime | None, now: datetime) -> str:
    seconds = (now - at).total_seconds() if at else 0.0
    return f"{seconds:.0f} 秒" if seconds < 120 else f"{seconds / 60:.0f} 分钟"
