"""Reads one file of a register, line by line; whatever is wrong in it becomes a Fault, and reading goes on.

Spreadsheets in China save CSV as GB18030 or as UTF-8 with a mark; both are read, in any order of columns.
"""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import shapely
from shapely.geometry import shape

from dispatcher.registry.cells import BadCell, Form, unguarded
from dispatcher.registry.joints import Fault
from dispatcher.store.registry import AreaRow, Row

_BLOCK = 1 << 20
_ENCODINGS = ("utf-8-sig", "gb18030")


def parsed(path: Path, form: Form, faults: list[Fault]) -> Iterator[tuple[int, Row]]:
    """Every sound row with its line number; the others go to `faults`, one a bad cell."""

    def bad(line: int, column: str, sentence: str) -> None:
        faults.append(Fault(file=path.name, line=line, column=column, sentence=sentence))

    encoding = _encoding(path)
    if encoding is None:
        bad(1, "", "文字编码认不出来，请另存为 UTF-8 编码的 CSV")
        return
    lines = _lines(path, encoding, bad)
    header = [name.strip() for name in next(lines, (1, []))[1]]
    names = [column.name for column in form.columns]
    if sorted(header) != sorted(names):
        bad(1, "", _header_fault(header, names))
        return
    place = [header.index(name) for name in names]
    boundary = len(form.kind._fields) - len(names)  # an area's, which comes from its own file
    for line, cells in lines:
        if len(cells) != len(names):
            bad(line, "", f"应有 {len(names)} 列，这一行有 {len(cells)} 列，请检查逗号和引号")
            continue
        values: list[object] = []
        for column, at in zip(form.columns, place, strict=True):
            try:
                values.append(column.read(unguarded(cells[at])))
            except BadCell as fault:
                bad(line, column.name, str(fault))
        if len(values) == len(names):
            yield line, form.kind._make([*values[:-1], None, values[-1]] if boundary else values)


def _header_fault(header: list[str], names: list[str]) -> str:
    short = "、".join(name for name in names if name not in header)
    strange = "、".join(name or "（空）" for name in header if name not in names)
    said = [
        f"缺 {short}" if short else "",
        f"多出 {strange}" if strange else "",
        "" if short or strange else "有重复的列",
    ]
    return f"表头不对，{'，'.join(filter(None, said))}；应为 {','.join(names)}"


def read_boundaries(path: Path, faults: list[Fault]) -> dict[str, dict[str, object]]:
    """Area code → GeoJSON geometry."""

    def bad(number: int, sentence: str) -> None:
        faults.append(Fault(file=path.name, line=number, column="", sentence=sentence))

    try:
        features = json.loads(path.read_bytes())["features"]
    except (OSError, ValueError, KeyError, TypeError):
        bad(1, "读不到或不是 GeoJSON FeatureCollection，请与区划表一起提供")
        return {}
    found: dict[str, dict[str, object]] = {}
    for number, feature in enumerate(features, 2):  # an export has one feature a line, the first on line 2
        try:
            geometry = feature["geometry"]
            sound = geometry["type"] in ("Polygon", "MultiPolygon") and shapely.is_valid(shape(geometry))
            code = str(feature["properties"]["code"])
        except (KeyError, TypeError, ValueError, AttributeError, shapely.errors.ShapelyError):
            sound, code = False, ""
        if not sound:
            bad(number, f"第 {number - 1} 个图形{code}不是有效的多边形（自交、未闭合或缺少代码），请改正")
        found[code] = geometry
    return found


def with_boundary(row: Row, boundaries: dict[str, dict[str, object]]) -> Row:
    assert isinstance(row, AreaRow)
    return row._replace(boundary=boundaries.get(row.code))


def _lines(path: Path, encoding: str, bad: Callable[[int, str, str], None]) -> Iterator[tuple[int, list[str]]]:
    """Each record and the line it begins on; empty lines are none."""
    with path.open(encoding=encoding, newline="") as file:
        reader = csv.reader(file, strict=True)
        begin = 1
        try:
            for cells in reader:
                if cells:
                    yield begin, cells
                begin = reader.line_num + 1
        except csv.Error:
            bad(begin, "", "引号没有成对，后面的内容无法读取，请检查这一行")


def _encoding(path: Path) -> str | None:
    for name in _ENCODINGS:
        decoder = codecs.getincrementaldecoder(name)()
        try:
            with path.open("rb") as file:
                while block := file.read(_BLOCK):
                    decoder.decode(block)
            decoder.decode(b"", True)
        except UnicodeDecodeError:
            continue
        return name
    return None
