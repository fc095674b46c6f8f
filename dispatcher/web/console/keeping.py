"""The administrator's page: accounts and tokens of systems, made, changed, ended."""

from __future__ import annotations

from aiohttp import web

from dispatcher.accounts.authority import HELD_BY_ACCOUNTS, AccountRole
from dispatcher.accounts.keeping import Given, Unfit
from dispatcher.web import asker
from dispatcher.web.console.entrance import form, shown
from dispatcher.web.parts import parts
from dispatcher.web.problems import Problem


async def accounts_page(request: web.Request) -> web.Response:
    return await _page(request)


async def add_account(request: web.Request) -> web.Response:
    given, keeper = await form(request), parts(request).keeper
    try:
        account, code = await keeper.add(asker.principal(request).actor, _given(given))
    except Unfit as why:
        return await _page(request, why)
    return await _page(request, code=code, of=account.login)


async def change_account(request: web.Request) -> web.Response:
    given = await form(request)
    try:
        await parts(request).keeper.change(asker.principal(request), _number(request), _given(given))
    except Unfit as why:
        return await _page(request, why)
    raise web.HTTPSeeOther("/accounts")


async def reset_account(request: web.Request) -> web.Response:
    await form(request)
    try:
        code = await parts(request).keeper.reset(asker.principal(request).actor, _number(request))
    except Unfit as why:
        return await _page(request, why)
    return await _page(request, code=code)


async def disable_account(request: web.Request) -> web.Response:
    given = await form(request)
    try:
        await parts(request).keeper.disable(
            asker.principal(request), _number(request), disabled=given.get("disabled") == "1"
        )
    except Unfit as why:
        return await _page(request, why)
    raise web.HTTPSeeOther("/accounts")


async def add_token(request: web.Request) -> web.Response:
    given = await form(request)
    try:
        token = await parts(request).keeper.make_token(
            asker.principal(request),
            given.get("name", ""),
            _role(given.get("role", "")),
            _scope(given.get("scope", "")),
        )
    except Unfit as why:
        return await _page(request, why)
    return await _page(request, token=token)


async def revoke_token(request: web.Request) -> web.Response:
    await form(request)
    if not await parts(request).keeper.revoke_token(asker.principal(request), _number(request)):
        raise Problem(404, "no_such_token", "没有这个令牌，或已经作废")
    raise web.HTTPSeeOther("/accounts")


async def _page(request: web.Request, why: Unfit | None = None, **said: str) -> web.Response:
    keeper = parts(request).keeper
    register = await parts(request).doors.context.register()
    values = {"code": "", "of": "", "token": ""} | said
    return shown(
        request,
        "accounts",
        why,
        accounts=await keeper.every(),
        tokens=await keeper.tokens(),
        roles=HELD_BY_ACCOUNTS,
        names={code: area.name for code, area in register.areas.items()},
        role_word=lambda role: AccountRole(role).chinese,
        now=parts(request).doors.context.now(),
        **values,
    )


def _given(given: object) -> Given:
    assert isinstance(given, dict)
    return Given(
        login=given.get("login", ""),
        name=given.get("name", ""),
        role=_role(given.get("role", "")),
        scope=_scope(given.get("scope", "")),
        phone=given.get("phone", "").strip(),
    )


def _role(given: str) -> AccountRole:
    try:
        role = AccountRole(given)
    except ValueError as error:
        raise Unfit("请选一个角色") from error
    return role


def _scope(given: str) -> tuple[str, ...]:
    return tuple(given.replace("、", " ").replace(",", " ").replace("，", " ").split())


def _number(request: web.Request) -> str:
    return request.match_info["account"][:32]
