"""What the demo says: the closing table, the counties, who stands just outside, and why something was refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dispatcher import reporting
from dispatcher.model import BEIJING, Channel, Code
from dispatcher.rehearsal.demo_screen import Screen
from dispatcher.rehearsal.demo_timing import Resolution
from dispatcher.reporting import Cell, Place, Summary
from dispatcher.store.events import Recorded
from dispatcher.store.ledger import Entry
from dispatcher.store.rejects import Refusal
from dispatcher.store.warnings import WarningRow

OUTSIDE_WORDS = "未通知，因为"


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """One warning after its last row ended."""

    summary: Summary
    entries: tuple[Entry, ...]
    events: tuple[Recorded, ...]
    resolution: Resolution

    @property
    def excused(self) -> bool:
        """Every planned row stands in the ledger, delivered or refused by name."""
        whole = len(self.entries) >= self.summary.warning.rows_planned
        return whole and all(reporting.excused(entry) for entry in self.entries)

    def by_channel(self) -> dict[Channel, Cell]:
        """All four channels, those nobody planned too."""
        return {channel: self.summary.channels.get(channel, Cell()) for channel in Channel}


def tell_landed(screen: Screen, landed: Landed) -> None:
    found = landed.summary
    screen.line()
    headers = ("渠道", "计划", "已发", "送达", "应答", "失败", "不予发送")
    rows = [(channel.chinese, *_cells(cell)) for channel, cell in landed.by_channel().items() if cell.planned]
    screen.table(headers, [*rows, ("合计", *_cells(found.total))])
    for line in trouble_lines(found):
        screen.line(f"  {line}", style="yellow")
    for line in time_lines(landed):
        screen.line(f"  {line}")
    screen.line("  应答（叫应）随后续版本提供，此处恒为 0：送达回执不是人的应答")
    screen.title("各县（市、区）")
    screen.table(("县（市、区）", "短信 送达/计划", "大喇叭", "党建平台", "未达"), county_rows(found.counties))


def county_rows(places: Sequence[Place]) -> list[tuple[str, ...]]:
    return [
        (
            place.name,
            *(_share(place.channels.get(channel)) for channel in (Channel.SMS, Channel.BROADCAST, Channel.PARTY)),
            f"{place.total.failed + place.total.missed:,}",
        )
        for place in places
    ]


def time_lines(landed: Landed) -> list[str]:
    times, resolution = landed.summary.times, landed.resolution
    return [
        f"收到 {_clock(landed.summary.warning.received_at)}　首发 {_clock(times.first_sent)}"
        f"（+{times.accept_to_first_ms or 0:.0f} 毫秒）　末发 {_clock(times.last_sent)}"
        f"（+{(times.accept_to_last_ms or 0) / 1000:.1f} 秒）",
        f"{_rate(landed)}圈定 {resolution.villages:,} 个村、{resolution.officers:,} 名岗位人员、"
        f"{resolution.residents:,} 户住户用时 {resolution.ms:.0f} 毫秒",
    ]


def _rate(landed: Landed) -> str:
    """Of a few dozen a rate says nothing."""
    if landed.summary.total.planned < 1000:
        return ""
    return f"发送 {landed.summary.times.messages_per_s:,.0f} 条/秒　"


def trouble_lines(found: Summary) -> list[str]:
    """Named refusals, the commonest first."""
    return [
        f"{Channel(one.channel).chinese} {one.rows:,} 条{one.state.chinese}：{one.code or '没有说明'}"
        for one in found.troubles
    ]


def tell_outside(screen: Screen, first: Landed, second: Landed) -> None:
    """3,200 → n, and who stands just outside."""
    before, after = first.resolution, second.resolution
    screen.line()
    screen.line(
        f"  灾害信息员 {before.informants:,} → {after.informants:,}"
        f"（岗位人员 {before.officers:,} → {after.officers:,}，住户 {before.residents:,} → {after.residents:,}，"
        f"村 {before.villages:,} → {after.villages:,}）",
        style="bold",
    )
    screen.line("  紧挨着区域、没有打扰的三个人：")
    for line in outside_lines(after):
        screen.line(f"    {line}")


def outside_lines(resolution: Resolution) -> list[str]:
    return [
        f"{one.name}（{one.area_name}，{one.distance_km:.2f} 公里）：{OUTSIDE_WORDS}"
        f"{one.reason.removeprefix('未通知：')}"
        for one in resolution.outside
    ]


def tell_refused(screen: Screen, what: WarningRow | Refusal | Landed) -> None:
    """The honest verdict on a warning that does not go out."""
    if isinstance(what, Refusal):
        screen.line(f"  拒收：{what.reason}（{_named(what.code)}）", style="bold red")
    elif isinstance(what, WarningRow):
        reasons = "；".join(f"{_named(int(one['code']))}：{one['reason']}" for one in what.findings)
        screen.line(f"  没有发送，状态 {what.state}：{reasons or '没有要发的行'}", style="bold yellow")


def _named(code: int) -> str:
    try:
        return Code(code).chinese
    except ValueError:
        return "处理失败"


def refusal_facts(what: WarningRow | Refusal | Landed) -> Mapping[str, Any]:
    if isinstance(what, Refusal):
        return {"warning_id": "", "verdict": "reject", "code": what.code, "reason": what.reason}
    if isinstance(what, WarningRow):
        code = int(what.findings[0]["code"]) if what.findings else 0
        return {"warning_id": what.id, "verdict": what.state, "code": code, "reason": what.state}
    return {}


def _cells(cell: Cell) -> tuple[str, ...]:
    missed = cell.failed + cell.missed
    return (
        f"{cell.planned:,}",
        f"{cell.sent:,}",
        f"{cell.delivered:,}",
        f"{reporting.ANSWERED}",
        f"{missed:,}",
        f"{cell.suppressed + cell.ended:,}",
    )


def _share(cell: Cell | None) -> str:
    return f"{cell.delivered:,}/{cell.planned:,}" if cell and cell.planned else "—"


def _clock(at: datetime | None) -> str:
    return at.astimezone(BEIJING).strftime("%H:%M:%S.%f")[:-3] if at else "—"
