"""What is asked of every request, whoever it is from: a token that is a source's, a form that is ours, modest headers; and the
headers of every answer.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Mapping
from itertools import chain

from aiohttp import web

from dispatcher.settings import Source
from dispatcher.web.client import OUR_NAMES, client_of
from dispatcher.web.problems import Problem, too_large

MOST_HEADER_BYTES = 8 * 1024
MOST_FORM_BYTES = 16 * 1024
FORM_LIMIT = web.RequestKey("form limit", int)
"""Of a route whose forms are longer."""
FORM_S = 10.0
HTTPS_FOR_S = 365 * 24 * 3600
"""How long a browser that came by HTTPS comes by nothing else."""
CHALLENGE = 'Bearer realm="Mingluo"'

CONTENT_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Server": "mingluo",
}


def source_of(request: web.Request, sources: Mapping[str, Source]) -> str | None:
    """The source whose token this is. Every token is compared, in constant time, so that none can be felt out."""
    given = bearer(request).encode("utf-8", "surrogateescape")
    found = None
    for name, source in sources.items():
        token = source.token.get_secret_value() if source.token else ""
        same = hmac.compare_digest(token.encode(), given)
        if same and token:
            found = name
    return found


async def must_be_our_form(request: web.Request, *keys: str) -> None:
    """A form that a page of ours sent: one of the keys stands in it and only there, and a browser says where it came from.

    Another site can make a reader's browser post here, but can neither read our pages nor lie about its own name.
    """
    must_be_our_origin(request)
    given = (await form_of(request)).get("key", "").encode("utf-8", "surrogateescape")
    if not any(hmac.compare_digest(given, key.encode()) for key in keys):
        raise forged()


async def form_of(request: web.Request) -> Mapping[str, str]:
    """A small form of plain fields; Problem where it is anything else."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise forged()
    if (request.content_length or 0) > request.get(FORM_LIMIT, MOST_FORM_BYTES):
        raise too_large()
    try:
        async with asyncio.timeout(FORM_S):
            given = await request.post()
    except TimeoutError as error:
        raise Problem(408, "too_slow", f"{FORM_S:.0f} 秒内没有收完，请重试") from error
    return {name: value for name, value in given.items() if isinstance(value, str)}


def must_be_our_origin(request: web.Request) -> None:
    """What a browser says of where a request comes from; whoever is no browser says nothing, and has no cookie either."""
    # our pages tell nobody where they stand (Referrer-Policy), so a browser writes `null` here
    named = request.headers.get("Origin", "null")
    if (
        named not in ("null", f"{client_of(request).scheme}://{request.host}")
        or request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin"
    ):
        raise forged()


def forged() -> Problem:
    return Problem(403, "forged_form", "这个请求不是从本页的按钮发出的：请刷新页面后再按")


def bearer(request: web.Request) -> str:
    """'' where none was shown."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return given.strip() if scheme.lower() == "bearer" else ""


async def dress(request: web.Request, response: web.StreamResponse) -> None:
    """The headers every answer carries; what is not a static file is never kept by a browser or proxy."""
    response.headers.update(HEADERS)
    # this machine's own names are left out: it would hold for whatever else is reached by them, at any port
    if client_of(request).secure and not OUR_NAMES.fullmatch(request.host):
        response.headers["Strict-Transport-Security"] = f"max-age={HTTPS_FOR_S}"
    static = request.raw_path.startswith("/static/") and response.status in (200, 304)
    response.headers.setdefault("Cache-Control", "no-cache" if static else "no-store")


def must_be_modest(request: web.Request) -> None:
    """Headers over 8 KB altogether are nobody's we know."""
    if sum(map(len, chain.from_iterable(request.raw_headers))) > MOST_HEADER_BYTES:
        raise Problem(431, "headers_too_large", f"请求头共超过 {MOST_HEADER_BYTES} 字节")
