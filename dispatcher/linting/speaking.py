"""Every kind of text that people get of one warning, once each.

They differ by place, role and channel: a city has a thousand of them. Place by place only the name changes, so the longest
name stands for all: what fits with it fits everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from channels import text as sms
from dispatcher.model import ROLES, Channel, Kind, Scope, WarningMessage
from dispatcher.settings import Lint
from dispatcher.wording import SPOKEN_FIRST, Saying, Text, Wordsmith

OFFICERS, RESIDENTS = "岗位人员", "住户"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """`to`: whom it is for, where a channel has several texts; `former`: for whoever is outside the area now."""

    channel: Channel
    to: str
    place: str
    text: Text
    former: bool = False

    @property
    def whole(self) -> str:
        """As it was before it was cut."""
        return self.text.body + self.text.lost

    @property
    def units(self) -> int:
        return sms.units(self.text.body)

    @property
    def aloud(self) -> bool:
        return self.channel in (Channel.BROADCAST, Channel.VOICE)

    def seconds(self, rules: Lint) -> int:
        """How long it is spoken; 0 where it is read."""
        return round(len(self.text.body) / rules.characters_a_second) if self.aloud else 0


def spoken(
    smith: Wordsmith, message: WarningMessage, places: Sequence[str], channels: Sequence[Channel]
) -> tuple[Spoken, ...]:
    """The texts on these channels; what is internal goes to officers alone, by SMS."""
    place = max(places, key=sms.units, default="")
    public = message.scope is Scope.PUBLIC
    return tuple(
        text
        for channel in channels
        if public or channel is Channel.SMS
        for text in (_messages(smith, message, place) if channel is Channel.SMS else _one(smith, channel, place))
    )


def _one(smith: Wordsmith, channel: Channel, place: str) -> Iterator[Spoken]:
    yield Spoken(channel=channel, to="", place=place, text=smith.word(channel, place))


def _messages(smith: Wordsmith, message: WarningMessage, place: str) -> Iterator[Spoken]:
    for line, to in _lines(smith).items():
        yield Spoken(channel=Channel.SMS, to=to, place=place, text=smith.word(Channel.SMS, place, line))
    if message.scope is Scope.PUBLIC:
        yield Spoken(channel=Channel.SMS, to=RESIDENTS, place=place, text=smith.word(Channel.SMS, place, resident=True))
    if message.kind is Kind.UPDATE:
        for resident, to in ((False, OFFICERS), (True, RESIDENTS)):
            text = smith.word(Channel.SMS, place, resident=resident, saying=Saying.FORMER)
            yield Spoken(channel=Channel.SMS, to=f"已不在区域内的{to}", place=place, text=text, former=True)


def _lines(smith: Wordsmith) -> dict[str, str]:
    """What a role is told besides → the first role that is told it."""
    found = {"": OFFICERS}
    for role in SPOKEN_FIRST:
        found.setdefault(smith.line(1 << ROLES.index(role)), role.chinese)
    return found


def named(texts: Sequence[Spoken]) -> str:
    """短信（岗位人员、住户 等 9 种）, 大喇叭."""
    channel = texts[0].channel.chinese
    whom = [text.to for text in texts if text.to]
    if not whom:
        return channel
    more = f" 等 {len(whom)} 种" if len(whom) > 2 else ""
    return f"{channel}（{'、'.join(whom[:2])}{more}）"
