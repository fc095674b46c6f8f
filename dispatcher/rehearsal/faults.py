"""What a player does wrong, and to whom: shares of messages, the same ones in every run of one seed.

A decision hangs on the recipient or the message and the number of the try, never on order or time, so that a test that
fails, fails again.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Shares are from 0 to 1. Everything at 0 is a provider that works."""

    seed: int = 1
    delay_s: float = 0
    """Every answer waits so long."""
    rate: float = 0
    """Requests a second; above it 429 with Retry-After (0 = no limit)."""
    refuse: float = 0
    """Of recipients: refused for good, however often they are tried."""
    fail: float = 0
    """Of tries: 503, and nothing taken."""
    hang: float = 0
    """Of tries: taken, then no answer."""
    cut: float = 0
    """Of tries: taken, then the line is cut."""
    lie: float = 0
    """Of tries: taken, then an answer that is nonsense."""
    undelivered: float = 0
    """Of messages taken: reported undelivered, or failed to play, later."""
    repeat: float = 0
    """Of reports: made twice."""

    @staticmethod
    def read(text: str | bytes) -> Faults:
        """From JSON; ValueError names what is wrong."""
        match json.loads(text):
            case dict(data):
                for name, value in data.items():
                    _check(str(name), value)
                return Faults(**data)
            case _:
                raise ValueError("故障设置应是一个 JSON 对象")

    def hits(self, fault: str, key: str) -> bool:
        share: float = getattr(self, fault)
        return share > 0 and zlib.crc32(f"{self.seed}.{fault}.{key}".encode()) < share * 2**32


def _check(name: str, value: object) -> None:
    if name not in {field.name for field in fields(Faults)}:
        raise ValueError(f"没有这种故障：{name}")
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ValueError(f"{name} 应是不小于 0 的数")
    if name not in ("seed", "delay_s", "rate") and value > 1:
        raise ValueError(f"{name} 是份额，应在 0 到 1 之间")


class Fate(StrEnum):
    """What becomes of one request. Up to FAIL nothing is taken; after it everything is."""

    THROTTLE = "throttle"
    REFUSE = "refuse"
    FAIL = "fail"
    TAKE = "take"
    HANG = "hang"
    CUT = "cut"
    LIE = "lie"

    @property
    def taken(self) -> bool:
        return self not in (Fate.THROTTLE, Fate.REFUSE, Fate.FAIL)


class Mischief:
    """The faults of one player, changeable while it runs, and the count of what became of requests."""

    def __init__(self, faults: Faults, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._tries: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.set(faults)

    def set(self, faults: Faults) -> None:
        self.faults = faults
        self._tokens = max(1.0, faults.rate / 10)
        self._filled_at = self._clock()

    def fate(self, recipient: str, key: str) -> Fate:
        """Decides, and counts."""
        fate = self._decide(recipient, key)
        self.counts[fate] += 1
        return fate

    def _decide(self, recipient: str, key: str) -> Fate:
        if self.faults.rate and not self._token():
            return Fate.THROTTLE
        if self.faults.hits("refuse", recipient):
            return Fate.REFUSE
        if not (self.faults.fail or self.faults.hang or self.faults.cut or self.faults.lie):
            return Fate.TAKE
        self._tries[key] += 1
        this_try = f"{key}.{self._tries[key]}"
        for fate in (Fate.FAIL, Fate.HANG, Fate.CUT, Fate.LIE):
            if self.faults.hits(fate, this_try):
                return fate
        return Fate.TAKE

    def _token(self) -> bool:
        """A bucket that holds a tenth of a second's worth."""
        now = self._clock()
        self._tokens = min(max(1.0, self.faults.rate / 10), self._tokens + (now - self._filled_at) * self.faults.rate)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
