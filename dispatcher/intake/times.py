"""Times as CAP writes them, `2026-06-12T20:06:55+08:00`, and nothing else: no Z, no fraction, a day that exists.

The schema's pattern says `[-,+]`, so a comma could stand for the sign; here it cannot.
"""

from __future__ import annotations

import re
from datetime import datetime

FIRST_YEAR, LAST_YEAR = 1900, 2200
"""Near the ends of the calendar a time overflows in another zone."""
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d[+-](?:0\d|1[0-4]):[0-5]\d", re.ASCII)


def parse(text: str) -> datetime:
    """An aware time; ValueError with a Chinese sentence where it is none."""
    text = text.strip()
    if not _TIME.fullmatch(text):
        raise ValueError(f"时间“{text[:40]}”应写成 2026-06-12T20:06:55+08:00（不用 Z，不带小数秒）")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"时间“{text}”不是真实存在的日期") from error
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(f"时间“{text}”不是真实存在的日期")
    return moment
