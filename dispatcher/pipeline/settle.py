"""Receipts move deliveries forward, and what is finished is called finished."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from channels.contract import Receipt
from dispatcher.model import Channel, DeliveryKey, Level, Target, TargetKind
from dispatcher.pipeline.context import Context
from dispatcher.receipts import ReceiptBook, report_of
from dispatcher.states import SENDING, WarningState
from dispatcher.store import chunks, deliveries, events, ledger, warnings
from dispatcher.store.deliveries import Report
from dispatcher.store.engine import Tx
from dispatcher.store.events import Event
from dispatcher.store.warnings import WarningRow


async def take_receipts(context: Context, book: ReceiptBook, channel: Channel, receipts: Sequence[Receipt]) -> int:
    """Enters receipts that name a delivery; returns how many named none. Returns after the commit."""
    reports: list[Report] = []
    strangers = 0
    for receipt in receipts:
        key = await _key(context, channel, receipt)
        if key is None:
            strangers += 1
        else:
            reports.append(report_of(receipt, key))
    await book.enter(reports)
    return strangers


async def _key(context: Context, channel: Channel, receipt: Receipt) -> DeliveryKey | None:
    """The delivery a receipt speaks of: by our key, else by (EBMID, gateway's resource code)."""
    if receipt.id:
        try:
            return DeliveryKey.parse(receipt.id)
        except ValueError:
            return None
    register = await context.register()
    gateway = next((gateway for gateway in register.gateways.values() if gateway.ebrid == receipt.peer), None)
    async with context.store.read() as tx:
        warning_id = await warnings.by_broadcast(tx, receipt.ref)
    if gateway is None or warning_id is None:
        return None
    target = Target(kind=TargetKind.GATEWAY, id=gateway.id)
    return DeliveryKey(warning_id=warning_id, target=target, channel=channel)


async def finish(context: Context) -> None:
    """Gives up waiting for receipts past their deadline, and moves warnings to dispatched and completed.

    One that was called off or ran out keeps its state; when its last row is terminal, that is noted too.
    """
    async with context.store.read() as tx:
        open_ones = await warnings.unfinished(tx)
    for row in open_ones:
        async with context.store.read() as tx:
            step = await _next_step(context, tx, row)
        if step is not None:
            async with context.store.begin() as tx:
                await _take(context, tx, row, step)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """What a look without a lock found to be due."""

    give_up: bool
    dispatched: bool
    completed: bool


async def _next_step(context: Context, tx: Tx, row: WarningRow) -> _Step | None:
    """Looked up without the write lock: most looks find nothing to do, and the sender must not wait for them."""
    unopened, unclosed = await chunks.unfinished(tx, row.id)
    step = _Step(
        give_up=any(
            [
                await ledger.waiting_since(tx, row.id, channel, context.now() - _deadline(context, row, channel))
                for channel in row.plan["channels"]
            ]
        ),
        dispatched=not unopened and row.state in (WarningState.APPROVED, WarningState.DISPATCHING),
        completed=not unopened and not unclosed and not await ledger.open_rows(tx, row.id),
    )
    return step if step.give_up or step.dispatched or step.completed else None


def _deadline(context: Context, row: WarningRow, channel: str) -> timedelta:
    level = context.settings.policy.levels[Level(row.level or Level.RED)]
    return timedelta(seconds=level.of(Channel(channel)).receipt_deadline_s)


async def _take(context: Context, tx: Tx, row: WarningRow, step: _Step) -> None:
    now = context.now()
    if step.give_up:
        for channel in row.plan["channels"]:
            await deliveries.give_up_waiting(tx, row.id, channel, now - _deadline(context, row, channel), now)
    unopened, unclosed = await chunks.unfinished(tx, row.id)
    if unopened:
        return
    if row.state in SENDING:
        await warnings.move(tx, row.id, WarningState.DISPATCHING)
        if await warnings.move(tx, row.id, WarningState.DISPATCHED, dispatched_at=now):
            await _say(context, tx, row, "warning.dispatched")
    if unclosed or await ledger.open_rows(tx, row.id):
        return
    if await warnings.move(tx, row.id, WarningState.COMPLETED, completed_at=now):
        await _say(context, tx, row, "warning.completed")
    else:
        await warnings.note_finished(tx, row.id, now)


async def _say(context: Context, tx: Tx, row: WarningRow, kind: str) -> None:
    counted = await ledger.counts(tx, row.id)
    detail = {f"{count.channel}.{count.state.label}": count.rows for count in counted}
    await events.record(
        tx, context.now(), Event(kind=kind, subject=row.id, warning_id=row.id, detail=detail), outward=True
    )
