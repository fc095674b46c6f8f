"""The warnings of one event: held while one more is kept, found by what names what, made one where two turn out to be.

It must survive two that are kept at the same instant, and a message that names ten thousand.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

from sqlalchemy import ColumnElement, Table, and_, func, or_, select, tuple_, update

from dispatcher.model import Reference
from dispatcher.states import WAITING, WarningState
from dispatcher.store.engine import Tx
from dispatcher.store.tables import warning_references, warnings
from dispatcher.store.warnings import WarningRow, is_named

T = TypeVar("T")

_CHAINS: Final = 3608
"""The advisory lock of `hold`."""
_AT_ONCE: Final = 1000
"""References or ids in one statement."""


async def hold(tx: Tx, *, joins: bool) -> None:
    """Whoever joins a chain (`joins`) waits for all that are being kept at this instant, and they for it, so that a Cancel
    and its Alert see each other; those that begin one do not wait for one another. SQLite has one writer."""
    if tx.dialect.name == "postgresql":
        lock = func.pg_advisory_xact_lock if joins else func.pg_advisory_xact_lock_shared
        await tx.execute(select(lock(_CHAINS)))


async def family(
    tx: Tx, identity: Reference, references: Sequence[Reference]
) -> tuple[list[WarningRow], frozenset[str]]:
    """The warnings that share a chain with whoever `references` name, names `identity`, or names one of the same; and the
    ids of those that name `identity`. What waits for a person is here by itself alone: it makes no two events one."""
    naming = frozenset(await _naming(tx, [identity]))
    ids = {*naming, *await _named(tx, references), *await _naming(tx, references)}
    found: dict[str, WarningRow] = {}
    for some in _in_parts(sorted(ids)):
        found |= {row.id: row for row in await _chains_of(tx, some, but=identity)}
    return sorted(found.values(), key=lambda row: row.received_at), naming


async def _chains_of(tx: Tx, ids: Sequence[str], *, but: Reference) -> list[WarningRow]:
    akin, waits = warnings.c.id.in_(ids), warnings.c.state.in_([state.value for state in WAITING])
    chains = select(warnings.c.chain_id).where(akin, warnings.c.state != WarningState.REJECTED.value, ~waits)
    rows = await tx.execute(
        select(warnings).where(
            or_(warnings.c.chain_id.in_(chains), and_(waits, akin)),
            warnings.c.state != WarningState.REJECTED.value,
            ~is_named(warnings, but),
        )
    )
    return [WarningRow(**row) for row in rows.mappings()]


async def join(tx: Tx, warning_ids: Sequence[str], chain_id: str) -> None:
    """Chains that turn out to be one event become one."""
    await tx.execute(
        update(warnings)
        .where(warnings.c.id.in_(warning_ids), warnings.c.chain_id != chain_id)
        .values(chain_id=chain_id)
    )


async def _named(tx: Tx, references: Sequence[Reference]) -> list[str]:
    """Ids of the warnings that these are."""
    return await _found(tx, warnings, warnings.c.id, references)


async def _naming(tx: Tx, references: Sequence[Reference]) -> list[str]:
    """Ids of the warnings that refer to one of these."""
    return await _found(tx, warning_references, warning_references.c.warning_id, references)


async def _found(tx: Tx, table: Table, wanted: ColumnElement[str], references: Sequence[Reference]) -> list[str]:
    """A message may name very many, and a statement takes so many values; SQLite takes no thousand ORs, and finds three
    columns together by no index."""
    found: list[str] = []
    key = tuple_(table.c.sender, table.c.identifier, table.c.sent)
    for some in _in_parts(references):
        these = key.in_([(one.sender, one.identifier, one.sent) for one in some])
        by_index = table.c.identifier.in_({one.identifier for one in some})
        found += (await tx.execute(select(wanted).where(by_index, these))).scalars()
    return found


def _in_parts(many: Sequence[T]) -> Iterator[Sequence[T]]:
    for at in range(0, len(many), _AT_ONCE):
        yield many[at : at + _AT_ONCE]
