"""`mingluo account list|add|reset`: accounts from the machine itself, where nobody can sign in any more, or never could.

Nobody's password is ever typed here: what is printed is a code, good once and for a day, by which the person sets his own.
"""

from __future__ import annotations

from typing import Annotated

import typer

from dispatcher.accounts.authority import AccountRole
from dispatcher.accounts.keeping import COMMAND, Given, Unfit
from dispatcher.commands.ground import keeper_of, standing
from dispatcher.commands.telling import emit, finish, say
from dispatcher.settings import load
from dispatcher.store.accounts import Account

app = typer.Typer(
    help="账号：没有默认账号，也没有默认密码。", add_completion=False, rich_markup_mode=None,
    pretty_exceptions_enable=False, no_args_is_help=True,
)  # fmt: skip
Json = Annotated[bool, typer.Option("--json", help="最后一行输出一个 JSON 对象")]


@app.command(name="list")
def list_(json: Json = False) -> None:
    """有哪些账号。"""
    found = finish(_every())
    for one in found:
        say(f"{one.login}  {one.name}  {AccountRole(one.role).chinese}  {' '.join(one.scope)}  {_standing(one)}")
    if not found:
        say("还没有账号：请运行 mingluo account add，或启动服务后用它打印的一次性代码")
    if json:
        emit({"accounts": [{"login": one.login, "role": one.role, "scope": list(one.scope)} for one in found]})


@app.command()
def add(
    who: Annotated[tuple[str, str], typer.Argument(metavar="LOGIN NAME", help="登录名（字母、数字和 . _ -）和姓名")],
    role: Annotated[AccountRole, typer.Option(help="角色")],
    scope: Annotated[list[str] | None, typer.Option(help="管辖的区划代码，可重复；不写则为全市")] = None,
    phone: Annotated[str, typer.Option(help="手机号，密封保存")] = "",
    json: Json = False,
) -> None:
    """添加账号，打印一次性代码。"""
    account, code = finish(
        _add(Given(login=who[0], name=who[1], role=role, scope=tuple(scope or ()), phone=phone)), Unfit
    )
    say(f"账号 {account.login}（{role.chinese}，管辖 {' '.join(account.scope)}）已建立")
    _tell(account.login, code, json)


@app.command()
def reset(login: Annotated[str, typer.Argument(help="登录名")], json: Json = False) -> None:
    """密码忘了、手机丢了：原来的密码、验证码、备用码和登录随即作废，打印新的一次性代码。"""
    _tell(login, finish(_reset(login), Unfit), json)


def _tell(login: str, code: str, json: bool) -> None:
    say(f"一次性代码 {code}：请交给本人，24 小时内在控制台的 /enrol 使用")
    if json:
        emit({"login": login, "code": code})


def _standing(account: Account) -> str:
    if account.disabled_at is not None:
        return "已停用"
    return "可用" if account.ready else "等本人设置密码和验证码"


async def _every() -> list[Account]:
    async with standing(load()) as context:
        return await keeper_of(context).every()


async def _add(given: Given) -> tuple[Account, str]:
    settings = load()
    whole = Given(
        login=given.login,
        name=given.name,
        role=given.role,
        scope=given.scope or (settings.service.city,),
        phone=given.phone,
    )
    async with standing(settings) as context:
        return await keeper_of(context).add(COMMAND, whole)


async def _reset(login: str) -> str:
    async with standing(load()) as context:
        keeper = keeper_of(context)
        account = await keeper.called(login)
        if account is None:
            raise Unfit(f"没有登录名为 {login} 的账号：请运行 mingluo account list")
        return await keeper.reset(COMMAND, account.id)
