"""Which channel, which text, in which order, by when: the audience becomes frozen, hashed chunks.

Nothing here sends or stores. The plan is a pure function of the warning, the audience and the configuration, so that what
was approved can be proven to be what was sent.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dispatcher.drills import NO_CONSENT, NOT_IN_DRILL, Limit
from dispatcher.model import (
    Audience,
    Channel,
    Kind,
    Lane,
    Level,
    Member,
    ResidentHits,
    TargetKind,
    WarningMessage,
    Why,
)
from dispatcher.settings import LevelPolicy, Policy, Wording
from dispatcher.store.chunks import NewChunk
from dispatcher.store.packing import FrozenRow, Header, digest, header_hash, pack, plan_hash, stamp
from dispatcher.store.sides import NO_DRILL_PROVIDER
from dispatcher.store.warnings import TextRow
from dispatcher.wording import Saying, Wordsmith

FIRST_CHUNK = 256
"""Small, so that the first message leaves at once."""
CHUNK = 1000

CHANNEL_OFF = "channel_not_in_policy"
NO_NUMBER = "ebmid_used_up"
TOLD = "already_told"
NAMELESS = "本辖区"
"""What a text calls a place that the register knows no name of."""
NOT_SENT_CHINESE: Mapping[str, str] = {
    CHANNEL_OFF: "policy.yaml 里这一级别不用它",
    NO_NUMBER: "今天的播发编号已用完",
    NO_DRILL_PROVIDER: "没有启用演练专用的发送接口，演练不经它发出",
    TOLD: "先前已通知到，内容未变，不再打扰",
    NOT_IN_DRILL: "不在演练名单（drills.yaml）里",
    NO_CONSENT: "没有有效的演练同意记录（drills.yaml）",
}
"""Why a row of the plan is not sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything `store` needs to freeze a warning."""

    texts: tuple[TextRow, ...]
    chunks: tuple[NewChunk, ...]
    header_hash: str
    hash: str
    rows: int
    channels: Mapping[str, int]
    reasons: Mapping[str, int]
    """Rows by Why, as its number in text."""
    not_sent: Mapping[str, Mapping[str, int]]
    """Channel → why → rows."""
    samples: tuple[str, ...]
    """Every wording once, whatever the place it is for."""

    @property
    def suppressed(self) -> dict[str, int]:
        """Why → rows."""
        total: Counter[str] = Counter()
        for rows in self.not_sent.values():
            total.update(rows)
        return dict(total)

    @property
    def silent(self) -> dict[str, str]:
        """Channels over which nothing is sent, and why."""
        return {
            name: next(iter(why)) for name, why in self.not_sent.items() if sum(why.values()) == self.channels[name]
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What a plan depends on besides the warning and its audience."""

    policy: Policy
    wording: Wording
    places: Mapping[str, str]
    """What a text calls a unit: 6- or 9-digit code → name."""
    villages: tuple[str, ...]
    broadcast_id: str
    limit: Limit | None
    """Who may be told in a drill; None where everybody may, on a stage."""
    earlier: tuple[str, ...] = ()
    """EBMIDs of the versions before it."""
    numbers_used_up: bool = False
    """No EBMID is left today: no loudspeaker can be told."""
    drill_channels: frozenset[Channel] = frozenset()
    """Channels with a provider for drills: a drill leaves by no other."""


def make_plan(message: WarningMessage, audience: Audience, frame: Frame) -> Plan:
    """Freezes who is told what, over which channel, in which order."""
    desk = _Desk(message, frame, audience)
    by_channel: dict[Channel, list[FrozenRow]] = {}
    reasons: Counter[Why] = Counter()
    for member in _pressing_first(audience.members):
        by_channel.setdefault(member.channel, []).append(desk.row(member))
    reasons.update([member.why for member in audience.members])
    _add_residents(by_channel, reasons, desk, (audience.residents, desk.resident_why))
    for member in audience.former:
        by_channel.setdefault(member.channel, []).append(desk.row(member))
    reasons.update([member.why for member in audience.former])
    _add_residents(by_channel, reasons, desk, (audience.former_residents, Why.FORMER))
    lane = lane_of(message)
    chunks = tuple(
        _chunk(channel, lane, seq, rows)
        for channel, every in by_channel.items()
        for seq, rows in enumerate(_cut(every))
    )
    texts = tuple(desk.texts)
    head = header_hash(header_of(message, frame, [str(c) for c in by_channel], texts))
    return Plan(
        texts=texts,
        chunks=chunks,
        header_hash=head,
        hash=plan_hash(head, [chunk.hash for chunk in chunks]),
        rows=sum(chunk.size for chunk in chunks),
        channels={str(channel): len(rows) for channel, rows in by_channel.items()},
        reasons={str(int(why)): number for why, number in reasons.items()},
        not_sent={str(channel): why for channel, rows in by_channel.items() if (why := _not_sent(rows))},
        samples=desk.samples(),
    )


def _not_sent(rows: Sequence[FrozenRow]) -> dict[str, int]:
    return dict(Counter(row.suppressed for row in rows if row.suppressed))


def _add_residents(
    by_channel: dict[Channel, list[FrozenRow]], reasons: Counter[Why], desk: _Desk, homes: tuple[ResidentHits, Why]
) -> None:
    hits, why = homes
    if len(hits.id):
        by_channel.setdefault(Channel.SMS, []).extend(desk.residents(hits, why))
        reasons[why] += len(hits.id)


def _pressing_first(members: Sequence[Member]) -> Sequence[Member]:
    """Within first answerers, and within everybody else: the least time left first; the list's own order otherwise."""
    if all(member.minutes_left is None for member in members):
        return members
    return sorted(members, key=lambda one: (one.order, math.inf if one.minutes_left is None else one.minutes_left))


def header_of(message: WarningMessage, frame: Frame, channels: Sequence[str], texts: Sequence[TextRow]) -> Header:
    """What is hashed of a warning besides its rows; the sender makes it again from the database and compares."""
    return Header(
        kind=message.kind,
        status=message.status,
        level=message.level or "",
        drill=message.drill,
        villages=list(frame.villages),
        channels=sorted(channels),
        expires=stamp(message.expires),
        broadcast_id=frame.broadcast_id,
        earlier=list(frame.earlier),
        texts=[text.body for text in texts],
        said={
            "sender": message.sender,
            "identifier": message.identifier,
            "event": message.hazard.name if message.hazard else message.event,
            "headline": message.headline,
            "sender_name": message.sender_name or "",
        },
    )


def lane_of(message: WarningMessage) -> Lane:
    """Priority: a correction or cancel overtakes everything, a drill comes after all that is real."""
    if message.drill or message.status is not message.status.ACTUAL:
        return Lane.DRILL
    if message.kind is Kind.CANCEL:
        return Lane.CORRECTION
    match message.level:
        case Level.RED:
            return Lane.RED
        case Level.ORANGE:
            return Lane.ORANGE
        case Level.YELLOW:
            return Lane.YELLOW
        case Level.BLUE | None:
            return Lane.BLUE


def level_policy(message: WarningMessage, policy: Policy) -> LevelPolicy:
    """A Cancel without a level is treated as what it calls off may have been: the most urgent."""
    return policy.levels[message.level or Level.RED]


class _Desk:
    """Words each distinct text once and remembers its number."""

    def __init__(self, message: WarningMessage, frame: Frame, audience: Audience) -> None:
        self._message = message
        self._frame = frame
        self._told = audience.told
        self._standing = audience.standing.targets if audience.standing else frozenset()
        self._less = message.kind is Kind.CANCEL or _is_less(message, audience)
        self._smith = Wordsmith(frame.wording, message, audience.standing.said if audience.standing else "")
        self._numbers: dict[tuple[Channel, str, str, bool, Saying], int] = {}
        self._told_alike: dict[tuple[Channel, str, TargetKind, int, Saying], int] = {}
        self._lines: dict[int, str] = {}
        self._suppressed = {
            (channel, former): _suppressed(message, channel, frame, former=former)
            for channel in Channel
            for former in (False, True)
        }
        self._limit = _limit(message, frame)
        self.texts: list[TextRow] = []
        self.resident_why = Why.REACHED_BEFORE if message.kind is Kind.CANCEL else Why.RESIDENT_HOME

    def row(self, member: Member) -> FrozenRow:
        name, why, channel = str(member.target), member.why, member.channel
        former = why is Why.FORMER
        silent = self._suppressed[channel, former] or ("" if former else self._not_told(member, name))
        text_no = self._text_no(member, self._saying(name, former=former))
        return FrozenRow(name, int(why), text_no, member.township, ",".join(member.areas), silent)

    def _not_told(self, member: Member, name: str) -> str:
        barred = self._limit.bars(member) if self._limit is not None else ""
        return barred or (TOLD if name in self._told else "")

    def _text_no(self, member: Member, saying: Saying) -> int:
        """Looked up by what members have in common before a line is sought: a city has three thousand of them."""
        key = (member.channel, member.township, member.target.kind, member.roles, saying)
        number = self._told_alike.get(key)
        if number is None:
            called_to_post = member.target.kind is TargetKind.OFFICER and member.why is not Why.FORMER
            line = self._line(member.roles) if called_to_post else ""
            number = self._told_alike[key] = self._number(member.channel, member.township, line, saying=saying)
        return number

    def residents(self, hits: ResidentHits, why: Why) -> Iterator[FrozenRow]:
        reason, former = int(why), why is Why.FORMER
        suppressed = residents_not_told(self._message, self._frame, former=former)
        numbers = self._homes(hits, self._saying("", former=former))
        other = next(iter(self._standing), "")
        standing = self._homes(hits, self._saying(other, former=former)) if other else numbers
        for home, township in zip(hits.id.tolist(), hits.township.tolist(), strict=True):
            name = f"{TargetKind.RESIDENT}-{home}"
            number = (standing if name in self._standing else numbers)[township]
            silent = suppressed or (TOLD if name in self._told and not former else "")
            yield FrozenRow(name, reason, number, hits.townships[township], "", silent)

    def _homes(self, hits: ResidentHits, saying: Saying) -> list[int]:
        """The text's number for each township: looked up once, for there are a hundred thousand residents."""
        return [self._number(Channel.SMS, place, "", resident=True, saying=saying) for place in hits.townships]

    def samples(self) -> tuple[str, ...]:
        first: dict[tuple[Channel, str, bool, Saying], int] = {}
        for (channel, _, line, resident, saying), number in self._numbers.items():
            first.setdefault((channel, line, resident, saying), number)
        return tuple(self.texts[number].body for number in first.values())

    def _line(self, roles: int) -> str:
        if roles not in self._lines:
            self._lines[roles] = self._smith.line(roles)
        return self._lines[roles]

    def _saying(self, name: str, *, former: bool) -> Saying:
        """What stands is said to whoever hears that this is over, or that it is less than what stands."""
        if (former or self._less) and name in self._standing:
            return Saying.FORMER_STANDING if former else Saying.STANDING
        return Saying.FORMER if former else Saying.ALL

    def _number(
        self, channel: Channel, township: str, line: str, *, resident: bool = False, saying: Saying = Saying.ALL
    ) -> int:
        key = (channel, township, line, resident, saying)
        number = self._numbers.get(key)
        if number is None:
            place = self._frame.places.get(township) or self._frame.places.get(township[:6], NAMELESS)
            text = self._smith.word(channel, place, line, resident=resident, saying=saying)
            number = self._numbers[key] = len(self.texts)
            self.texts.append(TextRow(no=number, channel=channel, body=text.body, segments=text.segments))
        return number


def residents_not_told(message: WarningMessage, frame: Frame, *, former: bool) -> str:
    """Why no resident is told, or ''."""
    barred = NOT_IN_DRILL if _limit(message, frame) is not None and not former else ""
    return _suppressed(message, Channel.SMS, frame, former=former) or barred


def _limit(message: WarningMessage, frame: Frame) -> Limit | None:
    """What calls off, or says that a place is outside now, goes to whoever heard the drill: it makes no loudspeaker sound."""
    return frame.limit if message.drill and message.kind is not Kind.CANCEL else None


def _suppressed(message: WarningMessage, channel: Channel, frame: Frame, *, former: bool) -> str:
    """Why a channel is not used for this warning, or ''. What was sounded is also called off, and so is what was sounded
    where the warning does not hold any more."""
    if message.drill and channel not in frame.drill_channels:
        return NO_DRILL_PROVIDER
    if channel is Channel.BROADCAST and frame.numbers_used_up:
        return NO_NUMBER
    if message.kind is Kind.CANCEL or former:
        return ""
    return "" if channel in level_policy(message, frame.policy).channels else CHANNEL_OFF


def _is_less(message: WarningMessage, audience: Audience) -> bool:
    """Whether another source's warning of the same event that stands is of a higher level."""
    other = audience.standing.level if audience.standing else None
    return other is not None and message.level is not None and other.rank < message.level.rank


def _cut(rows: list[FrozenRow]) -> Iterator[list[FrozenRow]]:
    yield rows[:FIRST_CHUNK]
    for start in range(FIRST_CHUNK, len(rows), CHUNK):
        yield rows[start : start + CHUNK]


def _chunk(channel: Channel, lane: Lane, seq: int, rows: list[FrozenRow]) -> NewChunk:
    blob = pack(rows)
    return NewChunk(channel=channel, lane=lane, seq=seq, size=len(rows), packed=blob, hash=digest(blob))
