"""What must become of the warnings of an event, in whatever order its letters come; written from the documents, not the code.

The latest version by (sent, alert < update < cancel) holds; one that comes too late is kept and never sent; a Cancel without
its Alert is a tombstone; drill and live are never one event; what waits for a person silences nobody. Pure: the time, and
what is known of who heard what, come in.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dispatcher.model import Code, Kind, Verdict
from dispatcher.states import WarningState
from tests.properties.chain_letters import Letter

Seat = tuple[str, str]
"""Who hears it, and by which channel."""

TOLERANCE = timedelta(minutes=5)
CANCEL_LIVES = timedelta(hours=24)
"""A call-off is obeyed however late it comes: its own hours begin then."""
SEATS = {
    ("officer-D1", "sms"): "360827100",
    ("resident-1", "sms"): "360827100",
    ("gateway-G1", "broadcast"): "360827100",
    ("officer-V2", "sms"): "360827101",
    ("gateway-G2", "broadcast"): "360827101",
    ("officer-V3", "sms"): "360826100",
    ("gateway-G3", "broadcast"): "360826100",
    ("officer-C1", "sms"): "360827",
    ("officer-C2", "sms"): "360826",
}
"""Everybody, and of which unit: a county's duty room hears of any of its towns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Who speaks, and what he may do."""

    trusted: bool = True
    drill_only: bool = False
    prefix: str = "3608"


SOURCES = {
    "city-weather": Source(),
    "valley": Source(prefix="360827"),
    "county-weather": Source(trusted=False),
    "drill": Source(drill_only=True),
}


@dataclass(slots=True, kw_only=True, eq=False)
class Version:
    """A letter that was kept, and what has become of it since. APPROVED stands for all that is in force."""

    letter: Letter
    verdict: Verdict
    code: Code | None
    state: WarningState
    trusted: bool
    expires: datetime
    towns: set[str]
    id: str
    issued: bool

    @property
    def cancels(self) -> bool:
        return self.letter.kind is Kind.CANCEL

    @property
    def counts(self) -> bool:
        """Whether an older one that comes after it is too late: it was issued, or is a call-off that needs nobody."""
        return self.issued or (self.cancels and _needs_nobody(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is known of one row of a version. `surely`: beyond doubt; `former`: it says that he is outside now."""

    seat: Seat
    may_have_heard: bool
    proven: bool
    surely: bool
    former: bool


Hearing = Mapping[str, Sequence[Told]]
"""By version id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """How a letter must be answered. `listed`: who is to be told, and whether he is told that he is outside."""

    verdict: Verdict
    code: Code | None = None
    state: WarningState = WarningState.REJECTED
    repeats: Version | None = None
    listed: Mapping[Seat, bool] = field(default_factory=dict)
    quiet: frozenset[Seat] = frozenset()
    """Of these, who knows already and is not called again."""
    towns: set[str] = field(default_factory=set)
    """Of a Cancel: where the last version held."""
    ends: tuple[tuple[Version, WarningState], ...] = ()
    displaces: Version | None = None
    """A copy that only waited for a person."""


@dataclass
class Model:
    versions: list[Version] = field(default_factory=list)
    """All that were kept; refused ones were not."""
    displaced: list[Version] = field(default_factory=list)

    def expects(self, letter: Letter, source: str, now: datetime, hearing: Hearing) -> Expected:
        """What must become of it, arriving now."""
        before = next((one for one in self.versions if one.letter.name == letter.name), None)
        if before is not None and not _gives_way(before, letter, source):
            return _again(before, letter)
        event = self.event_of(letter)
        later = [one for one in event if _is_later(one, letter)]
        earlier = [one for one in event if one not in later]
        verdict, code = self._judged(letter, SOURCES[source], now, earlier)
        if verdict is Verdict.REJECT:
            return Expected(verdict=verdict, code=code)
        if verdict is Verdict.HOLD:
            held = Expected(verdict=verdict, code=code, state=WarningState.HELD)
            return held if before is None else _again(before, letter)
        overtaking = [one for one in later if one.counts]
        if overtaking:
            state = WarningState.CANCELLED if overtaking[-1].cancels else WarningState.SUPERSEDED
            return Expected(verdict=verdict, state=state, displaces=before)
        issued = [one for one in earlier if one.issued]
        holds = any(one.state is WarningState.APPROVED and not one.cancels for one in issued)
        over = bool(issued) and issued[-1].cancels and not holds
        if letter.kind is Kind.CANCEL and (over or all(one.cancels for one in earlier)):
            return Expected(verdict=verdict, state=WarningState.RECEIVED, displaces=before)
        return _issued(letter, earlier, (now, hearing), before)

    def _judged(
        self, letter: Letter, source: Source, now: datetime, earlier: Sequence[Version]
    ) -> tuple[Verdict, Code | None]:
        """A refusal beats a hold, then the lowest code."""
        refused, held = set[Code](), set[Code]()
        if letter.expires is not None and letter.expires <= now and letter.kind is not Kind.CANCEL:
            refused.add(Code.EXPIRED)
        if not all(town.startswith(source.prefix) for town in letter.towns | self._towns_before(letter)):
            refused.add(Code.OUTSIDE_AUTHORITY)
        if (source.drill_only and not letter.drill) or self._names_the_other_side(letter):
            refused.add(Code.DRILL_MIXED)
        if letter.sent > now + TOLERANCE:
            held.add(Code.CLOCK)
        if letter.kind is Kind.UPDATE and not earlier and not source.trusted:
            held.add(Code.REFERENCE_MISSING)
        if not source.trusted and not held:
            held.add(Code.APPROVAL_MISSING)
        if refused:
            return Verdict.REJECT, min(refused)
        return (Verdict.HOLD, min(held)) if held else (Verdict.ACCEPT, None)

    def _towns_before(self, letter: Letter) -> set[str]:
        """Where what it updates or calls off holds; drill or live, if it names both."""
        other_side = [one for one in self.versions if one.letter.name in letter.names]
        named = [*self.event_of(letter), *other_side] if letter.names else []
        return set[str]().union(*(one.towns for one in named if not _is_later(one, letter)))

    def _names_the_other_side(self, letter: Letter) -> bool:
        return any(one.letter.name in letter.names and one.letter.drill is not letter.drill for one in self.versions)

    def keep(self, letter: Letter, source: str, now: datetime, expected: Expected, version_id: str) -> None:
        """What `expects` said has come true."""
        if expected.repeats is not None or expected.verdict is Verdict.REJECT:
            return
        if expected.displaces is not None:
            self.versions.remove(expected.displaces)
            self.displaced.append(expected.displaces)
        for version, state in expected.ends:
            version.state = state
        until = letter.expires or now
        self.versions.append(
            Version(
                letter=letter,
                verdict=expected.verdict,
                code=expected.code,
                state=expected.state,
                trusted=SOURCES[source].trusted,
                expires=max(until, now + CANCEL_LIVES) if letter.kind is Kind.CANCEL else until,
                towns=expected.towns or letter.towns,
                id=version_id,
                issued=expected.state is WarningState.APPROVED,
            )
        )

    def runs_out(self, now: datetime) -> list[Version]:
        """Those whose time is over."""
        living = (WarningState.APPROVED, WarningState.HELD)
        over = [one for one in self.versions if one.state in living and one.expires <= now]
        for one in over:
            one.state = WarningState.EXPIRED
        return over

    def event_of(self, letter: Letter) -> list[Version]:
        """Whoever names one of the same, and whoever they name, and so on, oldest first. Drill and live are apart; what waits
        for a person belongs to what it names, and makes nothing one."""
        return _linked(letter, [one for one in self.versions if one.letter.drill is letter.drill], _needs_nobody)

    def events(self) -> list[list[Version]]:
        """All that needed nobody, those of one event together."""
        left, found = [one for one in self.versions if _needs_nobody(one)], list[list[Version]]()
        while left:
            akin = self.event_of(left[0].letter)
            found.append([left[0], *(one for one in left if one in akin)])
            left = [one for one in left if one not in found[-1]]
        return found

    def known_fault(self, letter: Letter) -> str:
        """Where the house is known to do less than the documents ask, and nobody is the worse off: not tried here."""
        event = self.event_of(letter)
        same_side = [one for one in (*self.versions, *self.displaced) if one.letter.drill is letter.drill]
        if set(_linked(letter, same_side, lambda _: True)) != set(event):
            return "what waits for a person and names two events belongs to one of them"
        issued = [one for one in event if one.counts]
        late = any(_is_later(one, letter) for one in issued)
        if late and any(one.state is WarningState.APPROVED for one in issued[:-1]):
            return "what comes too late and shows that two versions are of one event leaves the older one in force"
        ends = [one for one in issued if one.state is WarningState.APPROVED]
        if letter.kind is Kind.CANCEL and len(ends) > 1 and all(one.cancels for one in ends):
            return "a Cancel that names two events which are both over shows them to be one, and both ends stand"
        return ""


def _linked(letter: Letter, versions: Iterable[Version], links: Callable[[Version], bool]) -> list[Version]:
    """Oldest first; of those that bear the same time, whoever came first."""
    names, found = letter.every_name, list[Version]()
    came = [one for one in versions if one.letter.name != letter.name]
    rest = came
    while more := [one for one in rest if names & one.letter.every_name]:
        found += more
        rest = [one for one in rest if one not in more]
        names = names.union(*(one.letter.every_name for one in more if links(one)))
    return sorted((one for one in came if one in found), key=lambda one: one.letter.turn)


def _needs_nobody(version: Version) -> bool:
    return version.verdict is Verdict.ACCEPT


def _is_later(version: Version, letter: Letter) -> bool:
    return letter.name in version.letter.names or version.letter.turn > letter.turn


def _gives_way(before: Version, letter: Letter, source: str) -> bool:
    """What an untrusted source sent, and only waits for a person, does not keep out whoever needs nobody."""
    waits = before.state is WarningState.HELD and not before.trusted
    return waits and SOURCES[source].trusted and before.letter.drill is letter.drill


def _again(before: Version, letter: Letter) -> Expected:
    """The same answer; or, where it says something else under the same name, a refusal."""
    if before.letter != letter:
        return Expected(verdict=Verdict.REJECT, code=Code.DUPLICATE_CONFLICT)
    return Expected(verdict=before.verdict, code=before.code, state=before.state, repeats=before)


def _issued(
    letter: Letter, earlier: Sequence[Version], seen: tuple[datetime, Hearing], before: Version | None
) -> Expected:
    cancels, spoke = letter.kind is Kind.CANCEL, [one for one in earlier if not one.cancels]
    ends = tuple(
        (one, WarningState.CANCELLED if cancels and not one.cancels else WarningState.SUPERSEDED)
        for one in earlier
        if one.state in (WarningState.APPROVED, WarningState.HELD)
    )
    return Expected(
        verdict=Verdict.ACCEPT,
        state=WarningState.APPROVED,
        listed=_called_off(spoke, seen[1]) if cancels else _listed(letter, earlier, *seen),
        quiet=frozenset() if cancels else _quiet(letter, earlier, *seen),
        towns=spoke[-1].towns if cancels else set(),
        ends=ends,
        displaces=before,
    )


def _called_off(spoke: Iterable[Version], hearing: Hearing) -> dict[Seat, bool]:
    """Whoever may have heard any version hears that it is over, on the same channel; nobody else does."""
    every = (told for one in spoke for told in hearing.get(one.id, ()))
    return {told.seat: False for told in every if told.may_have_heard}


def _listed(letter: Letter, earlier: Sequence[Version], now: datetime, hearing: Hearing) -> dict[Seat, bool]:
    """Everyone in the area; and whoever last heard that it holds for him, where no part of his unit is in it now."""
    inside, touched = _units(letter.towns), _units(town for one in earlier for town in one.towns)
    believes: dict[Seat, bool] = {}
    for one in earlier:
        if one.expires <= now and not one.cancels:
            continue
        for told in hearing.get(one.id, ()):
            if told.former and told.proven:
                believes[told.seat] = False
            elif told.may_have_heard and not told.former:
                believes[told.seat] = not one.cancels
    former = [
        (who, channel)
        for (who, channel), it_holds in believes.items()
        if it_holds and SEATS[who, channel] in touched - inside
    ]
    return {seat: False for seat, unit in SEATS.items() if unit in inside} | dict.fromkeys(former, True)


def _quiet(letter: Letter, earlier: Sequence[Version], now: datetime, hearing: Hearing) -> frozenset[Seat]:
    """Whoever surely heard the same from the versions just before it, the last of which is still in force (继续发布)."""
    issued = [one for one in earlier if one.issued]
    if not issued or issued[-1].state is not WarningState.APPROVED or issued[-1].expires <= now:
        return frozenset()
    alike = itertools.takewhile(lambda one: _says_the_same(letter, one.letter), reversed(issued))
    told = [told for one in alike if one.expires > now for told in hearing.get(one.id, ())]
    inside = _units(letter.towns)
    return frozenset(one.seat for one in told if one.surely and not one.former and SEATS[one.seat] in inside)


def _says_the_same(letter: Letter, before: Letter) -> bool:
    alike = (letter.event, letter.level, letter.towns) == (before.event, before.level, before.towns)
    return alike and before.kind is not Kind.CANCEL


def _units(towns: Iterable[str]) -> set[str]:
    """With their counties."""
    return {unit for town in towns for unit in (town, town[:6])}
