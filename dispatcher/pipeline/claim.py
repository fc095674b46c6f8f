"""An Idempotency-Key speaks for one body, for good."""

from __future__ import annotations

import hashlib

from dispatcher.pipeline.context import Context
from dispatcher.store import warnings


async def claim(context: Context, key: str, body: bytes) -> bool:
    """False where the key already stands for another body.

    The claim comes before the acceptance: a retry after a crash in between meets it again and goes on.
    """
    digest = hashlib.sha256(body).hexdigest()
    async with context.store.begin() as tx:
        return await warnings.claim_key(tx, key, digest) == digest
