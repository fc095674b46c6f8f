"""Who did what to a warning on its way to release: drafted, changed, submitted, signed, returned. Only ever added to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select

from dispatcher.store.engine import Tx
from dispatcher.store.tables import signatures


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """`plan_hash`: of what was before his eyes, '' where nothing was frozen yet."""

    warning_id: str
    at: datetime
    account_id: str
    act: str
    plan_hash: str = ""
    detail: Mapping[str, Any]


async def sign(tx: Tx, signature: Signature) -> None:
    values = {name: getattr(signature, name) for name in Signature.__dataclass_fields__}
    await tx.execute(insert(signatures).values({**values, "detail": dict(signature.detail)}))


async def of(tx: Tx, warning_id: str) -> list[Signature]:
    """Oldest first."""
    wanted = [signatures.c[name] for name in Signature.__dataclass_fields__]
    rows = await tx.execute(select(*wanted).where(signatures.c.warning_id == warning_id).order_by(signatures.c.id))
    return [Signature(**row) for row in rows.mappings()]


async def of_many(tx: Tx, warning_ids: Sequence[str]) -> dict[str, list[Signature]]:
    """By warning, oldest first."""
    wanted = [signatures.c[name] for name in Signature.__dataclass_fields__]
    rows = await tx.execute(select(*wanted).where(signatures.c.warning_id.in_(warning_ids)).order_by(signatures.c.id))
    found: dict[str, list[Signature]] = {}
    for row in rows.mappings():
        found.setdefault(row["warning_id"], []).append(Signature(**row))
    return found


async def acts_before(tx: Tx, act: str, before: datetime, unless: str) -> list[Signature]:
    """Of this kind, done before then, of warnings on which nobody did the other (`unless`) since."""
    other = signatures.alias("other")
    followed = select(other.c.id).where(
        other.c.warning_id == signatures.c.warning_id, other.c.act == unless, other.c.id > signatures.c.id
    )
    wanted = select(*[signatures.c[name] for name in Signature.__dataclass_fields__])
    rows = await tx.execute(
        wanted.where(signatures.c.act == act, signatures.c.at <= before, ~followed.exists()).order_by(signatures.c.id)
    )
    return [Signature(**row) for row in rows.mappings()]
