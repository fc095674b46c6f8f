"""How much one address may ask for: a bucket of tokens each, filled as time passes.

It must survive as many addresses as an attacker has: the table is bounded, and whoever was not seen for longest is forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

BURST_S = 10.0
"""So many seconds' worth may come at once."""
MOST = 10_000


@dataclass(slots=True, kw_only=True)
class Buckets:
    """`now` is any clock that only goes forward, `rate` in requests a second."""

    rate: float
    burst: float
    most: int = MOST
    _left: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)
    """Tokens, and when there were so many."""

    def take(self, who: str, now: float) -> float:
        """Seconds to wait; 0 where a token was taken."""
        left, since = self._left.get(who, (self.burst, now))
        left = min(self.burst, left + (now - since) * self.rate)
        wait = 0.0 if left >= 1 else (1 - left) / self.rate
        self._left[who] = (left if wait else left - 1, now)
        self._left.move_to_end(who)
        if len(self._left) > self.most:
            self._left.popitem(last=False)
        return wait

    def give_back(self, who: str) -> None:
        """Whoever turned out to be known is not counted."""
        if who in self._left:
            left, since = self._left[who]
            self._left[who] = (min(self.burst, left + 1), since)

    def __len__(self) -> int:
        return len(self._left)
