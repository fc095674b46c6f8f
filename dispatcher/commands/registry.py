"""`mingluo registry sample|import|export|verify|erase`: the register, made, exchanged as files, looked over; and who goes."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from dispatcher.commands.ground import standing, where
from dispatcher.commands.sampling import GATEWAYS_AT, PLATFORMS_AT, make_sample
from dispatcher.commands.telling import WRONGLY_ASKED, aside, emit, fail, finish, say
from dispatcher.model import TargetKind
from dispatcher.pipeline import erase as erasing
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.erase import Erased
from dispatcher.registry import exporting, importing, sample, verifying
from dispatcher.registry.cells import BadCell, phone
from dispatcher.registry.importing import BadFiles, Imported, Order, RegisterMoved
from dispatcher.registry.register import count_units
from dispatcher.registry.sample import CannotMake
from dispatcher.registry.verifying import Problem
from dispatcher.rehearsal.demo_screen import TABLE_CHINESE, Screen
from dispatcher.settings import BadConfiguration, load
from dispatcher.store.registry import Person, opening

app = typer.Typer(
    help="登记册：区划、信息员与岗位、应急办与订阅、播发网关、党建平台、住户。", add_completion=False,
    rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True,
)  # fmt: skip
Json = Annotated[bool, typer.Option("--json", help="最后一行输出一个 JSON 对象")]
SHOWN = 40


@app.command(name="sample")
def sample_(
    officers: Annotated[int, typer.Option(help="灾害信息员人数")] = 3_200,
    residents: Annotated[int, typer.Option(help="住户人数")] = 0,
    seed: Annotated[int, typer.Option(help="同一种子生成同一份登记册")] = 3608,
    gateway_url: Annotated[str, typer.Option(help="播发网关的地址前缀")] = GATEWAYS_AT,
    platform_url: Annotated[str, typer.Option(help="党建平台的地址前缀")] = PLATFORMS_AT,
) -> None:
    """生成一份合成的吉安市登记册，代替现有的。号码都是 154 号段，打不通任何人；正式环境不接受。"""
    wish = sample.Wish(
        gateways_at=gateway_url, endpoints_at=platform_url, officers=officers, residents=residents, seed=seed
    )
    say(finish(_sample(wish), CannotMake))


@app.command(name="import")
def import_(
    folder: Annotated[Path, typer.Argument(help="装着 CSV 文件的文件夹", metavar="DIR")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只检查并说明会改动什么")] = False,
    json: Json = False,
) -> None:
    """从文件夹导入；缺少的文件不动原表。有一处不对就一行也不导入，并列出全部毛病。"""
    if not folder.is_dir():
        fail(f"没有 {folder} 这个文件夹：请核对路径", WRONGLY_ASKED)
    done = finish(_import(folder, dry_run=dry_run), BadFiles, RegisterMoved)
    for one in done.differences:
        told = f"新增 {one.added:,}，改动 {one.changed:,}，删去 {one.removed:,}，不变 {one.same:,}"
        say(f"  {TABLE_CHINESE.get(one.table, one.table)}：{told}")
    say("检查通过，没有导入" if done.version is None else f"已导入，登记册版本 {done.version}")
    if json:
        changed = {
            one.table: {"added": one.added, "changed": one.changed, "removed": one.removed, "same": one.same}
            for one in done.differences
        }
        emit({"version": done.version, "differences": changed})


@app.command()
def export(folder: Annotated[Path, typer.Argument(help="写到这个文件夹", metavar="DIR")]) -> None:
    """导出成 CSV 文件；含手机号和密钥，只有本人可读。"""
    finish(_export(folder))
    say(f"已导出到 {folder}：含手机号和密钥，请妥善保管")


@app.command()
def verify(json: Json = False) -> None:
    """找出会让人收不到预警的地方；没有时退出码为 0。"""
    found = finish(_verify())
    for one in found[:SHOWN]:
        say(f"  {one.area_code}  {one.sentence}")
    if len(found) > SHOWN:
        say(f"  ……另有 {len(found) - SHOWN:,} 处，见 --json")
    kinds = Counter(str(one.kind) for one in found)
    say(f"共 {len(found):,} 处：{'，'.join(f'{kind} {number:,}' for kind, number in kinds.most_common())}"
        if found else "没有发现会让人收不到预警的地方")  # fmt: skip
    if json:
        emit({"problems": [_facts(one) for one in found], "kinds": kinds})
    raise typer.Exit(1 if found else 0)


@app.command()
def erase(
    person: Annotated[str, typer.Argument(help="住户编号（resident-7 或 7）、手机号或姓名", metavar="PERSON")],
    json: Json = False,
) -> None:
    """应本人要求删除一位住户：姓名、手机号、住处，以及留存里与他有关的原文；只留一个编号。"""
    done = finish(_erase(person))
    for sentence in _told_of(done):
        say(sentence)
    if json:
        gone = done.forgotten
        emit(
            {"target": str(done.target), "erased": gone is not None, "waits_for": done.waits_for,
             "uplinks": gone.uplinks if gone else 0, "traces": gone.traces if gone else 0,
             "shared_phone": bool(gone and gone.shared)}
        )  # fmt: skip


def _told_of(done: Erased) -> list[str]:
    if done.waits_for:
        return [
            f"{done.target} 正在 {len(done.waits_for)} 份生效预警的名单上，为不漏通知，现在不删：预警结束后由服务自动删除",
            "要删除的请求已记下，不必再来；期间请不要重新导入含有他的名册",
        ]
    if done.forgotten is None:
        return [f"{done.target} 已经不在登记册里"]
    said = [
        f"已删除 {done.target}：登记册里没有他了；上行短信删去 {done.forgotten.uplinks} 条，"
        f"收发原文清空 {done.forgotten.traces} 条，投递记录只剩编号"
    ]
    if done.forgotten.shared:
        said.append("登记册里还有别人用这个手机号，从它发来的上行短信没有删，到期自动删除")
    return [*said, "请同时从导入用的 CSV 文件和导出件里删去他，否则下次导入又会回来"]


async def _erase(person: str) -> Erased:
    async with standing(load()) as context:
        found = await _people(context, person)
        residents = [one.target for one in found if one.target.kind is TargetKind.RESIDENT]
        if not residents:
            why = (
                "是岗位人员或应急办，不是住户：请在登记册里改"
                if found
                else "登记册里没有这位住户：请核对编号、手机号或姓名"
            )
            raise BadConfiguration(why)
        if len(residents) > 1:
            numbers = "、".join(map(str, residents[:SHOWN]))
            raise BadConfiguration(f"有 {len(residents)} 位住户符合，请用编号指明一位：{numbers}")
        return await erasing.erase(context, residents[0], "command")


async def _people(context: Context, person: str) -> list[Person]:
    """By name or id; else by phone, which is found by its blind index."""
    async with context.store.read() as tx:
        if found := await opening.people_named(tx, person):
            return found
        try:
            return await opening.people_with_phone(tx, context.seal, phone(person, production=False))
        except BadCell:
            return []


async def _sample(wish: sample.Wish) -> str:
    settings = load()
    if settings.production:
        raise BadConfiguration("正式环境里不能用合成数据：请用 mingluo registry import 导入真实的登记册")
    async with standing(settings) as context:
        version = await make_sample(context, wish, Screen(sys.stderr))
        return f"{await _told(context)}；登记册版本 {version}，{where(settings)}"


async def _told(context: Context) -> str:
    register = await context.register()
    units = count_units(register.areas.values())
    return (
        f"合成数据：{units.streets} 街道 + {units.towns} 镇 + {units.townships} 乡 = {units.proper}，"
        f"另有 {units.others} 个单位（其中园区 {units.parks}）；村 {len(register.geofence.village_codes):,}；"
        f"岗位人员 {len(register.officers):,}；网关 {len(register.gateways):,}；应急办 {len(register.offices):,}；"
        f"住户 {len(register.residents.id):,}（可通知）"
    )


async def _import(folder: Path, *, dry_run: bool) -> Imported:
    settings, screen = load(), Screen(sys.stderr)
    async with standing(settings) as context:
        order = Order(folder=folder, production=settings.production, dry_run=dry_run)
        with screen.working("检查" if dry_run else "检查并导入") as tell:
            return await importing.import_folder(context.store, context.seal, replace(order, tell=tell))


async def _export(folder: Path) -> None:
    async with standing(load()) as context:
        await exporting.note_export(context.store, context.now())
        with Screen(sys.stderr).working("导出") as tell:
            await exporting.export_folder(context.store, context.seal, folder, tell)


async def _verify() -> list[Problem]:
    async with standing(load()) as context:
        register = await context.register()
        if register.synthetic:
            aside("登记册含合成数据，只供试用")
        return verifying.verify(register)


def _facts(one: Problem) -> dict[str, Any]:
    return {"kind": str(one.kind), "area_code": one.area_code, "sentence": one.sentence}
