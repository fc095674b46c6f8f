"""Receipts move deliveries forward, and what is finished is called finished."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from channels.contract import Receipt
from dispatcher.model import Channel, DeliveryKey, Level, Target, TargetKind
from dispatcher.pipeline.context import Context
from dispatcher.receipts import ReceiptBook, report_of
from dispatcher.states import SENDING, WarningState
from dispatcher.store import chunks, deliveries, events, ledger, sides, warnings
from dispatcher.store.deliveries import Report
from dispatcher.store.engine import Tx, storable
from dispatcher.store.events import Event
from dispatcher.store.ledger import Place
from dispatcher.store.registry import opening
from dispatcher.store.warnings import Underway

LOOK_UP_S = 10.0
"""How long whose receipt it is may take to find."""
SIDES_KEPT = 10_000

log = structlog.get_logger()


async def take_receipts(
    context: Context, book: ReceiptBook, channel: Channel, receipts: Sequence[Receipt], *, drill: bool = False
) -> int:
    """Enters receipts that name a delivery; returns how many named none. Returns after the commit.

    `drill`: whether a drill's provider says it. What it says of a real delivery is not believed, nor the other way.
    """
    nameless = [receipt for receipt in receipts if not receipt.id]
    found = await _looked_up(context, channel, nameless) if nameless else {}
    keys = [_named(receipt.id) if receipt.id else found[receipt] for receipt in receipts]
    foreign = await _other_side(context, {key.warning_id for some in keys for key in some}, drill=drill)
    reports: list[Report] = []
    strangers = 0
    for receipt, some in zip(receipts, keys, strict=True):
        ours = [report_of(receipt, key) for key in some if key.warning_id not in foreign]
        strangers += not ours
        reports += ours
    await book.enter(reports)
    return strangers


async def _other_side(context: Context, warning_ids: set[str], *, drill: bool) -> set[str]:
    """Of these, the warnings that stand on the other side. What is a drill stays one, so it is asked once."""
    known = context.sides
    if unknown := warning_ids - known.keys():
        async with asyncio.timeout(LOOK_UP_S), context.store.read() as tx:
            known.update(await sides.sides_of(tx, unknown))
        while len(known) > SIDES_KEPT:
            del known[next(iter(known))]
    foreign = {one for one in warning_ids if known.get(one, drill) is not drill}
    for one in foreign:
        log.error("演练接口的回执说的是实战预警，或者相反，没有采信：请立即查明", warning_id=one, by_drill=drill)
    return foreign


def _named(name: str) -> list[DeliveryKey]:
    """The delivery whose key the provider carried, if it is one."""
    try:
        return [DeliveryKey.parse(name)]
    except ValueError:
        return []


async def _looked_up(
    context: Context, channel: Channel, receipts: Sequence[Receipt]
) -> dict[Receipt, list[DeliveryKey]]:
    """The deliveries that receipts without a key speak of: by number, else by (EBMID, gateway's resource code)."""
    async with asyncio.timeout(LOOK_UP_S):
        found = await _by_number(context, channel, [receipt for receipt in receipts if receipt.to])
        for receipt in receipts:
            if not receipt.to:
                found[receipt] = await _of_gateway(context, channel, receipt)
    return found


async def _of_gateway(context: Context, channel: Channel, receipt: Receipt) -> list[DeliveryKey]:
    register = await context.register()
    gateway = next((gateway for gateway in register.gateways.values() if gateway.ebrid == receipt.peer), None)
    async with context.store.read() as tx:
        warning_id = await warnings.by_broadcast(tx, receipt.ref)
    if gateway is None or warning_id is None:
        return []
    target = Target(kind=TargetKind.GATEWAY, id=gateway.id)
    return [DeliveryKey(warning_id=warning_id, target=target, channel=channel)]


async def _by_number(
    context: Context, channel: Channel, receipts: Sequence[Receipt]
) -> dict[Receipt, list[DeliveryKey]]:
    """The deliveries that receipts with a warning and a number speak of: whoever has that number and was on the list.

    This needs nothing that the answer to the sending told us: such a receipt may come before it. Only where a number has
    several deliveries (two officers share a phone) the provider's own reference has to tell them apart.
    """
    if not receipts:
        return {}
    wanted: dict[str, set[str]] = {}
    places: dict[tuple[str, str], list[Place]] = {}
    async with context.store.read() as tx:
        owners = await opening.targets_with(tx, context.seal, {storable(receipt.to) for receipt in receipts})
        for receipt in receipts:
            wanted.setdefault(storable(receipt.warning_id), set()).update(owners.get(storable(receipt.to), ()))
        for warning_id, targets in wanted.items():
            for place in await ledger.places(tx, warning_id, channel, sorted(targets)):
                places.setdefault((warning_id, place.target), []).append(place)
    found: dict[Receipt, list[DeliveryKey]] = {}
    for receipt in receipts:
        warning_id = storable(receipt.warning_id)
        its = [one for target in owners.get(storable(receipt.to), ()) for one in places.get((warning_id, target), ())]
        if len(its) > 1:
            its = [one for one in its if one.provider_ref == receipt.ref]
        found[receipt] = [
            DeliveryKey(warning_id=warning_id, target=Target.parse(one.target), channel=channel, round=one.round)
            for one in its
        ]
    return found


NextLook = dict[tuple[str, str], datetime]
"""(warning, channel) → before when no row there can have waited too long."""


async def finish(context: Context, next_look: NextLook | None = None) -> None:
    """Gives up waiting for receipts past their deadline, and moves warnings to dispatched and completed.

    One that was called off or ran out keeps its state; when its last row is terminal, that is noted too.
    """
    next_look = {} if next_look is None else next_look
    async with context.store.read() as tx:
        open_ones = await warnings.unfinished(tx)
    for gone in {key for key in next_look if key[0] not in {row.id for row in open_ones}}:
        del next_look[gone]
    for row in open_ones:
        async with context.store.read() as tx:
            step = await _next_step(context, tx, row, next_look)
        if step is not None:
            async with context.store.begin() as tx:
                await _take(context, tx, row, step)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """What a look without a lock found to be due."""

    give_up: bool
    dispatched: bool
    completed: bool


async def _next_step(context: Context, tx: Tx, row: Underway, next_look: NextLook) -> _Step | None:
    """Looked up without the write lock: most looks find nothing to do, and the sender must not wait for them."""
    unopened, unclosed = await chunks.unfinished(tx, row.id)
    step = _Step(
        give_up=any([await _waits_too_long(context, tx, (row, channel), next_look) for channel in row.channels]),
        dispatched=not unopened and row.state in (WarningState.APPROVED, WarningState.DISPATCHING),
        completed=not unopened and not unclosed and not await ledger.open_rows(tx, row.id),
    )
    return step if step.give_up or step.dispatched or step.completed else None


async def _waits_too_long(context: Context, tx: Tx, of: tuple[Underway, str], next_look: NextLook) -> bool:
    """Looking walks through all rows of a fan-out, so it is done once a deadline and not twice a second: nobody was told
    before the warning came, and what is sent from now on cannot be late before its own deadline."""
    row, channel = of
    now, deadline = context.now(), _deadline(context, row, channel)
    if now < next_look.get((row.id, channel), row.received_at + deadline):
        return False
    oldest = await ledger.waiting_since(tx, row.id, channel)
    next_look[row.id, channel] = (oldest or now) + deadline
    return oldest is not None and oldest + deadline < now


def _deadline(context: Context, row: Underway, channel: str) -> timedelta:
    level = context.settings.policy.levels[Level(row.level or Level.RED)]
    return timedelta(seconds=level.of(Channel(channel)).receipt_deadline_s)


async def _take(context: Context, tx: Tx, row: Underway, step: _Step) -> None:
    now = context.now()
    if step.give_up:
        for channel in row.channels:
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


async def _say(context: Context, tx: Tx, row: Underway, kind: str) -> None:
    counted = await ledger.counts(tx, row.id)
    detail = {f"{count.channel}.{count.state.label}": count.rows for count in counted}
    await events.record(
        tx, context.now(), Event(kind=kind, subject=row.id, warning_id=row.id, detail=detail), outward=True
    )
