"""The ledger, a line a delivery, as it stands."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from aiohttp import web

from dispatcher.model import Channel, DeliveryKey, Target, Why
from dispatcher.store import ledger, warnings
from dispatcher.store.engine import Store
from dispatcher.store.ledger import Entry, Heard
from dispatcher.store.tries import Try, tries_of
from dispatcher.telemetry import mask
from dispatcher.web import asking, reach, shapes
from dispatcher.web.answering import as_lines
from dispatcher.web.asker import stems
from dispatcher.web.asking import Cursor, cursor_text
from dispatcher.web.parts import parts

PAGE = 500
MOST = 5000


async def deliveries(request: web.Request) -> web.StreamResponse:
    """All of it, or `limit` lines and where the next page begins.

    Rows whose chunk nobody took in hand yet come into the ledger with it; `X-Unplanned` says how many those are.
    """
    warning_id, after = asking.warning_id(request), asking.cursor(request)
    store, own = parts(request).doors.context.store, stems(request)
    limit = asking.number(request, "limit", 0, MOST)
    async with store.read() as tx:
        if not await warnings.exists(tx, warning_id):
            raise asking.no_such_warning()
        unplanned = await reach.still_frozen(tx, parts(request).frozen, warning_id, own)
    headers = {"X-Unplanned": str(unplanned)}
    if not limit:
        return await as_lines(request, _all(store, (warning_id, own), after), headers)
    entries = await _page(store, (warning_id, own), after, limit + 1)
    if len(entries) > limit:
        headers["X-Next-Cursor"] = cursor_text(_place(entries[limit - 1]))
    return await as_lines(request, _some(store, warning_id, entries[:limit]), headers)


Part = tuple[str, tuple[str, ...]]
"""Of a warning's ledger: its id, and what the codes of the units begin with that whoever asks may see; none: all."""


async def _all(store: Store, part: Part, after: Cursor | None) -> AsyncIterator[Sequence[shapes.DeliveryLine]]:
    while entries := await _page(store, part, after, PAGE):
        yield await _lines(store, part[0], entries)
        after = _place(entries[-1])


async def _some(
    store: Store, warning_id: str, entries: Sequence[Entry]
) -> AsyncIterator[Sequence[shapes.DeliveryLine]]:
    for start in range(0, len(entries), PAGE):
        yield await _lines(store, warning_id, entries[start : start + PAGE])


async def _page(store: Store, part: Part, after: Cursor | None, limit: int) -> list[Entry]:
    warning_id, own = part
    async with store.read() as tx:
        return await ledger.page(tx, warning_id, after, limit, under=own)


async def _lines(store: Store, warning_id: str, entries: Sequence[Entry]) -> list[shapes.DeliveryLine]:
    async with store.read() as tx:
        tries = await tries_of(tx, warning_id, [entry.target for entry in entries])
    return [delivery_line(entry, tries.get((entry.channel, entry.target, entry.round), ())) for entry in entries]


def _place(entry: Entry) -> Cursor:
    return entry.channel, entry.target, entry.round


def key_of(entry: Entry) -> str:
    return str(
        DeliveryKey(
            warning_id=entry.warning_id,
            target=Target.parse(entry.target),
            channel=Channel(entry.channel),
            round=entry.round,
        )
    )


def delivery_line(entry: Entry, tries: Sequence[Try]) -> shapes.DeliveryLine:
    return shapes.DeliveryLine(
        delivery_key=key_of(entry),
        warning_id=entry.warning_id,
        target=entry.target,
        channel=entry.channel,
        round=entry.round,
        why=Why(entry.why).name.lower(),
        why_text=Why(entry.why).chinese,
        township=entry.township,
        state=entry.state.label,
        code=entry.state_code,
        due=entry.due_at,
        sent=entry.sent_at,
        ended=entry.ended_at,
        attempts=tuple(attempt_line(entry, one) for one in tries),
        possible_duplicate=entry.possible_duplicate,
    )


def attempt_line(entry: Entry, one: Try) -> shapes.AttemptLine:
    """`reason` is a provider's own sentence: whatever looks like a phone in it is masked."""
    return shapes.AttemptLine(
        no=one.no,
        key=key_of(entry),
        started=one.started_at,
        ended=one.ended_at,
        outcome=one.outcome,
        provider_ref=one.provider_ref,
        provider=one.provider,
        code=one.code,
        reason=mask(one.reason),
        possible_duplicate=one.possible_duplicate,
    )


def receipt_out(heard: Heard) -> shapes.ReceiptOut:
    return shapes.ReceiptOut(
        at=heard.at, channel=heard.channel, state=heard.state, code=heard.code, detail=mask(heard.detail)
    )
