"""Told or not, by which rule, which attempts, which text: one person and one warning."""

from __future__ import annotations

from dataclasses import dataclass

from dispatcher.audience import gather, why_not
from dispatcher.intake.canonical import from_json
from dispatcher.model import Target, Why
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.freeze import resolve_area
from dispatcher.store import ledger, warnings
from dispatcher.store.ledger import Entry, Heard
from dispatcher.store.tries import Try, tries_of
from dispatcher.store.warnings import WarningRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One delivery of the person: its rule in words, its text, and everything that was tried and reported."""

    entry: Entry
    why: str
    text: str
    tries: tuple[Try, ...]
    receipts: tuple[Heard, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """`told` is empty where the person is not on the list; then `reason` says why not."""

    warning: WarningRow
    target: Target
    told: tuple[Told, ...]
    reason: str


async def explain(context: Context, warning_id: str, target: Target) -> Story | None:
    """None where there is no such warning."""
    async with context.store.read() as tx:
        row = await warnings.one(tx, warning_id)
        if row is None:
            return None
        entries = await ledger.of_target(tx, warning_id, str(target))
        texts = await warnings.texts_of(tx, warning_id)
        tries = await tries_of(tx, warning_id, [str(target)])
        heard = await ledger.receipts_of(tx, warning_id, str(target))
    told = tuple(
        Told(
            entry=entry,
            why=Why(entry.why).chinese,
            text=texts[entry.text_no].body,
            tries=tuple(tries.get((entry.channel, entry.target, entry.round), [])),
            receipts=tuple(one for one in heard if one.channel == entry.channel),
        )
        for entry in entries
    )
    return Story(warning=row, target=target, told=told, reason="" if told else await _why_not(context, row, target))


async def _why_not(context: Context, row: WarningRow, target: Target) -> str:
    register = await context.register()
    message = from_json(row.message)
    resolved = await resolve_area(context, message, context.settings.sources.get(row.source))
    if any(member.target == target for member in gather(register, resolved, message).members):
        return f"按现在的登记册会通知，但冻结名单时不在其中（这条预警的状态是 {row.state}）"
    return why_not(register, resolved, message, target)
