"""A warning being sent: everything its messages share, loaded once, and whether it is still in force.

Whether it is what was approved is found out once, while it is loaded (`approved.py`); whether it is a drill is looked at anew
each time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakValueDictionary

from channels.contract import MIXED, Bulletin
from channels.text import mark_drill
from dispatcher.model import Channel, Kind, Level, Why
from dispatcher.sending.approved import Approved, Lists, approved, contradicts, sender_name_of
from dispatcher.settings import LevelPolicy, Policy
from dispatcher.states import SENDING, DeliveryState, WarningState
from dispatcher.store import warnings
from dispatcher.store.deliveries import Row
from dispatcher.store.engine import Tx
from dispatcher.store.warnings import Standing, TextRow, WarningRow

NEVER = timedelta(hours=24)
"""For a warning without expiry (a Cancel): how long its messages are tried and kept by a provider."""


@dataclass(slots=True, kw_only=True, weakref_slot=True)
class Live:
    """One warning version. Mutable: `ended`, set when it is called off, raised or runs out; its state; and what is wrong."""

    bulletin: Bulletin
    texts: Mapping[int, TextRow]
    policy: LevelPolicy
    hours: Policy
    sounds_at_night: bool
    approved: Approved
    state: WarningState
    """When it was last loaded."""
    ended: tuple[DeliveryState, str] | None

    @property
    def wrong(self) -> str:
        """Why it must not be sent at all: the code of what is not as it was approved, or says drill and live at once."""
        return self.approved.wrong

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
        self._lists = Lists()
        self._live: WeakValueDictionary[str, Live] = WeakValueDictionary()  # gone with the last chunk that holds it

    async def load(self, tx: Tx, warning_id: str) -> Live:
        """From memory, else from the database; `ended` is read anew every time."""
        live = self._live.get(warning_id)
        row: WarningRow | Standing | None
        if live is None:
            row = whole = await warnings.one(tx, warning_id)
            if whole is not None:  # whoever looked at the same time has it too: one is ended for all
                live = self._live.setdefault(warning_id, await self._build(tx, whole))
        else:
            row = await warnings.standing(tx, warning_id)
        if row is None or live is None:
            raise LookupError(f"warning {warning_id} has chunks but does not exist")
        if not live.wrong and (row.drill is not live.bulletin.drill or contradicts(row, ())):
            live.approved.wrong = MIXED
        live.state = WarningState(row.state)
        live.ended = (
            live.ended or ended_state(live.state) or ((DeliveryState.FAILED, live.wrong) if live.wrong else None)
        )
        return live

    async def strangers(self, tx: Tx, live: Live, channel: str, rows: Sequence[Row]) -> list[Row]:
        """Those of a warning's rows that are not as they were signed."""
        return await self._lists.strangers(tx, (live.bulletin.warning_id, channel), live.approved, rows)

    def end(self, warning_id: str, state: DeliveryState) -> None:
        """Nothing more of this warning leaves the house, from this instant."""
        live = self._live.get(warning_id)
        if live is not None:
            live.ended = (state, "")

    async def _build(self, tx: Tx, row: WarningRow) -> Live:
        texts = await warnings.texts_of(tx, row.id)
        rules = self._policy.levels[Level(row.level or Level.RED)]
        at_night = rules.loudspeakers_at_night or row.kind == Kind.CANCEL or bool(row.message.get("sound_at_night"))
        return Live(
            bulletin=self._bulletin(row),
            texts=texts,
            policy=rules,
            hours=self._policy,
            sounds_at_night=at_night,
            approved=await approved(tx, row, list(texts.values())),
            state=WarningState(row.state),
            ended=ended_state(WarningState(row.state)),
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
            sender_name=sender_name_of(row) or self._sender_name,
            sent=row.sent,
            starts=starts,
            expires=row.expires or row.received_at + NEVER,
            broadcast_id=row.broadcast_id,
            earlier=tuple(row.plan.get("earlier", ())),
        )


def ended_state(state: WarningState) -> tuple[DeliveryState, str] | None:
    """In which state a delivery of such a warning is born or left, if it may no longer be sent."""
    if state in SENDING:
        return None
    match state:
        case WarningState.EXPIRED:
            return DeliveryState.EXPIRED, ""
        case WarningState.COMPLETED:
            return None
        case _:
            return DeliveryState.WITHDRAWN, ""
