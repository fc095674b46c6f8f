"""Two or more sides, measured in turn in one run, so that a busy machine is busy for all of them alike.

A ratio is that of one round, and what is told is the median of the rounds: a round disturbed on one side moves nothing.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from dispatcher.rehearsal.bench.goals import rounded

T = TypeVar("T")
Tell = Callable[[str, int, int], None]
"""What is being measured, how many rounds are done, of how many."""


LEAST = 3
"""Rounds that are made however slow the machine is."""


async def in_turn(
    rounds: int, sides: Mapping[str, Callable[[], Awaitable[T]]], tell: Tell, patience_s: float = math.inf
) -> dict[str, list[T]]:
    """A B C, then C B A, and so on: whoever is first in one round is last in the next.

    A slow machine, or a slow engine, ends after `patience_s` with fewer rounds; how many there were is told with the figure.
    """
    found: dict[str, list[T]] = {name: [] for name in sides}
    until = time.monotonic() + patience_s
    for number in range(rounds):
        if number >= LEAST and time.monotonic() > until:
            break
        order = list(sides) if number % 2 == 0 else list(sides)[::-1]
        for name in order:
            tell(name, number, rounds)
            found[name].append(await sides[name]())
    return found


def ratio(above: Sequence[float], below: Sequence[float]) -> float:
    """The median of the rounds' ratios."""
    return statistics.median(one / other for one, other in zip(above, below, strict=True))


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Median, least and most."""
    return {
        "median": rounded(statistics.median(values)),
        "min": rounded(min(values)),
        "max": rounded(max(values)),
        "rounds": len(values),
    }


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def middle(values: Sequence[float]) -> float:
    return statistics.median(values)
