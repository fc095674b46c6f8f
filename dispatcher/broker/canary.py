"""The canary: a message that proves the way in, because a queue can be declared, confirmed and dead all the same.

A quorum queue whose broker was killed just after the declaration stays leaderless for ever and says `running`; only a
message that came through proves it. Whoever consumes a canary tells of it, so nodes without the intake role are proven
too.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from dispatcher.broker.contract import Inbound, Parcel

ROUTING_KEY = "mingluo.canary"
BODY = b"canary"
HEADER = "x-mingluo-canary"
SENT_HEADER = "x-mingluo-sent"
LATE = timedelta(seconds=15)
AGAIN = timedelta(seconds=30)
"""One canary at a time is under way, so that they do not pile up where nobody consumes; then it counts as lost."""


class Canary:
    """What one node knows of its own canary."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._waiting_since: datetime | None = None
        self._last_sent: datetime | None = None
        self._proven_at: datetime | None = None

    def next(self, now: datetime) -> Parcel | None:
        """The parcel to send now; None while the one before is still on its way."""
        if self._last_sent is not None and self._waiting_since is not None and now - self._last_sent < AGAIN:
            return None
        self._last_sent = now
        self._waiting_since = self._waiting_since or now
        headers = {HEADER: self._name, SENT_HEADER: now.isoformat()}
        return Parcel(routing_key=ROUTING_KEY, content_type="text/plain", body=BODY, headers=headers)

    def lost(self) -> None:
        """The connection went, or it could not be sent: the next call sends one at once."""
        self._last_sent = None

    def came_through(self, headers: Mapping[str, str]) -> None:
        """Our own or another's; an older one than the last proof proves nothing new."""
        if headers.get(HEADER) == self._name and (sent := _instant(headers.get(SENT_HEADER, ""))) is not None:
            self.proven(sent)

    def proven(self, at: datetime) -> None:
        self._proven_at = max(at, self._proven_at or at)
        if self._waiting_since is not None and at >= self._waiting_since:
            self._waiting_since = None

    def problem(self, now: datetime) -> str:
        """Empty when the way in is proven and the canary under way is not late."""
        if self._waiting_since is not None and now - self._waiting_since > LATE:
            seconds = int((now - self._waiting_since).total_seconds())
            return f"探测消息 {seconds} 秒未回：请检查队列 warnings.inbound 有无主副本、有无人消费"
        return "" if self._proven_at is not None else "尚未收到第一条探测消息"

    def late(self, now: datetime) -> bool:
        return self._waiting_since is not None and now - self._waiting_since > LATE

    def age_s(self, now: datetime) -> float | None:
        return None if self._proven_at is None else (now - self._proven_at).total_seconds()


def name_in(inbound: Inbound) -> str:
    """Whose canary it is; empty where it is none. A header alone cannot make a warning vanish as a canary."""
    if inbound.routing_key != ROUTING_KEY or inbound.body != BODY:
        return ""
    return inbound.headers.get(HEADER, "")


def _instant(text: str) -> datetime | None:
    """A hostile canary header proves nothing."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
