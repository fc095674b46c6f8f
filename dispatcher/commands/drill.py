"""`mingluo drill list|show|play`: scenarios, played at the desk or in the field, and scored."""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from dispatcher.commands.ground import settled, standing
from dispatcher.commands.options import taking
from dispatcher.commands.telling import WRONGLY_ASKED, aside, emit, fail, finish, say
from dispatcher.pipeline.context import Context
from dispatcher.registry.register import Register
from dispatcher.registry.sample import CannotMake
from dispatcher.rehearsal import demo_stage
from dispatcher.rehearsal.demo_screen import Screen
from dispatcher.rehearsal.demo_stage import StageFailed
from dispatcher.rehearsal.drill import desk, field, report, scenario, telling
from dispatcher.rehearsal.drill.measuring import measured
from dispatcher.rehearsal.drill.playing import Play, spoken
from dispatcher.rehearsal.drill.report import Exam
from dispatcher.rehearsal.drill.scenario import Scenario
from dispatcher.rehearsal.drill.score import Proof, Score, facts, score
from dispatcher.service.assembly import clock
from dispatcher.settings import Settings, load

app = typer.Typer(
    help="演练：list、show、play。", add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False,
    no_args_is_help=True,
)  # fmt: skip
Name = Annotated[str, typer.Argument(help="剧本的名字，见 mingluo drill list", metavar="NAME")]
KEPT = ("report.html", "report.txt", "score.json")
"""Of a desk's folder, unless all is to be kept: its database and the players' logs hold phone numbers."""


class Kind(StrEnum):
    DESK = "desk"
    FIELD = "field"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the command line asked for: `mingluo drill play`."""

    name: Name
    speed: Annotated[str, typer.Option(help="倍速：1 按剧本时间，60 快六十倍，max 一步送到就下一步")] = "1"
    kind: Annotated[
        Kind, typer.Option(help="desk 桌面，只在本机；field 实地，真实号码，只通知 drills.yaml 所列的人和单位")
    ] = Kind.DESK
    dry_run: Annotated[bool, typer.Option("--dry-run", help="实地：只看会通知谁、不通知谁，不发送")] = False
    officers: Annotated[int, typer.Option(help="桌面：灾害信息员人数")] = 3_200
    residents: Annotated[int, typer.Option(help="桌面：住户人数")] = 2_000
    url: Annotated[str, typer.Option(help="实地：正在运行的服务的地址；默认按配置")] = ""
    keep: Annotated[bool, typer.Option("--keep", help="桌面：留下数据库和发送对象的记录（含号码）")] = False
    report: Annotated[Path | None, typer.Option(help="报告另存为这个文件")] = None
    json: Annotated[bool, typer.Option("--json", help="最后一行输出一个 JSON 对象")] = False

    @property
    def factor(self) -> float | None:
        """None: each step as soon as the one before it landed. ValueError where it is none."""
        if self.speed == "max":
            return None
        factor = float(self.speed)
        if not (math.isfinite(factor) and factor > 0):
            raise ValueError(self.speed)
        return factor

    @property
    def pace(self) -> str:
        factor = self.factor
        return "不等剧本时间" if factor is None else "按剧本时间" if factor == 1 else f"{factor:g} 倍速"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a play ended. `proof`: only at the desk."""

    play: Play
    register: Register
    proof: Proof | None


@app.command(name="list")
def list_() -> None:
    """有哪些剧本。"""
    for line in finish(_list()):
        say(line)


@app.command()
def show(name: Name) -> None:
    """一个剧本的时间线、区域、要求，和各渠道收到的文字。"""
    for line in finish(_show(name)):
        say(line)


def play(wish: Wish) -> None:
    """演一个剧本并评分。每条报文都是 Exercise，文字首尾都是【演练】。

    没有一步被拒收、桌面演练没有丢失、重复、多发或漏标时，退出码为 0；分数高低不影响退出码。
    """
    try:
        _ = wish.factor
    except ValueError:
        fail(f"--speed {wish.speed} 不是倍速：请写一个正数，或 max", WRONGLY_ASKED)
    if wish.dry_run and wish.kind is Kind.DESK:
        fail("--dry-run 只用于实地演练（--kind field）：桌面演练不会通知任何真实的人", WRONGLY_ASKED)
    screen = Screen(sys.stderr if wish.json else sys.stdout)
    ok, told = finish(_dry(wish, screen) if wish.dry_run else _play(wish, screen), StageFailed, CannotMake)
    if wish.json:
        emit(told)
    raise typer.Exit(0 if ok else 1)


app.command(name="play")(taking(Wish, play))


async def _list() -> list[str]:
    settings = load()
    return list(telling.listed([scenario.load(name, settings) for name in scenario.names()]))


async def _show(name: str) -> list[str]:
    settings = load()
    return list(telling.shown(scenario.load(name, settings), settings))


async def _dry(wish: Wish, screen: Screen) -> tuple[bool, Mapping[str, Any]]:
    settings = load()
    chosen = scenario.load(wish.name, settings)
    async with standing(settings) as context:
        await _peopled(context)
        odd = field.strangers(await context.register(), settings.drills.on(context.now()))
        found = await field.rehearsed(chosen, context)
    screen.title(f"【演练】{chosen.title}：按现在的 drills.yaml 会通知谁（什么也没有发送）")
    telling.tell_dry(screen, found, odd)
    return True, telling.dry_facts(found, odd)


async def _play(wish: Wish, screen: Screen) -> tuple[bool, Mapping[str, Any]]:
    settings = load({}) if wish.kind is Kind.DESK else load()
    chosen = scenario.load(wish.name, settings)
    folder = demo_stage.new_folder("drill", clock())
    _announce(wish, chosen, screen)
    ended = await (
        _at_desk(wish, chosen, folder, screen) if wish.kind is Kind.DESK else _in_field(wish, chosen, settings, screen)
    )
    found = score(
        [measured(ended.register, act, ended.play.acts) for act in ended.play.acts], chosen.expects, ended.proof
    )
    exam = Exam(play=ended.play, register=ended.register, score=found, kind=wish.kind, pace=wish.pace)
    ok = ended.play.refused is None and (ended.proof is None or ended.proof.clean)
    told = {**_facts(wish, ended, found), "ok": ok}
    page = report.write(folder, exam, told)
    telling.tell_score(screen, found, wish.kind)
    if wish.report is not None:
        page = Path(shutil.copy(page, wish.report))
    if wish.kind is Kind.DESK and not wish.keep:
        _tidy(folder)
    screen.line(f"报告：{page}")
    return ok, {**told, "report": str(page)}


def _announce(wish: Wish, chosen: Scenario, screen: Screen) -> None:
    screen.title(f"【演练】{chosen.title}　{report.KIND_CHINESE[wish.kind]}")
    length = chosen.steps[-1].after
    if wish.factor is not None:
        screen.line(f"  {wish.pace}，约 {spoken(length / wish.factor)}；加快用 --speed 60 或 --speed max")


async def _at_desk(wish: Wish, chosen: Scenario, folder: Path, screen: Screen) -> Ended:
    people = desk.People(officers=wish.officers, residents=wish.residents)
    staged = await desk.play(chosen, folder, people, wish.factor, screen)
    return Ended(play=staged.play, register=staged.register, proof=staged.proof)


async def _in_field(wish: Wish, chosen: Scenario, settings: Settings, screen: Screen) -> Ended:
    door = field.door_of(settings, wish.url)
    async with standing(settings) as context:
        await _peopled(context)
        odd = field.strangers(await context.register(), settings.drills.on(context.now()))
        telling.tell_dry(screen, await field.rehearsed(chosen, context), odd)
        played = await field.play(chosen, context, door, wish.factor, screen)
        return Ended(play=played, register=await context.register(), proof=None)


async def _peopled(context: Context) -> None:
    if not await settled(context):
        aside("登记册是空的，谁也通知不到：请运行 mingluo registry import")


def _facts(wish: Wish, ended: Ended, found: Score) -> Mapping[str, Any]:
    refused, proof = ended.play.refused, ended.proof
    return {
        "scenario": wish.name,
        "exercise": ended.play.exercise,
        "kind": str(wish.kind),
        "speed": wish.factor or "max",
        "refused": None if refused is None else {"step": refused.step.name, "reason": refused.reason},
        "lost": None if proof is None else proof.lost,
        "duplicates": None if proof is None else proof.duplicates,
        "unplanned": None if proof is None else proof.unplanned,
        "unmarked": None if proof is None else proof.unmarked,
        **facts(found),
    }


def _tidy(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name in KEPT:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
