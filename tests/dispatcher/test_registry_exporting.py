"""Files out: nobody else's to read, no cell a formula, and 合成数据 said while anything is invented."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from dispatcher.model import Post
from dispatcher.registry.exporting import NOTE, export_folder
from dispatcher.registry.importing import put
from dispatcher.store.engine import Store
from dispatcher.store.registry import AreaRow, OfficerRow, PostRow, ResidentRow, ResidentRows, Sheets
from dispatcher.store.sealed import Seal

SEAL = Seal(b"k" * 32)
TRIANGLE: dict[str, object] = {"type": "Polygon", "coordinates": [[[114, 26], [115, 26], [115, 27], [114, 26]]]}


def sheets(*, synthetic: bool) -> Sheets:
    officer = OfficerRow("JA1", "=cmd|'/C calc'!A0", "+8615400000001", "360800", 26.2, -0.5, 1, True, synthetic)
    return Sheets(
        tables={
            AreaRow: [AreaRow("360800", "吉安市", "吉安", "city", "地级市", "", 26.2, 114.2, 9, TRIANGLE, False)],
            OfficerRow: [officer],
            PostRow: [PostRow("360800", Post.A, "JA1")],
        }
    )


async def export(store: Store, folder: Path, *, synthetic: bool) -> Path:
    await put(store, SEAL, sheets(synthetic=synthetic))
    await export_folder(store, SEAL, folder)
    return folder


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines))


async def test_no_cell_can_act_as_a_formula_and_phones_stay_text(sqlite_store: Store, tmp_path: Path) -> None:
    folder = await export(sqlite_store, tmp_path, synthetic=True)
    officer = table(folder / "officers.csv")[0]
    assert officer["name"] == "'=cmd|'/C calc'!A0"
    assert officer["phone"] == "'+8615400000001"
    assert officer["lon"] == "'-0.5"
    for path in folder.glob("*.csv"):
        assert not any(cell[:1] in ("=", "+", "-", "@", "\t", "\r") for row in table(path) for cell in row.values())


async def test_nobody_but_the_owner_may_read_the_files(sqlite_store: Store, tmp_path: Path) -> None:
    (tmp_path / "officers.csv").touch(mode=0o644)
    folder = await export(sqlite_store, tmp_path, synthetic=True)
    assert {
        path.stat().st_mode & 0o777 for path in folder.iterdir() if path.suffix in (".csv", ".txt", ".geojson")
    } == {0o600}


async def test_the_folder_says_that_it_is_synthetic_in_its_first_file_and_in_every_row(
    sqlite_store: Store, tmp_path: Path
) -> None:
    folder = await export(sqlite_store, tmp_path, synthetic=True)
    names = sorted(path.name for path in folder.iterdir() if path.suffix != ".db" and "mingluo" not in path.name)
    assert names[0] == NOTE
    assert (folder / NOTE).read_text(encoding="utf-8").startswith("合成数据")
    assert [row["synthetic"] for row in table(folder / "officers.csv")] == ["合成数据"]
    assert [row["synthetic"] for row in table(folder / "areas.csv")] == [""]


async def test_a_real_register_is_not_called_synthetic(sqlite_store: Store, tmp_path: Path) -> None:
    folder = await export(sqlite_store, tmp_path, synthetic=False)
    assert "合成数据" not in "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.[ctg]*"))


async def test_boundaries_go_out_as_geojson_with_their_note(sqlite_store: Store, tmp_path: Path) -> None:
    folder = await export(sqlite_store, tmp_path, synthetic=False)
    written = json.loads((folder / "boundaries.geojson").read_bytes())
    assert written["note"] == "示意图"
    assert [(one["id"], one["geometry"]) for one in written["features"]] == [("360800", TRIANGLE)]


async def test_residents_of_many_pages_all_go_out(store: Store, tmp_path: Path) -> None:
    people = [
        ResidentRow(n, "甲", "+8615400000001", "360800100200", 26.0, 114.0, 1, 0, 0, True, True) for n in range(25_000)
    ]
    await put(store, SEAL, Sheets(tables={}, residents=ResidentRows(total=25_000, pages=lambda: [people])))
    told: list[tuple[str, int, int]] = []
    await export_folder(store, SEAL, tmp_path / "out", lambda *step: told.append(step))
    assert [row["id"] for row in table(tmp_path / "out" / "residents.csv")] == [str(n) for n in range(25_000)]
    assert [done for what, done, _total in told if what == "residents.csv"] == [20_000, 25_000]
