"""What the page of one warning shows. Everything is worked out here; templates only lay it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dispatcher.intake.canonical import from_json
from dispatcher.linting import Remark
from dispatcher.model import WarningMessage, Why
from dispatcher.pipeline.lint import of_kept
from dispatcher.states import LIVE
from dispatcher.store import ledger, signatures, warnings
from dispatcher.store.engine import Tx
from dispatcher.store.headlines import Akin, Headline, Wanted, headlines
from dispatcher.store.signatures import Signature
from dispatcher.store.warnings import TextRow, WarningRow
from dispatcher.web import reach
from dispatcher.web.console.moving import Moving, Own, moved
from dispatcher.web.console.naming import called
from dispatcher.web.console.tiles import Map, map_of
from dispatcher.web.parts import Parts

TEXTS_A_CHANNEL = 2
MOST_AKIN = 50
"""Of what something may belong to, how many are offered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing(Moving):
    """One warning with all that stands still beside what moves."""

    map: Map | None
    unreachable: tuple[tuple[str, str, str], ...]
    """(code, name, why)."""
    unreachable_count: int
    reasons: tuple[tuple[str, int], ...]
    suppressed: tuple[tuple[str, int], ...]
    message: WarningMessage
    texts: tuple[TextRow, ...]
    remarks: tuple[Remark, ...]
    signatures: tuple[Signature, ...]


async def landing(site: Parts, warning_id: str, county: str, own: Own = ()) -> Landing | None:
    """None where there is no such warning. `county`: 6 digits, or '' for all."""
    context = site.doors.context
    register = await context.register()
    async with context.store.read() as tx:
        row = await warnings.one(tx, warning_id)
        if row is None:
            return None
        now = await moved(tx, site, (row, own, county), register)
        part = reach.part_of(row, own)
        plan = await reach.plan_of(tx, row, part)
        texts, signed = await _texts(tx, row.id, part), await signatures.of(tx, row.id)
    drawn = map_of(await site.atlas.of(register), row, now.counties, now.county)
    return Landing(
        **{name: getattr(now, name) for name in Moving.__dataclass_fields__},
        map=drawn,
        unreachable=tuple(
            (place["area"], called(register, place["area"]), place["why"]) for place in plan.get("unreachable", ())
        ),
        unreachable_count=int(plan.get("unreachable_count", 0)),
        reasons=tuple(
            (Why(int(why)).chinese, number)
            for why, number in sorted(plan.get("reasons", {}).items(), key=lambda pair: -pair[1])
        ),
        suppressed=tuple(plan.get("suppressed", {}).items()),
        message=from_json(row.message),
        texts=tuple(text for bar in now.bars for text in _some(texts, bar.name)),
        remarks=of_kept(context, register, row).remarks,
        signatures=tuple(signed),
    )


async def _texts(tx: Tx, warning_id: str, own: Own) -> dict[int, TextRow]:
    """A text names its township: whoever may see a part sees what is said there, once it is laid out."""
    texts = await warnings.texts_of(tx, warning_id)
    if not own:
        return texts
    used = await ledger.texts_used(tx, warning_id, under=own)
    return {no: text for no, text in texts.items() if no in used}


def _some(texts: Mapping[int, TextRow], channel: str) -> list[TextRow]:
    """They differ by township and role; a few show how they read."""
    return [text for text in texts.values() if text.channel == channel][:TEXTS_A_CHANNEL]


async def to_join(site: Parts, row: WarningRow, own: Own) -> tuple[Headline, ...]:
    """What is in force that it may belong to: from before, of the same hazard or for a place of the same county; the newest
    first."""
    akin = Akin(sent=row.sent, event=row.event, counties=sorted({str(code)[:6] for code in row.area["villages"]}))
    async with site.doors.context.store.read() as tx:
        wanted = Wanted(limit=MOST_AKIN, states=list(LIVE), drill=row.drill, touching=own, akin=akin)
        return tuple(await headlines(tx, wanted))
