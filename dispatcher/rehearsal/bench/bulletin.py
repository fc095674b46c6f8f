"""The warnings of the benchmark: CAP 1.2 as the Chinese feed writes it, for the city or some of its counties; and what calls
one off."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from dispatcher.broker.contract import Parcel
from dispatcher.model import BEIJING, Level, Point

SOURCE: Final = "city-weather"
CONTENT_TYPE: Final = "application/cap+xml"
CITY: Final = ("360800000000",)
VALID: Final = timedelta(hours=6)
_SEVERITY: Final = {Level.RED: "Extreme", Level.ORANGE: "Severe", Level.YELLOW: "Moderate", Level.BLUE: "Minor"}
_GRADE: Final = {
    Level.RED: "红色预警[Ⅰ级/特别严重]", Level.ORANGE: "橙色预警[Ⅱ级/严重]",
    Level.YELLOW: "黄色预警[Ⅲ级/较重]", Level.BLUE: "蓝色预警[Ⅳ级/一般]",
}  # fmt: skip
_NUMBER: Final = itertools.count(1)
_NAMES: Final = re.compile(r"<identifier>(.+?)</identifier><sender>(.+?)</sender>\s*<sent>(.+?)</sent>")
_HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>\n<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">'


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulletin:
    """What is warned of. `residents` False: Restricted, to officers and offices alone."""

    level: Level = Level.RED
    residents: bool = True
    codes: Sequence[str] = field(default=CITY)
    polygon: Sequence[Point] = ()
    """Instead of the codes."""

    def body(self, now: datetime) -> bytes:
        """With an identity of its own, every time."""
        here = now.astimezone(BEIJING)
        scope = "<scope>Public</scope>"
        if not self.residents:
            scope = "<scope>Restricted</scope><restriction>防汛责任人</restriction>"
        areas = (
            _ring(self.polygon)
            if self.polygon
            else "".join(
                f"<geocode><valueName>CPEAS Geographic Code</valueName><value>{code}</value></geocode>"
                for code in self.codes
            )
        )
        grade = _GRADE[self.level]
        return f"""{_HEAD}
{_identity(here)}<status>Actual</status><msgType>Alert</msgType>{scope}
<info><language>zh-CN</language><category>Met</category><event>暴雨</event><urgency>Immediate</urgency>
<severity>{_SEVERITY[self.level]}</severity><certainty>Observed</certainty>
<expires>{(here + VALID).isoformat(timespec="seconds")}</expires><senderName>吉安市气象台</senderName>
<headline>吉安市气象台发布暴雨{grade}</headline>
<description>过去3小时我市多地降雨量已达100毫米以上，预计未来3小时强降雨仍将持续，山洪和地质灾害风险极高。</description>
<area><areaDesc>吉安市</areaDesc>{areas}</area></info></alert>""".encode()


def call_off(body: bytes, now: datetime) -> bytes:
    """The Cancel of a warning that `Bulletin` wrote; it says no more than which."""
    named = _NAMES.search(body.decode())
    assert named is not None
    identifier, sender, sent = named.groups()
    return f"""{_HEAD}
{_identity(now.astimezone(BEIJING))}<status>Actual</status><msgType>Cancel</msgType><scope>Public</scope>
<references>{sender},{identifier},{sent}</references></alert>""".encode()


def _identity(here: datetime) -> str:
    return f"""<identifier>36080041600000_{here:%Y%m%d%H%M%S}{next(_NUMBER):06d}</identifier><sender>36080041600000</sender>
<sent>{here.isoformat(timespec="seconds")}</sent>"""


def _ring(points: Sequence[Point]) -> str:
    corners = " ".join(f"{point.lat:.6f},{point.lon:.6f}" for point in (*points, points[0]))
    return f"<polygon>{corners}</polygon>"


def parcel(body: bytes) -> Parcel:
    return Parcel(routing_key=SOURCE, content_type=CONTENT_TYPE, body=body)
