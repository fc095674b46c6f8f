"""A folder of CSV files → the register: everything, or nothing and the list of all that is wrong.

It must survive what spreadsheets do to a file (GB18030, a byte-order mark, columns in another order), a million residents
(read by page, never held) and somebody else's import between our check and our load. `cells.py` reads a cell, `files.py`
a file, `joints.py` judges what one file says about another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

from dispatcher.registry.cells import BOUNDARIES, FILE_OF, Form, forms
from dispatcher.registry.files import parsed, read_boundaries, with_boundary
from dispatcher.registry.joints import Fault, Sheet, check_joints, unknown_village
from dispatcher.store import registry as rows
from dispatcher.store.engine import Store, Tx
from dispatcher.store.registry import AreaRow, Difference, ResidentRow, ResidentRows, Row, Sheets, Tell, quiet
from dispatcher.store.sealed import Seal

_PAGE = 20_000


SHOWN = 50


class BadFiles(Exception):
    """Nothing was imported; `faults` lists all that is wrong, in the order of the files; its text the first of them."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        more = [f"……另有 {len(faults) - SHOWN:,} 处，先改正上面这些再导入"] if len(faults) > SHOWN else []
        super().__init__("\n".join([*map(str, faults[:SHOWN]), *more]))
        self.faults = tuple(faults)


class RegisterMoved(Exception):
    """Somebody else imported between our check and our load: nothing was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to import, and how strictly. In production, synthetic rows and 154… phones are refused."""

    folder: Path
    production: bool
    dry_run: bool = False
    tell: Tell = quiet


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """`version` is the register's new one, or None after a dry run."""

    version: int | None
    differences: tuple[Difference, ...]


async def import_folder(store: Store, seal: Seal, order: Order) -> Imported:
    """Loads every file of the folder that has a table's name; a table without a file stays as it is.

    Raises BadFiles or RegisterMoved; then nothing was changed.
    """
    faults: list[Fault] = []
    came = await asyncio.to_thread(_read_small, order, faults)
    residents = await asyncio.to_thread(_residents_file, order)
    async with store.read() as tx:
        await rows.hold_still(tx)
        version = await rows.version(tx)
        whole = {**await _standing(tx, seal, came), **came}
        standing = await rows.resident_fingerprints(tx, seal) if residents else {}
        orphans = set() if residents else await rows.resident_villages(tx)
        sheets = Sheets(tables={kind: sheet.rows for kind, sheet in came.items()})
        changed = await rows.differences(tx, seal, sheets)
    faults += check_joints(whole, {fault.file for fault in faults})
    villages = frozenset(row.code for row in whole[AreaRow].rows if isinstance(row, AreaRow) and len(row.code) == 12)
    faults += [_orphaned(code) for code in sorted(orphans - villages)]
    if residents:
        checked = await asyncio.to_thread(_checked_residents, order, residents, villages, faults)
        sheets = replace(sheets, residents=checked)
    if faults:
        raise BadFiles(faults)
    if sheets.residents is not None:
        changed.append(await asyncio.to_thread(rows.compare_residents, standing, seal, sheets.residents))
    if order.dry_run:
        return Imported(version=None, differences=tuple(changed))
    new = await put(store, seal, sheets, tell=order.tell, after=version)
    return Imported(version=new, differences=tuple(changed))


async def put(store: Store, seal: Seal, sheets: Sheets, *, tell: Tell = quiet, after: int | None = None) -> int:
    """Replaces the sheets' tables in one transaction; returns the new version. `after`: the version checked against."""
    async with store.begin() as tx:
        version = await rows.replace(tx, seal, sheets, tell)
        if after is not None and version != after + 1:
            raise RegisterMoved("检查期间有人改了登记册，本次没有导入任何内容，请重新导入")
    return version


def _read_small(order: Order, faults: list[Fault]) -> dict[type[Row], Sheet]:
    """Every file that came, the residents' apart."""
    faults += [_misnamed(name) for name in _strangers(order.folder)]
    came: dict[type[Row], Sheet] = {}
    for form in forms(production=order.production):
        path = order.folder / form.file
        if form.kind is ResidentRow or not path.is_file():
            continue
        found = list(parsed(path, form, faults))
        table = [row for _line, row in found]
        if form.kind is AreaRow:
            boundaries = read_boundaries(order.folder / BOUNDARIES, faults)
            table = [with_boundary(row, boundaries) for row in table]
        came[form.kind] = Sheet(rows=table, lines=[line for line, _row in found])
    if not came and not _residents_file(order):
        raise BadFiles(
            [*faults, Fault(file=str(order.folder), line=0, column="", sentence="没有登记册文件，请检查文件夹")]
        )
    return came


def _strangers(folder: Path) -> list[str]:
    """A misspelt name must not leave a table behind in silence."""
    return sorted(path.name for path in folder.glob("*.csv") if path.name not in FILE_OF.values())


def _misnamed(name: str) -> Fault:
    return Fault(file=name, line=1, column="", sentence=f"不认识这个文件名，应为 {'、'.join(FILE_OF.values())} 之一")


def _orphaned(code: str) -> Fault:
    return Fault(file=FILE_OF[ResidentRow], line=0, column="village_code", sentence=unknown_village(code))


async def _standing(tx: Tx, seal: Seal, came: Mapping[type[Row], Sheet]) -> dict[type[Row], Sheet]:
    """The tables that did not come, as they are."""
    kinds = [kind for kind in FILE_OF if kind is not ResidentRow and kind not in came]
    return {kind: Sheet(rows=await rows.exported(tx, seal, kind)) for kind in kinds}


def _residents_file(order: Order) -> Path | None:
    path = order.folder / FILE_OF[ResidentRow]
    return path if path.is_file() else None


def _checked_residents(order: Order, path: Path, villages: frozenset[str], faults: list[Fault]) -> ResidentRows:
    """Reads the file once for its faults; the load reads it again, page by page."""
    form = next(form for form in forms(production=order.production) if form.kind is ResidentRow)
    seen: set[int] = set()
    for line, row in parsed(path, form, faults):
        assert isinstance(row, ResidentRow)
        if row.id in seen:
            faults.append(Fault(file=path.name, line=line, column="id", sentence=f"{row.id} 出现了两次，请删去一行"))
        if row.village_code not in villages:
            sentence = unknown_village(row.village_code)
            faults.append(Fault(file=path.name, line=line, column="village_code", sentence=sentence))
        seen.add(row.id)
    return ResidentRows(total=len(seen), pages=partial(_resident_pages, path, form))


def _resident_pages(path: Path, form: Form) -> Iterator[list[ResidentRow]]:
    faults: list[Fault] = []
    found = (row for _line, row in parsed(path, form, faults) if isinstance(row, ResidentRow))
    while page := list(islice(found, _PAGE)):
        yield page
    if faults:  # the file was changed since it was checked
        raise BadFiles(faults)
