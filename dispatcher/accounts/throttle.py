"""How long a guesser waits: 0, 1, 2, 4 … 60 seconds, by whom he guesses at from where.

It must not become a way to keep the duty officer out at night: somebody else's guesses at his name, from elsewhere, cost him
nothing until there are a hundred, and then no more than a minute. A name nobody has is treated like any other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

LONGEST_S: Final = 60.0
FORGOTTEN: Final = timedelta(hours=12)
"""After so long without another one, failures count no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Under which failures are counted: for this name from this address, for all from this address, for this name from
    wherever; each as a hash, and how many are let pass."""

    pair: str
    address: str
    login: str

    @property
    def free(self) -> Mapping[str, int]:
        return {self.pair: 1, self.address: 20, self.login: 100}

    @property
    def every(self) -> tuple[str, ...]:
        return (self.pair, self.address, self.login)


def keys(login: str, address: str) -> Keys:
    return Keys(pair=_key("pair", login, address), address=_key("address", address), login=_key("login", login))


def wait_s(counted: Mapping[str, tuple[int, datetime]], of: Keys, now: datetime) -> float:
    """How long before the next try is looked at; 0: now. `counted`: key → failures, and when the last one was."""
    waits = [0.0]
    for key, (failures, last_at) in counted.items():
        over = failures - of.free[key]
        if over > 0 and now - last_at < FORGOTTEN:
            waits.append(min(LONGEST_S, 2.0 ** min(over - 1, 10)) - (now - last_at).total_seconds())
    return max(waits)


def _key(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()
