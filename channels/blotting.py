"""Secrets and phone numbers out of what is kept of a conversation, in whatever way the other side spelt them.

It must survive a provider that repeats a number with blanks or dashes, in full-width digits, escaped, in UTF-16 or in base64:
what an error says is shown to people and stays in the ledger, where no number may stand.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Iterable
from typing import Final

BLOT: Final = "•••"
_DIGIT = r"(?:(?:%3|\\u003|\\u[fF]{2}1)[0-9]|\d)"
_RUN = re.compile(rf"{_DIGIT}(?:[\s.()（）·\-]{{0,2}}{_DIGIT}){{6,}}")
_ESCAPED = re.compile(r"(?:%3|\\u003|\\u[fF]{2}1)([0-9])")
_CODED = re.compile(r"[A-Za-z0-9+/_-]{10,}")
_NUMBER = re.compile(r"\+?\d{7,15}")


def blotted(text: str, blot: tuple[str, ...]) -> str:
    """The text without any of these; of those that are phone numbers, without any spelling of them. NUL goes too: it is how
    UTF-16 looks when it is read as something else, and no database takes it."""
    text = text.replace("\0", "")
    for secret in blot:
        if secret:
            text = text.replace(secret, BLOT)
    numbers = {_national(one) for one in blot if _NUMBER.fullmatch(one)}
    if not numbers:
        return text
    text = _CODED.sub(lambda found: BLOT if _says(found[0], numbers) else found[0], text)
    return _RUN.sub(lambda found: BLOT if _holds(_digits(found[0]), numbers) else found[0], text)


def _national(number: str) -> str:
    """Without the country's code, where it is ours."""
    digits = number.removeprefix("+")
    return digits[2:] if len(digits) == 13 and digits.startswith("86") else digits


def _digits(spelt: str) -> str:
    plain = _ESCAPED.sub(r"\1", spelt)
    return "".join([str(unicodedata.digit(one)) for one in plain if one.isdigit()])


def _holds(digits: str, numbers: Iterable[str]) -> bool:
    return any(number in digits for number in numbers)


def _says(coded: str, numbers: Iterable[str]) -> bool:
    """Whether it is base64 of something with one of the numbers in it, wherever in its groups of four that begins."""
    plain = coded.replace("-", "+").replace("_", "/")
    for skipped in range(4):
        part = plain[skipped:]
        try:
            said = base64.b64decode(part[: len(part) - len(part) % 4] + _tail(part))
        except (binascii.Error, ValueError):
            continue
        if _holds(said.replace(b"\0", b"").decode("latin-1"), numbers):
            return True
    return False


def _tail(part: str) -> str:
    """The last group, filled up; one letter alone says nothing."""
    left = len(part) % 4
    return part[-left:] + "=" * (4 - left) if left > 1 else ""
