"""What letting a warning go does, whoever lets it go: `accept` for a source that may, `approve` for two persons.

What comes before it of its event ends in the same transaction, and what stands for the plan is signed with it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from dispatcher.model import Kind, WarningMessage
from dispatcher.pipeline import chaining
from dispatcher.pipeline.chaining import Company
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.freeze import Frozen
from dispatcher.pipeline.withdraw import end, told
from dispatcher.signing import FACTS, WORDINGS, Act, facts_of, wordings_of
from dispatcher.states import WarningState
from dispatcher.store import chunks, signatures, warnings
from dispatcher.store.engine import Tx
from dispatcher.store.signatures import Signature
from dispatcher.store.warnings import WarningRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Loosed:
    """What a release has done, told to the sender after the commit: what it ended, and how; by which channels it leaves."""

    ended: Sequence[tuple[str, WarningState]] = ()
    channels: Collection[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Whose act it is. `account_id`: of an account or a token, '' for a source."""

    account_id: str
    actor: str
    act: Act
    at: datetime
    detail: Mapping[str, Any]


async def silence(tx: Tx, kind: Kind, company: Company) -> None:
    """First nothing more may leave of what this ends; then whoever was reached can be counted."""
    for row in company.before:
        if chaining.ends(kind, row) is not None:
            await chunks.hold(tx, row.id)
            await chunks.end(tx, row.id)


async def keep_plan(tx: Tx, row: WarningRow, frozen: Frozen, by: By) -> None:
    """Texts and chunks, not released; and signed with what they say."""
    await warnings.keep_texts(tx, row.id, frozen.plan.texts)
    await chunks.freeze(tx, row.id, frozen.plan.chunks)
    texts, shapes = frozen.plan.texts, [one.shape for one in frozen.plan.chunks]
    facts = {**facts_of(row, texts, shapes), WORDINGS: wordings_of(texts)}
    await sign(tx, row, replace(by, detail={**by.detail, FACTS: facts}))


async def sign(tx: Tx, row: WarningRow, by: By) -> None:
    signature = Signature(
        warning_id=row.id,
        at=by.at,
        account_id=by.account_id,
        act=by.act,
        plan_hash=row.plan_hash,
        detail=by.detail,
    )
    await signatures.sign(tx, signature)


async def overtake(context: Context, tx: Tx, row: WarningRow, company: Company) -> Loosed:
    """What is issued ends what came before it of its event."""
    done = []
    for before in company.before:
        ended = chaining.ends(row.kind, before)
        if ended is not None and await end(context, tx, before.id, ended, by=row.id):
            done.append((before.id, ended))
    return Loosed(ended=done, channels=frozenset(row.plan["channels"]))


def tell(context: Context, loosed: Loosed) -> None:
    """After the commit: what is in the sender's memory stops, and what is released leaves."""
    for warning_id, state in loosed.ended:
        told(context, warning_id, state)
    context.wake(loosed.channels)


def nothing_to_end(message: WarningMessage, company: Company) -> bool:
    """A Cancel of what nobody heard, or of what is over."""
    return message.kind is Kind.CANCEL and (company.over or not company.told)
