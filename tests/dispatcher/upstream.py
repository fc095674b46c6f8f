"""An upstream that publishes: a real HTTP server on loopback, which answers as it was told and writes down who asked."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from aiohttp import web

Play = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
CAP_LINK = 'type="application/cap+xml" href='


@dataclass(slots=True)
class Upstream:
    """`asked`: path and headers of every request, in order. What nobody told it of is a 404."""

    url: str = ""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    _plays: dict[str, Play] = field(default_factory=dict)

    def serve(self, path: str, body: bytes, status: int = 200, **headers: str) -> None:
        """From now on; with an `ETag`, whoever has it already is told so."""

        async def play(request: web.BaseRequest) -> web.StreamResponse:
            if headers.get("ETag", "none") == request.headers.get("If-None-Match"):
                return web.Response(status=304, headers=headers)
            return web.Response(body=body, status=status, headers={"Content-Type": "application/xml", **headers})

        self._plays[path] = play

    def play(self, path: str, play: Play) -> None:
        self._plays[path] = play

    def paths(self) -> list[str]:
        """What was asked for since the last look."""
        paths = [path for path, _ in self.asked]
        self.asked.clear()
        return paths

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append((request.path, dict(request.headers)))
        play = self._plays.get(request.path)
        return await play(request) if play else web.Response(status=404)


@asynccontextmanager
async def upstream(tls: ssl.SSLContext | None = None) -> AsyncIterator[Upstream]:
    played = Upstream()
    runner = web.ServerRunner(
        web.Server(played.handle, access_log=None), handler_cancellation=True, shutdown_timeout=0.1
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        played.url = f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
        yield played
    finally:
        await runner.cleanup()


def atom(*entries: str) -> bytes:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xmlns:cap="urn:oasis:names:tc:emergency:cap:1.2"><id>urn:feed</id><title>预警</title>
<updated>2026-04-02T18:39:00Z</updated>{"".join(entries)}</feed>""".encode()


def entry(id_: str, href: str = "", updated: str = "2026-04-02T18:39:00Z", inside: str = "") -> str:
    """`inside`: whatever else stands in it, as XML."""
    link = f"<link {CAP_LINK}{_quoted(href)}/>" if href else ""
    return f"<entry><id>{escape(id_)}</id><title>预警</title><updated>{updated}</updated>{link}{inside}</entry>"


def rss(*items: str) -> bytes:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom"><channel><title>预警</title>{"".join(items)}</channel>
</rss>""".encode()


def item(**said: str) -> str:
    """Elements by name; `inside` as XML."""
    inside = said.pop("inside", "")
    return f"<item>{''.join(_elements(said))}{inside}</item>"


def _elements(said: dict[str, str]) -> Iterator[str]:
    for name, text in said.items():
        yield f"<{name}>{escape(text)}</{name}>"


def _quoted(text: str) -> str:
    return f'"{escape(text, {chr(34): "&quot;"})}"'
