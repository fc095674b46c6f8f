"""The bare loops, in a process of their own: what aiohttp alone can do here, with nothing durable behind it.

`encoded`: URL, headers and the text's body made once, a message is two joins and a POST. `form`: `data={…}` as everyone
writes it. `batched`: 100 numbers a request. As many long-lived workers as the engine has requests under way, one session.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web
from yarl import URL

from dispatcher.rehearsal.bench.orders import cpu_s, live, now_s, obey
from dispatcher.rehearsal.bench.wire import FORM, SENDER, head_of, tail_of

LIMIT_S: Final = 60.0
Post = Callable[[ClientSession, str, str], Awaitable[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is sent: to so many numbers, one text, to one URL."""

    url: str
    count: int
    in_flight: int
    text: str
    key: str

    @staticmethod
    def read(order: Mapping[str, Any]) -> Load:
        return Load(**{name: order[name] for name in Load.__dataclass_fields__})

    def messages(self) -> Iterator[tuple[str, str]]:
        """Number and delivery key of each, as the engine has them in memory too."""
        for number in range(self.count):
            yield f"+86{15_400_000_000 + number}", f"{self.key}{number:08d}"


async def encoded(order: Mapping[str, Any]) -> Mapping[str, Any]:
    load = Load.read(order)
    url, tail = URL(load.url, encoded=True), tail_of(load.text)

    async def post(session: ClientSession, to: str, key: str) -> int:
        async with session.post(url, data=head_of(to, key) + tail, headers=FORM) as response:
            await response.read()
            return response.status

    return await _timed(load, post)


async def form(order: Mapping[str, Any]) -> Mapping[str, Any]:
    load = Load.read(order)

    async def post(session: ClientSession, to: str, key: str) -> int:
        fields = {"To": to, "Key": key, "From": SENDER, "Body": load.text}
        async with session.post(load.url, data=fields) as response:
            await response.read()
            return response.status

    return await _timed(load, post)


async def _timed(load: Load, post: Post) -> Mapping[str, Any]:
    """From the first POST to the last answer read."""
    messages, answers = load.messages(), {"good": 0}

    async def work(session: ClientSession) -> None:
        for to, key in messages:
            status = await post(session, to, key)
            answers["good"] += status == 200

    connector = TCPConnector(limit=load.in_flight)
    limit = ClientTimeout(total=LIMIT_S)
    async with ClientSession(connector=connector, timeout=limit, cookie_jar=DummyCookieJar()) as session:
        used, began = cpu_s(), now_s()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(load.in_flight):
                tasks.create_task(work(session))
        ended, used = now_s(), cpu_s() - used
    return {"count": answers["good"], "began": began, "ended": ended, "cpu_s": used}


async def door(_order: Mapping[str, Any]) -> Mapping[str, Any]:
    """A bare aiohttp handler that reads the body and answers 204: the other side of the receipts."""
    app = web.Application()
    app.router.add_post("/{rest:.*}", _no_content)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    return {"url": f"http://127.0.0.1:{runner.addresses[0][1]}"}


async def _no_content(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(status=204)


if __name__ == "__main__":
    live(obey({"encoded": encoded, "form": form, "door": door}, {}))
