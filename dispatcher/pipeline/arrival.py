"""What became of bytes that were handed to the broker: for whoever sent them and waits."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from dispatcher.intake.decode import decode
from dispatcher.model import Reference
from dispatcher.settings import Hazards
from dispatcher.store import rejects, warnings
from dispatcher.store.engine import Store
from dispatcher.store.rejects import Refusal
from dispatcher.store.warnings import WarningRow

LOOKED_BACK = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited:
    """What to look for: refusals newer than `after`, and the warning of this identity."""

    digest: str
    identity: Reference | None
    after: str


async def awaited(store: Store, body: bytes, content_type: str, hazards: Hazards) -> Awaited:
    """Call it before the bytes are sent, so that an older refusal of the same bytes is not taken for the answer."""
    message = decode(body, content_type, hazards).message
    identity = None
    if message is not None:
        identity = Reference(sender=message.sender, identifier=message.identifier, sent=message.sent)
    async with store.read() as tx:
        newest = await rejects.refusals(tx, 1)
    return Awaited(digest=sha256(body).hexdigest(), identity=identity, after=newest[0].id if newest else "")


async def arrived(store: Store, what: Awaited) -> WarningRow | Refusal | None:
    """The warning it became, or its refusal; None while nothing is known yet. A refusal beats an older namesake."""
    async with store.read() as tx:
        for refusal in await rejects.refusals(tx, LOOKED_BACK):
            if refusal.digest == what.digest and refusal.id > what.after:
                return refusal
        return await warnings.by_identity(tx, what.identity) if what.identity else None
