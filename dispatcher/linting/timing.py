"""Times in the text against those of the message.

Only what can be read for sure: the time it says it was issued at, in full, and the time it says it is valid to. A forecast's
span says nothing of how long the warning holds.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from dispatcher.linting.remark import Remark, Rule, Said, warn
from dispatcher.model import BEIJING, Kind

NEAR = timedelta(hours=1)
"""Between signing and sending, and between 8时 and 8时39分."""
FIRST_YEAR, LAST_YEAR = 1900, 2200

_AT = (
    r"(?:(?P<year>\d{4})年)?(?:(?P<month>\d{1,2})月)?(?:(?P<day>\d{1,2})日)?(?:[今明次翌当][日天晚晨早])?"
    r"(?P<half>凌晨|早上|上午|中午|下午|傍晚|晚上|晚间|夜间)?\s?(?P<hour>\d{1,2})(?:时|点|[:：](?=\d))(?:(?P<minute>\d{1,2})分?)?"
)
_VALID = re.compile(rf"有效[^，。；;\n\d]{{0,6}}?[至到]\s?{_AT}")
_ISSUED = {
    Kind.ALERT: re.compile(rf"{_AT}(?:签发|发布)(?!的|了)"),
    Kind.UPDATE: re.compile(rf"{_AT}(?:继续发布|变更|更新|升级|降级|调整)"),
    Kind.CANCEL: re.compile(rf"{_AT}(?:解除|取消|撤销)"),
}
_AFTERNOON = ("下午", "傍晚", "晚上", "晚间", "夜间")


def check(said: Said) -> Iterator[Remark]:
    message = said.message
    if (pattern := _ISSUED.get(message.kind)) is not None:
        yield from _issued(said, pattern)
    if said.issues and message.expires is not None:
        yield from _valid(said, message.expires)


def _issued(said: Said, pattern: re.Pattern[str]) -> Iterator[Remark]:
    """One that fits is enough: a text may tell of an earlier issue too."""
    sent = said.message.sent.astimezone(BEIJING)
    hits = [(hit, at) for hit in pattern.finditer(said.whole) if hit["day"] and (at := _moment(hit, sent))]
    if hits and all(abs(at - sent) > NEAR for _, at in hits):
        hit = hits[0][0]
        yield warn(
            Rule.ISSUED,
            "description",
            hit[0],
            f"正文写“{hit[0]}”，报文的发布时间是 {sent:%m-%d %H:%M}：请核对是不是沿用了旧稿",
        )


def _valid(said: Said, expires: datetime) -> Iterator[Remark]:
    ends = expires.astimezone(BEIJING)
    for hit in _VALID.finditer(said.whole):
        at = _moment(hit, ends)
        if at is not None and abs(at - ends) > NEAR:
            yield warn(
                Rule.VALIDITY,
                "expires",
                hit[0],
                f"正文写“{hit[0]}”，报文的有效期（expires）却到 {ends:%m-%d %H:%M}：两处请改成一致",
            )


def _moment(hit: re.Match[str], near: datetime) -> datetime | None:
    """The moment that was meant; what the text leaves out is taken so that it lies nearest. None where there is none."""
    hour, minute = int(hit["hour"]), int(hit["minute"] or 0)
    if hit["half"] in _AFTERNOON and hour < 12:
        hour += 12
    if hour > 24 or minute > 59:
        return None
    span = timedelta(hours=hour, minutes=minute)
    return min((day + span for day in _days(hit, near)), key=lambda at: abs(at - near), default=None)


def _days(hit: re.Match[str], near: datetime) -> Iterator[datetime]:
    """Midnights that may be meant: of the days, months or years round `near`, as the text says less or more."""
    spans = {"day": 1, "month": 31, "year": 366}
    loose = next((days for name, days in spans.items() if not hit[name]), 0)
    for shift in (-loose, 0, loose) if loose else (0,):
        day = near + timedelta(days=shift)
        year, month, date = (int(hit[name] or getattr(day, name)) for name in ("year", "month", "day"))
        if FIRST_YEAR <= year <= LAST_YEAR:
            with contextlib.suppress(ValueError):  # the 31st of a month that has none
                yield datetime(year, month, date, tzinfo=near.tzinfo)
