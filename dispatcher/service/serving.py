"""The service with its web site, from settings to SIGTERM: what `mingluo serve`, the demo and the tests start alike.

The socket is bound before anything else is made, because providers are told our address when they are built. It must
leave nothing behind where a step fails: what was opened is closed in reverse.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from channels.contract import Reads
from dispatcher.model import Channel
from dispatcher.pipeline.context import Context
from dispatcher.service import schema
from dispatcher.service.assembly import assemble, open_context
from dispatcher.service.keys import sole_process
from dispatcher.service.running import ROLES, Service
from dispatcher.settings import BadConfiguration, Settings
from dispatcher.web.doors import Dependency, Doors, Ready
from dispatcher.web.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """A service that runs. `url` is where the console listens; empty where this process has no role `web`."""

    service: Service
    url: str

    @property
    def context(self) -> Context:
        return self.service.context


async def serve(
    settings: Settings,
    *,
    roles: frozenset[str],
    stop: asyncio.Event,
    loopback_only: bool,
    on_ready: Callable[[Serving], None],
) -> None:
    """Runs until `stop` is set, then drains."""
    async with serving(settings, roles=roles, loopback_only=loopback_only) as live:
        on_ready(live)
        await stop.wait()
