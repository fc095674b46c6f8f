"""What one file of a register says about another: every code, officer, gateway and office that is named must be there.

A sheet that did not come is judged as it stands in the database, so that a new list of officers cannot leave a village's
post pointing at somebody who is gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Final

from dispatcher.registry.cells import FILE_OF
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong. `line` 0: the row stands in the database; column '': the whole line."""

    file: str
    line: int
    column: str
    sentence: str

    def __str__(self) -> str:
        where = f"第 {self.line} 行" if self.line else "（库中现有）"
        return f"{self.file} {where}{f' {self.column} 列' if self.column else ''}：{self.sentence}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Rows and the line each came from; no lines where they came from the database."""

    rows: Sequence[Row]
    lines: Sequence[int] = ()

    def fault(self, number: int, column: str, sentence: str) -> Fault:
        line = self.lines[number] if self.lines else 0
        return Fault(file=FILE_OF[type(self.rows[number])], line=line, column=column, sentence=sentence)


_KEYS: Final[dict[type[Row], tuple[str, ...]]] = {AreaRow: ("code",), PostRow: ("area_code", "post", "officer_id")}
_UNIQUE: Final[tuple[tuple[type[Row], tuple[str, ...]], ...]] = (
    *((kind, _KEYS.get(kind, ("id",))) for kind in FILE_OF if kind is not ResidentRow),
    (GatewayRow, ("ebrid",)),
)
_NAMED: Final[tuple[tuple[type[Row], str, type[Row]], ...]] = (
    (AreaRow, "parent", AreaRow),
    (OfficerRow, "home_code", AreaRow),
    (PostRow, "area_code", AreaRow),
    (PostRow, "officer_id", OfficerRow),
    (OfficeRow, "area_code", AreaRow),
    (SubscriptionRow, "office_id", OfficeRow),
    (SubscriptionRow, "area_codes", AreaRow),
    (GatewayRow, "area_code", AreaRow),
    (GatewayRow, "parent", GatewayRow),
    (TerminalRow, "gateway_id", GatewayRow),
    (TerminalRow, "village_code", AreaRow),
    (EndpointRow, "area_code", AreaRow),
    (BranchRow, "endpoint_id", EndpointRow),
    (BranchRow, "village_code", AreaRow),
)
"""(sheet, column, sheet in which what it names must stand); an empty parent is the top."""


def check_joints(sheets: Mapping[type[Row], Sheet], broken: Set[str]) -> list[Fault]:
    """Every sheet must be in `sheets`, the residents' apart. What a `broken` file lacks may stand in a row it lost."""
    faults = [fault for kind, columns in _UNIQUE for fault in _twice(sheets[kind], columns)]
    for kind, column, named in _NAMED:
        if FILE_OF[named] in broken:
            continue
        known = {getattr(row, _KEYS.get(named, ("id",))[0]) for row in sheets[named].rows}
        faults += _missing(sheets[kind], column, known, FILE_OF[named])
    faults += _shape_of_areas(sheets[AreaRow])
    faults += _rings(sheets[GatewayRow])
    return faults


def unknown_village(code: str) -> str:
    return f"{FILE_OF[AreaRow]} 中没有村 {code}，请改正代码或先补上这个村"


def _twice(sheet: Sheet, columns: tuple[str, ...]) -> Iterator[Fault]:
    seen: set[tuple[object, ...]] = set()
    for number, row in enumerate(sheet.rows):
        key = tuple(getattr(row, column) for column in columns)
        if key in seen:
            shown = "、".join(map(str, key))
            yield sheet.fault(number, columns[0], f"{shown} 出现了两次，请删去一行")
        seen.add(key)


def _missing(sheet: Sheet, column: str, known: Set[str], file: str) -> Iterator[Fault]:
    for number, row in enumerate(sheet.rows):
        value = getattr(row, column)
        for code in value if isinstance(value, tuple) else (value,):
            if code not in known and (code or column != "parent"):
                yield sheet.fault(number, column, f"{file} 中没有 {code}，请改正或先补上")


def _shape_of_areas(sheet: Sheet) -> Iterator[Fault]:
    """6 digits are a city or county, 9 a township, 12 a village; below one city, each inside the unit its code says."""
    cities = 0
    for number, row in enumerate(sheet.rows):
        assert isinstance(row, AreaRow)
        if row.level == "city":
            cities += 1
            if cities > 1 or row.parent:
                yield sheet.fault(number, "level", "一个登记册只能有一个市，且上级为空，请改正")
            continue
        wanted = {"county": 6, "township": 9, "village": 12}[row.level]
        if len(row.code) != wanted:
            yield sheet.fault(number, "code", f"{row.level} 的代码应为 {wanted} 位，请改正代码或级别")
        elif row.parent != (row.code[:4] + "00" if row.level == "county" else row.code[: wanted - 3]):
            yield sheet.fault(number, "parent", f"代码 {row.code} 不在上级 {row.parent or '（空）'} 之下，请改正")


def _rings(sheet: Sheet) -> Iterator[Fault]:
    parent = {row.id: row.parent for row in sheet.rows if isinstance(row, GatewayRow)}
    for number, row in enumerate(sheet.rows):
        assert isinstance(row, GatewayRow)
        at, seen = row.parent, {row.id}
        while at and at not in seen:
            seen.add(at)
            at = parent.get(at, "")
        if at == row.id:
            yield sheet.fault(number, "parent", f"网关 {row.id} 的上级绕回了自己，请改正")
