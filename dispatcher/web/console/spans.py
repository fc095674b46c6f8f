"""How long something has lasted, as a clock that the script goes on counting: the same in every language."""

from __future__ import annotations

from datetime import datetime


def lasting(begin: datetime, end: datetime) -> str:
    """3:07, 1:02:07."""
    seconds = max(0, int((end - begin).total_seconds()))
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
