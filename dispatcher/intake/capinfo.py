"""CAP 1.2: one info block, with its areas and resources.

Every block is checked, since a wrong polygon in the English block is a wrong alert; only one of them speaks (cap.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from lxml import etree

from dispatcher.intake import geometry, text, times
from dispatcher.intake.findings import hold, refuse
from dispatcher.intake.hardened import CAP
from dispatcher.model import Area, Circle, Code, Finding, Geocode, Point, Resource

_INT64 = 2**63
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    """What one block says; `areas` leaves out what could not be read, and then there is a refusal beside it."""

    language: str
    event: str
    categories: tuple[str, ...]
    responses: tuple[str, ...]
    urgency: str
    severity: str
    certainty: str
    event_codes: tuple[str, ...]
    effective: datetime | None
    onset: datetime | None
    expires: datetime | None
    sender_name: str
    headline: str
    description: str
    instruction: str
    web: str
    contact: str
    parameters: tuple[tuple[str, str], ...]
    resources: tuple[Resource, ...]
    areas: tuple[Area, ...]


def content(parent: etree._Element, name: str) -> str:
    """The raw text of a child; empty where there is none."""
    return parent.findtext(f"{{{CAP}}}{name}") or ""


def children(parent: etree._Element, name: str) -> Iterator[etree._Element]:
    return parent.iterchildren(f"{{{CAP}}}{name}")


def texts(parent: etree._Element, name: str) -> tuple[str, ...]:
    return tuple((child.text or "").strip() for child in children(parent, name))


class InfoReader:
    """Reads the blocks of one alert; twin blocks in two languages carry the same rings, which are read once."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self._rings: dict[str, tuple[Point, ...] | geometry.BadGeometry] = {}

    def read(self, block: etree._Element, number: int) -> Info:
        where = f"第 {number} 个 info"
        event = text.plain(content(block, "event"))
        if not event:
            self._refuse(where, "event 不能为空")
        return Info(
            language=content(block, "language").strip() or "en-US",
            event=event,
            categories=texts(block, "category"),
            responses=texts(block, "responseType"),
            urgency=content(block, "urgency"),
            severity=content(block, "severity"),
            certainty=content(block, "certainty"),
            event_codes=tuple(value for _, value in self._pairs(block, "eventCode")),
            effective=self._time(block, "effective", where),
            onset=self._time(block, "onset", where),
            expires=self._time(block, "expires", where),
            sender_name=text.plain(content(block, "senderName")),
            headline=text.plain(content(block, "headline")),
            description=text.plain(content(block, "description"), lines=True),
            instruction=text.plain(content(block, "instruction"), lines=True),
            web=text.web_address(content(block, "web")),
            contact=text.plain(content(block, "contact")),
            parameters=tuple(self._pairs(block, "parameter")),
            resources=tuple(self._resource(found, where) for found in children(block, "resource")),
            areas=self._areas(block, where),
        )

    def _refuse(self, where: str, sentence: str, code: Code = Code.SCHEMA) -> None:
        self.findings.append(refuse(code, f"{where}：{sentence}"))

    def _time(self, block: etree._Element, name: str, where: str) -> datetime | None:
        written = content(block, name)
        if not written:
            return None
        try:
            return times.parse(written)
        except ValueError as error:
            self._refuse(f"{where}的 {name}", str(error))
            return None

    def _pairs(self, parent: etree._Element, name: str) -> Iterator[tuple[str, str]]:
        for pair in children(parent, name):
            yield text.plain(content(pair, "valueName")), text.plain(content(pair, "value"))

    def _resource(self, found: etree._Element, where: str) -> Resource:
        """`derefUri` is never kept: what is embedded is not passed on."""
        size = content(found, "size").strip()
        if size and (len(size) > 20 or not 0 <= int(size) < _INT64):
            self._refuse(where, f"resource 的 size {size[:20]} 不合理")
            size = ""
        for name in ("resourceDesc", "mimeType"):
            if not content(found, name).strip():
                self._refuse(where, f"resource 的 {name} 不能为空")
        return Resource(
            description=text.plain(content(found, "resourceDesc")),
            mime_type=content(found, "mimeType").strip()[:100],
            size=int(size) if size else None,
            uri=text.web_address(content(found, "uri")) or None,
            digest=content(found, "digest").strip()[:128] or None,
        )

    def _areas(self, block: etree._Element, where: str) -> tuple[Area, ...]:
        polygons = [shape.text or "" for shape in block.iterdescendants(f"{{{CAP}}}polygon")]
        if sentence := geometry.too_many(len(polygons), sum(written.count(",") for written in polygons)):
            self._refuse(where, sentence, Code.SIZE)
            return ()
        return tuple(
            self._area(found, f"{where}的第 {no} 个 area") for no, found in enumerate(children(block, "area"), 1)
        )

    def _area(self, found: etree._Element, where: str) -> Area:
        description = text.plain(content(found, "areaDesc"))
        if not description:
            self._refuse(where, "areaDesc 不能为空")
        self._heights(found, where)
        return Area(
            description=description,
            polygons=tuple(self._shapes(found, "polygon", self._ring, where)),
            circles=tuple(self._shapes(found, "circle", self._circle, where)),
            geocodes=tuple(self._geocodes(found, where)),
        )

    def _shapes(self, area: etree._Element, name: str, read: Callable[[str, str], _T], where: str) -> Iterator[_T]:
        for number, shape in enumerate(children(area, name), 1):
            try:
                yield read(shape.text or "", f"{where}的第 {number} 个 {name}")
            except geometry.BadGeometry as error:
                self._refuse(f"{where}的第 {number} 个 {name}", str(error), Code.GEOMETRY)

    def _ring(self, written: str, where: str) -> tuple[Point, ...]:
        if written not in self._rings:
            try:
                self._rings[written] = geometry.ring(written)
            except geometry.BadGeometry as error:
                self._rings[written] = error
            else:
                self._hold_crossing(written, where)
        ring = self._rings[written]
        if isinstance(ring, geometry.BadGeometry):
            raise ring
        return ring

    def _hold_crossing(self, written: str, where: str) -> None:
        ring = self._rings[written]
        if isinstance(ring, tuple) and geometry.crosses_itself(ring):
            self.findings.append(hold(Code.GEOMETRY, f"{where}：边线自相交或没有面积，请在地图上核对"))

    @staticmethod
    def _circle(written: str, where: str) -> Circle:
        return geometry.circle(written)

    def _geocodes(self, area: etree._Element, where: str) -> Iterator[Geocode]:
        """An empty code would be a prefix of every code, so it is refused, never skipped."""
        for scheme, value in self._pairs(area, "geocode"):
            if scheme and value:
                yield Geocode(scheme=scheme, value=value)
            else:
                self._refuse(where, "geocode 的 valueName 和 value 都不能为空")

    def _heights(self, area: etree._Element, where: str) -> None:
        altitude, ceiling = content(area, "altitude").strip(), content(area, "ceiling").strip()
        if ceiling and not altitude:
            self._refuse(where, "有 ceiling 就必须有 altitude")
        elif ceiling and Decimal(ceiling[:40]) < Decimal(altitude[:40]):
            self._refuse(where, "ceiling 低于 altitude")
