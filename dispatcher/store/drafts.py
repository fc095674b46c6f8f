"""What is changed of a warning while it waits for its release: its content, and its plan, as long as nobody has let it go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, insert, select, update

from dispatcher.model import Reference
from dispatcher.states import WarningState
from dispatcher.store.chunks import ChunkState
from dispatcher.store.engine import Tx
from dispatcher.store.tables import chunks, texts, warning_references, warnings


async def submitted(tx: Tx) -> list[str]:
    """Ids of what waits for a signature, oldest first."""
    waits = warnings.c.state == WarningState.SUBMITTED.value
    return [row.id for row in await tx.execute(select(warnings.c.id).where(waits).order_by(warnings.c.id))]


async def rewrite(tx: Tx, warning_id: str, content: Mapping[str, Any], references: Sequence[Reference]) -> bool:
    """Another content for a draft; False where it is none any more."""
    draft = (warnings.c.id == warning_id, warnings.c.state == WarningState.DRAFT.value)
    done = await tx.execute(update(warnings).where(*draft).values(**content))
    if done.rowcount != 1:
        return False
    await tx.execute(delete(warning_references).where(warning_references.c.warning_id == warning_id))
    rows = [
        {"warning_id": warning_id, "sender": one.sender, "identifier": one.identifier, "sent": one.sent}
        for one in dict.fromkeys(references)
    ]
    if rows:
        await tx.execute(insert(warning_references), rows)
    return True


async def thaw(tx: Tx, warning_id: str) -> None:
    """Its plan is no plan any more: texts and frozen chunks go. What was released is not touched."""
    frozen = (chunks.c.warning_id == warning_id, chunks.c.state == ChunkState.FROZEN)
    gone = await tx.execute(delete(chunks).where(*frozen))
    draft = (warnings.c.id == warning_id, warnings.c.state == WarningState.DRAFT.value)
    done = await tx.execute(
        update(warnings)
        .where(*draft)
        .values(plan={"channels": {}}, plan_hash="", header_hash="", rows_planned=0, broadcast_id="")
    )
    assert done.rowcount == 1 or not gone.rowcount, "the plan of what is no draft was taken"
    await tx.execute(delete(texts).where(texts.c.warning_id == warning_id))
