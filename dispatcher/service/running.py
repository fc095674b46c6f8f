"""The running service: its tasks, its ticks, its readiness, and how it stops.

It must survive any of its ticks failing (said, counted, tried again at the next), the broker or database away at start, and
SIGTERM in the middle of a fan-out: it opens nothing more, waits for what is under way, and leaves no row in doubt.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from dispatcher import outbox
from dispatcher.broker.contract import ACK, BrokerUnavailable, Handled, Health, Inbound, NotNow, Reject
from dispatcher.model import Channel, Verdict
from dispatcher.pipeline.accept import Answer, Incoming, accept
from dispatcher.pipeline.anchor import anchor_due
from dispatcher.pipeline.follow import Follower
from dispatcher.pipeline.freeze import warm
from dispatcher.pipeline.page import Looked, ink_slips_due, refusals_due, reviews_due, send_pages, sign_off_due
from dispatcher.pipeline.retain import retain_due
from dispatcher.pipeline.settle import finish
from dispatcher.pipeline.text_code import keep_texting
from dispatcher.pipeline.watch import Watched, watch
from dispatcher.pipeline.withdraw import expire_due
from dispatcher.receipts import ReceiptBook
from dispatcher.service.assembly import Parts, close, incoming_of
from dispatcher.service.gauges import LeftBehind, gather, sweep
from dispatcher.service.upstream import Standing, Upstream
from dispatcher.store import nodes
from dispatcher.store.engine import database_is_away
from dispatcher.telemetry import ACCEPT_SECONDS, ACCEPTED, CANARY_AGE, REJECTED

log = structlog.get_logger()

ROLES = frozenset({"web", "intake", "send", "timers"})
OUTER_ROLE = "public"
"""For a process in the outer zone: the address that providers call back, without console and API. `web` has that too."""
CANARY_EVERY_S = 5.0
WATCH_EVERY_S = 5.0
ANCHOR_LOOK_S = 60.0
RETAIN_LOOK_S = 60.0
PAPER_LOOK_S = 60.0
DATABASE_S = 3.0
"""How long the database may take to answer a question about its health."""
AT_ONCE = 8
"""Warnings judged at the same time, whatever the door: each takes a connection, and a second one to see whether the
register is still the same. Sixty of them once held every connection of the pool, and waited for each other's."""
TICK_S = 3.0
"""How long a stop waits for the ticks under way."""

logging.getLogger("apscheduler").setLevel(logging.ERROR)  # a tick skipped on a busy machine is no news


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """`problems` is empty when the service may be relied on; one Chinese sentence each. `notices`: what somebody has to
    mend although a reserve carries it."""

    problems: tuple[str, ...]
    notices: tuple[str, ...]
    broker: Health
    database_ms: float
    clock_skew_s: float
    providers_off: dict[str, str]
    synthetic: bool


class Service:
    """`run` until `stop` is set. `book` and `parts` are for the web."""

    def __init__(self, parts: Parts, roles: frozenset[str] = ROLES) -> None:
        self.parts = parts
        self.context = parts.context
        self.book = ReceiptBook(parts.context.store, parts.context.now)
        self._roles = roles
        self._left_behind = LeftBehind()
        self._places = asyncio.Semaphore(AT_ONCE)
        self._ticking = 0
        self._no_tick = asyncio.Event()
        self._no_tick.set()
        self._watched = Watched()
        self.upstream = Upstream(parts.context, parts.fetcher, self.accept)
        self._followers = {
            (channel, drill): Follower(
                context=parts.context,
                book=self.book,
                desk=parts.desk,
                lookup=parts.book.find,
                askers={channel: asker},
                now=parts.context.now,
                drill=drill,
                after_s={channel: after_s},
            )
            for (channel, drill), (asker, after_s) in parts.providers.askers().items()
        }

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Service]:
        """Everything this process does, while the block lasts; drained at its end."""
        scheduler = self._scheduler()
        await warm(self.context)
        await self.parts.broker.start()
        tasks = asyncio.TaskGroup()
        try:
            async with tasks:
                running = [
                    tasks.create_task(work(), name=name)
                    for role, name, work in self._work()
                    if role in self._roles or role == "always"
                ]
                scheduler.start()
                try:
                    yield self
                finally:
                    await self._stop_ticks(scheduler)
                    await self._drain()
                    for task in running:
                        task.cancel()
        finally:
            await self.parts.broker.close()
            await close(self.parts)

    def _work(self) -> list[tuple[str, str, Callable[[], Coroutine[None, None, None]]]]:
        return [
            ("always", "receipts", self.book.run),
            ("send", "dispatcher", self.parts.dispatcher.run),
            ("intake", "consumer", lambda: self.parts.broker.consume(self.handle)),
            ("timers", "codes by SMS", lambda: keep_texting(self.context, self.parts.providers.pagers().get(False))),
            *([("timers", "leader", self.upstream.leader.run)] if self.upstream.pollers else []),
        ]

    async def _stop_ticks(self, scheduler: AsyncIOScheduler) -> None:
        """No new tick begins; one under way is let finish, because APScheduler would cut it off in the middle."""
        scheduler.remove_all_jobs()
        try:
            async with asyncio.timeout(TICK_S):
                await self._no_tick.wait()
        except TimeoutError:
            log.warning("停机时有定时任务还没有做完，已中断")
        scheduler.shutdown(wait=False)

    async def _drain(self) -> None:
        if "send" in self._roles and not await self.parts.dispatcher.drain():
            log.warning("停机时仍有发送没有结果，下次启动会逐行标记后处理", rows=self.parts.dispatcher.unsettled)

    async def handle(self, inbound: Inbound) -> Handled:
        """The broker's handler: acknowledged right after the intake transaction."""
        incoming = incoming_of(inbound, self.parts.settings)
        try:
            answer = await self.accept(incoming)
        except Exception as error:
            if database_is_away(error):
                raise NotNow("数据库暂时不可用") from error
            raise
        if answer.verdict is Verdict.REJECT:
            return Reject(code=int(answer.code or 0), reason=answer.reason, source=incoming.source)
        return ACK

    async def accept(self, incoming: Incoming) -> Answer:
        """The one way in, for every door."""
        with ACCEPT_SECONDS.time():
            async with self._places:
                answer = await accept(self.context, incoming)
        ACCEPTED.labels(incoming.door, answer.verdict).inc()
        if answer.verdict is Verdict.REJECT:
            REJECTED.labels(str(int(answer.code or 0))).inc()
        return answer

    # ── ticks ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _scheduler(self) -> AsyncIOScheduler:
        """APScheduler only ticks: what is due stands in tables, so a missed tick costs nothing but its period."""
        scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )
        ticks: list[tuple[str, float, Callable[[], Awaitable[object]]]] = [("链路自检", CANARY_EVERY_S, self._canary)]
        if self.upstream.pollers:
            ticks.append(("上游状态", CANARY_EVERY_S, lambda: self.upstream.gauge(self.context.now())))
        if "timers" in self._roles:
            ticks += [
                ("日志锚点", ANCHOR_LOOK_S, lambda: anchor_due(self.context)),
                ("到期清理", RETAIN_LOOK_S, lambda: retain_due(self.context)),
                ("过期检查", 1.0, lambda: expire_due(self.context)),
                ("完成检查", 0.5, partial(finish, self.context, {})),
                ("催签", 1.0, lambda: sign_off_due(self.context)),
                ("拒发通知", 1.0, partial(refusals_due, self.context, Looked())),
                ("值班记事", WATCH_EVERY_S, self._watch),
                ("补签提醒", PAPER_LOOK_S, lambda: ink_slips_due(self.context)),
                ("复核提醒", PAPER_LOOK_S, lambda: reviews_due(self.context)),
                ("通知签发人", 1.0, partial(send_pages, self.context, self.parts.providers.pagers())),
                ("事件外发", 0.5, lambda: outbox.relay(self.context.store, self.parts.broker, self.context.now)),
            ]
            # A tick a channel: ten thousand numbers to look up must not keep a loudspeaker from being asked.
            ticks += [
                (f"追问{'演练' if drill else ''}结果：{channel.chinese}", 0.5, one.look)
                for (channel, drill), one in self._followers.items()
            ]
            ticks += [(f"上游：{source}", 1.0, partial(self.upstream.turn, source)) for source in self.upstream.pollers]
        for name, every_s, work in ticks:
            scheduler.add_job(self._tick, "interval", seconds=every_s, args=(name, work), id=name)
        scheduler.add_job(self._tick, args=("链路自检", self._canary), id="首次链路自检")
        return scheduler

    async def _tick(self, name: str, work: Callable[[], Awaitable[object]]) -> None:
        self._ticking += 1
        self._no_tick.clear()
        try:
            await work()
        except BrokerUnavailable as error:
            log.warning("消息代理暂时不可用，稍后再试", tick=name, error=str(error))
        except Exception as error:
            if not database_is_away(error):
                log.exception("定时任务出错，下一次再试", tick=name)
            else:
                log.warning("数据库暂时不可用，稍后再试", tick=name, error=type(error).__name__)
        finally:
            self._ticking -= 1
            if not self._ticking:
                self._no_tick.set()

    async def _canary(self) -> None:
        now = self.context.now()
        await self.parts.broker.canary(now)
        health = await self._broker_health(now)
        if health.canary_age_s is not None:
            CANARY_AGE.labels(health.name).set(health.canary_age_s)
        gather(self.parts.dispatcher)
        self._left_behind = await sweep(self.context.store, now)

    async def _watch(self) -> None:
        found = await self.readiness()
        await watch(self.context, self._watched, (*found.problems, *found.notices))

    # ── readiness ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def readiness(self) -> Readiness:
        """Each dependency by name, with how old its proof is."""
        problems: list[str] = []
        now, skew, took, seen, upstream = self.context.now(), 0.0, 0.0, None, Standing()
        try:
            # asked once: on a line that swallows each question costs its limit, and two more seconds to give up the line
            async with asyncio.timeout(DATABASE_S), self.context.store.read() as tx:
                skew = (now - (await nodes.database_now(tx)).astimezone(UTC)).total_seconds()
                seen = (await nodes.canary_times(tx)).get(self.parts.settings.service.node)
                upstream = await self.upstream.standing(tx)
            took = (self.context.now() - now).total_seconds() * 1000
        except Exception as error:  # noqa: BLE001 - whatever keeps the database from answering is what we report
            problems.append(f"数据库没有应答（{type(error).__name__}）")
        broker = await self.parts.broker.ready(now, seen)
        if broker.problem:
            problems.append(f"消息代理：{broker.problem}")
        if abs(skew) > 2:
            problems.append(f"本机时钟与数据库相差 {skew:.1f} 秒")
        problems += [f"{channel.chinese}发不出去：{self._why_dumb(channel)}" for channel in self._dumb_channels()]
        dumb, notices = self._faults()
        problems += dumb
        notices += self.upstream.notices(upstream, now) if took else ()
        problems += self._behind()
        register = await self.context.register() if took else None
        if register is not None and not register.officers:
            problems.append("登记册是空的：请先 mingluo registry sample 或 import")
        return Readiness(
            problems=tuple(problems),
            notices=tuple(notices),
            broker=broker,
            database_ms=round(took, 1),
            clock_skew_s=round(skew, 3),
            providers_off={f"{channel}.{name}": why for (channel, name), why in self.parts.providers.off.items()},
            synthetic=register.synthetic if register else False,
        )

    def _faults(self) -> tuple[list[str], list[str]]:
        """Providers that refuse our account: a problem where no reserve is left, else a notice; a drill's is never more than
        that. And whether anything was stopped between drill and live."""
        problems: list[str] = []
        notices: list[str] = []
        if mixed := self.parts.dispatcher.mixed:
            notices.append(f"已拦下 {mixed:,} 条演练与实战混用的消息（240）：请查日志，立即查明原因")
        for (channel, drill), outlet in self.parts.dispatcher.outlets.items():
            refusing = [one for one in outlet.standings if one.account_fault]
            told = notices if drill or len(refusing) < len(outlet.standings) else problems
            told += [
                f"{Channel(channel).chinese}的服务商 {one.name} 拒绝本单位账户，请立即核对：{one.account_fault}"
                for one in refusing
            ]
        return problems, notices

    def _behind(self) -> list[str]:
        found = self._left_behind
        if not (found.overdue or found.orphaned):
            return []
        return [f"有 {found.overdue} 行到时未重发、{found.orphaned} 批无人接手：请检查承担 send 角色的进程是否在运行"]

    def _dumb_channels(self) -> list[Channel]:
        wired = self.parts.providers.channels(drill=False)
        used = {channel for policy in self.parts.settings.policy.levels.values() for channel in policy.channels}
        return sorted(channel for channel in used if channel not in wired)

    def _why_dumb(self, channel: Channel) -> str:
        why = self.parts.providers.why_off(channel, drill=False)
        return "；".join(why) or "没有可用的发送接口，请在 channels.yaml 配置"

    async def _broker_health(self, now: datetime) -> Health:
        try:
            async with asyncio.timeout(DATABASE_S), self.context.store.read() as tx:
                seen = (await nodes.canary_times(tx)).get(self.parts.settings.service.node)
        except Exception as error:
            if not database_is_away(error):
                raise
            seen = None
        return await self.parts.broker.ready(now, seen)
