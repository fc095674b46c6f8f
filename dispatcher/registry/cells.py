"""A register's table as a CSV file: which columns, how a value is written in a cell and read back.

What is written is read back the same, also after a spreadsheet has seen it: a cell that a spreadsheet would take for a
formula gets an apostrophe before it, and a phone is text. What a person may have broken is refused with a sentence.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any, Final, TypeVar

from phonenumbers import PhoneMetadata

from dispatcher.model import BEIJING, GROUPS, RISK_TAGS, ROLES, Channel, Level, Post
from dispatcher.states import GatewayState
from dispatcher.store.registry import (
    AreaRow,
    BranchRow,
    EndpointRow,
    GatewayRow,
    OfficeRow,
    OfficerRow,
    PostRow,
    ResidentRow,
    Row,
    SubscriptionRow,
    TerminalRow,
)

SYNTHETIC = "合成数据"
_SEPARATOR = "|"
_STARTS = r"(?:[\s\u200b\ufeff]*[=+\-@＝＋－＠]|[\t\r\n])"
"""Chinese spreadsheets take the full-width signs too, and some leave out the blanks before them."""
_FORMULA = re.compile(rf"'*{_STARTS}")
_QUOTED_FORMULA = re.compile(rf"'+{_STARTS}")
_NOBODYS = re.compile(r"154\d{8}")  # assigned to no carrier: the range of everything synthetic
_SPACES = re.compile(r"[\s-]")
_COUNTRY = re.compile(r"^(?:\+86|0086|86(?=1\d{10}$))")
_SPREADSHEET_NUMBER = re.compile(r"[\d.]+[eE]\+?\d+|\d+\.0+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_E = TypeVar("_E", bound=StrEnum)


def _mobile_numbers() -> re.Pattern[str]:
    """The library's own pattern: its parser, which knows every country, costs forty times as much a number."""
    china = PhoneMetadata.metadata_for_region("CN")
    assert china is not None
    assert china.mobile is not None
    assert china.mobile.national_number_pattern is not None
    return re.compile(china.mobile.national_number_pattern)


_MOBILE = _mobile_numbers()


class BadCell(ValueError):
    """One sentence: what is wrong and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    name: str
    write: Callable[[Any], str]
    read: Callable[[str], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One file of the folder."""

    file: str
    kind: type[Row]
    columns: tuple[Column, ...]

    def line(self, row: Row) -> list[str]:
        return [guarded(column.write(getattr(row, column.name))) for column in self.columns]


def guarded(value: str) -> str:
    """No spreadsheet takes it for a formula; `unguarded` is its exact inverse."""
    return f"'{value}" if _FORMULA.match(value) else value


def unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _QUOTED_FORMULA.match(cell) else cell


def phone(text: str, *, production: bool) -> str:
    """A mainland mobile number, however it is typed, as E.164. 154… can ring nobody and passes only in the test profile."""
    number = _COUNTRY.sub("", _SPACES.sub("", text))
    if _SPREADSHEET_NUMBER.fullmatch(number):
        raise BadCell("手机号被表格软件变成了数字，请把这一列设为文本后重新填写")
    if not (number.isascii() and number.isdigit()):
        raise BadCell("手机号里有数字以外的字符，请只填 11 位手机号")
    if _NOBODYS.fullmatch(number):
        if production:
            raise BadCell("154 号段没有分配给任何运营商，只能用于测试环境，请填真实手机号")
        return f"+86{number}"
    if not _MOBILE.fullmatch(number):
        raise BadCell("不是中国大陆的手机号（短号、座机和 106 号码都收不到），请填 11 位手机号")
    return f"+86{number}"


def _text(cell: str, *, empty: bool = False, longest: int = 200) -> str:
    if not cell.strip() and not empty:
        raise BadCell("这一格不能为空，请填写")
    if _CONTROL.search(cell):
        raise BadCell("这一格含有看不见的控制字符，请重新输入")
    if len(cell) > longest:
        raise BadCell(f"这一格超过 {longest} 个字符，请缩短")
    return cell


def _id(cell: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_]{1,32}", cell):
        raise BadCell("编号只能用字母、数字和下划线，1 到 32 位，请改正")
    return cell


def _id_or_none(cell: str) -> str:
    return _id(cell) if cell else ""


def _code(cell: str) -> str:
    if not re.fullmatch(r"[0-9]{6}([0-9]{3}){0,2}", cell):
        raise BadCell("区划代码应为 6、9 或 12 位数字，请改正")
    return cell


def _village(cell: str) -> str:
    if not re.fullmatch(r"[0-9]{12}", cell):
        raise BadCell("村级区划代码应为 12 位数字，请改正")
    return cell


def _whole(cell: str, *, least: int = 0, most: int = 2**31 - 1) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", cell) or not least <= int(cell) <= most:
        raise BadCell(f"应为 {least} 到 {most} 的整数，请改正")
    return int(cell)


def _degrees(cell: str, *, least: float, most: float, name: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        raise BadCell(f"{name}应为十进制度数，如 27.10418，请改正") from None
    if not least <= value <= most:
        raise BadCell(f"{name}应在 {least:g} 到 {most:g} 度之间（是不是经纬度写反了？），请改正")
    return value


def _truth(cell: str) -> bool:
    if cell not in ("0", "1"):
        raise BadCell("应为 1（是）或 0（否），请改正")
    return cell == "1"


def _yes_or_no(value: bool) -> str:
    return "1" if value else "0"


def _marked(value: bool) -> str:
    return SYNTHETIC if value else ""


def _synthetic(cell: str, *, production: bool) -> bool:
    if cell not in ("", SYNTHETIC):
        raise BadCell(f"应为空或“{SYNTHETIC}”，请改正")
    if cell and production:
        raise BadCell("正式环境不接受合成数据，请删去这一行")
    return bool(cell)


def _one_of(words: type[_E]) -> Callable[[str], _E]:
    def read(cell: str) -> _E:
        try:
            return words(cell)
        except ValueError:
            raise BadCell(f"应为 {'、'.join(words)} 之一，请改正") from None

    return read


def _level(cell: str) -> str:
    if cell not in ("city", "county", "township", "village"):
        raise BadCell("级别应为 city、county、township 或 village，请改正")
    return cell


def _ebrid(cell: str) -> str:
    if not re.fullmatch(r"[0-9]{23}", cell):
        raise BadCell("应急广播资源编码应为 23 位数字，请改正")
    return cell


def _protocol(cell: str) -> str:
    if cell != "http":
        raise BadCell("网关协议目前只支持 http，请改正")
    return cell


def _url(cell: str) -> str:
    if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", cell):
        raise BadCell("网址应以 http:// 或 https:// 开头，请改正")
    return cell


def _parts(cell: str) -> list[str]:
    parts = cell.split(_SEPARATOR) if cell else []
    if len(set(parts)) != len(parts):
        raise BadCell("同一项写了两次，请删去一个")
    return parts


def _mask(cell: str, *, labels: Sequence[str]) -> int:
    try:
        return sum(1 << labels.index(part) for part in _parts(cell))
    except ValueError:
        raise BadCell(f"只能是 {'、'.join(labels)}，多项用 {_SEPARATOR} 隔开，请改正") from None


def _labels(mask: int, *, labels: Sequence[str]) -> str:
    return _SEPARATOR.join(label for bit, label in enumerate(labels) if mask >> bit & 1)


def _many(cell: str, *, read: Callable[[str], object], least: int = 0) -> tuple[object, ...]:
    parts = _parts(cell)
    if len(parts) < least:
        raise BadCell("这一格至少要有一项，请填写")
    return tuple(read(part) for part in parts)


def _secret(part: str) -> str:
    try:
        key = base64.b64decode(part.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = b""
    if not part.startswith("whsec_") or not 24 <= len(key) <= 64:
        raise BadCell("签名密钥应为 whsec_ 加 24 到 64 字节的 Base64，请向平台索取")
    return part


def _instant(cell: str) -> datetime | None:
    if not cell:
        return None
    try:
        value = datetime.fromisoformat(cell)
    except ValueError:
        raise BadCell("时间应写作 2026-11-23T02:39:00+08:00，请改正") from None
    if value.tzinfo is None:
        raise BadCell("时间缺少时区，请在末尾加上 +08:00")
    return value


def _written_instant(value: datetime | None) -> str:
    return value.astimezone(BEIJING).isoformat() if value else ""


def _writer(mask_labels: Sequence[str]) -> Callable[[Any], str]:
    return partial(_labels, labels=mask_labels)


_ROLE_LABELS: Final = tuple(role.chinese for role in ROLES)
_MANY: Final = _SEPARATOR.join
_LARGE: Final = partial(_whole, most=10**18 - 1)
_COLUMNS: Final[dict[str, tuple[Callable[[Any], str], Callable[[str], object]]]] = {
    "area_code": (str, _code),
    "area_codes": (_MANY, partial(_many, read=_code, least=1)),
    "channels": (_MANY, partial(_many, read=_one_of(Channel), least=1)),
    "code": (str, _code),
    "disabled_reason": (str, partial(_text, empty=True)),
    "ebrid": (str, _ebrid),
    "endpoint_id": (str, _id),
    "gateway_id": (str, _id),
    "groups": (_writer(GROUPS), partial(_mask, labels=GROUPS)),
    "hazards": (_MANY, partial(_many, read=_text)),
    "home_code": (str, _code),
    "household": (str, _LARGE),
    "id": (str, _id),
    "kind": (str, _text),
    "lat": (repr, partial(_degrees, least=-90, most=90, name="纬度")),
    "least_level": (str, _one_of(Level)),
    "level": (str, _level),
    "lon": (repr, partial(_degrees, least=-180, most=180, name="经度")),
    "members": (str, _whole),
    "name": (str, _text),
    "office_id": (str, _id),
    "officer_id": (str, _id),
    "online": (_yes_or_no, _truth),
    "opt_in": (_yes_or_no, _truth),
    "parent": (str, _id_or_none),
    "party_member": (_yes_or_no, _truth),
    "population": (str, _whole),
    "post": (str, _one_of(Post)),
    "protocol": (str, _protocol),
    "proven_at": (_written_instant, _instant),
    "risk_tags": (_writer(RISK_TAGS), partial(_mask, labels=RISK_TAGS)),
    "roles": (_writer(_ROLE_LABELS), partial(_mask, labels=_ROLE_LABELS)),
    "secrets": (_MANY, partial(_many, read=_secret, least=1)),
    "short_name": (str, partial(_text, empty=True)),
    "state": (str, _one_of(GatewayState)),
    "url": (str, _url),
    "village_code": (str, _village),
    "watt": (str, _whole),
}
"""Column → how it is written and read. A phone and the mark of synthetic rows are judged by profile, below."""


def forms(*, production: bool) -> tuple[Form, ...]:
    """The files of a register. Boundaries are no cell: they go to `BOUNDARIES`."""
    return tuple(
        Form(
            file=file,
            kind=kind,
            columns=tuple(_column(kind, name, production) for name in kind._fields if name != "boundary"),
        )
        for kind, file in FILE_OF.items()
    )


def _column(kind: type[Row], name: str, production: bool) -> Column:
    match name:
        case "phone":
            return Column(name=name, write=str, read=partial(phone, production=production))
        case "synthetic":
            return Column(name=name, write=_marked, read=partial(_synthetic, production=production))
        case "id" if kind is ResidentRow:
            return Column(name=name, write=str, read=partial(_LARGE, least=1))
        case _:
            write, read = _COLUMNS[name]
            return Column(name=name, write=write, read=read)


FILE_OF: Final[dict[type[Row], str]] = {
    AreaRow: "areas.csv",
    OfficerRow: "officers.csv",
    PostRow: "posts.csv",
    OfficeRow: "offices.csv",
    SubscriptionRow: "subscriptions.csv",
    GatewayRow: "gateways.csv",
    TerminalRow: "terminals.csv",
    EndpointRow: "endpoints.csv",
    BranchRow: "branches.csv",
    ResidentRow: "residents.csv",
}
BOUNDARIES: Final = "boundaries.geojson"
