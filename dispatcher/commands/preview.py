"""`mingluo preview FILE…`: who would be told, by which channel, when, and who would not; nothing is sent."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from channels.transport import Transport
from dispatcher.commands import letters
from dispatcher.commands.ground import settled, standing
from dispatcher.commands.letters import CannotRead
from dispatcher.commands.telling import WRONGLY_ASKED, aside, emit, fail, finish, say
from dispatcher.model import BEIJING, Channel, Code, Verdict
from dispatcher.pipeline.preview import Preview, preview
from dispatcher.planning import NOT_SENT_CHINESE
from dispatcher.service.assembly import Providers, clock, providers_of
from dispatcher.settings import BadConfiguration, load

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
SENT = "sent"
VERDICT_CHINESE = {Verdict.ACCEPT: "接收", Verdict.HOLD: "待核", Verdict.REJECT: "拒收"}
SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """`at` None: the message's own time. `source` '': the city itself asks."""

    files: list[Path]
    at: datetime | None
    source: str
    json: bool


@app.command(name="preview")
def command(
    files: Annotated[list[Path], typer.Argument(help="报文文件，可以多个", metavar="FILE…")],
    at: Annotated[str, typer.Option(help="按哪个时刻判别：sent（报文自己的时间）或 2026-11-23T02:39；默认现在")] = "",
    source: Annotated[str, typer.Option(help="按哪个来源的权限判别；默认按本市")] = "",
    json: Annotated[bool, typer.Option("--json", help="每个文件输出一行 JSON")] = False,
) -> None:
    """预览一份或几份报文：结论、会通知谁、走哪些渠道、多久发完、谁收不到。什么也不发送。"""
    question = Question(files=files, at=_moment(at), source=source, json=json)
    unreadable = finish(_preview(question))
    raise typer.Exit(WRONGLY_ASKED if unreadable else 0)


def _moment(text: str) -> datetime | None:
    if text == SENT:
        return None
    if not text:
        return clock()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fail(f"--at {text} 不是时刻：请写 sent，或 2026-11-23T02:39（北京时间）", WRONGLY_ASKED)
        raise
    return moment if moment.tzinfo else moment.replace(tzinfo=BEIJING)


async def _preview(question: Question) -> int:
    """Returns how many files could not be read."""
    settings, unreadable = load(), 0
    providers = providers_of(settings, Transport(loopback=not settings.production), "http://127.0.0.1")
    off = _switched_off(providers)
    asker = settings.sources.get(question.source)
    if question.source and asker is None:
        raise BadConfiguration(f"sources.yaml 里没有来源“{question.source}”，可用的有：{'、'.join(settings.sources)}")
    async with standing(settings) as context:
        context.drill_channels = providers.channels(drill=True)
        if not await settled(context):
            aside("登记册是空的，圈不出任何村：请先运行 mingluo registry import 或 sample")
        for path in question.files:
            try:
                letter = letters.read(path)
            except CannotRead as error:
                aside(str(error))
                unreadable += 1
                continue
            found = await preview(context, letter.body, letter.content_type, asker, question.at)
            for channel, why in off.items():
                if channel in found.channels and not found.drill:
                    found.channels[channel]["off"] = why
            if question.json:
                emit(facts(letter.name, found))
            else:
                _tell(letter.name, found)
    return unreadable


def facts(file: str, found: Preview) -> dict[str, Any]:
    """The keys of INTERFACES 2, and a few more."""
    return {
        "file": file,
        "verdict": found.verdict.value,
        "code": int(found.code) if found.code else None,
        "reason": found.reason,
        "source_format": found.source_format,
        "msg_type": str(found.msg_type),
        "drill": found.drill,
        "level": str(found.level),
        "hazard": found.hazard,
        "villages": list(found.villages),
        "villages_touched": list(found.villages_touched),
        "townships_touched": list(found.townships_touched),
        "officers": found.officers,
        "residents": found.residents,
        "gateways": found.gateways,
        "endpoints": found.endpoints,
        "offices": found.offices,
        "former": found.former,
        "already_told": found.already_told,
        "channels": found.channels,
        "unreachable": list(found.unreachable),
        "left_out": found.left_out,
        "findings": [
            {"code": int(one.code), "verdict": one.verdict.value, "reason": one.reason} for one in found.findings
        ],
        "reasons": found.reasons,
        "texts": list(found.texts),
        "remarks": [asdict(remark) for remark in found.remarks],
    }


def _tell(file: str, found: Preview) -> None:
    why = f"（{Code(found.code).chinese}）{found.reason}" if found.code else found.reason
    say(f"{file}：{VERDICT_CHINESE[found.verdict]}{why}")
    say(f"  {found.hazard or '灾种不明'} {found.level or '级别不明'}　{found.source_format} {found.msg_type}")
    say(f"  村 {len(found.villages):,}（另有 {len(found.villages_touched) - len(found.villages):,} 个只被碰到）")
    say(
        f"  岗位人员 {found.officers:,}　住户 {found.residents:,}　应急办 {found.offices:,}"
        f"　网关 {found.gateways:,}　党建平台 {found.endpoints:,}"
    )
    if found.former:
        say(f"  此前通知过、现已不在区域内：{found.former:,}，只告知这一点")
    if found.already_told:
        say(f"  先前已通知到、内容未变，不再打扰：{found.already_told:,}")
    for channel, plan in found.channels.items():
        say(f"  {Channel(channel).chinese}：{_plan(plan)}")
    for hole in found.unreachable[:SHOWN]:
        say(f"  收不到：{hole['area']} {hole['why']}")
    if len(found.unreachable) > SHOWN:
        say(f"  收不到的还有 {len(found.unreachable) - SHOWN} 处，见 --json")
    for text in found.texts[:1]:
        say(f"  例文：{text}")
    for remark in found.remarks:
        say(f"  文字{remark.severity.chinese}：{remark.sentence}")


def _plan(plan: dict[str, Any]) -> str:
    unsent = "；".join(f"{rows:,} 个{NOT_SENT_CHINESE.get(why, why)}" for why, rows in plan.get("not_sent", {}).items())
    if plan.get("suppressed"):
        return f"不发（{unsent}）"
    told = f"{plan['targets']:,} 个，每秒 {plan['rate']:g} 次，约 {plan['eta_s']:g} 秒发完"
    told += f"；不发：{unsent}" if unsent else ""
    if plan.get("waits_until"):
        told += f"；夜间不响，等到 {plan['waits_until'][11:16]} 再播"
    return told + (f"；现在发不出去：{plan['off']}" if plan.get("off") else "")


def _switched_off(found: Providers) -> dict[str, str]:
    """Channel → why nothing real can leave by it."""
    dumb = {channel for channel, _ in found.off} - found.channels(drill=False)
    return {str(channel): why for channel in dumb for why in found.why_off(channel, drill=False)}
