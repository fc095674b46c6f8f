"""A warning being sent: everything its messages share, loaded once, and whether it is still in force.

The header is hashed again from the database and compared with what was approved: if they differ, nothing is sent. Nor is
anything sent that nobody who may has signed, whatever state it is in. Whether it is a drill is looked at anew each time it is
loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakValueDictionary

import structlog

from channels.contract import MIXED, Bulletin
from channels.text import mark_drill
from dispatcher import signing
from dispatcher.model import Channel, Kind, Level, Why
from dispatcher.sending.mixing import contradictions, other_side
from dispatcher.settings import LevelPolicy, Policy
from dispatcher.states import SENDING, DeliveryState, WarningState
from dispatcher.store import chunks, events, signatures, warnings
from dispatcher.store.deliveries import Row
from dispatcher.store.engine import Tx
from dispatcher.store.packing import SAID, Header, header_hash, plan_hash, stamp
from dispatcher.store.sides import chain_says_otherwise
from dispatcher.store.signatures import Signature
from dispatcher.store.warnings import TextRow, WarningRow

NEVER = timedelta(hours=24)
"""For a warning without expiry (a Cancel): how long its messages are tried and kept by a provider."""
PLAN_CHANGED = "plan_changed"
UNSIGNED = "250"
"""Nobody who may has let it go, whatever its state says."""

log = structlog.get_logger()


@dataclass(slots=True, kw_only=True, weakref_slot=True)
class Live:
    """One warning version. Mutable in two things: `ended`, set when it is called off, raised or runs out; and `wrong`."""

    bulletin: Bulletin
    texts: Mapping[int, TextRow]
    policy: LevelPolicy
    hours: Policy
    sounds_at_night: bool
    wrong: str
    """Why it must not be sent at all: the code of what is not as it was approved, or says drill and live at once. '' where
    header and plan still are what was approved."""
    changed: Sequence[Mapping[str, str]]
    """What is not as it was signed: what, was, now."""
    ended: tuple[DeliveryState, str] | None

    @property
    def expires(self) -> datetime:
        return self.bulletin.expires

    def quiet_until(self, rows: Sequence[Row], now: datetime) -> datetime | None:
        """Until when loudspeakers are to be left alone; None where one of them may sound now, or is to fall silent."""
        if rows[0].channel != Channel.BROADCAST or self.sounds_at_night:
            return None
        quiet = self.hours.quiet_until(now)
        return None if quiet is None or any(row.why == Why.FORMER for row in rows) else quiet


class Desk:
    """Loads and keeps the warnings under way. `event_code` maps a stored message to the code its packets carry."""

    def __init__(self, policy: Policy, sender_name: str, event_code: Callable[[Mapping[str, Any]], str]) -> None:
        self._policy = policy
        self._sender_name = sender_name
        self._event_code = event_code
        self._live: WeakValueDictionary[str, Live] = WeakValueDictionary()  # gone with the last chunk that holds it

    async def load(self, tx: Tx, warning_id: str) -> Live:
        """From memory, else from the database; `ended` is read anew every time."""
        row = await warnings.one(tx, warning_id)
        if row is None:
            raise LookupError(f"warning {warning_id} has chunks but does not exist")
        live = self._live.get(warning_id)
        if live is None:
            live = self._live[warning_id] = await self._build(tx, row)
        elif not live.wrong and (row.drill is not live.bulletin.drill or _contradicts(row, ())):
            live.wrong = MIXED
        live.ended = live.ended or ended_state(row) or ((DeliveryState.FAILED, live.wrong) if live.wrong else None)
        return live

    def end(self, warning_id: str, state: DeliveryState) -> None:
        """Nothing more of this warning leaves the house, from this instant."""
        live = self._live.get(warning_id)
        if live is not None:
            live.ended = (state, "")

    async def _build(self, tx: Tx, row: WarningRow) -> Live:
        texts = await warnings.texts_of(tx, row.id)
        wrong, changed = await _wrong(tx, row, list(texts.values()))
        rules = self._policy.levels[Level(row.level or Level.RED)]
        at_night = rules.loudspeakers_at_night or row.kind == Kind.CANCEL or bool(row.message.get("sound_at_night"))
        return Live(
            bulletin=self._bulletin(row),
            texts=texts,
            policy=rules,
            hours=self._policy,
            sounds_at_night=at_night,
            wrong=wrong,
            changed=changed,
            ended=ended_state(row),
        )

    def _bulletin(self, row: WarningRow) -> Bulletin:
        starts = row.sent
        return Bulletin(
            warning_id=row.id,
            chain_id=row.chain_id,
            identifier=row.identifier,
            kind=row.kind,
            drill=row.drill,
            test=row.status in ("Test", "System", "Draft"),
            level=row.level or "",
            rank=Level(row.level).rank if row.level else 0,
            event=row.event,
            event_code=self._event_code(row.message),
            headline=mark_drill(row.headline) if row.drill else row.headline,
            sender=row.sender,
            sender_name=_sender_name(row) or self._sender_name,
            sent=row.sent,
            starts=starts,
            expires=row.expires or row.received_at + NEVER,
            broadcast_id=row.broadcast_id,
            earlier=tuple(row.plan.get("earlier", ())),
        )


def _sender_name(row: WarningRow) -> str:
    return str(row.message.get("sender_name") or "")


Differences = Sequence[Mapping[str, str]]


async def not_as_frozen(
    tx: Tx, row: WarningRow, texts: Sequence[TextRow], signed: Sequence[Signature]
) -> tuple[str, Differences]:
    """The code of what is not as it was frozen, and what differs; '' where all is. Drill and live first: whoever reads the code
    shall know that it was not just any word that was changed."""
    header = _header(row, texts)
    if _contradicts(row, header.texts):
        return MIXED, ()
    if await chain_says_otherwise(tx, row):
        log.error("演练与实战混在同一条预警链里，拒绝发送", warning_id=row.id, chain_id=row.chain_id)
        return MIXED, ()
    shapes, facts = await chunks.shapes(tx, row.id), signing.facts_as_signed(row, signed)
    changed = signing.differences(facts, texts, signing.facts_of(row, texts, shapes)) if facts else []
    if header_hash(header) != row.header_hash:
        return MIXED if header_hash(other_side(header)) == row.header_hash else PLAN_CHANGED, changed
    stands = plan_hash(row.header_hash, [one.hash for one in shapes]) == row.plan_hash
    return "" if stands and not changed else PLAN_CHANGED, changed


async def _wrong(tx: Tx, row: WarningRow, texts: Sequence[TextRow]) -> tuple[str, Differences]:
    signed = await signatures.of(tx, row.id)
    code, changed = await not_as_frozen(tx, row, texts, signed)
    if code or signing.released(row, signed) or await _released_by_the_version_before(tx, row, signed):
        return code, changed
    if row.state in SENDING:  # what ended while it waited to be signed is laid out as ended, and no news
        log.error("没有人签发过，拒绝发送：请立即查明是谁放行的", warning_id=row.id, state=row.state)
    return UNSIGNED, ()


def _header(row: WarningRow, texts: Sequence[TextRow]) -> Header:
    """As it stands in the database now."""
    return Header(
        kind=row.kind,
        status=row.status,
        level=row.level or "",
        drill=row.drill,
        villages=list(row.area["villages"]),
        channels=sorted(row.plan["channels"]),
        expires=stamp(row.expires),
        broadcast_id=row.broadcast_id,
        earlier=list(row.plan.get("earlier", ())),
        texts=[text.body for text in texts],
        said={name: str(getattr(row, name)) for name in SAID} | {"sender_name": _sender_name(row)},
    )


async def _released_by_the_version_before(tx: Tx, row: WarningRow, signed: Sequence[Signature]) -> bool:
    """It signed nothing, but put on record what it let go; and it let go what a trusted source said, and nothing else."""
    return row.trusted and not signed and await events.was_approved(tx, row.id)


def _contradicts(row: WarningRow, texts: Sequence[str]) -> bool:
    found = contradictions(row, texts)
    if found:
        log.error("演练标志互相矛盾，拒绝发送：请立即查明是谁改的", warning_id=row.id, drill=row.drill, against=found)
    return bool(found)


def ended_state(row: WarningRow) -> tuple[DeliveryState, str] | None:
    """In which state a delivery of this warning is born or left, if it may no longer be sent."""
    state = WarningState(row.state)
    if state in SENDING:
        return None
    match state:
        case WarningState.EXPIRED:
            return DeliveryState.EXPIRED, ""
        case WarningState.COMPLETED:
            return None
        case _:
            return DeliveryState.WITHDRAWN, ""
