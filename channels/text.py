"""SMS length and segments, the signature 【】, the marks of a drill and a test, and where a text may be cut.

It must survive any character: lengths are UTF-16 code units as carriers count them, and no character is ever halved.
"""

from __future__ import annotations

from typing import Final

SINGLE: Final = 70
"""UTF-16 units in a message of one part."""

PART: Final = 67
"""UTF-16 units in each part of a longer one."""

DRILL: Final = "【演练】"
TEST: Final = "【测试】"
ELLIPSIS: Final = "…"

_STOPS: Final = frozenset("。！？；，、：")
_JOINERS: Final = frozenset("\u200d\ufe0e\ufe0f")


def units(text: str) -> int:
    """UTF-16 code units: a character outside the basic plane (some surnames, emoji) counts twice."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def segments(text: str) -> int:
    """How many SMS it costs. A pair of units is never split over two parts."""
    total = units(text)
    if total <= SINGLE:
        return 1 if total else 0
    if total == len(text):
        return -(-total // PART)
    parts, room = 1, PART
    for char in text:
        width = 2 if ord(char) > 0xFFFF else 1
        if width > room:
            parts, room = parts + 1, PART
        room -= width
    return parts


def capacity(parts: int) -> int:
    """UTF-16 units that surely fit into so many parts."""
    return SINGLE if parts == 1 else parts * PART


def signed(text: str, signature: str) -> str:
    """The text with 【signature】 in front, once."""
    mark = f"【{signature}】"
    return text if text.startswith(mark) else mark + text


def unsigned(text: str) -> str:
    """The text without the 【signature】 in front, for a provider that puts its own there; a drill's or test's marks stay."""
    bare = text.removeprefix(DRILL).removeprefix(TEST)
    name, close, rest = bare.removeprefix("【").partition("】")
    if not (bare.startswith("【") and close and 2 <= len(name) <= 12):
        return text
    return text[: len(text) - len(bare)] + rest


def is_signed(text: str) -> bool:
    """A carrier wants exactly one 【signature】 of 2 to 12 characters at the front, behind a drill's or test's mark."""
    bare = text.removeprefix(DRILL).removeprefix(TEST)
    name, close, rest = bare.removeprefix("【").partition("】")
    return (
        bare.startswith("【")
        and bool(close)
        and 2 <= len(name) <= 12
        and "【" not in name
        and not rest.startswith("【")
    )


def percent_encoded(text: str) -> str:
    """Every byte as %xx, as a form's value may always be written. A city's warning has a thousand texts, and finding out
    which characters may stand as they are takes fifteen times as long."""
    return f"%{text.encode().hex('%')}" if text else ""


def mark_drill(text: str) -> str:
    """【演练】 first and last, in every text and speech of a drill; once, however often it is called."""
    return _framed(text, DRILL)


def unmarked(text: str) -> str:
    """The inverse of `mark_drill`."""
    return text.removeprefix(DRILL).removesuffix(DRILL)


def mark_test(text: str) -> str:
    """【测试】 first and last."""
    return _framed(text, TEST)


def is_drill(text: str) -> bool:
    return text.startswith(DRILL) and text.endswith(DRILL) and len(text) > len(DRILL)


def mismarked(text: str, *, drill: bool) -> bool:
    """Whether a drill goes out without its marks first and last, or a real warning with one anywhere: nobody would run."""
    return not is_drill(text) if drill else DRILL in text


def cut(text: str, limit: int) -> str:
    """At most `limit` UTF-16 units: the whole text, or its beginning and an ellipsis.

    It ends at the last stop within the final third if there is one, and never inside a joined character.
    """
    if units(text) <= limit:
        return text
    room = limit - units(ELLIPSIS)
    end, used = 0, 0
    for char in text:
        used += 2 if ord(char) > 0xFFFF else 1
        if used > room:
            break
        end += 1
    while 0 < end < len(text) and (text[end] in _JOINERS or text[end - 1] == "\u200d"):
        end -= 1
    for at in range(end, end - end // 3, -1):
        if text[at - 1] in _STOPS:
            return text[: at - 1] + ELLIPSIS
    return text[:end] + ELLIPSIS if limit > 0 else ""


def _framed(text: str, mark: str) -> str:
    bare = text.removeprefix(mark).removesuffix(mark)
    return f"{mark}{bare}{mark}"
