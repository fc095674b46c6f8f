"""The demo: a whole night in a minute. A red rainstorm warning for the city reaches everybody in it; then a polygon.

The warning comes in by the broker like any other and goes out over HTTP to servers in a process of their own; what was
lost or doubled is counted by a third process. It must be honest: it ends with 0 only if nothing was lost and every row
was delivered or refused by name. With `serve` it stays open afterwards (demo_open.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dispatcher import reporting
from dispatcher.broker.contract import Parcel
from dispatcher.registry import sample
from dispatcher.rehearsal import demo_open, demo_stage, demo_warnings, landing
from dispatcher.rehearsal.demo_screen import Screen
from dispatcher.rehearsal.demo_stage import StageFailed
from dispatcher.rehearsal.demo_telling import Landed, refusal_facts, tell_landed, tell_outside, tell_refused
from dispatcher.rehearsal.demo_timing import Letter
from dispatcher.rehearsal.demo_world import slowed
from dispatcher.rehearsal.founding import found_city
from dispatcher.rehearsal.report import Night, write_report
from dispatcher.service.assembly import clock
from dispatcher.service.running import ROLES
from dispatcher.service.serving import Rehearsal, Serving, serving
from dispatcher.settings import PROJECT, Settings
from dispatcher.store.rejects import Refusal
from dispatcher.store.warnings import WarningRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the command line asked for."""

    officers: int = 3_200
    residents: int = 2_000
    warning: Path | None = None
    serve: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How it ended. `facts` are the keys of `demo --json`."""

    ok: bool
    facts: Mapping[str, Any]


async def run(wish: Wish, screen: Screen, tell: Callable[[Mapping[str, Any]], None]) -> bool:
    """The whole story, whether it ended well; with `serve`, until Ctrl-C or SIGTERM. `tell` is told the facts as soon as they
    stand: `demo --json`."""
    if wish.serve:
        demo_open.refuse_in_production()
    body = await asyncio.to_thread(_own, wish.warning) if wish.warning else None
    folder = demo_stage.new_folder("demo", clock())
    screen.title("鸣锣演示：一份红色预警怎样到达每一个人（合成数据，只在本机 127.0.0.1）")
    with demo_stage.logging_to(folder / "service.log"):
        async with demo_stage.city(folder) as place:
            settings = _settings(folder, place, serve=wish.serve)
            people = sample.Wish(
                gateways_at=f"{place.url('gateway')}/gateways",
                endpoints_at=f"{place.url('platform')}/platforms",
                officers=wish.officers,
                residents=wish.residents,
            )
            await found_city(settings, place, people, screen)
            async with serving(settings, roles=ROLES, rehearsal=Rehearsal(links=wish.serve)) as live:
                await place.report_to(live.url)
                screen.line(f"  服务已启动，数据库 {_short(folder)}/mingluo.db，控制台 {live.url}")
                told = await _night(live, folder, body, screen)
                if not wish.serve:
                    _tell_onward(screen, told)
                    tell(told.facts)
                    return told.ok
                found = await demo_open.opened(live, screen)
                tell({**told.facts, **found.facts})
                await demo_open.until_told_to_stop(found)
                return told.ok


def _settings(folder: Path, place: demo_stage.City, *, serve: bool) -> Settings:
    if not serve:
        return demo_stage.settings_for(folder, place)
    return slowed(demo_stage.settings_for(folder, place, MINGLUO_LISTEN=demo_open.listen_at()))


def _own(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StageFailed(f"读不到 {path}（{error.strerror}）：请核对文件名") from error


async def _night(live: Serving, folder: Path, body: bytes | None, screen: Screen) -> Told:
    first = await _land(live, body or demo_warnings.filled(demo_warnings.WHOLE_CITY, clock()), screen)
    if not isinstance(first, Landed):
        tell_refused(screen, first)
        return Told(ok=False, facts=refusal_facts(first))
    tell_landed(screen, first)
    landed = [first]
    if body is None:
        screen.title("第二份预警：只圈住遂川县两个乡镇的一部分")
        second = await _land(live, demo_warnings.filled(demo_warnings.TWO_TOWNSHIPS, clock()), screen)
        if not isinstance(second, Landed):
            tell_refused(screen, second)
            return Told(ok=False, facts=refusal_facts(second))
        tell_outside(screen, first, second)
        landed.append(second)
    with screen.working("独立核对：冻结的名单与各发送对象自己的记录"):
        checked = await landing.audited(folder)
    with screen.working("写报告"):
        ok = checked["lost"] == 0 and all(one.excused for one in landed)
        night = Night(register=await live.context.register(), landed=landed, checked=checked, ok=ok)
        report = await asyncio.to_thread(write_report, folder, night)
    _tell_end(screen, checked, report, ok=ok)
    return Told(ok=ok, facts=_facts(landed, checked, report))


async def _land(live: Serving, body: bytes, screen: Screen) -> Landed | WarningRow | Refusal:
    """Bytes to the broker, and everything until nothing waits any more."""
    context = live.context
    parcel = Parcel(routing_key=demo_warnings.SOURCE, content_type=demo_warnings.CONTENT_TYPE, body=body)
    screen.line(f"  {len(body):,} 字节交给消息代理（来源 {demo_warnings.SOURCE}），走与正式环境同一入口")
    row = await landing.handed_in(live, parcel)
    if isinstance(row, Refusal) or not row.rows_planned:
        return row
    screen.line(f"  {row.headline}")
    with screen.landing() as show:
        await landing.watch(context, row.id, show)
    letter = Letter(body=body, content_type=demo_warnings.CONTENT_TYPE, source=demo_warnings.SOURCE)
    return await landing.landed(context, row.id, letter)


def _facts(landed: list[Landed], checked: Mapping[str, Any], report: Path) -> Mapping[str, Any]:
    """The keys of INTERFACES 2, about the first warning; `second` and the rest come on top."""
    first = landed[0]
    cells, times = first.by_channel(), first.summary.times
    return {
        "warning_id": first.summary.warning.id,
        "officers": first.resolution.officers,
        "planned": {str(channel): cell.planned for channel, cell in cells.items()},
        "sent": {str(channel): cell.sent for channel, cell in cells.items()},
        "delivered": {str(channel): cell.delivered for channel, cell in cells.items()},
        "failed": first.summary.total.failed + first.summary.total.missed,
        "answered": reporting.ANSWERED,
        "lost": checked["lost"],
        "duplicates": checked["duplicates"],
        "resolve_ms": first.resolution.ms,
        "accept_to_first_send_ms": times.accept_to_first_ms,
        "accept_to_last_send_ms": times.accept_to_last_ms,
        "messages_per_s": times.messages_per_s,
        "report": str(report),
        "informants": first.resolution.informants,
        "residents": first.resolution.residents,
        "unplanned": checked["unplanned"],
        "synthetic": True,
        "second": _second(landed[1]) if len(landed) > 1 else None,
    }


def _second(landed: Landed) -> Mapping[str, Any]:
    return {
        "warning_id": landed.summary.warning.id,
        "officers": landed.resolution.officers,
        "informants": landed.resolution.informants,
        "villages": landed.resolution.villages,
        "delivered": landed.summary.total.delivered,
        "planned": landed.summary.total.planned,
        "outside": [{"name": one.name, "area": one.area_name, "km": one.distance_km, "why": one.reason}
                    for one in landed.resolution.outside],
    }  # fmt: skip


def _tell_end(screen: Screen, checked: Mapping[str, Any], report: Path, *, ok: bool) -> None:
    verdict = f"丢失 {checked['lost']}，重复 {checked['duplicates']}，多发 {checked['unplanned']}"
    screen.line(f"  冻结名单 {checked['planned']:,} 行，对方记录 {checked['logged']:,} 条：{verdict}")
    if ok:
        screen.line("\n没有一条丢失：每一行都已送达，或有名有姓地被拒", style="bold green")
    else:
        screen.line("\n有没送到、又说不出原因的行：请看报告和台账", style="bold red")
    screen.line(f"报告：{_short(report)}（旁边有 report.txt 和 map.svg）")


def _tell_onward(screen: Screen, told: Told) -> None:
    if "report" not in told.facts:
        return
    screen.line("接下来可以：")
    for command in (f"xdg-open '{_short(Path(told.facts['report']))}'", "make demo ARGS=--serve", "make serve"):
        screen.line(f"  {command}")


def _short(path: Path) -> str:
    """As it is typed from the project's folder."""
    return str(path.relative_to(PROJECT)) if path.is_relative_to(PROJECT) else str(path)
