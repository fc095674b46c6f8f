"""The service with its web site, from settings to SIGTERM: what `mingluo serve`, the demo and the tests start alike.

The socket is bound before anything else is made, because providers are told our address when they are built. It must
leave nothing behind where a step fails: what was opened is closed in reverse.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from socket import socket
from ssl import SSLContext

from dispatcher.accounts.entering import Entrance
from dispatcher.accounts.linking import Links
from dispatcher.pipeline.context import Context
from dispatcher.registry.register import Register
from dispatcher.service import schema
from dispatcher.service.assembly import assemble, open_context
from dispatcher.service.keys import sole_process, sole_sender
from dispatcher.service.listening import bound_to
from dispatcher.service.running import OUTER_ROLE, ROLES, Service
from dispatcher.settings import BadConfiguration, Settings

At = tuple[socket, SSLContext | None, str]
"""A listening socket, what it speaks with, and its address as others know it."""
Opener = Callable[[Service, At], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """A service that runs. `url` is where it listens; empty where this process has neither role `web` nor `public`. `outer`:
    for providers alone, without console and API."""

    service: Service
    url: str
    outer: bool = False

    @property
    def context(self) -> Context:
        return self.service.context


async def serve(
    settings: Settings,
    *,
    roles: frozenset[str],
    stop: asyncio.Event,
    on_ready: Callable[[Serving], None],
    tls: SSLContext | None = None,
) -> None:
    """Runs until `stop` is set, then drains."""
    async with serving(settings, roles=roles, tls=tls) as live:
        on_ready(live)
        await stop.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A socket that outlives its resets, so that a browser waits instead of being refused; and the way to ask for one."""

    bound: socket
    url: str
    reset: Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """A stage: nothing on it ever calls another machine. `register`: its database's, where it is in memory already. `links`:
    people come in by one-time links, as in a demo that stays open."""

    training: Training | None = None
    register: Register | None = None
    links: bool = False


@asynccontextmanager
async def serving(
    settings: Settings,
    *,
    roles: frozenset[str] = ROLES,
    rehearsal: Rehearsal | None = None,
    tls: SSLContext | None = None,
) -> AsyncIterator[Serving]:
    """The running service, while the block lasts; in earnest, unless it is a rehearsal. With `tls` the console speaks HTTPS."""
    _refuse(settings, roles, rehearsal)
    listens, outer = bool(roles & {"web", OUTER_ROLE}), "web" not in roles
    opener = _opener(rehearsal, outer=outer) if listens else None
    with sole_process(settings):
        await schema.ensure(settings)
        context = await open_context(settings)
        training = rehearsal.training if rehearsal else None
        context.in_memory = rehearsal.register if rehearsal else None
        async with AsyncExitStack() as opened:
            opened.push_async_callback(context.store.close)
            bound, url = _standing_at(settings, training) if listens else (None, settings.service.public_url)
            if tls is not None:
                url = url.replace("http://", "https://", 1)
            if bound is not None:
                opened.callback(bound.close)
            await opened.enter_async_context(sole_sender(context, roles))
            public_url = (settings.service.public_url or url).rstrip("/")
            alone = rehearsal is not None or settings.stage.rehearsed
            service = Service(await assemble(context, public_url, alone), roles)
            await opened.enter_async_context(service.running())
            if bound is not None and opener is not None:
                await opened.enter_async_context(opener(service, (bound, tls, public_url)))
            yield Serving(service=service, url=url if bound is not None else "", outer=outer)


def _refuse(settings: Settings, roles: frozenset[str], rehearsal: Rehearsal | None) -> None:
    if strange := sorted(roles - ROLES - {OUTER_ROLE}):
        known = "、".join(sorted(ROLES | {OUTER_ROLE}))
        raise BadConfiguration(f"没有这些角色：{'、'.join(strange)}；可用的有 {known}")
    if settings.production and rehearsal is not None and rehearsal.links:
        raise BadConfiguration("正式环境（profile: production）不开演示，也没有一次性链接：请用账号登录")


def _standing_at(settings: Settings, training: Training | None) -> tuple[socket, str]:
    return bound_to(settings) if training is None else (training.bound.dup(), training.url)


def _opener(rehearsal: Rehearsal | None, *, outer: bool) -> Opener:
    """What opens the site. Called before anything runs: nobody waits half a second for console and API to be read."""
    from dispatcher.service.front import Front, open_to_all  # noqa: PLC0415 - not by a process that only sends

    reset = rehearsal.training.reset if rehearsal and rehearsal.training else None

    def opener(service: Service, at: At) -> AbstractAsyncContextManager[None]:
        bound, tls, public_url = at
        links = links_of(service.context) if rehearsal and rehearsal.links else None
        front = Front(bound=bound, tls=tls, public_url=public_url, outer=outer, reset=reset, links=links)
        return open_to_all(service, front)

    return opener


def links_of(context: Context) -> Links:
    """One-time links to the service on this database; they open something only where it was told to let people in by them."""
    return Links(context.store, context.now, Entrance(context.store, context.seal, context.now))
