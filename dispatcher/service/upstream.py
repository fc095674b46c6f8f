"""The upstream feeds of this process: a tick for each, by the one process that leads; and what a night shift hears of them.

How a feed does is read from the tables, so every process says the same of it, whoever polls.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from dispatcher.pipeline.accept import Answer, Incoming
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.poll import Poller
from dispatcher.polling.fetching import Fetcher
from dispatcher.service.leading import Leader
from dispatcher.store import feeds
from dispatcher.store.engine import Tx
from dispatcher.store.feeds import FeedRow, Unfetched
from dispatcher.telemetry import FEED_AGE, FEED_UNFETCHED

LATE_ROUNDS: Final = 3
"""So many times its own pause without a reading are worth a notice."""
LATE_S: Final = 120.0
"""Sooner than that none is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the feeds do, by source."""

    feeds: Mapping[str, FeedRow] = field(default_factory=dict)
    unfetched: Mapping[str, Unfetched] = field(default_factory=dict)


class Upstream:
    """`turn` is each feed's tick, `leader.run` a task beside them."""

    def __init__(self, context: Context, fetcher: Fetcher, accept: Callable[[Incoming], Awaitable[Answer]]) -> None:
        self._context = context
        self.leader = Leader(context.store, "upstream feeds")
        self.pollers = {
            name: Poller(
                context=context,
                source=name,
                feed=source.feed,
                fetcher=fetcher,
                accept=accept,
                chance=random.SystemRandom().random,
            )
            for name, source in context.settings.sources.items()
            if source.feed is not None
        }

    async def turn(self, source: str) -> None:
        if self.leader.leads:
            await self.pollers[source].look()

    async def standing(self, tx: Tx) -> Standing:
        """Nothing is asked where there are none."""
        if not self.pollers:
            return Standing()
        return Standing(feeds=await feeds.every(tx), unfetched=await feeds.unfetched(tx))

    async def gauge(self, now: datetime) -> None:
        if not self.pollers:
            return
        async with self._context.store.read() as tx:
            found = await self.standing(tx)
        for source in self.pollers:
            if (row := found.feeds.get(source)) is not None:
                FEED_AGE.labels(source).set(_age_s(row, now))
            unfetched = found.unfetched.get(source)
            FEED_UNFETCHED.labels(source).set(unfetched.count if unfetched else 0)

    def notices(self, found: Standing, now: datetime) -> Iterator[str]:
        """What somebody has to mend, although warnings still come in by other doors."""
        for source, poller in self.pollers.items():
            name = self._context.settings.sources[source].name
            row = found.feeds.get(source)
            if row is None:
                yield f"上游 {name} 还没有读过：请检查承担 timers 角色的进程是否在运行"
            elif (age := _age_s(row, now)) > max(LATE_S, LATE_ROUNDS * poller.feed.every_s):
                why = row.last_error or "请检查承担 timers 角色的进程是否在运行"
                yield f"上游 {name} 已 {age / 60:.0f} 分钟没有读到：{why}"
            if (unfetched := found.unfetched.get(source)) is not None:
                yield f"上游 {name} 有 {unfetched.count} 份预警还没有取到：{unfetched.reason}"


def _age_s(row: FeedRow, now: datetime) -> float:
    return (now - (row.last_ok_at or row.began_at)).total_seconds()
