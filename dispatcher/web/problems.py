"""Errors as application/problem+json, with a stable `code` and one Chinese sentence that says what to do.

Nobody is shown a traceback: what nobody expected gets a number, which stands in the log beside the cause.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping

import structlog
from aiohttp import web
from uuid_utils import compat as uuid

from dispatcher.store.engine import database_is_away
from dispatcher.web.console.preferences import preferences
from dispatcher.web.console.rendering import error_page

CONTENT_TYPE = "application/problem+json"
TRAINING = web.AppKey("training", bool)
"""Whether the pages of this site are hatched, those of its errors too."""
OUTER = web.AppKey("outer", bool)
"""Whether this site serves the outer zone, where no page of ours exists."""
RETRY_AFTER_S = "5"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_TITLES = {
    400: "请求有误",
    401: "需要令牌",
    403: "不允许",
    404: "没有找到",
    405: "方法不对",
    409: "与先前的冲突",
    413: "报文过大",
    414: "地址过长",
    415: "没有说明内容类型",
    422: "拒收",
    429: "请求太多",
    431: "请求头过大",
    500: "内部错误",
    503: "暂时不可用",
}
_PAGE_TITLES = _TITLES | {401: "请重新登录", 405: "不能这样打开", 413: "文件过大", 415: "内容读不出", 422: "没有办成"}
"""For people; an API's caller is told of tokens and formats."""
_PAGE_DETAILS = {
    "not_found": "没有这个页面，请核对地址",
    "method_not_allowed": "这个地址不能这样打开，请从页面上的链接或按钮进入",
}
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_DETAILS = {
    404: "没有这个地址，请看 /api/openapi.json",
    405: "这个地址不支持该方法，请看 /api/openapi.json",
}

log = structlog.get_logger()


class Problem(Exception):
    """Ends a request. `code` is stable: a number of INTERFACES 6 or a word; `detail` is for a person."""

    def __init__(
        self, status: int, code: str, detail: str, *, more: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.more, self.headers = dict(more or {}), dict(headers or {})


def answer(problem: Problem, instance: str) -> web.Response:
    body = {
        "type": f"urn:mingluo:problem:{problem.code}",
        "title": _TITLES.get(problem.status, "请求没有完成"),
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
        "instance": instance,
        **problem.more,
    }
    return web.Response(
        status=problem.status,
        text=json.dumps(body, ensure_ascii=False),
        content_type=CONTENT_TYPE,
        headers=problem.headers,
    )


@web.middleware
async def explained(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Whatever goes wrong below becomes an answer here; a broken stream is cut, so that it is not taken for whole."""
    try:
        return await handler(request)
    except Problem as problem:
        return _shown(request, problem)
    except web.HTTPException as known:
        if known.status < 400:
            raise
        return _shown(request, _known(known, outer=request.app[OUTER]))
    except Exception as error:  # noqa: BLE001 - the handler of last resort: told with a number, logged with the cause
        if request.writer.output_size > 0:
            return _cut(request, error)
        return _shown(request, _last_resort(request, error))


def _known(error: web.HTTPException, *, outer: bool) -> Problem:
    headers = {name: value for name, value in error.headers.items() if name == "Allow"}
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return too_large()
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status, f"http_{error.status}")
    detail = _DETAILS.get(error.status, "请求没有完成")
    return Problem(error.status, code, detail.partition("，")[0] if outer else detail, headers=headers)


def too_large() -> Problem:
    return Problem(413, "221", "报文超过允许的大小，请拆分后重发")


def _last_resort(request: web.Request, error: Exception) -> Problem:
    if database_is_away(error):
        log.warning("数据库暂时不可用，已请对方稍后再来", path=_place(request), error=type(error).__name__)
        return Problem(503, "unavailable", "数据库暂时不可用，请稍后原样重发", headers={"Retry-After": RETRY_AFTER_S})
    number = uuid.uuid4().hex[:12]
    log.exception("处理请求时出错", number=number, method=request.method, path=_place(request))
    return Problem(500, "internal", f"服务内部出错，已记录，编号 {number}：请把编号告诉维护人员", more={"id": number})


def _cut(request: web.Request, error: Exception) -> web.StreamResponse:
    """The answer is under way: nothing can be said any more, but its end must not look like one."""
    if not isinstance(error, ConnectionResetError):
        log.warning("一个流没有发完就断了", path=_place(request), error=type(error).__name__)
    if request.transport is not None:
        request.transport.abort()
    raise ConnectionResetError("the answer was cut") from error


def _shown(request: web.Request, problem: Problem) -> web.Response:
    wants_page = (
        not request.app[OUTER]
        and (request.method in ("GET", "HEAD") or request.content_type in _FORMS)
        and "HX-Request" not in request.headers
        and "text/html" in request.headers.get("Accept", "")
    )
    if wants_page and not request.path.startswith("/api/"):
        said = {
            "status": problem.status,
            "title": _PAGE_TITLES.get(problem.status, "请求没有完成"),
            "detail": _PAGE_DETAILS.get(problem.code, problem.detail),
            "enter": problem.more.get("enter", ""),
        }
        page = error_page(said, preferences(request), training=request.app[TRAINING])
        return web.Response(
            status=problem.status, text=page, content_type="text/html", charset="utf-8", headers=problem.headers
        )
    return answer(problem, _place(request))


def _place(request: web.Request) -> str:
    """The path, without what only a provider knows of its callback's address."""
    token = request.match_info.get("token")
    return f"{request.path.removesuffix(token)}…" if token else request.path
