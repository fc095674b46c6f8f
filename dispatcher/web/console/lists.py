"""The lists of warnings: what is in force now and what waits, what is found by a search, and what was refused.

Everything is worked out here; templates only lay it out. Whoever has a part of the city sees what touches it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from dispatcher.model import BEIJING, Code, Kind, Level
from dispatcher.pipeline.context import Context
from dispatcher.registry.register import Register
from dispatcher.states import ENDED, LIVE, WarningState
from dispatcher.store import ledger, rejects
from dispatcher.store.engine import Tx
from dispatcher.store.headlines import Headline, Matter, Wanted, headlines, matters
from dispatcher.store.rejects import Asked, Refusal
from dispatcher.web import reach
from dispatcher.web.console.lanes import Lane, lane
from dispatcher.web.console.overview import Overview, Waiting

A_PAGE: Final = 30
HEAD: Final = 400
"""Bytes of a refused message that are shown."""
JUST_ENDED: Final = 5
MOST_PLACES: Final = 40
MOST_SAID: Final = 60
"""Characters of what is searched for."""
LOOKED_BACK: Final = timedelta(days=31)
"""What was refused is searched for words, where nobody says since when."""
Own = tuple[str, ...]
_S = WarningState
SHOWS: Final[Mapping[str, tuple[str, Sequence[WarningState]]]] = {
    "all": ("全部", ()),
    "current": ("生效中", tuple(LIVE)),
    "drafts": ("草稿和待签发", (_S.DRAFT, _S.SUBMITTED, _S.RETURNED)),
    "held": ("待核", (_S.HELD,)),
    "past": ("已结束", (*ENDED, _S.REJECTED)),
}
"""By the word in the address: what it is called, and the states."""
_AREA: Final = frozenset({Code.GEOMETRY, Code.OUTSIDE_AUTHORITY, Code.AREA_UNRESOLVED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What can be done about something that is held."""

    label: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A warning in a list. `bar`: how far it has come; `why`: of one that is held; `ways`: what whoever looks can do about it,
    where it waits; `mine`: written by him; `due`: waits for his signature."""

    row: Headline
    source: str
    bar: Lane | None = None
    why: Sequence[Mapping[str, Any]] = ()
    ways: Sequence[Way] = ()
    mine: bool = False
    due: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """`bare`: nobody stands in the register yet, so that no warning reaches anybody; `first`: nor has anybody an account."""

    at: datetime
    synthetic: bool
    live: tuple[Listed, ...]
    drills: tuple[Listed, ...]
    waiting: tuple[Listed, ...]
    held: tuple[Listed, ...]
    ended: tuple[Listed, ...]
    bare: bool
    first: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """Who looks at the front page: his account, what he is to sign, where he goes on writing a draft (`{id}` is the
    warning's; '' where he may not write any), and whether nobody has an account yet."""

    account: str
    due: frozenset[str]
    edits: str
    nobody: bool


async def front(context: Context, seen: Overview, own: Own, who: Looking) -> Front:
    register = await context.register()
    async with context.store.read() as tx:
        past = await headlines(tx, Wanted(limit=JUST_ENDED, states=SHOWS["past"][1], touching=own))
        live = [await _with_bar(tx, context, row, own) for row in seen.live]
        drills = [await _with_bar(tx, context, row, own) for row in seen.drills]
        ended = [await _with_bar(tx, context, row, own) for row in past]
    waiting = [_waiting(context, one, who) for one in seen.waiting]
    return Front(
        at=context.now(),
        synthetic=register.synthetic,
        live=tuple(sorted(live, key=_gravest)),
        drills=tuple(drills),
        waiting=tuple(sorted((one for one in waiting if one.row.state != _S.HELD), key=_mine_first)),
        held=tuple(one for one in waiting if one.row.state == _S.HELD),
        ended=tuple(ended),
        bare=not register.officers,
        first=who.nobody,
    )


def _gravest(one: Listed) -> tuple[int, int]:
    """The highest level first, and of one level the newest, as they came."""
    return (Level(one.row.level).rank if one.row.level else len(Level) + 1, 0)


def _mine_first(one: Listed) -> tuple[bool, bool]:
    return (not one.due, not one.mine)


def _waiting(context: Context, one: Waiting, who: Looking) -> Listed:
    mine = who.account in one.wrote
    return Listed(
        row=one.row,
        source=_source(context, one.row),
        why=one.findings,
        ways=_onward(one, who, mine=mine),
        mine=mine,
        due=one.row.id in who.due,
    )


def _onward(one: Waiting, who: Looking, *, mine: bool) -> tuple[Way, ...]:
    match one.row.state:
        case _S.HELD:
            return ways(one.row.id, one.findings, who.edits)
        case _S.DRAFT | _S.RETURNED if mine and who.edits:
            return (Way(label="继续写", path=who.edits.replace("{id}", one.row.id)),)
        case _:
            return ()


def ways(warning_id: str, findings: Iterable[Mapping[str, Any]], edits: str) -> tuple[Way, ...]:
    """Each is pressed on the page it leads to; what the code asks for comes first."""
    if not edits:
        return ()
    page = f"/warnings/{warning_id}"
    codes = {int(found["code"]) for found in findings}
    found = []
    if codes & _AREA:
        found.append(Way(label="接手改区域", path=page))
    if Code.REFERENCE_MISSING in codes:
        found.append(Way(label="接入同一事件", path=page))
    if not found:
        found.append(Way(label="接手拟制", path=page))
    return (*found, Way(label="作废", path=page))


async def _with_bar(tx: Tx, context: Context, row: Headline, own: Own) -> Listed:
    channels = reach.by_channel(await ledger.counts(tx, row.id, under=own))
    return Listed(row=row, source=_source(context, row), bar=lane("", reach.summed(channels.values())))


def _source(context: Context, row: Headline) -> str:
    source = context.settings.sources.get(row.source)
    return source.name if source else "控制台" if row.source == "console" else row.source


# ── the search ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """As it stands in the address; '' where nothing is asked for. `since` and `until`: days in Beijing, both within."""

    show: str = "all"
    said: str = ""
    level: str = ""
    kind: str = ""
    drill: str = ""
    county: str = ""
    since: str = ""
    until: str = ""
    before: str = ""

    @staticmethod
    def of(query: Mapping[str, str]) -> Sought:
        """What cannot be meant is left out: a list is shown all the same."""
        days = {name: query.get(name, "") for name in ("since", "until")}
        return Sought(
            show=_one_of(query.get("show", ""), SHOWS) or "all",
            said=query.get("q", "").strip()[:MOST_SAID],
            level=_one_of(query.get("level", ""), [str(one) for one in Level]),
            kind=_one_of(query.get("kind", ""), [str(Kind.ALERT), str(Kind.UPDATE), str(Kind.CANCEL)]),
            drill=_one_of(query.get("drill", ""), ("yes", "no")),
            county=county
            if (county := query.get("county", "")).isascii() and county.isdigit() and len(county) == 6
            else "",
            before=query.get("before", ""),
            **{name: day if _day(day) else "" for name, day in days.items()},
        )

    @property
    def narrowed(self) -> bool:
        """Whether something was asked for besides which list."""
        return bool(self.said or self.level or self.kind or self.drill or self.county or self.since or self.until)

    def wanted(self, register: Register, own: Own, now: datetime) -> Wanted:
        return Wanted(
            limit=A_PAGE + 1,
            states=[str(state) for state in SHOWS[self.show][1]],
            level=self.level,
            kind=self.kind,
            drill={"yes": True, "no": False}.get(self.drill),
            before=self.before,
            touching=own,
            county=self.county,
            said=self.said,
            places=_places(register, self.said),
            since=_day(self.since),
            until=_after(self.until),
            valid_at=now if self.show == "current" else None,
        )


def _one_of(given: str, known: Iterable[str]) -> str:
    return given if given in known else ""


def _day(given: str) -> datetime | None:
    """Its first moment in Beijing."""
    try:
        day = date.fromisoformat(given)
    except ValueError:
        return None
    if not 2000 <= day.year <= 2100:
        return None
    return datetime.combine(day, time(), BEIJING).astimezone(UTC)


def _after(given: str) -> datetime | None:
    """The first moment of the day after."""
    day = _day(given)
    return day + timedelta(days=1) if day else None


def _places(register: Register, said: str) -> list[str]:
    """Codes of the places that are called so; the widest first, as they hold the others."""
    if not said:
        return []
    return sorted((code for code, area in register.areas.items() if said in area.name), key=len)[:MOST_PLACES]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a list."""

    at: datetime
    synthetic: bool
    sought: Sought
    listed: tuple[Listed, ...]
    counties: tuple[tuple[str, str], ...]
    """(code, name): what a reader may ask for."""
    next_before: str
    shows: Sequence[tuple[str, str]] = field(
        default_factory=lambda: tuple((name, word) for name, (word, _) in SHOWS.items())
    )


async def listing(context: Context, sought: Sought, own: Own, edits: str) -> Page:
    """`edits`: as of who looks at the front page."""
    register = await context.register()
    async with context.store.read() as tx:
        rows = await headlines(tx, sought.wanted(register, own, context.now()))
        shown = rows[:A_PAGE]
        held = await matters(tx, [row.id for row in shown if row.state == _S.HELD])
        listed = [await _with_bar(tx, context, row, own) for row in shown]
    return Page(
        at=context.now(),
        synthetic=register.synthetic,
        sought=sought,
        listed=tuple(_explained(one, held.get(one.row.id), edits) for one in listed),
        counties=_counties(register, own),
        next_before=rows[A_PAGE - 1].id if len(rows) > A_PAGE else "",
    )


def _counties(register: Register, own: Own) -> tuple[tuple[str, str], ...]:
    """Whoever has a part asks within that part."""
    above = tuple(one[:6] for one in own)
    areas = [area for area in register.areas.values() if area.level == "county"]
    return tuple(sorted((area.code, area.name) for area in areas if not own or area.code.startswith(above)))


def _explained(one: Listed, matter: Matter | None, edits: str) -> Listed:
    if matter is None:
        return one
    return replace(one, why=matter.findings, ways=ways(one.row.id, matter.findings, edits))


# ── what was refused ────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A message that was not let in. `head`: how it begins, as text; what is none is shown as �."""

    row: Refusal
    source: str
    head: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SoughtRefused:
    """As it stands in the address, as of the warnings. `said`: a part of the reason, or the code."""

    said: str = ""
    source: str = ""
    since: str = ""
    until: str = ""
    before: str = ""

    @staticmethod
    def of(query: Mapping[str, str], sources: Iterable[str]) -> SoughtRefused:
        days = {name: query.get(name, "") for name in ("since", "until")}
        return SoughtRefused(
            said=query.get("q", "").strip()[:MOST_SAID],
            source=_one_of(query.get("source", ""), sources),
            before=query.get("before", ""),
            **{name: day if _day(day) else "" for name, day in days.items()},
        )

    @property
    def narrowed(self) -> bool:
        return bool(self.said or self.source or self.since or self.until)

    def asked(self, now: datetime) -> Asked:
        """Words are looked for between two moments: only then does the database not read every message for them."""
        since, until = _day(self.since), _after(self.until)
        if self.said:
            until = until or now + timedelta(days=1)
            since = since or until - LOOKED_BACK
        return Asked(said=self.said, source=self.source, since=since, until=until)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedPage:
    """`sources`: (name in the settings, what it is called); `looked_from`: where nobody said since when, and it is not all."""

    at: datetime
    synthetic: bool
    sought: SoughtRefused
    looked_from: datetime | None
    sources: tuple[tuple[str, str], ...]
    refused: tuple[Refused, ...]
    next_before: str


async def refusals(context: Context, sought: SoughtRefused) -> RefusedPage:
    register, asked = await context.register(), sought.asked(context.now())
    async with context.store.read() as tx:
        rows = await rejects.refusals(tx, A_PAGE + 1, sought.before, asked)
        heads = await rejects.heads(tx, [row.id for row in rows[:A_PAGE]], HEAD)
    sources = context.settings.sources
    return RefusedPage(
        at=context.now(),
        synthetic=register.synthetic,
        sought=sought,
        looked_from=None if sought.since else asked.since,
        sources=tuple((name, one.name) for name, one in sources.items()),
        refused=tuple(
            Refused(row=row, source=sources[row.source].name if row.source in sources else row.source,
                    head=_as_text(heads[row.id]))
            for row in rows[:A_PAGE]
        ),
        next_before=rows[A_PAGE - 1].id if len(rows) > A_PAGE else "",
    )  # fmt: skip


def _as_text(raw: bytes) -> str:
    """Without what would move the cursor or turn the text round."""
    text = raw.decode("utf-8", "replace")
    return "".join(one if one.isprintable() or one in "\n\t" else "�" for one in text)
