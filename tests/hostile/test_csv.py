"""Cells that a spreadsheet would run, by the name of the attack, in every text of every table we write: the register's
export is all the CSV there is. Each comes out as text, byte for byte what it should be, and is read back as it was."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import get_origin, get_type_hints

import pytest

from dispatcher.registry.cells import Form, forms, unguarded
from dispatcher.registry.exporting import export_folder
from dispatcher.registry.importing import put
from dispatcher.store.engine import Store
from dispatcher.store.registry import OfficerRow, Row, Sheets
from dispatcher.store.sealed import Seal
from tests.house.tree import modules

SEAL = Seal(b"k" * 32)

FORMULAS = {
    "equals": "=1+1",
    "plus": "+1+1",
    "minus": "-1+1",
    "at": "@SUM(1)",
    "tab": "\t=1+1",
    "carriage-return": "\r=1+1",
    "line-feed": "\n=1+1",
    "full-width-equals": "＝1+1",
    "full-width-plus": "＋1+1",
    "full-width-minus": "－1+1",
    "full-width-at": "＠SUM(1)",
    "command": "=cmd|'/C calc'!A0",
    "hyperlink": '=HYPERLINK("http://127.0.0.1/?"&A1,"点我")',
    "web-service": '=WEBSERVICE("http://127.0.0.1/")',
    "import": '=IMPORTXML("http://127.0.0.1/","//a")',
    "behind-an-apostrophe": "'=1+1",
    "behind-two-apostrophes": "''=1+1",
    "behind-a-blank": " =1+1",
    "behind-a-wide-blank": "\u3000=1+1",
    "behind-a-byte-order-mark": "\ufeff=1+1",
    "behind-nothing-seen": "\u200b=1+1",
}
HARMLESS = {
    "quote": '甲"乙',
    "comma": "甲,乙",
    "line-break-within": "甲\n=1+1",
    "carriage-return-alone-within": "甲\r=1+1",
    "carriage-return-within": "甲\r\n=1+1",
    "quote-that-ends-the-cell": '甲","=1+1',
    "quote-and-line-break": '甲"\n"=1+1',
    "semicolon": "甲;=1+1",
    "apostrophe": "'甲",
    "equals-within": "甲=1+1",
}


def officer(name: str) -> OfficerRow:
    return OfficerRow("JA1", name, "+8615400000001", "360800", 26.2, 114.2, 1, True, True)


async def exported(store: Store, folder: Path, *officers: OfficerRow) -> str:
    """The officers' file, as it lies on the disk."""
    await put(store, SEAL, Sheets(tables={OfficerRow: list(officers)}))
    await export_folder(store, SEAL, folder)
    return (folder / "officers.csv").read_bytes().decode("utf-8-sig")


def read(folder: Path) -> list[dict[str, str]]:
    with (folder / "officers.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, strict=True))


@pytest.mark.parametrize("attack", FORMULAS.values(), ids=FORMULAS)
async def test_a_formula_comes_out_as_text(sqlite_store: Store, tmp_path: Path, attack: str) -> None:
    written = await exported(sqlite_store, tmp_path / "out", officer(attack))
    doubled = attack.replace('"', '""')
    assert f"JA1,'{doubled}," in written or f'JA1,"\'{doubled}",' in written
    (row,) = read(tmp_path / "out")
    assert (row["name"], row["phone"], row["lon"]) == (f"'{attack}", "'+8615400000001", "114.2")


@pytest.mark.parametrize("attack", HARMLESS.values(), ids=HARMLESS)
async def test_what_is_in_a_cell_stays_in_it(sqlite_store: Store, tmp_path: Path, attack: str) -> None:
    written = await exported(sqlite_store, tmp_path / "out", officer(attack), officer("乙")._replace(id="JA2"))
    doubled = attack.replace('"', '""')
    assert (f'"{doubled}"' if set(attack) & set('",\r\n') else attack) in written
    first, second = read(tmp_path / "out")
    assert (first["name"], first["phone"], second["name"]) == (attack, "'+8615400000001", "乙")
    assert None not in first


@pytest.mark.parametrize("attack", [*FORMULAS.values(), *HARMLESS.values()], ids=[*FORMULAS, *HARMLESS])
@pytest.mark.parametrize("form", forms(production=False), ids=lambda form: form.file.removesuffix(".csv"))
def test_no_cell_of_any_table_begins_a_formula_and_each_is_read_back(form: Form, attack: str) -> None:
    row = filled(form.kind, attack)
    cells = form.line(row)
    assert [cell for cell in cells if cell.lstrip(BLANK)[:1] in SIGNS or cell[:1] in LINE_STARTS] == []
    plain = [column.write(getattr(row, column.name)) for column in form.columns]
    assert [unguarded(cell) for cell in cells] == plain


BLANK = " \u3000\u200b\ufeff\t\r\n"
SIGNS = tuple("=+-@＝＋－＠")
LINE_STARTS = tuple("\t\r\n")


def filled(kind: type[Row], words: str) -> Row:
    """A row that says these words wherever it can say any."""
    values: dict[object, object] = {str: words, int: 1, float: -0.5, bool: True}
    return kind._make(
        values[told]
        if told in values
        else (words,)
        if get_origin(told) is tuple
        else words
        if isinstance(told, type)
        else None
        for told in get_type_hints(kind).values()
    )


def test_nothing_else_of_ours_writes_csv() -> None:
    """Whoever writes another file of that kind says here how it is guarded."""
    writing = [module.place for module in modules() if "csv.writer" in module.text or "DictWriter" in module.text]
    assert writing == ["dispatcher/registry/exporting.py"]


@pytest.mark.parametrize("number", ["+8615400000001", "15400000001", "0086 154 0000 0001", "'+8615400000001"])
async def test_a_phone_stays_text_whatever_a_spreadsheet_makes_of_it(
    sqlite_store: Store, tmp_path: Path, number: str
) -> None:
    (form,) = [form for form in forms(production=False) if form.kind is OfficerRow]
    (column,) = [column for column in form.columns if column.name == "phone"]
    phone = str(column.read(unguarded(number)))
    await exported(sqlite_store, tmp_path / "out", officer("甲")._replace(phone=phone))
    assert [row["phone"] for row in read(tmp_path / "out")] == ["'+8615400000001"]
