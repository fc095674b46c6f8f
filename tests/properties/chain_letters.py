"""What issuers say about an event, letter by letter, and how it is written down as CAP 1.2.

All letters of an event are written at once, with the times they bear; in which order they arrive, and whether they do, is
another matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from hypothesis import strategies as st

from dispatcher.model import BEIJING, Kind, Level

Name = tuple[str, datetime]
"""Identifier and sent: all letters have one sender."""

SENDER = "36080041600000"
RANK = {Kind.ALERT: 0, Kind.UPDATE: 1, Kind.CANCEL: 2}
HAZARDS = ("暴雨", "大风", "高温", "雷电", "冰雹", "大雾", "霾", "道路结冰")
"""Each event has its own: one hazard told of by two sources may be one event, and here that is not asked."""
SEVERITIES = {Level.RED: "Extreme", Level.ORANGE: "Severe", Level.YELLOW: "Moderate", Level.BLUE: "Minor"}


class Place(StrEnum):
    """Where a letter may say it holds: two towns of one county, the county, and a town of the other county."""

    TOWN = "360827100000"
    BESIDE = "360827101000"
    COUNTY = "360827000000"
    FAR = "360826100000"


TOWNS = {
    Place.TOWN: {"360827100"},
    Place.BESIDE: {"360827101"},
    Place.COUNTY: {"360827100", "360827101"},
    Place.FAR: {"360826100"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What an issuer says once. Two letters of one name that are not equal contradict each other."""

    identifier: str
    sent: datetime
    kind: Kind
    drill: bool = False
    event: int = 1
    names: tuple[Name, ...] = ()
    level: Level = Level.RED
    place: Place | None = None
    """None: a Cancel that says no more than that. One that names a place is an all-clear."""
    expires: datetime | None = None
    variant: int = 0

    @property
    def name(self) -> Name:
        return self.identifier, self.sent

    @property
    def every_name(self) -> set[Name]:
        return {self.name, *self.names}

    @property
    def turn(self) -> tuple[datetime, int]:
        """What comes later in this order holds: by time, and at the same second a cancel over an update over an alert."""
        return self.sent, RANK[self.kind]

    @property
    def towns(self) -> set[str]:
        return TOWNS[self.place] if self.place else set()


HOURS = st.sampled_from([6, 3, 30, 0.5])
MOVES = st.fixed_dictionaries(
    {
        "kind": st.sampled_from([Kind.UPDATE, Kind.UPDATE, Kind.CANCEL]),
        "level": st.sampled_from(Level),
        "place": st.sampled_from(Place),
        "bare": st.booleans(),
        "after": st.sampled_from([0, 20, 60]),
        "hours": HOURS,
        "names": st.sampled_from(["first", "last", "all", "nobody's", "two events"]),
        "astray": st.sampled_from([False] * 9 + [True]),
    }
)
"""How an event goes on; `astray`: a drill about what is live, or the other way round."""
EVENTS = st.fixed_dictionaries(
    {
        "drill": st.sampled_from([False, False, False, True]),
        "ago": st.sampled_from([-240, 0, 0, 60, 3600]),
        "level": st.sampled_from(Level),
        "place": st.sampled_from(Place),
        "hours": HOURS,
        "moves": st.lists(MOVES, min_size=1, max_size=4),
    }
)


def letters_of(event: dict[str, Any], number: int, now: datetime, other: Sequence[Letter]) -> list[Letter]:
    """`other`: of an unrelated event, which one of these may name too."""
    sent = now - timedelta(seconds=event["ago"])
    every = [
        Letter(
            identifier=f"E{number}-0",
            sent=sent,
            kind=Kind.ALERT,
            drill=event["drill"],
            event=number,
            level=event["level"],
            place=event["place"],
            expires=sent + timedelta(hours=event["hours"]),
        )
    ]
    for move in event["moves"]:
        every.append(_next(every, move, other))
    return every


def _next(every: Sequence[Letter], move: dict[str, Any], other: Sequence[Letter]) -> Letter:
    first, last, kind = every[0], every[-1], move["kind"]
    at_once = 0 if RANK[kind] > RANK[last.kind] else 1
    sent = last.sent + timedelta(seconds=move["after"] or at_once)
    names = {
        "first": [first.name],
        "last": [last.name],
        "all": [one.name for one in every],
        "nobody's": [(f"E{first.event}-X", first.sent)],
        "two events": [first.name, *(one.name for one in other[:1] if one.sent <= sent)],
    }
    bare = kind is Kind.CANCEL and move["bare"]
    return Letter(
        identifier=f"E{first.event}-{len(every)}",
        sent=sent,
        kind=kind,
        drill=first.drill is not move["astray"],
        event=first.event,
        names=tuple(names[move["names"]]),
        level=move["level"],
        place=None if bare else move["place"],
        expires=None if bare else sent + timedelta(hours=move["hours"]),
    )


def written(letter: Letter) -> bytes:
    """As CAP 1.2."""
    names = " ".join(f"{SENDER},{identifier},{_stamp(sent)}" for identifier, sent in letter.names)
    references = f"<references>{names}</references>" if names else ""
    info = _info(letter) if letter.place else ""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>{letter.identifier}</identifier><sender>{SENDER}</sender>
<sent>{_stamp(letter.sent)}</sent><status>{"Exercise" if letter.drill else "Actual"}</status><msgType>{letter.kind}</msgType>
<scope>Public</scope><note>{letter.variant}</note>{references}{info}</alert>""".encode()


def _info(letter: Letter) -> str:
    hazard = HAZARDS[letter.event % len(HAZARDS)]
    response = "AllClear" if letter.kind is Kind.CANCEL else "Shelter"
    expires = f"<expires>{_stamp(letter.expires)}</expires>" if letter.expires else ""
    return f"""<info><language>zh-CN</language><category>Met</category><event>{hazard}</event>
<responseType>{response}</responseType><urgency>Immediate</urgency><severity>{SEVERITIES[letter.level]}</severity>
<certainty>Observed</certainty>{expires}<senderName>吉安市气象台</senderName>
<headline>吉安市气象台发布{hazard}{letter.level.chinese}预警</headline><description>请注意防范。</description>
<area><areaDesc>遂川</areaDesc><geocode><valueName>CPEAS Geographic Code</valueName><value>{letter.place}</value></geocode>
</area></info>"""


def _stamp(at: datetime) -> str:
    return at.astimezone(BEIJING).isoformat(timespec="seconds")
