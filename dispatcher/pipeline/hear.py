"""What people write back is kept as it came, and the provider is answered only then. What it means is not said here."""

from __future__ import annotations

from collections.abc import Sequence

from channels.contract import Uplink
from dispatcher.model import Channel
from dispatcher.pipeline.context import Context
from dispatcher.store import uplinks


async def hear(context: Context, channel: Channel, provider: str, heard: Sequence[Uplink]) -> int:
    """Keeps them, each once; returns how many were new. Returns after the commit."""
    if not heard:
        return 0
    now = context.now()
    kept = [
        uplinks.Uplink(
            at=now,
            channel=channel,
            provider=provider,
            number=one.number,
            phone=one.phone,
            text=one.text,
            sent_at=one.sent,
            dest_code=one.dest_code,
        )
        for one in heard
    ]
    async with context.store.begin() as tx:
        return await uplinks.keep(tx, context.seal, kept)
