"""Asking the handler, the same for every broker: an answer, a failure that counts, or a ground that is gone for now."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from dispatcher.broker import canary
from dispatcher.broker.contract import Handled, Handler, Inbound, Node, NotNow

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The handler raised: this counts as a try."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """Nothing could be handled now, this message or another: no try is used up."""


async def ask(handler: Handler, inbound: Inbound) -> Handled | Failed | Later:
    """Never raises for what the handler raises; the log has the traceback."""
    try:
        return await handler(inbound)
    except (NotNow, TimeoutError, OSError) as error:
        _log.warning("inbound message waits", message_id=inbound.message_id, because=repr(error))
        return Later()
    except Exception as error:  # noqa: BLE001 - whatever a handler raises must not lose the message
        _log.exception("inbound message failed", message_id=inbound.message_id)
        return Failed(reason=f"处理时反复出错（{type(error).__name__}），请查日志，修复后重放")


async def told_of_giving_up(node: Node, inbound: Inbound, reason: str) -> bool:
    """False where it could not be put on record now: the message stays where it is, and is given up later."""
    try:
        await node.gave_up(inbound, reason)
    except Exception:  # noqa: BLE001 - the bytes are safe in the queue for as long as this takes
        _log.exception("giving up a message could not be recorded", message_id=inbound.message_id)
        return False
    return True


async def tell_of_canary(node: Node, inbound: Inbound) -> None:
    """A canary is gone once it came through; that its time could not be stored only makes the next one matter."""
    try:
        await node.seen(canary.name_in(inbound))
    except Exception:  # noqa: BLE001 - a stored proof is worth less than the queue behind it
        _log.exception("canary came through but was not recorded")
