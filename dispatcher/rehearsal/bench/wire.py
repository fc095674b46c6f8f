"""What one message of the plain provider is on the wire: the same bytes from the engine and from the bare loop."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote_plus

from channels.text import percent_encoded

SENDER: Final = "+8615400000000"
CALL_OFF: Final = "cancel"
"""The last part of the path of a message that calls off; any other's is `plain`."""
_FROM: Final = f"&From={quote_plus(SENDER)}"
FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}


def head_of(to: str, key: str) -> bytes:
    return f"To=%2B{to[1:]}&Key={key}".encode("ascii")


def tail_of(text: str) -> bytes:
    return f"{_FROM}&Body={percent_encoded(text)}".encode("ascii")
