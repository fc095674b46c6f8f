"""What the pages show: the list, and one warning landing. Everything is worked out here; templates only lay it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dispatcher.intake.canonical import from_json
from dispatcher.linting import Remark
from dispatcher.model import Target, TargetKind, Why, county_of, township_of
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.lint import of_kept
from dispatcher.registry.register import Register
from dispatcher.states import LIVE, SENDING, WarningState
from dispatcher.store import events, kin, ledger, rejects, signatures, warnings
from dispatcher.store.engine import Tx
from dispatcher.store.events import Recorded
from dispatcher.store.headlines import Headline, Wanted, headlines
from dispatcher.store.ledger import Entry, Retrying, Times, Trouble
from dispatcher.store.signatures import Signature
from dispatcher.store.warnings import TextRow, WarningRow
from dispatcher.web import reach
from dispatcher.web.console.sketch import Shape, Sketch, Window
from dispatcher.web.parts import Parts
from dispatcher.web.reach import County, Tally, Unit

LISTED = 30
TROUBLED = 60
BAR = 1000
TEXTS_A_CHANNEL = 2
KINDS = {
    TargetKind.OFFICER: "信息员",
    TargetKind.RESIDENT: "住户",
    TargetKind.OFFICE: "应急办",
    TargetKind.GATEWAY: "播发网关",
    TargetKind.ENDPOINT: "党建端点",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A piece of a bar, in thousandths of its width."""

    kind: str
    x: int
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A row of numbers with its bar: a channel, or all of them."""

    name: str
    tally: Tally
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """A township on the map: its outline, and how it stands."""

    shape: Shape
    look: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Map:
    window: Window
    patches: tuple[Patch, ...]
    counties: tuple[Shape, ...]
    drawn: str
    named: tuple[Shape, ...]
    """Townships whose names are written, where there is room."""

    @property
    def looks(self) -> str:
        """What the script needs to colour the map anew: `code:look`, those outside the area left out."""
        return " ".join(f"{one.shape.code}:{one.look.replace(' ', '+')}" for one in self.patches if one.look != "off")

    @property
    def unit(self) -> float:
        """The size of small lettering, whatever part is shown."""
        return max(self.window.width, self.window.height) / 44


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """Somebody a message did not reach."""

    kind: str
    name: str
    place: str
    entry: Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """One warning, as it stands at `at`."""

    row: WarningRow
    at: datetime
    synthetic: bool
    under_way: bool
    in_force: bool
    bars: tuple[Bar, ...]
    total: Bar
    times: Times
    counties: tuple[County, ...]
    county: County | None
    map: Map | None
    troubles: tuple[Trouble, ...]
    missed: tuple[Missed, ...]
    retrying: tuple[Retrying, ...]
    flagged: int
    unreachable: tuple[tuple[str, str, str], ...]
    """(code, name, why)."""
    unreachable_count: int
    reasons: tuple[tuple[str, int], ...]
    suppressed: tuple[tuple[str, int], ...]
    texts: tuple[TextRow, ...]
    remarks: tuple[Remark, ...]
    chain: tuple[WarningRow, ...]
    events: tuple[Recorded, ...]
    signatures: tuple[Signature, ...]

    @property
    def rows(self) -> Sequence[Unit]:
        """Of the table: counties, or the townships of the one chosen."""
        return self.county.townships if self.county else [county.unit for county in self.counties]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A warning in the list, with how far it has come."""

    row: Headline
    source: str
    bar: Bar


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    at: datetime
    synthetic: bool
    listed: tuple[Listed, ...]
    next_before: str
    refused: int


async def front(context: Context, before: str, own: tuple[str, ...] = ()) -> Front:
    """The newest warnings; `own`: what the codes begin with that whoever looks may see, none where it is all."""
    register = await context.register()
    async with context.store.read() as tx:
        rows = await headlines(tx, Wanted(limit=LISTED + 1, before=before, touching=own))
        listed = []
        for row in rows[:LISTED]:
            channels = reach.by_channel(await ledger.counts(tx, row.id, under=own))
            source = context.settings.sources.get(row.source)
            total = _bar("", reach.summed(channels.values()))
            listed.append(Listed(row=row, source=source.name if source else row.source, bar=total))
        refused = 0 if own else len(await rejects.refusals(tx, 100))
    return Front(
        at=context.now(),
        synthetic=register.synthetic,
        listed=tuple(listed),
        next_before=rows[LISTED - 1].id if len(rows) > LISTED else "",
        refused=refused,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What one reading of the database brought."""

    row: WarningRow
    plan: Mapping[str, Any]
    channels: Mapping[str, Tally]
    units: Mapping[str, Tally]
    times: Times
    troubles: Sequence[Trouble]
    troubled: Sequence[Entry]
    retrying: Sequence[Retrying]
    flagged: int
    texts: Mapping[int, TextRow]
    remarks: Sequence[Remark]
    chain: Sequence[WarningRow]
    events: Sequence[Recorded]
    signatures: Sequence[Signature]


Own = tuple[str, ...]
"""What the codes begin with that whoever looks may see; none where it is all."""


async def landing(site: Parts, warning_id: str, county: str, own: Own = ()) -> Landing | None:
    """None where there is no such warning. `county`: 6 digits, or '' for all."""
    context = site.doors.context
    register = await context.register()
    async with context.store.read() as tx:
        row = await warnings.one(tx, warning_id)
        if row is None:
            return None
        read = await _read(tx, site, (row, own), of_kept(context, register, row).remarks)
    counties = reach.table(register, row, read.units, own)
    chosen = next((one for one in counties if one.unit.code == county), None)
    sketch = await site.atlas.of(register)
    return _laid_out(register, read, (counties, chosen), _map(sketch, row, counties, chosen), context.now())


async def _read(tx: Tx, site: Parts, of: tuple[WarningRow, Own], remarks: Sequence[Remark]) -> _Read:
    row, area = of
    own = reach.part_of(row, area)
    return _Read(
        row=row,
        plan=await reach.plan_of(tx, row, own),
        channels=reach.by_channel(await ledger.counts(tx, row.id, under=own)),
        units=reach.under(area, await reach.by_unit(tx, site.frozen, row.id)),
        times=await ledger.times(tx, row.id),
        troubles=await ledger.troubles(tx, row.id, under=own),
        troubled=await ledger.troubled(tx, row.id, TROUBLED, under=own),
        retrying=await ledger.retrying(tx, row.id, under=own),
        flagged=await ledger.flagged(tx, row.id, under=own),
        texts=await _texts(tx, row.id, own),
        remarks=remarks,
        chain=await reach.seen_of(tx, await kin.whole_event(tx, row.chain_id), area),
        events=reach.events_of(await events.of_warning(tx, row.id), partly=bool(own)),
        signatures=await signatures.of(tx, row.id),
    )


async def _texts(tx: Tx, warning_id: str, own: Own) -> dict[int, TextRow]:
    """A text names its township: whoever may see a part sees what is said there, once it is laid out."""
    texts = await warnings.texts_of(tx, warning_id)
    if not own:
        return texts
    used = await ledger.texts_used(tx, warning_id, under=own)
    return {no: text for no, text in texts.items() if no in used}


def _laid_out(
    register: Register, read: _Read, counties: tuple[tuple[County, ...], County | None], drawn: Map | None, at: datetime
) -> Landing:
    row = read.row
    every, chosen = counties
    plan = read.plan
    planned = [channel for channel in plan.get("channels", {}) if channel not in read.channels]
    channels = dict(sorted({**read.channels, **{channel: Tally() for channel in planned}}.items(), key=_most_first))
    return Landing(
        row=row,
        at=at,
        synthetic=register.synthetic,
        under_way=WarningState(row.state) in SENDING,
        in_force=WarningState(row.state) in LIVE,
        bars=tuple(_bar(channel, tally) for channel, tally in channels.items()),
        total=_bar("", reach.summed(channels.values())),
        times=read.times,
        counties=every,
        county=chosen,
        map=drawn,
        troubles=tuple(read.troubles),
        missed=tuple(_missed(register, entry) for entry in read.troubled),
        retrying=tuple(read.retrying),
        flagged=read.flagged,
        unreachable=tuple(
            (place["area"], _called(register, place["area"]), place["why"]) for place in plan.get("unreachable", ())
        ),
        unreachable_count=int(plan.get("unreachable_count", 0)),
        reasons=tuple(
            (Why(int(why)).chinese, number)
            for why, number in sorted(plan.get("reasons", {}).items(), key=lambda pair: -pair[1])
        ),
        suppressed=tuple(plan.get("suppressed", {}).items()),
        texts=tuple(text for channel in channels for text in _some(read.texts, channel)),
        remarks=tuple(read.remarks),
        chain=tuple(read.chain),
        events=tuple(read.events),
        signatures=tuple(read.signatures),
    )


def _some(texts: Mapping[int, TextRow], channel: str) -> list[TextRow]:
    """They differ by township and role; a few show how they read."""
    return [text for text in texts.values() if text.channel == channel][:TEXTS_A_CHANNEL]


def _most_first(item: tuple[str, Tally]) -> tuple[int, str]:
    return -item[1].planned, item[0]


def _bar(name: str, tally: Tally) -> Bar:
    """Delivered, then on its way, then missed; what is still to come stays empty."""
    pieces = (
        ("delivered", tally.delivered),
        ("sent", tally.sent),
        ("missed", tally.missed),
        ("failed", tally.failed),
        ("ended", tally.ended),
    )
    segments, done = [], 0
    for kind, rows in pieces:
        begin, done = round(done * BAR / max(1, tally.due)), done + rows
        end = round(done * BAR / max(1, tally.due))
        if rows:
            segments.append(Segment(kind=kind, x=begin, width=max(4, end - begin)))
    return Bar(name=name, tally=tally, segments=tuple(segments))


def _map(sketch: Sketch, row: WarningRow, counties: Sequence[County], chosen: County | None) -> Map | None:
    if not sketch.drawn:
        return None
    shown = [chosen.unit.code] if chosen else [one.unit.code for one in counties if one.unit.in_area]
    units = {unit.code: unit for county in counties for unit in county.townships}
    return Map(
        window=sketch.window(shown),
        patches=tuple(Patch(shape=one, look=_look(units.get(one.code))) for one in sketch.townships),
        counties=sketch.counties,
        drawn=sketch.outline(from_json(row.message).areas),
        named=tuple(one for one in sketch.townships if shown == [one.parent]),
    )


def _look(unit: Unit | None) -> str:
    """How much was delivered, in five steps; `bad` where somebody was missed for good."""
    if unit is None or not (unit.in_area or unit.tally.due):
        return "off"
    share, bad = unit.tally.reached, " bad" if unit.tally.missed + unit.tally.failed else ""
    if share is None:
        return "none"
    if share >= 1:
        return "r4"
    step = 0 if share <= 0 else 1 if share < 0.5 else 2 if share < 0.9 else 3
    return f"r{step}{bad}"


def _missed(register: Register, entry: Entry) -> Missed:
    target = Target.parse(entry.target)
    return Missed(
        kind=KINDS[target.kind],
        name=_named(register, target),
        place=_called(register, entry.township),
        entry=entry,
    )


def _named(register: Register, target: Target) -> str:
    """Officers, offices and machines by name; a resident's name stays in the database."""
    holders: Mapping[TargetKind, Mapping[str, Any]] = {
        TargetKind.OFFICER: register.officers,
        TargetKind.OFFICE: register.offices,
        TargetKind.GATEWAY: register.gateways,
        TargetKind.ENDPOINT: register.endpoints,
    }
    found = holders.get(target.kind, {}).get(target.id)
    return f"{found.name}" if found else f"编号 {target.id}"


def _called(register: Register, code: str) -> str:
    """遂川县碧洲镇某村, whatever the depth; the code itself where nobody knows it."""
    own = register.areas.get(code)
    if own is None:
        return code
    above = [county_of(code), township_of(code)] if own.level == "village" else [county_of(code)]
    names = [register.areas[one].name for one in above if one in register.areas and one != code]
    return "".join([*names, own.name])
