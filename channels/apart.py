"""Drill and live, kept apart at the last door before a provider.

It must survive everything above it being wrong: a flag flipped in the database or in memory, a text without its marks, a
message handed to the wrong provider, an address of the real gateway in a drill. What is not surely right does not leave.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from msgspec.structs import replace
from pydantic import SecretStr

from channels.contract import MIXED, Blame, Message, ProviderSettings, Refused
from channels.text import DRILL, mismarked

FOREIGN: Final = Refused(
    code=MIXED, reason="演练专用接口拦下一条实战消息：请立即查明它为什么走到这里", blame=Blame.MESSAGE
)
DRILL_IN_EARNEST: Final = Refused(
    code=MIXED, reason="实战接口拦下一条演练消息：请立即查明它为什么走到这里", blame=Blame.MESSAGE
)
MISMARKED: Final = Refused(
    code=MIXED, reason="【演练】标记与预警性质不符，已拦下：请立即查明文字被谁改过", blame=Blame.MESSAGE
)


def stopped(message: Message, *, drill: bool) -> Refused | None:
    """Why this message must not leave by a provider that is (`drill`) or is not a drill's; None where it may."""
    about = message.bulletin
    if about.drill is not drill:
        return FOREIGN if drill else DRILL_IN_EARNEST
    if mismarked(message.text, drill=drill) or (DRILL in about.headline) is not drill:
        return MISMARKED
    return None


def at_home(message: Message) -> Message:
    """A drill's message goes to the drill's own base URL: of an address in the register only the path is taken."""
    if "://" not in message.to:
        return message
    parts = urlsplit(message.to)
    return replace(message, to=f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}")


def shared(one: ProviderSettings, other: ProviderSettings) -> Iterator[str]:
    """Secrets that two providers have in common: a drill by the live account is no drill."""
    theirs = {value.get_secret_value() for _, value in other if isinstance(value, SecretStr)}
    for name, value in one:
        if isinstance(value, SecretStr) and value.get_secret_value() and value.get_secret_value() in theirs:
            yield name
