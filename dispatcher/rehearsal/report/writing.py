"""The three files. The HTML one asks nothing of the network: style, script, map and ledger times stand in it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dispatcher.model import BEIJING
from dispatcher.registry.register import Register
from dispatcher.rehearsal.demo_telling import Landed, county_rows, outside_lines, time_lines, trouble_lines
from dispatcher.rehearsal.report import drawing
from dispatcher.rehearsal.report.replay import STEPS, Replay, replay
from dispatcher.reporting import ANSWERED, Cell

HERE = Path(__file__).parent
TEMPLATES = (HERE, HERE.parent / "drill")
MARKS = "示意图 · 合成数据"
PLACES = (
    "县（市、区）界：天地图。乡镇、村界为合成示意。地点：GeoNames（CC BY 4.0）、Vonng/adcode（CC BY 4.0，坐标已由 GCJ-02 "
    "转为 WGS-84）。示意图。"
)
ATTRIBUTION = f"{PLACES}合成数据：人员、号码、网关、住户都是虚构的。"
HEADERS = ("渠道", "计划", "已发", "送达", "应答", "失败", "不予发送")
COUNTY_HEADERS = ("县（市、区）", "短信 送达/计划", "大喇叭", "党建平台", "未达")
EVENT_CHINESE = {
    "warning.accepted": "接收并入库",
    "warning.approved": "放行（直通来源）",
    "warning.dispatched": "全部发出",
    "warning.completed": "每一行都有了结果",
    "warning.superseded": "被新版本取代",
    "warning.cancelled": "解除",
    "warning.expired": "到期",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """Everything the report is made of."""

    register: Register
    landed: Sequence[Landed]
    checked: Mapping[str, Any]
    """What the process apart found."""
    ok: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """One warning, ready for the template."""

    headline: str
    channels: list[tuple[str, ...]]
    counties: list[tuple[str, ...]]
    times: list[str]
    troubles: list[str]
    happened: list[tuple[str, str]]
    outside: list[str]
    holes: list[str]
    box: str
    style: str
    map: str
    curve: str


def write_report(folder: Path, night: Night) -> Path:
    """Writes report.html, report.txt and map.svg; returns the first."""
    shown = drawing.picture(night.register)
    replays = [replay(night.register, one.summary, one.entries) for one in night.landed]
    numbered = enumerate(zip(night.landed, replays, strict=True))
    chapters = [chapter(shown, number, one, told) for number, (one, told) in numbered]
    (folder / "map.svg").write_text(
        drawing.final_map(shown, night.landed[0].summary, replays[0], MARKS), encoding="utf-8"
    )
    (folder / "report.txt").write_text("\n".join(_plain(night, chapters)) + "\n", encoding="utf-8")
    page = folder / "report.html"
    page.write_text(_html(night, chapters, replays), encoding="utf-8")
    return page


def channel_rows(landed: Landed) -> list[tuple[str, ...]]:
    rows = [(channel.chinese, cell) for channel, cell in landed.by_channel().items() if cell.planned]
    return [_row(name, cell) for name, cell in [*rows, ("合计", landed.summary.total)]]


def _row(name: str, cell: Cell) -> tuple[str, ...]:
    numbers = (cell.planned, cell.sent, cell.delivered, ANSWERED, cell.failed + cell.missed,
               cell.suppressed + cell.ended)  # fmt: skip
    return name, *(f"{number:,}" for number in numbers)


def chapter(shown: drawing.Picture, number: int, landed: Landed, told: Replay) -> Chapter:
    """`number`: its place on the page, which its map is called by."""
    found = landed.summary
    box, scale = drawing.zoom(shown, found)
    return Chapter(
        headline=found.warning.headline,
        channels=channel_rows(landed),
        counties=county_rows(found.counties),
        times=time_lines(landed),
        troubles=trouble_lines(found),
        happened=[(at_clock(one.at), EVENT_CHINESE.get(one.kind, one.kind)) for one in landed.events],
        outside=outside_lines(landed.resolution),
        holes=[f"{area}：{why}" for area, why in found.holes],
        box=box,
        style=drawing.style(f"#map{number} ", scale),
        map=drawing.body(shown, found, told, scale),
        curve=_curves(told),
    )


def _curves(told: Replay) -> str:
    """Sent and delivered over time, as two lines in a box of STEPS by 100."""
    most = max(*told.sent, *told.delivered, 1)
    return "".join(
        f'<polyline class="{name}" points="{" ".join(f"{x},{100 - y * 96 / most:.1f}" for x, y in enumerate(line))}"/>'
        for name, line in (("sent", told.sent), ("got", told.delivered))
    )


def _html(night: Night, chapters: list[Chapter], replays: list[Replay]) -> str:
    return render(
        "report.html",
        chapters,
        replays,
        checked=night.checked,
        ok=night.ok,
        made=at_clock(night.landed[-1].summary.times.last_sent, "%Y-%m-%d %H:%M"),
        total=night.landed[0].summary.total,
    )


def render(template: str, chapters: Sequence[Chapter], replays: Sequence[Replay], **more: object) -> str:
    """A page that stands alone: style, script and the ledger's times lie in it. `template`: of this folder or a drill's."""
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    data = json.dumps({"steps": STEPS, "ramp": drawing.RAMP, "warnings": [one.data for one in replays]})
    given = {
        "chapters": chapters,
        "headers": HEADERS,
        "county_headers": COUNTY_HEADERS,
        "marks": MARKS,
        "attribution": ATTRIBUTION,
        "style": (HERE / "report.css").read_text(encoding="utf-8"),
        "script": (HERE / "report.js").read_text(encoding="utf-8"),
        "data": data.replace("</", "<\\/"),
    }
    page: str = environment.get_template(template).render({**given, **more})
    return page


def _plain(night: Night, chapters: list[Chapter]) -> Iterator[str]:
    checked = night.checked
    yield f"鸣锣 演示报告（{MARKS}）"
    yield f"独立核对：名单 {checked['planned']:,} 行，对方记录 {checked['logged']:,} 条"
    yield f"丢失 {checked['lost']}，重复 {checked['duplicates']}，多发 {checked['unplanned']}"
    for number, chapter in enumerate(chapters):
        yield ""
        yield f"■ {chapter.headline}"
        yield from (f"  {line}" for line in (*chapter.times, *chapter.troubles))
        yield from (f"  {at}  {what}" for at, what in chapter.happened)
        yield from (f"  {'  '.join(row)}" for row in (HEADERS, *chapter.channels))
        if number == 0:
            yield ""
            yield from (f"  {'  '.join(row)}" for row in (COUNTY_HEADERS, *chapter.counties))
        else:
            yield from (f"  {line}" for line in ("紧挨着区域、没有打扰的人：", *chapter.outside))
        yield from (f"  收不到：{hole}" for hole in chapter.holes)
    yield ""
    yield ATTRIBUTION


def at_clock(at: datetime | None, form: str = "%H:%M:%S.%f") -> str:
    if at is None:
        return "—"
    text = at.astimezone(BEIJING).strftime(form)
    return text[:-3] if form.endswith("%f") else text
