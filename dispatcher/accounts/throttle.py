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


class Wait(Exception):
    """Too many, of wrong ones or of whatever `said` says: `seconds` until the next is looked at."""

    def __init__(self, seconds: float, said: str = "") -> None:
        super().__init__(said or f"错误次数太多：请等 {seconds:.0f} 秒再试")
        self.seconds = seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Under which failures are counted, each as a hash, and how many are let pass. `pair`: whom he guesses at, from where."""

    pair: str
    free: Mapping[str, int]

    @property
    def every(self) -> tuple[str, ...]:
        return tuple(self.free)


def keys(login: str, address: str) -> Keys:
    """Of a password: for this name from this address; for all from this address, an office's maybe; for this name from
    wherever."""
    pair = _key("pair", login, address)
    return Keys(pair=pair, free={pair: 1, _key("address", address): 200, _key("login", login): 100})


def proving(account_id: str, address: str) -> Keys:
    """Of a second factor: only who has shown the password gets here, so that no stranger at the sign-in page keeps an officer
    from showing a code, and a wrong alarm from being taken back."""
    pair = _key("prove", account_id, address)
    return Keys(pair=pair, free={pair: 1, _key("prove", account_id): 100})


def asking(account_id: str) -> Keys:
    """Of a code by SMS: whoever presses a button that was refused him, again and again."""
    pair = _key("ask", account_id)
    return Keys(pair=pair, free={pair: 1})


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
