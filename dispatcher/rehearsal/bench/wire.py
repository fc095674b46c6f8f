"""What one message of the plain provider is on the wire: the same bytes from the engine and from the bare loop."""

from __future__ import annotations

from functools import lru_cache
from typing import Final
from urllib.parse import quote_plus

SENDER: Final = "+8615400000000"
CALL_OFF: Final = "cancel"
"""The last part of the path of a message that calls off; any other's is `plain`."""
FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}


def head_of(to: str, key: str) -> bytes:
    return f"To=%2B{to[1:]}&Key={key}".encode("ascii")


@lru_cache(maxsize=512)
def tail_of(text: str) -> bytes:
    """One text goes to many numbers: it is encoded once."""
    return f"&From={quote_plus(SENDER)}&Body={quote_plus(text)}".encode("ascii")
