"""Which entries of a feed need not be fetched, in which order the others come, and how long to wait after a failure.

Whatever is not plainly elsewhere or plainly over is fetched: judging is intake's work.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from dispatcher.polling.reading import Entry, Place

LONGEST_PAUSE_S: Final = 900.0
OLD: Final = timedelta(hours=24)
_CODE: Final = re.compile(r"\d{6}(?:\d{3}){0,2}", re.ASCII)
_GROUPS: Final = ((9, 12), (6, 9), (4, 6), (2, 4))
"""Village, township, county, city: where a code's digits for each stand."""
_COUNTRY: Final = ("00", "10")
_LATEST: Final = datetime.max.replace(tzinfo=UTC)


def newest(entries: Sequence[Entry], most: int) -> list[Entry]:
    """The newest `most`, oldest first, so that what changes a warning comes after it. What bears no date counts as new."""
    ordered = sorted(entries, key=lambda entry: entry.updated or _LATEST)
    return ordered[-most:]


def is_over(entry: Entry, now: datetime) -> bool:
    """Old, and past its end as the feed itself says."""
    old = entry.updated is not None and entry.updated < now - OLD
    return old and entry.expires is not None and entry.expires <= now


def is_elsewhere(entry: Entry, only: Sequence[str]) -> bool:
    """Whether every area is named plainly, and none of them is one of `only`: codes' first digits, or words of its name."""
    digits = tuple(one for one in only if one.isascii() and one.isdigit())
    words = tuple(one for one in only if one not in digits)
    return bool(only and entry.places) and all(_is_elsewhere(place, digits, words) for place in entry.places)


def _is_elsewhere(place: Place, digits: Sequence[str], words: Sequence[str]) -> bool:
    """A code speaks for its area whatever its shape; a name does only where there is neither code nor shape."""
    if digits and place.codes and all(_CODE.fullmatch(code) for code in place.codes):
        return not any(_meets(code, prefix) for code in place.codes for prefix in digits)
    if words and place.names and not (place.codes or place.drawn):
        return not any(word in name for name in place.names for word in words)
    return False


def _meets(code: str, prefix: str) -> bool:
    """A province's code holds its cities, and a city's its towns; the country's holds all."""
    end = len(code)
    for start, stop in _GROUPS:
        if end > start and set(code[start:stop]) <= {"0"}:
            end = start
        elif end > start:
            break
    said = code[:end]
    return said in _COUNTRY or said.startswith(prefix) or prefix.startswith(said)


def pause_s(failures: int, every_s: float, after_s: float | None, chance: float) -> float:
    """How long to wait after so many failures in a row: doubled each time, up to a quarter of an hour; up to half of it less,
    by `chance` (0 to 1), so that many readers do not come back at once. Not sooner than the other side asked for, but nobody
    silences a feed for longer than that quarter."""
    whole = min(every_s * 2.0 ** min(failures - 1, 20), LONGEST_PAUSE_S)
    return max(whole * (1 - chance / 2), min(after_s or 0.0, LONGEST_PAUSE_S))
