"""A connection whose head is no HTTP: answered as every other error is, without a traceback in the log."""

from __future__ import annotations

import structlog
from aiohttp import web

from dispatcher.web.guard import HEADERS
from dispatcher.web.problems import Problem, answer

log = structlog.get_logger()


class Connection(web.RequestHandler):
    """What aiohttp makes of a connection; only its last word is ours."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """A head that cannot be read, or a handler that failed with its answer under way: that one is cut."""
        if request.writer.output_size > 0:
            raise ConnectionResetError("the answer was cut") from exc
        if status < 500:
            log.info("收到不是 HTTP 的字节，已拒绝", remote=request.remote, error=type(exc).__name__)
            problem = Problem(status, "bad_request", "请求不是合法的 HTTP，请检查请求行和请求头")
        else:
            log.error("处理请求时出错", remote=request.remote, error=type(exc).__name__)
            problem = Problem(status, "internal", "服务内部出错，已记录")
        response = answer(problem, "")
        response.headers.update({**HEADERS, "Cache-Control": "no-store"})
        response.force_close()
        return response
