"""One event from two sources (12379 and the county, say): shown together, and an officer hears of it once.

Both warnings stand, each with its own identity and its own end; only whom the second would tell the same again is not rung.
In doubt it rings: where the first one's message is not proven to have arrived, where the second is of a higher level or
reaches further in somebody's township, where it runs on longer, and for loudspeakers and platforms always. Nobody who has not
answered is let off by it: the first one's call goes on. And whoever is told that one of them is over is told what still stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from dispatcher.geofence import Resolved
from dispatcher.intake.canonical import from_json
from dispatcher.model import Channel, Kind, Level, Standing, WarningMessage, Why
from dispatcher.pipeline import chaining
from dispatcher.pipeline.chaining import Company
from dispatcher.pipeline.context import Context
from dispatcher.planning import TOLD
from dispatcher.states import LIVE, WarningState
from dispatcher.store import deliveries, kin, ledger, warnings
from dispatcher.store.engine import Tx
from dispatcher.store.packing import FrozenRow, unpack
from dispatcher.store.warnings import WarningRow

ALIKE = 0.5
"""What two areas must have in common, of all that either covers, to be of one event."""


About = tuple[WarningMessage, Resolved, str]
"""A message on its way in, its area, and the source it came from, '' where that is not known."""


async def with_kin(context: Context, tx: Tx, company: Company, about: About) -> Company:
    """The company with other sources' warnings in force that are of the same event."""
    message, within = about[0], timedelta(minutes=context.settings.policy.merge_within_minutes)
    if not within or message.kind not in (Kind.ALERT, Kind.UPDATE) or message.hazard is None:
        return company
    every = await kin.candidates(tx, message.hazard.name, drill=message.drill, now=context.now())
    others = [row for row in every if row.chain_id != company.chain_id and _of_one_event(about, row, within)]
    return replace(company, kin=others)


async def told_by(
    tx: Tx, message: WarningMessage, resolved: Resolved, others: Sequence[WarningRow], now: datetime
) -> frozenset[str]:
    """Whom the others have told as much, with proof."""
    found: set[str] = set()
    for row in others:
        if not says_as_much(message, row):
            continue
        said = from_json(row.message)
        area = chaining.area_of(row)
        before = [one for one in await warnings.chain(tx, row.chain_id) if one.id != row.id and one.sent <= row.sent]
        carried = chaining.unbroken(said, area, sorted(before, key=lambda one: one.sent), now)
        wider = _wider(resolved, row)
        told = await deliveries.told(tx, [row.id, *carried], [Channel.SMS])
        found.update(target for target, township, _ in told if township not in wider)
    return frozenset(found)


async def standing(
    tx: Tx, chain: Sequence[WarningRow], now: datetime, beside: Sequence[WarningRow] = ()
) -> Standing | None:
    """What of the same event is in force beside this chain, and who is on its list; `beside`: what is not linked yet."""
    linked = await kin.linked(tx, [row.id for row in chain]) if chain else []
    others = [row for row in (*linked, *beside) if _in_force(row, now)]
    if not others:
        return None
    row = min(others, key=lambda one: (Level(one.level).rank if one.level else 9, -one.sent.timestamp()))
    said = from_json(row.message)
    listed = await _listed(tx, row)
    return Standing(
        said=f"{said.sender_name or said.sender}发布的{row.event}{said.level.chinese if said.level else ''}预警",
        level=said.level,
        targets=frozenset(one.target for one in listed if one.suppressed in ("", TOLD) and one.why != Why.FORMER),
    )


async def left_standing(tx: Tx, chain: Sequence[WarningRow]) -> list[tuple[str, str]]:
    """(target, township) of those this chain never rang, who know of it from the end of another source's."""
    others = await kin.linked(tx, [row.id for row in chain])
    ends = [(row.kind == Kind.CANCEL, one) for row in others for one in await _listed(tx, row)]
    over = {one.target for cancels, one in ends if (cancels or one.why == Why.FORMER) and not one.suppressed}
    if not over:
        return []
    rows = [one for row in chain for one in await _listed(tx, row)]
    return [(one.target, one.township) for one in rows if one.suppressed == TOLD and one.target in over]


async def _listed(tx: Tx, row: WarningRow) -> list[FrozenRow]:
    """As it was approved: what is still on its way counts as what was sent."""
    return [one for channel, blob in await ledger.frozen(tx, row.id) if channel == Channel.SMS for one in unpack(blob)]


def _of_one_event(about: About, row: WarningRow, within: timedelta) -> bool:
    message, resolved, source = about
    if row.sender == message.sender and source in ("", row.source):
        return False
    mine, theirs = set(resolved.villages), set(row.area["villages"])
    common = len(mine & theirs) / max(1, len(mine | theirs))
    return common >= ALIKE and abs(message.sent - row.sent) <= within


def says_as_much(message: WarningMessage, row: WarningRow) -> bool:
    """At least as high, as public, asking for the same, and not over much earlier than this one."""
    said = from_json(row.message)
    if message.level is None or said.level is None or said.level.rank > message.level.rank:
        return False
    if (said.scope, said.responses, said.narrowing) != (message.scope, message.responses, message.narrowing):
        return False
    if message.expires is None or said.expires is None:
        return False
    return message.expires - said.expires <= max(message.sent - said.sent, timedelta())


def _wider(resolved: Resolved, row: WarningRow) -> frozenset[str]:
    """Townships, counties and the city in which this area touches a village that the other's does not."""
    more = set(resolved.touched) - set(row.area["touched"])
    return frozenset(unit for code in more for unit in (code[:9], code[:6], code[:4] + "00"))


def _in_force(row: WarningRow, now: datetime) -> bool:
    alive = WarningState(row.state) in LIVE and row.kind != Kind.CANCEL
    return alive and row.expires is not None and row.expires > now
