"""Signing in and out, coming to one's account, and one's own account: pages that work without JavaScript.

Nobody learns here whether a name exists. What a code opens is shown once and kept by no browser (no-store).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from aiohttp import web

from dispatcher.accounts import second
from dispatcher.accounts.authority import AccountRole
from dispatcher.accounts.entering import Known, Wrong
from dispatcher.accounts.keeping import Given, Unfit
from dispatcher.accounts.texting import NoText
from dispatcher.accounts.throttle import Wait
from dispatcher.store.accounts import Factor
from dispatcher.store.sealed import WrongKey
from dispatcher.web import asker, guard
from dispatcher.web.client import client_of
from dispatcher.web.console.framing import framed
from dispatcher.web.console.naming import called
from dispatcher.web.parts import Parts, parts
from dispatcher.web.problems import Problem

ISSUER: Final = "鸣锣"
MISTAKES: Final = (Wrong, Wait, Unfit, NoText)
SECOND_SET: Final = "/enrol/second"
TEXT_SET: Final = "/enrol/text"
NO_PHONE: Final = "这个账号没有登记手机号，不能用短信验证码：请管理员在“账号”页添加手机号"
NO_WAY: Final = "本系统没有可用的短信接口，发不了短信验证码"


# ── signing in ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def sign_in_page(request: web.Request) -> web.Response:
    if await parts(request).keeper.empty():
        raise web.HTTPSeeOther("/first")
    return shown(request, "sign_in", next=asker.place(request, request.query.get("next", "/")))


async def sign_in(request: web.Request) -> web.StreamResponse:
    given, site = await form(request), parts(request)
    onward = asker.place(request, given.get("next", "/"))
    try:
        token = await site.entrance.sign_in(given.get("login", ""), given.get("password", ""), address(request))
    except MISTAKES as why:
        return shown(request, "sign_in", why, next=onward)
    return _entered(request, token, f"{asker.SECOND}?next={quote(onward, safe='')}")


async def second_page(request: web.Request) -> web.Response:
    return await _second(request, await _known(request), asker.place(request, request.query.get("next", "/")))


async def show_second(request: web.Request) -> web.StreamResponse:
    """Ends a half session's waiting, wakes one that fell asleep, or proves anew who is there."""
    given, site, known = await form(request), parts(request), await _known(request)
    onward = asker.place(request, given.get("next", "/"))
    try:
        token = await site.entrance.prove(asker.cookie(request), given.get("code", ""), address(request))
    except MISTAKES as why:
        return await _second(request, known, onward, why)
    return _entered(request, token, onward)


async def ask_code(request: web.Request) -> web.StreamResponse:
    """A code by SMS, for whoever has shown the password."""
    given, known = await form(request), await _known(request)
    onward = asker.place(request, given.get("next", "/"))
    try:
        await _ask_code(request)
    except MISTAKES as why:
        return await _second(request, known, onward, why)
    raise web.HTTPSeeOther(f"{asker.SECOND}?next={quote(onward, safe='')}")


async def _second(request: web.Request, known: Known, onward: str, why: Exception | None = None) -> web.Response:
    texted = await _texted(request, known) if known.account.factor is Factor.SMS else None
    return shown(request, "second", why, next=onward, half=known.half, texted=texted)


async def _ask_code(request: web.Request) -> None:
    if not parts(request).doors.texts:
        raise NoText(NO_WAY)
    await parts(request).entrance.ask_code(asker.cookie(request))


@dataclass(frozen=True, slots=True, kw_only=True)
class Texted:
    """What a page says of codes by SMS. `tail`: the last two digits; `why_not`: '' where one may be asked for; `fate`: what
    became of the last one, '' where none is good now."""

    tail: str
    why_not: str
    fate: str


async def _texted(request: web.Request, known: Known) -> Texted:
    entrance, texts = parts(request).entrance, parts(request).doors.texts
    tail, fate = entrance.phone_tail(known.account), await entrance.text_fate(known.account)
    return Texted(tail=tail, why_not=NO_PHONE if not tail else "" if texts else NO_WAY, fate=fate or "")


async def sign_out(request: web.Request) -> web.StreamResponse:
    await parts(request).entrance.sign_out(asker.cookie(request))
    return _entered(request, "", asker.SIGN_IN)


# ── the first account, and coming to one's own ──────────────────────────────────────────────────────────────────────


async def first_page(request: web.Request) -> web.Response:
    if not await parts(request).keeper.empty():
        raise web.HTTPSeeOther(asker.SIGN_IN)
    return shown(request, "first", given=None)


async def first(request: web.Request) -> web.Response:
    given, site = await form(request), parts(request)
    city = site.doors.context.settings.service.city
    account = Given(
        login=given.get("login", ""), name=given.get("name", ""), role=AccountRole.ADMINISTRATOR, scope=(city,)
    )
    try:
        code = await site.keeper.found(given.get("code", ""), account)
    except MISTAKES as why:
        return shown(request, "first", why, given=given)
    return shown(request, "enrol", code=code)


async def enrol_page(request: web.Request) -> web.Response:
    return shown(request, "enrol", code="")


async def enrol(request: web.Request) -> web.StreamResponse:
    given, site = await form(request), parts(request)
    try:
        if given.get("password", "") != given.get("again", ""):
            raise Unfit("两次输入的密码不一样")
        token = await site.keeper.enrol(
            site.entrance, given.get("code", ""), given.get("password", ""), address(request)
        )
    except MISTAKES as why:
        return shown(request, "enrol", why, code=given.get("code", ""))
    return _entered(request, token, SECOND_SET)


async def enrol_second_page(request: web.Request) -> web.Response:
    return await _shown_secret(request, await _enrolling(request), second.new_secret())


async def enrol_second(request: web.Request) -> web.Response:
    given, site, known = await form(request), parts(request), await _enrolling(request)
    secret = _secret_in(site, known, given.get("sealed", ""))
    try:
        papers = await site.keeper.set_second(known.account.id, secret, given.get("code", ""))
    except MISTAKES as why:
        return await _shown_secret(request, known, secret, why)
    return await _complete(request, papers)


async def ask_enrol_code(request: web.Request) -> web.StreamResponse:
    """A code by SMS, for whoever chooses that over the app."""
    await form(request)
    known = await _enrolling(request)
    try:
        await _ask_code(request)
    except MISTAKES as why:
        return await _enrol_text(request, known, why)
    raise web.HTTPSeeOther(TEXT_SET)


async def enrol_text_page(request: web.Request) -> web.Response:
    return await _enrol_text(request, await _enrolling(request))


async def enrol_text(request: web.Request) -> web.Response:
    given, site, known = await form(request), parts(request), await _enrolling(request)
    try:
        papers = await site.keeper.set_texted(site.entrance, known, given.get("code", ""), address(request))
    except MISTAKES as why:
        return await _enrol_text(request, known, why)
    return await _complete(request, papers)


async def _enrol_text(request: web.Request, known: Known, why: Exception | None = None) -> web.Response:
    return shown(request, "enrol_text", why, texted=await _texted(request, known))


async def _enrolling(request: web.Request) -> Known:
    """Whoever has set his password and no second factor yet."""
    known = await _known(request)
    if known.account.factor is not None:
        raise web.HTTPSeeOther(asker.SECOND)
    return known


async def _complete(request: web.Request, papers: tuple[str, ...]) -> web.Response:
    token = await parts(request).entrance.complete(asker.cookie(request), address(request))
    response = shown(request, "papers", papers=papers)
    asker.set_cookie(request, response, token)
    return response


async def _shown_secret(request: web.Request, known: Known, secret: str, why: Exception | None = None) -> web.Response:
    """The secret goes with the form, sealed and for this account alone: nothing is kept of whoever gives up half-way."""
    uri = second.uri(secret, known.account.login, ISSUER)
    sealed = parts(request).doors.context.seal.seal(json.dumps([known.account.id, secret])).hex()
    values = {"picture": second.picture(uri), "secret": secret, "sealed": sealed}
    return shown(request, "enrol_second", why, **values, texted=await _texted(request, known))


def _secret_in(site: Parts, known: Known, sealed: str) -> str:
    try:
        account_id, secret = json.loads(site.doors.context.seal.open(bytes.fromhex(sealed)))
    except (WrongKey, ValueError) as error:
        raise guard.forged() from error
    if account_id != known.account.id:
        raise guard.forged()
    return str(secret)


# ── one's own account ───────────────────────────────────────────────────────────────────────────────────────────────


async def own_page(request: web.Request) -> web.Response:
    return await _own(request)


async def change_password(request: web.Request) -> web.Response:
    given, site, known = await form(request), parts(request), _signed_in(request)
    try:
        if given.get("password", "") != given.get("again", ""):
            raise Unfit("两次输入的新密码不一样")
        await site.keeper.change_password(
            known.account, given.get("before", ""), given.get("password", ""), keep=known.session.digest
        )
    except MISTAKES as why:
        return await _own(request, why)
    return await _own(request, said="密码已改，其他地方的登录都已结束")


async def new_papers(request: web.Request) -> web.Response:
    papers = await parts(request).keeper.new_papers(_signed_in(request).account.id)
    return shown(request, "papers", papers=papers)


async def end_others(request: web.Request) -> web.Response:
    known = _signed_in(request)
    await parts(request).keeper.end_others(known.account, keep=known.session.digest)
    return await _own(request, said="其他地方的登录都已结束")


async def set_duty(request: web.Request) -> web.StreamResponse:
    given, known = await form(request), _signed_in(request)
    principal = asker.principal(request)
    await parts(request).keeper.set_duty(principal, known.account.id, on_duty=given.get("on_duty") == "1")
    raise web.HTTPSeeOther("/account")


async def _own(request: web.Request, why: Exception | None = None, said: str = "") -> web.Response:
    site, known = parts(request), _signed_in(request)
    account, register = await site.keeper.called(known.account.login), await site.doors.context.register()
    return shown(
        request,
        "own",
        why,
        account=account,
        role=AccountRole(known.account.role).chinese,
        places=[called(register, code) for code in known.account.scope],
        papers_left=await site.keeper.papers_left(known.account.id),
        days_old=site.keeper.days_old(account) if account else 0,
        said=said,
    )


def _signed_in(request: web.Request) -> Known:
    known = asker.asker(request).known
    assert known is not None  # no token and no visitor gets here: authority.BY_A_PERSON
    return known


# ── ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def form(request: web.Request) -> Mapping[str, str]:
    """A form of ours. On the way in there is no session yet whose key it could carry: then it is the site's."""
    if asker.signed_in(request) is None:
        await guard.must_be_our_form(request, parts(request).form_key)
    return await guard.form_of(request)


def address(request: web.Request) -> str:
    return client_of(request).neighbourhood


async def _known(request: web.Request) -> Known:
    """Whoever is on his way in, or comes back."""
    known = await parts(request).entrance.known(asker.cookie(request))
    if known is None:
        raise web.HTTPSeeOther(asker.SIGN_IN)
    return known


def _entered(request: web.Request, token: str, onward: str) -> web.StreamResponse:
    response = web.Response(status=303, headers={"Location": onward})
    asker.set_cookie(request, response, token)
    return response


def shown(request: web.Request, name: str, why: Exception | None = None, **values: object) -> web.Response:
    """A page; `why`: the mistake it is shown again for."""
    headers = {"Retry-After": f"{why.seconds:.0f}"} if isinstance(why, Wait) else {}
    status = 429 if isinstance(why, Wait) else 422 if isinstance(why, Unfit | NoText) else 401 if why else 200
    said = {"why": str(why) if why else "", "demo": parts(request).doors.links is not None}
    return framed(request, f"{name}.html", values | said, status=status, headers=headers)


def no_such_account() -> Problem:
    return Problem(404, "no_such_account", "没有这个账号")
