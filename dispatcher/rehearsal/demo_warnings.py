"""The demo's two warnings, written as the Chinese feed writes them, with the time of now."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from string import Template

from dispatcher.model import BEIJING
from dispatcher.settings import PROJECT

FOLDER = PROJECT / "config" / "jian" / "demo"
WHOLE_CITY = FOLDER / "1-city-red-rainstorm.xml"
TWO_TOWNSHIPS = FOLDER / "2-suichuan-red-flood.xml"
SOURCE = "city-weather"
CONTENT_TYPE = "application/cap+xml"
VALID = timedelta(hours=3)


def filled(template: Path, now: datetime) -> bytes:
    """The bytes as the observatory would send them at `now`."""
    at = now.astimezone(BEIJING).replace(microsecond=0)
    fields = {
        "stamp": at.strftime("%Y%m%d%H%M%S"),
        "sent": at.isoformat(),
        "expires": (at + VALID).isoformat(),
        "issued": f"{at:%Y}年{at:%m}月{at:%d}日{at:%H}时{at:%M}分",
    }
    return Template(template.read_text(encoding="utf-8")).substitute(fields).encode()
