"""A service's web site: what its pages and routes find in it, and its readiness in their words.

Loaded by processes that listen, and by no other: console and API are ten megabytes that one which only sends need not hold.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from socket import socket
from ssl import SSLContext

from channels.contract import Reads
from dispatcher.accounts.linking import Links
from dispatcher.model import Channel
from dispatcher.service.running import Service
from dispatcher.web.doors import Dependency, Doors, Ready
from dispatcher.web.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """How a site is opened. `outer`: for providers alone; `reset` and `links`: of a training and of a demo that stays open."""

    bound: socket
    tls: SSLContext | None
    public_url: str
    outer: bool
    reset: Callable[[], None] | None
    links: Links | None


@asynccontextmanager
async def open_to_all(service: Service, front: Front) -> AsyncIterator[None]:
    """Answers while the block lasts."""
    site = Site(_doors(service, front))
    try:
        await site.start(front.bound, front.tls)
        yield
    finally:
        await site.close()


def _doors(service: Service, front: Front) -> Doors:
    readers: dict[tuple[Channel, str], Reads] = {
        key: paced.reads for key, paced in service.parts.providers.on.items() if paced.reads is not None
    }
    return Doors(
        context=service.context,
        book=service.book,
        accept=service.accept,
        readers=readers,
        drills=service.parts.providers.drills,
        readiness=lambda: _ready(service),
        public_url=front.public_url,
        max_body_bytes=service.context.settings.service.max_body_bytes,
        texts=False in service.parts.providers.pagers(),
        reset=front.reset,
        links=front.links,
        outer=front.outer,
    )


async def _ready(service: Service) -> Ready:
    """The service's readiness in the web's words."""
    found = await service.readiness()
    database = Dependency(
        name=f"database:{service.context.store.dialect}",
        problem=next((problem for problem in found.problems if problem.startswith("数据库")), ""),
        detail=f"{found.database_ms} ms",
    )
    broker = Dependency(
        name=f"broker:{found.broker.name}", problem=found.broker.problem, canary_age_s=found.broker.canary_age_s
    )
    return Ready(
        problems=found.problems,
        notices=found.notices,
        dependencies=(database, broker),
        providers_off=found.providers_off,
        clock_skew_s=found.clock_skew_s,
        synthetic=found.synthetic,
    )
