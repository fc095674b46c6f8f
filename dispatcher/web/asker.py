"""Who asks, and whether he may: before any handler runs.

A system shows a token, a person a session's cookie. At a machine where nothing is real and nobody has an account yet,
whoever sits there may look: a demo, a training, the first minutes of a trial. Whatever changes something by a cookie must come
from a page of ours (CSRF). It must hold whatever a handler forgets: the area of a warning is looked up here.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, assert_never
from urllib.parse import quote

from aiohttp import web

from dispatcher.accounts.authority import AccountRole, Action, Denial, Means, Principal, denial
from dispatcher.accounts.entering import Known, form_key
from dispatcher.geofence.names import stem
from dispatcher.registry.unmasking import person_of
from dispatcher.store import headlines, signatures
from dispatcher.web import asking, guard, uploading
from dispatcher.web.client import client_of, is_here
from dispatcher.web.parts import PARTS, Parts
from dispatcher.web.problems import Problem
from dispatcher.web.route import About, Route, Who

MOST_PLACE: Final = 1000
SIGN_IN: Final = "/sign-in"
SECOND: Final = "/sign-in/second"
KEY_HEADER: Final = "X-Form-Key"
PAGES: Final = web.AppKey("pages", Sequence[re.Pattern[str]])
"""The paths of our pages, and of nothing else."""
_PLACE: Final = re.compile(r"(?P<path>/[0-9A-Za-z/-]*)(?P<query>\?[0-9A-Za-z%=&._~+-]*)?")
_SAFE: Final = ("GET", "HEAD")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """`token` and `known`: of his session, where he has one."""

    principal: Principal
    token: str = ""
    known: Known | None = None

    @property
    def key(self) -> str:
        """What the forms of his pages carry."""
        return form_key(self.token) if self.token else ""


_ASKER: Final = web.RequestKey("asker", Asker)


def form_keys(token: str) -> tuple[str, ...]:
    """What the forms carry of pages that were shown to whoever has this session; none where he has none."""
    return (form_key(token),) if token else ()


def asker(request: web.Request) -> Asker:
    """Of a route that asks for an action."""
    return request[_ASKER]


def signed_in(request: web.Request) -> Asker | None:
    """None on a route for everybody, where nobody was asked."""
    return request.get(_ASKER)


def principal(request: web.Request) -> Principal:
    return asker(request).principal


def source_name(request: web.Request) -> str:
    """The source that speaks; a Problem where it is none."""
    who = principal(request)
    if who.means is not Means.SOURCE:
        raise Problem(403, "source_needed", "这个接口只收来源的令牌（sources.yaml）；本人请在控制台操作")
    return who.id


def stems(request: web.Request) -> tuple[str, ...]:
    """What lies in the area of whoever asks begins with one of these; none where that is the whole city or more."""
    city = request.app[PARTS].doors.context.settings.service.city
    own = tuple(map(stem, principal(request).scope))
    return () if stem(city).startswith(own) else own


async def admit(request: web.Request, route: Route) -> None:
    """Lets nobody through who may not; remembers who it is."""
    if isinstance(route.who, Who):
        return
    parts = request.app[PARTS]
    found = await _found(request, parts)
    if found is None:
        raise _stranger(request)
    request[_ASKER] = found
    why = denial(found.principal, route.who)
    if why is not None and found.principal.means is Means.VISITOR:
        raise _stranger(request)  # he may yet show who he is
    _must_be_allowed(request, why)
    areas = await _areas(request, parts, route)
    if areas is not None and denial(found.principal, route.who, areas) is Denial.AREA:
        raise _elsewhere(request, route, found.principal, areas)
    if found.known is not None:
        if request.method not in _SAFE:
            await _must_be_from_our_page(request, route, found.key)
        # a reload wakes nobody: whoever left is back when he has shown himself
        if not found.known.asleep and not _passive(request, route):
            await parts.entrance.touch(found.known)


def cookie(request: web.Request) -> str:
    """A session's token; '' where none was shown."""
    return request.cookies.get(cookie_name(request), "")


def cookie_name(request: web.Request) -> str:
    """A browser keeps `__Host-` ones for this host and for HTTPS alone."""
    return "__Host-mingluo" if client_of(request).secure else "mingluo"


def set_cookie(request: web.Request, response: web.StreamResponse, token: str) -> None:
    name, secure = cookie_name(request), client_of(request).secure
    if not token:
        response.del_cookie(name, path="/", secure=secure, httponly=True, samesite="Strict")
        return
    response.set_cookie(name, token, path="/", secure=secure, httponly=True, samesite="Strict")


def place(request: web.Request, given: str) -> str:
    """Where somebody wanted to go before he was asked who he is: one of our pages, and nothing else."""
    return place_among(request.app[PAGES], given)


def place_among(pages: Sequence[re.Pattern[str]], given: str) -> str:
    """The page of a button, where that is no page itself; what a script asked for of it is asked for no more."""
    found = _PLACE.fullmatch(given[:MOST_PLACE])
    path, query = (found["path"], found["query"] or "") if found else ("/", "")
    while path and not any(page.fullmatch(path) for page in pages):
        path, query = path.rpartition("/")[0], ""
    kept = [one for one in query[1:].split("&") if one and not one.startswith("part=")]
    return (path or "/") + (f"?{'&'.join(kept)}" if kept else "")


async def _found(request: web.Request, parts: Parts) -> Asker | None:
    doors = parts.doors
    if "Authorization" in request.headers:
        who = await _system(request, parts)
        return None if who is None else Asker(principal=who)
    token = cookie(request)
    if token:
        known = await parts.entrance.known(token)
        return None if known is None or known.half else Asker(principal=known.principal, token=token, known=known)
    if is_here(request) and not doors.context.settings.production and await _nothing_is_real(parts):
        visitor = Principal(
            means=Means.VISITOR,
            id="here",
            name="本机访客",
            role=AccountRole.AUDITOR,
            scope=(doors.context.settings.service.city,),
        )
        return Asker(principal=visitor)
    return None


async def _system(request: web.Request, parts: Parts) -> Principal | None:
    sources = parts.doors.context.settings.sources
    name = guard.source_of(request, sources)
    if name is not None:
        source = sources[name]
        return Principal(
            means=Means.SOURCE, id=name, name=source.name, role=AccountRole.SOURCE, scope=source.area_prefixes
        )
    token = guard.bearer(request)
    return await parts.entrance.system(token) if token else None


async def _nothing_is_real(parts: Parts) -> bool:
    """Whoever looks at a real register shows who he is, and so does everybody once the first account is made."""
    register = await parts.doors.context.register()
    return (register.synthetic or not register.officers) and await parts.keeper.empty()


async def _areas(request: web.Request, parts: Parts, route: Route) -> Collection[str] | None:
    city = (parts.doors.context.settings.service.city,)
    match route.about:
        case About.NOTHING | About.OWN_PART:
            return None
        case About.CITY:
            return city
        case About.WARNING:
            # whoever has the whole city has each of its warnings
            return await _touched(request, parts) if stems(request) else city
        case About.GATEWAY:
            gateway = (await parts.doors.context.register()).gateways.get(request.match_info["id"])
            # one that left the register is everybody's who has the whole city, and nobody else's
            return (gateway.area_code,) if gateway else () if stems(request) else city
        case About.PERSON:
            async with parts.doors.context.store.read() as tx:
                person = await person_of(tx, request.match_info["target"])
            return (person.area_code,) if person else () if stems(request) else city
        case _:
            assert_never(route.about)


async def _touched(request: web.Request, parts: Parts) -> Collection[str]:
    async with parts.doors.context.store.read() as tx:
        found = await headlines.touched(tx, asking.warning_id(request))
        own = () if found else await signatures.of(tx, asking.warning_id(request))
    if found is None:
        raise asking.no_such_warning()
    # what has no area yet is its author's, so that he can draw it
    who = principal(request)
    return who.scope if any(one.account_id == who.id for one in own) else found


def _must_be_allowed(request: web.Request, why: Denial | None) -> None:
    match why:
        case None:
            return
        case Denial.ROLE | Denial.AREA:
            raise Problem(403, "not_allowed", f"您的角色（{principal(request).role.chinese}）不能做这一步")
        case Denial.PERSON:
            raise Problem(403, "person_needed", "这一步要本人登录后做，令牌不行")
        case Denial.ASLEEP:
            raise _show_again(request, 401, "asleep", "离开超过 15 分钟：请再输入一次验证码，页面和草稿都还在")
        case Denial.STEP_UP:
            raise _show_again(request, 403, "step_up", "这一步要再输入一次验证码（5 分钟内有效）")
        case _:
            assert_never(why)


def _elsewhere(request: web.Request, route: Route, who: Principal, areas: Collection[str]) -> Exception:
    """Whoever may not even look is not told that it exists."""
    if route.about is About.WARNING and denial(who, Action.LOOK, areas) is Denial.AREA:
        return asking.no_such_warning()
    return Problem(403, "214", "超出您的管辖区域")


def _show_again(request: web.Request, status: int, code: str, detail: str) -> Exception:
    if _wants_page(request) or _is_button(request):
        return _to(request, SECOND)
    return Problem(status, code, detail)


def _stranger(request: web.Request) -> Exception:
    if _wants_page(request):
        return _to(request, SIGN_IN)
    if _is_button(request):
        said = "登录已结束，刚才按的没有做：请重新登录后再做一次"
        return Problem(401, "unauthorized", said, more={"enter": _address(request, SIGN_IN)})
    return Problem(
        401,
        "unauthorized",
        "请先登录，或在 Authorization 里带上令牌：Bearer <令牌>",
        headers={"WWW-Authenticate": guard.CHALLENGE},
    )


def _to(request: web.Request, page: str) -> web.HTTPSeeOther:
    return web.HTTPSeeOther(_address(request, page))


def _address(request: web.Request, page: str) -> str:
    """Which leads back to where whoever asks is."""
    return f"{page}?next={quote(place(request, request.path_qs), safe='')}"


def _is_button(request: web.Request) -> bool:
    """Pressed in a browser: whoever pressed it is led back to its page, where it stands once more."""
    form = request.content_type in ("application/x-www-form-urlencoded", uploading.FORM)
    return form and "text/html" in request.headers.get("Accept", "") and not request.path.startswith("/api/")


def _wants_page(request: web.Request) -> bool:
    asks = request.method in _SAFE and "text/html" in request.headers.get("Accept", "")
    return asks and not request.path.startswith("/api/") and "part" not in request.query


def _passive(request: web.Request, route: Route) -> bool:
    """What a page asks for by itself is no hand on it."""
    return route.name == "live" or "part" in request.query


async def _must_be_from_our_page(request: web.Request, route: Route, key: str) -> None:
    given = request.headers.get(KEY_HEADER)
    if given is None and route.upload and request.content_type == uploading.FORM:
        guard.must_be_our_origin(request)
        await uploading.uploaded(request, route.upload, key)
        return
    if given is None:
        await guard.must_be_our_form(request, key)
        return
    guard.must_be_our_origin(request)
    if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), key.encode()):
        raise guard.forged()
