"""What is sent in during a chaos run: genuine warnings of every kind, and hostile ones, made from a seed."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dispatcher.model import BEIJING
from tests.crashes.facts import Identity

SENDER = "36080041600000"
CAP = "application/cap+xml"
NATIVE = "application/vnd.mingluo.warning+json"
CITY = "360800000000"
SEVERITY = {"红": "Extreme", "橙": "Severe", "黄": "Moderate", "蓝": "Minor"}
LEVEL = {"红": "Ⅰ级/特别严重", "橙": "Ⅱ级/严重", "黄": "Ⅲ级/较重", "蓝": "Ⅳ级/一般"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A genuine message, before it is written down."""

    identifier: str
    sent: datetime
    colour: str
    area: str
    kind: str = "Alert"
    drill: bool = False
    valid: timedelta = timedelta(hours=6)
    about: str = ""
    """References, as CAP writes them."""
    headline: str = ""

    @property
    def identity(self) -> Identity:
        return SENDER, self.identifier, self.sent

    @property
    def reference(self) -> str:
        return f"{SENDER},{self.identifier},{self.sent.isoformat(timespec='seconds')}"

    def followed_by(self, kind: str, identifier: str, sent: datetime) -> Notice:
        """An update changes something: its text must not be that of what it updates, or nobody could tell which came."""
        longer = self.valid + timedelta(hours=1)
        return replace(self, kind=kind, identifier=identifier, sent=sent, about=self.reference, valid=longer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """Bytes on their way to a door. `hostile`: what is wrong with them; '' where nothing is."""

    source: str
    body: bytes
    content_type: str = CAP
    identity: Identity | None = None
    hostile: str = ""
    fleeting: bool = False
    """Whether it may have expired before it is heard."""

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.body).hexdigest()


def now() -> datetime:
    """The second that a source would write; CAP knows no finer."""
    return datetime.now(BEIJING).replace(microsecond=0)


def letter(notice: Notice) -> Letter:
    source = "drill" if notice.drill else "city-weather"
    fleeting = notice.valid < timedelta(minutes=1)
    return Letter(source=source, body=written(notice).encode(), identity=notice.identity, fleeting=fleeting)


def written(notice: Notice) -> str:
    """CAP 1.2, as the city's observatory writes it."""
    said = f"吉安市气象台发布暴雨{notice.colour}色预警[{LEVEL[notice.colour]}]"
    references = f"<references>{notice.about}</references>" if notice.about else ""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>{notice.identifier}</identifier>
<sender>{SENDER}</sender><sent>{notice.sent.isoformat(timespec="seconds")}</sent>
<status>{"Exercise" if notice.drill else "Actual"}</status><msgType>{notice.kind}</msgType><scope>Public</scope>{references}
<info><language>zh-CN</language><category>Met</category><event>暴雨</event><urgency>Immediate</urgency>
<severity>{SEVERITY[notice.colour]}</severity><certainty>Observed</certainty>
<expires>{(notice.sent + notice.valid).isoformat(timespec="seconds")}</expires><senderName>吉安市气象台</senderName>
<headline>{notice.headline or said}</headline><description>预计未来3小时有强降雨。</description>
<area><areaDesc>吉安市</areaDesc>
<geocode><valueName>CPEAS Geographic Code</valueName><value>{notice.area}</value></geocode></area>
</info></alert>"""


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><alert>&c;</alert>'
)


def _plain(notice: Notice, **wrong: object) -> Letter:
    return letter(replace(notice, **wrong))  # type: ignore[arg-type]


HOSTILE: Mapping[str, Callable[[Notice, random.Random], Letter]] = {
    "cut off in the middle": lambda notice, chance: Letter(
        source="city-weather", body=written(notice).encode()[: chance.randint(1, 700)]
    ),
    "an entity bomb": lambda _, __: Letter(source="city-weather", body=BOMB.encode()),
    "noise": lambda _, chance: Letter(source="city-weather", body=chance.randbytes(chance.randint(1, 2000))),
    "no bytes": lambda _, __: Letter(source="city-weather", body=b""),
    "a hundred thousand brackets": lambda _, __: Letter(
        source="city-weather", body=b"[" * 100_000, content_type=NATIVE
    ),
    "JSON with a key twice": lambda notice, _: Letter(
        source="city-weather", body=f'{{"identifier": "{notice.identifier}", "identifier": 1}}'.encode(),
        content_type=NATIVE,
    ),
    "expired long ago": lambda notice, _: _plain(
        notice, sent=notice.sent - timedelta(days=2), valid=timedelta(minutes=5)
    ),
    "another city's": lambda notice, _: _plain(notice, area="360100000000"),
    "a place that does not exist": lambda notice, _: _plain(notice, area="360899999000"),
    "text that runs backwards": lambda notice, _: _plain(notice, headline="暴雨\u202e红色预警"),
    "sent tomorrow": lambda notice, _: _plain(notice, sent=notice.sent + timedelta(days=1)),
    "from nobody we know": lambda notice, _: replace(letter(notice), source="nobody"),
    "a drill's source speaking for real": lambda notice, _: replace(letter(replace(notice, drill=False)), source="drill"),
    "four megabytes and more": lambda notice, _: replace(
        letter(notice), body=written(notice).encode() + b" " * (4 * 1024 * 1024 + 1)
    ),
}  # fmt: skip


def hostile(notice: Notice, chance: random.Random) -> Letter:
    """`notice` must never have been sent: it is what the hostile one pretends to be."""
    name = chance.choice(sorted(HOSTILE))
    return replace(HOSTILE[name](notice, chance), hostile=name)


def forged(genuine: Notice) -> Letter:
    """The identity of a warning that was kept, with another text."""
    other = letter(replace(genuine, headline="没有危险，请回家"))
    return replace(other, hostile="a known identity with other content")
