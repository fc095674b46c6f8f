"""National warning XML (12379, namespace `http://com.icss.amp`) → WarningMessage.

The same names mean other things than in CAP: `sender` is the unit's name and `senderCode` its code, `senderName` is the
person who signed (not kept), `references` is the first issue's identifier, a circle's radius is in metres, a geocode is a
list, `severity` is the colour itself. It must survive a root that is named after the status, and fail closed on everything
else: what cannot be read is refused, a line that encloses nothing is never taken for an area.
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from lxml import etree

from dispatcher.intake import geometry, hazard, rules, text, times
from dispatcher.intake.findings import Decoded, Unreadable, hold, note, refuse
from dispatcher.intake.native import AREA_CODE
from dispatcher.model import (
    BEIJING,
    Area,
    Circle,
    Code,
    Finding,
    Geocode,
    Kind,
    Level,
    Point,
    Reference,
    Resource,
    Scope,
    Status,
    WarningMessage,
)
from dispatcher.settings import HazardKind, Hazards

SOURCE_FORMAT: Final = "amp-12379"
AMP: Final = "http://com.icss.amp"
NAMED: Final = re.compile(r"(\d{14})_(\d{14})(?:_\d)?", re.ASCII)
"""`<senderCode>_<yyyyMMddHHmmss>`, and `_N` in the newer rule: an identifier that says whose and of when it is."""

FAR: Final = timedelta(minutes=10)

_LEVELS: Final = {"Red": Level.RED, "Orange": Level.ORANGE, "Yellow": Level.YELLOW, "Blue": Level.BLUE, "Unknown": None}
_URGENCIES: Final = frozenset({"Immediate", "Expected", "Future", "Past", "Unknown"})
_CERTAINTIES: Final = {
    "Observed": "Observed", "VeryLikely": "Likely", "Very Likely": "Likely", "Likely": "Likely", "Possible": "Possible",
    "Unlikely": "Unlikely", "Unknown": "Unknown",
}  # fmt: skip
_ONCE: Final = (
    "identifier", "sender", "senderCode", "phone", "sendTime", "status", "msgType", "scope", "secClassification", "note",
    "references", "info",
)  # fmt: skip
_ONCE_IN_INFO: Final = (
    "language", "eventType", "urgency", "severity", "certainty", "effective", "onset", "expires", "senderName", "headline",
    "description", "instruction", "web",
)  # fmt: skip
_CODES: Final = re.compile(r"[^,，\s]+")
_LANGUAGE: Final = re.compile(r"[a-zA-Z]{1,8}(?:-[a-zA-Z0-9]{1,8})*")
_NEEDS_CONTENT: Final = frozenset({Kind.ALERT, Kind.UPDATE})
"""A call-off is obeyed however little it says, and even where it contradicts itself."""


def read(root: etree._Element, hazards: Hazards) -> Decoded:
    """`root` is an element of the AMP namespace that came through hardened.parse; its own name is not minded."""
    reader = _Reader(hazards)
    try:
        message = reader.message(root)
    except Unreadable as error:
        return Decoded(message=None, findings=(*reader.findings, *error.findings))
    return Decoded(message=message, findings=tuple(dict.fromkeys([*reader.findings, *rules.check(message)])))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What the info says of hazard and level."""

    event: str
    kind: HazardKind | None
    level: Level | None


class _Reader:
    """Reads one alert; `findings` gathers what speaks against it on the way."""

    def __init__(self, hazards: Hazards) -> None:
        self._hazards = hazards
        self.findings: list[Finding] = []

    def message(self, root: etree._Element) -> WarningMessage:
        self._once(root, _ONCE)
        self._not_too_much(root)
        head, info = self._head(root), _child(root, "info")
        self._root_and_status(root, head)
        if info is None and head.kind in _NEEDS_CONTENT:
            raise Unreadable(refuse(Code.SCHEMA, "缺少 info"))
        if info is None:
            return head
        self._once(info, _ONCE_IN_INFO)
        if head.kind in _NEEDS_CONTENT:
            self._complete(root, info)
        return self._with_info(head, info)

    def _not_too_much(self, root: etree._Element) -> None:
        """Counted before anything is made of it: one text may hold millions of codes."""
        rings = [_raw(ring) for ring in root.iter(f"{{{AMP}}}polygon")]
        if sentence := geometry.too_many(len(rings), sum(ring.count(",") for ring in rings)):
            raise Unreadable(refuse(Code.SIZE, sentence))
        for name, most in (("geocode", rules.MOST_GEOCODES), ("references", rules.MOST_REFERENCES)):
            number = sum(len(_CODES.findall(_raw(one))) for one in root.iter(f"{{{AMP}}}{name}"))
            if number > most:
                raise Unreadable(refuse(Code.SIZE, f"{name} 有 {number} 个，最多 {most} 个"))

    def _complete(self, root: etree._Element, info: etree._Element) -> None:
        for parent, names in ((root, ("sender",)), (info, ("eventType", "headline", "description"))):
            for name in names:
                if not _text(parent, name):
                    self._refuse(f"缺少 {name}")

    def _root_and_status(self, root: etree._Element, head: WarningMessage) -> None:
        """Some writers name the root after the status. Where the two differ, nobody knows which was meant."""
        name = etree.QName(root).localname.lower()
        if name in {str(status).lower() for status in Status} and name != head.status.lower():
            self._refuse(f"根元素是 {name}，status 却是 {head.status}：请核对是演练、测试还是实战", Code.DRILL_MIXED)
        named = _named(head.identifier)
        if named is not None and named.sender != head.sender:
            self._refuse(f"编号里的单位编码 {named.sender} 与 senderCode {head.sender[:20]} 不一致")

    def _head(self, root: etree._Element) -> WarningMessage:
        inner = self._secret(root)
        return WarningMessage(
            source_format=SOURCE_FORMAT,
            sender=_text(root, "senderCode"),
            identifier=_text(root, "identifier"),
            sent=self._sent(root),
            status=Status(self._word(root, "status", ["Actual", "Exercise", "Test", "Draft"])),
            kind=Kind(self._word(root, "msgType", [str(one) for one in Kind])),
            scope=Scope.RESTRICTED if inner else Scope.PUBLIC,
            sender_name=text.plain(_text(root, "sender")),
            contact=text.plain(_text(root, "phone")),
            note=text.plain(_text(root, "note"), lines=True),
            restriction="内部信息（secClassification 为 Inner）" if inner else "",
            references=self._references(root),
            parameters=tuple(_methods(root)),
        )

    def _with_info(self, head: WarningMessage, info: etree._Element) -> WarningMessage:
        headline = text.plain(_text(info, "headline"))
        said = self._said(info, headline, head.kind)
        return replace(
            head,
            event=said.event,
            hazard=hazard.hazard_of(self._hazards, [_text(info, "eventType")], said.event),
            level=said.level,
            urgency=self._urgency(info),
            certainty=self._certainty(info),
            categories=(said.kind.category,) if said.kind else (),
            effective=self._time(info, "effective"),
            onset=self._time(info, "onset"),
            expires=self._time(info, "expires"),
            headline=headline,
            description=text.plain(_text(info, "description"), lines=True),
            instruction=text.plain(_text(info, "instruction"), lines=True),
            web=text.web_address(_text(info, "web")),
            language=language if _LANGUAGE.fullmatch(language := _text(info, "language")) else "zh-CN",
            areas=tuple(
                self._area(area, f"第 {number} 个 area", head.kind)
                for number, area in enumerate(_children(info, "area"), 1)
            ),
            resources=tuple(_resource(one) for one in _children(info, "resource") if _text(one, "resourceDesc")),
        )

    # ── the head ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _refuse(self, sentence: str, code: Code = Code.SCHEMA) -> None:
        self.findings.append(refuse(code, sentence))

    def _once(self, parent: etree._Element, names: tuple[str, ...]) -> None:
        for name in names:
            if len(list(_children(parent, name))) > 1:
                self._refuse(f"{name} 写了两次")

    def _word(self, parent: etree._Element, name: str, words: list[str]) -> str:
        """One of the words; without it nothing can be made of the message."""
        said = _text(parent, name)
        if said not in words:
            raise Unreadable(refuse(Code.SCHEMA, f"{name} 不能是“{said[:40]}”，只能是 {'、'.join(words)}"))
        return said

    def _time(self, parent: etree._Element, name: str) -> datetime | None:
        """`2021-06-28 14:30:00+08:00`: a blank between day and hour."""
        said = _text(parent, name)
        if not said:
            return None
        try:
            return times.parse("T".join(said.split(maxsplit=1)))
        except ValueError:
            self._refuse(f"{name} 的“{said[:40]}”应写成 2021-06-28 14:30:00+08:00，并且真实存在")
            return None

    def _sent(self, root: etree._Element) -> datetime:
        """As the identifier has it: an update names the first issue by that alone, and sendTime may be a second off."""
        said, named = self._time(root, "sendTime"), _named(_text(root, "identifier"))
        if said is None:
            raise Unreadable(refuse(Code.SCHEMA, "缺少 sendTime，或者写法不对"))
        if named is None:
            return said
        if abs(said - named.sent) > FAR:
            self.findings.append(note(Code.CLOCK, "编号里的时间与 sendTime 相差十分钟以上：按编号里的处理"))
        return named.sent

    def _secret(self, root: etree._Element) -> bool:
        """Inner: for offices and officers, not for the public."""
        said = _text(root, "secClassification")
        if said not in ("", "None", "Inner"):
            self._refuse(f"secClassification 不能是“{said[:40]}”，只能是 None、Inner")
        if (scope := _text(root, "scope")) not in ("", "Public"):
            self._refuse(f"scope 不能是“{scope[:40]}”，只能是 Public")
        return said == "Inner"

    def _references(self, root: etree._Element) -> tuple[Reference, ...]:
        """The first issue's identifier, for an update and a cancel alike; whose and of when stands in it."""
        found = []
        for identifier in _CODES.findall(_text(root, "references")):
            if named := _named(identifier):
                found.append(named)
            else:
                self._refuse(f"references 的“{identifier[:60]}”应是首次发布的编号：发布单位编码_年月日时分秒")
        return tuple(dict.fromkeys(found))

    # ── the info ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _said(self, info: etree._Element, headline: str, of: Kind) -> _Said:
        """A code that several hazards share names none of them."""
        code = _text(info, "eventType").upper()
        kinds = [one for one in self._hazards.hazards if code and code in one.codes.values()]
        kind = kinds[0] if len(kinds) == 1 else None
        colour, word = self._colour(info, of), hazard.colour_word(headline)
        if colour and word and colour is not word:
            speak = hold if of in _NEEDS_CONTENT else note
            self.findings.append(
                speak(Code.LEVEL_UNKNOWN, f"severity 是{colour.chinese}，标题写{word.chinese}，请与发布单位核对")
            )
        return _Said(event=kind.name if kind else code, kind=kind, level=colour or word)

    def _colour(self, info: etree._Element, of: Kind) -> Level | None:
        said = _text(info, "severity")
        if not said and of not in _NEEDS_CONTENT:
            return None
        if said not in _LEVELS:
            self._refuse(f"severity 不能是“{said[:40]}”，只能是 {'、'.join(_LEVELS)}")
        return _LEVELS.get(said)

    def _urgency(self, info: etree._Element) -> str:
        said = _text(info, "urgency") or "Unknown"
        return said if said in _URGENCIES else self._unknown("urgency", said)

    def _certainty(self, info: etree._Element) -> str:
        said = _text(info, "certainty") or "Unknown"
        return _CERTAINTIES[said] if said in _CERTAINTIES else self._unknown("certainty", said)

    def _unknown(self, name: str, said: str) -> str:
        self.findings.append(note(Code.SCHEMA, f"{name} 的“{said[:40]}”不认识，按 Unknown 处理"))
        return "Unknown"

    # ── areas ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _area(self, found: etree._Element, where: str, of: Kind) -> Area:
        description = text.plain(_text(found, "areaDesc"))
        if not description:
            self._refuse(f"{where}：areaDesc 不能为空")
        written = [shape for shape in (_raw(one) for one in _children(found, "polygon")) if shape]
        return Area(
            description=description,
            polygons=tuple(ring for shape in written if (ring := self._ring(shape, where, of))),
            circles=tuple(circle for one in _children(found, "circle") if (circle := self._circle(_raw(one), where))),
            geocodes=tuple(
                Geocode(scheme=AREA_CODE, value=_twelve(code))
                for one in _children(found, "geocode")
                for code in _CODES.findall(_raw(one))
            ),
        )

    def _ring(self, written: str, where: str, of: Kind) -> tuple[Point, ...]:
        """A line may stand for a river: it encloses nothing, and a person says what it means."""
        try:
            ring = geometry.points(written)
            if len(ring) >= 2 and ring[0] != ring[-1]:
                speak = hold if of in _NEEDS_CONTENT else note
                self.findings.append(
                    speak(Code.GEOMETRY, f"{where}：polygon 是一条不闭合的线，圈不出范围，请值班员在地图上划定")
                )
                return ()
            geometry.check_ring(ring)
        except geometry.BadGeometry as error:
            self._refuse(f"{where}的 polygon：{error}", Code.GEOMETRY)
            return ()
        if geometry.crosses_itself(ring):
            self.findings.append(hold(Code.GEOMETRY, f"{where}的 polygon：边线自相交或没有面积，请在地图上核对"))
        return ring

    def _circle(self, written: str, where: str) -> Circle | None:
        if not written:
            return None
        try:
            return geometry.circle(written, metres=True)
        except geometry.BadGeometry as error:
            self._refuse(f"{where}的 circle：{error}", Code.GEOMETRY)
            return None


def _named(identifier: str) -> Reference | None:
    """What an identifier of the national form says by itself; None where it is of another."""
    form = NAMED.fullmatch(identifier)
    if form is None:
        return None
    try:
        sent = datetime.strptime(form[2], "%Y%m%d%H%M%S").replace(tzinfo=BEIJING)
    except ValueError:
        return None
    if not times.FIRST_YEAR <= sent.year <= times.LAST_YEAR:
        return None
    return Reference(sender=form[1], identifier=identifier, sent=sent)


def _child(parent: etree._Element, name: str) -> etree._Element | None:
    return parent.find(f"{{{AMP}}}{name}")


def _children(parent: etree._Element, name: str) -> Iterator[etree._Element]:
    return parent.iterchildren(f"{{{AMP}}}{name}")


def _raw(element: etree._Element) -> str:
    return (element.text or "").strip()


def _text(parent: etree._Element, name: str) -> str:
    return (parent.findtext(f"{{{AMP}}}{name}") or "").strip()


def _twelve(code: str) -> str:
    """Fourteen digits that end with two zeros are a village's twelve; any other stays, and is held as nobody's."""
    return code[:12] if len(code) == 14 and code.endswith("00") else code


def _methods(root: etree._Element) -> Iterator[tuple[str, str]]:
    """The text an issuer wrote for a channel, as `12379:SMS`. Whom it names there is for the national system alone."""
    for code in _children(root, "code"):
        for method in _children(code, "method"):
            if said := text.plain(_text(method, "message"), lines=True):
                yield f"12379:{_text(method, 'methodName')[:40]}", said


def _resource(found: etree._Element) -> Resource:
    name, size = text.plain(_text(found, "resourceDesc")), _text(found, "size")
    return Resource(
        description=name,
        mime_type=mimetypes.guess_type(name)[0] or "application/octet-stream",
        size=int(size) if size.isascii() and size.isdigit() and len(size) < 19 else None,
        digest=_text(found, "digest")[:128] or None,
    )
