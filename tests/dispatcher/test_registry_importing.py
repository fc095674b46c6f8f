"""Files in: everything or nothing, every fault with its place and a sentence; and the cells they are written in."""

from __future__ import annotations

from pathlib import Path

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.model import Channel, Level, Post
from dispatcher.registry.cells import BadCell, guarded, phone, unguarded
from dispatcher.registry.exporting import export_folder
from dispatcher.registry.importing import BadFiles, Imported, Order, RegisterMoved, import_folder, put
from dispatcher.registry.joints import Fault
from dispatcher.registry.register import load
from dispatcher.states import GatewayState
from dispatcher.store import registry as rows
from dispatcher.store.engine import Store
from dispatcher.store.registry import (
    AreaRow,
    BranchRow,
    EndpointRow,
    GatewayRow,
    OfficeRow,
    OfficerRow,
    PostRow,
    ResidentRow,
    ResidentRows,
    Sheets,
    SubscriptionRow,
    TerminalRow,
)
from dispatcher.store.sealed import Seal

SEAL = Seal(b"k" * 32)
SQUARE: dict[str, object] = {
    "type": "Polygon",
    "coordinates": [[[114.0, 26.0], [114.5, 26.0], [114.5, 26.5], [114.0, 26.5], [114.0, 26.0]]],
}
VALLEY = Sheets(
    tables={
        AreaRow: [
            AreaRow("360800", "吉安市", "吉安", "city", "地级市", "", 26.2, 114.2, 9, None, False),
            AreaRow("360827", "遂川县", "遂川", "county", "县", "360800", 26.2, 114.2, 9, SQUARE, False),
            AreaRow("360827102", "碧洲镇", "碧洲", "township", "镇", "360827", 26.2, 114.2, 9, SQUARE, False),
            AreaRow("360827102200", "上村", "上村", "village", "村", "360827102", 26.2, 114.2, 9, SQUARE, False),
        ],
        OfficerRow: [
            OfficerRow("JA1", "张三", "+8613807960001", "360827102200", 26.21, 114.21, 0b10001, True, False),
            OfficerRow("JA2", "=HYPERLINK(1)", "+8613807960002", "360827102", 26.2, 114.2, 0, False, False),
        ],
        PostRow: [PostRow("360827102200", Post.A, "JA1"), PostRow("360827102", Post.DUTY, "JA2")],
        OfficeRow: [OfficeRow("OF1", "360827102", "碧洲镇应急办", "+8613807960003", False)],
        SubscriptionRow: [
            SubscriptionRow("SU1", "OF1", ("360827102", "360827"), ("暴雨",), Level.YELLOW, (Channel.SMS, Channel.PARTY))
        ],
        GatewayRow: [
            GatewayRow(
                "GW1", "5" * 23, "360827102", "适配器", "township", "", 26.2, 114.2, "http", "https://gw.example/a",
                GatewayState.ONLINE, None, False,
            )
        ],
        TerminalRow: [TerminalRow("TM1", "GW1", "360827102200", 26.2, 114.2, "音柱", 60, True, False)],
        EndpointRow: [
            EndpointRow("PE1", "360827", "党建", "https://party.example", ("whsec_" + "A" * 32, "whsec_" + "B" * 32), "", False)
        ],
        BranchRow: [BranchRow("PB1", "PE1", "360827102200", "上村党支部", 12)],
    },
    residents=ResidentRows(
        total=1,
        pages=lambda: [[ResidentRow(1, "李四", "+8613807960004", "360827102200", 26.2, -114.2, 7, 5, 8, True, False)]],
    ),
)  # fmt: skip


@pytest.fixture
async def folder(sqlite_store: Store, tmp_path: Path) -> Path:
    """The valley's register, exported; its database holds it."""
    await put(sqlite_store, SEAL, VALLEY)
    await export_folder(sqlite_store, SEAL, tmp_path / "files")
    return tmp_path / "files"


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


async def faults(store: Store, folder: Path, *, production: bool = False) -> list[tuple[str, int, str]]:
    """Where the faults are; and proves that nothing was imported."""
    async with store.read() as tx:
        before = await rows.version(tx)
    with pytest.raises(BadFiles) as refused:
        await import_folder(store, SEAL, Order(folder=folder, production=production))
    async with store.read() as tx:
        assert await rows.version(tx) == before
    return [(fault.file, fault.line, fault.column) for fault in refused.value.faults]


async def test_export_import_export_gives_the_same_files(store: Store, folder: Path, tmp_path: Path) -> None:
    await put(store, SEAL, Sheets(tables=dict.fromkeys(VALLEY.tables, ()), residents=ResidentRows(total=0, pages=list)))
    done = await import_folder(store, SEAL, Order(folder=folder, production=True))
    assert {(one.added, one.same) for one in done.differences} == {(len(rows), 0) for rows in VALLEY.tables.values()}
    await export_folder(store, SEAL, tmp_path / "again")
    assert content(tmp_path / "again") == content(folder)


async def test_a_dry_run_counts_what_would_change_and_changes_nothing(store: Store, folder: Path) -> None:
    order = Order(folder=folder, production=True)
    await import_folder(store, SEAL, order)
    edit(folder / "officers.csv", "张三", "张三丰")
    edit(folder / "terminals.csv", "TM1,", "TM2,")
    edit(folder / "residents.csv", "8613807960004", "8613807960005")
    done = await import_folder(store, SEAL, Order(folder=folder, production=True, dry_run=True))
    assert done.version is None
    counts = {one.table: (one.added, one.changed, one.removed, one.same) for one in done.differences}
    assert counts["officers"] == (0, 1, 0, 1)
    assert counts["terminals"] == (1, 0, 1, 0)
    assert counts["residents"] == (0, 1, 0, 0)
    assert counts["areas"] == (0, 0, 0, 4)
    assert (await load(store, SEAL)).officers["JA1"].name == "张三"
    assert isinstance(await import_folder(store, SEAL, order), Imported)
    assert (await load(store, SEAL)).officers["JA1"].name == "张三丰"


async def test_a_table_without_a_file_stays_as_it_is(sqlite_store: Store, folder: Path) -> None:
    for path in folder.iterdir():
        if path.name != "officers.csv":
            path.unlink()
    edit(folder / "officers.csv", "张三", "王五")
    done = await import_folder(sqlite_store, SEAL, Order(folder=folder, production=True))
    assert [one.table for one in done.differences] == ["officers"]
    register = await load(sqlite_store, SEAL)
    assert register.officers["JA1"].name == "王五"
    assert len(register.posts) == 2
    assert len(register.residents.id) == 1


async def test_every_bad_cell_is_named_with_file_line_and_column_and_nothing_is_imported(
    sqlite_store: Store, folder: Path
) -> None:
    edit(folder / "officers.csv", "'+8613807960001", "12379")
    edit(folder / "officers.csv", "26.21,114.21", "114.21,26.21")
    edit(folder / "officers.csv", "'+8613807960002", "1.38E+10")
    edit(folder / "terminals.csv", "60,1", "-60,是")
    edit(folder / "residents.csv", "独居老人|留守儿童", "独居")
    edit(folder / "gateways.csv", "5" * 23, "5" * 22)
    assert await faults(sqlite_store, folder) == [
        ("officers.csv", 2, "phone"),
        ("officers.csv", 2, "lat"),
        ("officers.csv", 3, "phone"),
        ("gateways.csv", 2, "ebrid"),
        ("terminals.csv", 2, "watt"),
        ("terminals.csv", 2, "online"),
        ("residents.csv", 2, "groups"),
    ]


async def test_a_fault_says_in_chinese_what_to_do(sqlite_store: Store, folder: Path) -> None:
    edit(folder / "officers.csv", "26.21,114.21", "114.21,26.21")
    with pytest.raises(BadFiles) as refused:
        await import_folder(sqlite_store, SEAL, Order(folder=folder, production=False))
    assert str(refused.value) == (
        "officers.csv 第 2 行 lat 列：纬度应在 -90 到 90 度之间（是不是经纬度写反了？），请改正"
    )


async def test_a_name_that_nothing_answers_to_is_a_fault_in_every_file(sqlite_store: Store, folder: Path) -> None:
    edit(folder / "posts.csv", "JA1", "JA9")
    edit(folder / "subscriptions.csv", "360827102|360827", "360827102|360999")
    edit(folder / "terminals.csv", "GW1", "GW9")
    edit(folder / "branches.csv", "360827102200", "360827102201")
    edit(folder / "residents.csv", "360827102200", "360827102201")
    assert sorted(await faults(sqlite_store, folder)) == [
        ("branches.csv", 2, "village_code"),
        ("posts.csv", 3, "officer_id"),
        ("residents.csv", 2, "village_code"),
        ("subscriptions.csv", 2, "area_codes"),
        ("terminals.csv", 2, "gateway_id"),
    ]


async def test_officers_cannot_go_while_a_post_in_the_database_names_them(sqlite_store: Store, folder: Path) -> None:
    (folder / "posts.csv").unlink()
    edit(folder / "officers.csv", "JA2", "JA3")
    assert await faults(sqlite_store, folder) == [("posts.csv", 0, "officer_id")]


async def test_a_village_cannot_go_while_residents_in_the_database_live_there(
    sqlite_store: Store, folder: Path
) -> None:
    for name in ("residents", "officers", "posts", "terminals", "branches"):
        (folder / f"{name}.csv").unlink()
    edit(folder / "areas.csv", "360827102200", "360827102201")
    found = await faults(sqlite_store, folder)
    assert ("residents.csv", 0, "village_code") in found
    assert ("officers.csv", 0, "home_code") in found


async def test_what_stands_twice_is_a_fault(sqlite_store: Store, folder: Path) -> None:
    for name in ("officers", "residents"):
        lines = (folder / f"{name}.csv").read_text(encoding="utf-8").splitlines(keepends=True)
        (folder / f"{name}.csv").write_text("".join([*lines, lines[1]]), encoding="utf-8")
    assert await faults(sqlite_store, folder) == [("officers.csv", 4, "id"), ("residents.csv", 3, "id")]


async def test_gateways_above_one_another_are_a_fault(sqlite_store: Store, folder: Path) -> None:
    edit(folder / "gateways.csv", "township,,", "township,GW1,")
    assert await faults(sqlite_store, folder) == [("gateways.csv", 2, "parent")]


async def test_an_area_under_the_wrong_parent_or_of_the_wrong_length_is_a_fault(
    sqlite_store: Store, folder: Path
) -> None:
    edit(folder / "areas.csv", "镇,360827,", "镇,360800,")
    edit(folder / "areas.csv", "village", "township")
    assert await faults(sqlite_store, folder) == [("areas.csv", 4, "parent"), ("areas.csv", 5, "code")]


async def test_a_misspelt_file_is_a_fault_not_a_table_left_out(sqlite_store: Store, folder: Path) -> None:
    (folder / "officers.csv").rename(folder / "officer.csv")
    assert await faults(sqlite_store, folder) == [("officer.csv", 1, "")]


async def test_a_folder_without_a_register_is_refused_in_words(sqlite_store: Store, tmp_path: Path) -> None:
    with pytest.raises(BadFiles, match="没有登记册文件"):
        await import_folder(sqlite_store, SEAL, Order(folder=tmp_path / "nowhere", production=False))


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [("id,name", "id,nome", 1), ("张三,", "张三,多,", 2), ("张三", '"张三', 2)],
    ids=["a column misspelt", "a cell too many", "a quote left open"],
)
async def test_a_file_that_is_no_table_is_a_fault_at_its_line(
    sqlite_store: Store, folder: Path, old: str, new: str, line: int
) -> None:
    edit(folder / "officers.csv", old, new)
    assert await faults(sqlite_store, folder) == [("officers.csv", line, "")]


async def test_a_boundary_that_crosses_itself_or_a_missing_file_is_a_fault(sqlite_store: Store, folder: Path) -> None:
    edit(
        folder / "boundaries.geojson",
        "[114.5,26.0],[114.5,26.5],[114.0,26.5]",
        "[114.5,26.5],[114.5,26.0],[114.0,26.5]",
    )
    assert await faults(sqlite_store, folder) == [("boundaries.geojson", line, "") for line in (2, 3, 4)]
    (folder / "boundaries.geojson").unlink()
    assert await faults(sqlite_store, folder) == [("boundaries.geojson", 1, "")]


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8", "utf-8-sig"])
async def test_what_a_spreadsheet_saves_is_read(sqlite_store: Store, folder: Path, encoding: str) -> None:
    text = (folder / "officers.csv").read_text(encoding="utf-8-sig")
    turned = [",".join(reversed(line.split(","))) for line in text.splitlines()]  # columns in another order
    (folder / "officers.csv").write_text("\r\n".join([*turned, "", ""]), encoding=encoding)
    done = await import_folder(sqlite_store, SEAL, Order(folder=folder, production=True, dry_run=True))
    officers = next(one for one in done.differences if one.table == "officers")
    assert (officers.same, officers.changed) == (2, 0)


async def test_a_file_in_no_known_encoding_is_a_fault(sqlite_store: Store, folder: Path) -> None:
    (folder / "officers.csv").write_bytes(b"\xff\xff\xff")
    assert await faults(sqlite_store, folder) == [("officers.csv", 1, "")]


async def test_production_takes_no_synthetic_row_and_no_number_of_nobody(sqlite_store: Store, folder: Path) -> None:
    edit(folder / "officers.csv", "'+8613807960001", "15400000000")
    edit(folder / "offices.csv", "60003,", "60003,合成数据")
    assert await faults(sqlite_store, folder, production=True) == [
        ("officers.csv", 2, "phone"),
        ("offices.csv", 2, "synthetic"),
    ]
    await import_folder(sqlite_store, SEAL, Order(folder=folder, production=False))
    assert (await load(sqlite_store, SEAL)).synthetic


async def test_two_imports_at_once_do_not_mix(sqlite_store: Store) -> None:
    with pytest.raises(RegisterMoved, match="请重新导入"):
        await put(sqlite_store, SEAL, VALLEY, after=4)
    assert (await load(sqlite_store, SEAL)).version == 0


def test_a_fault_of_a_row_in_the_database_says_so() -> None:
    fault = Fault(file="posts.csv", line=0, column="officer_id", sentence="请改正")
    assert str(fault) == "posts.csv （库中现有） officer_id 列：请改正"


@given(st.text())
def test_a_guarded_cell_reads_back_as_it_was_and_starts_no_formula(value: str) -> None:
    assert unguarded(guarded(value)) == value
    assert not guarded(value).startswith(("=", "+", "-", "@", "\t", "\r"))


@given(st.from_regex(r"1[0-9]{10}", fullmatch=True))
def test_a_number_passes_exactly_where_the_phone_library_calls_it_a_mobile(number: str) -> None:
    known = phonenumbers.PhoneNumber(country_code=86, national_number=int(number))
    mobile = phonenumbers.is_valid_number(known) and (
        phonenumbers.number_type(known) == phonenumbers.PhoneNumberType.MOBILE
    )
    try:
        assert phone(number, production=True) == f"+86{number}"
    except BadCell:
        assert not mobile
    else:
        assert mobile


@pytest.mark.parametrize(
    "typed", ["13807960001", "+8613807960001", "0086 138 0796 0001", "86-138-0796-0001", " 13807960001 "]
)
def test_a_phone_is_read_however_it_is_typed(typed: str) -> None:
    assert phone(typed, production=True) == "+8613807960001"


@pytest.mark.parametrize(
    "typed",
    ["", "12379", "106901234567", "10690123456", "07968224000", "1380796000", "138079600011", "1.3807960001E10",
     "13807960001.0", "+14155550100", "１３８０７９６０００１", "13807960001/13807960002", "19999999999999"],
)  # fmt: skip
def test_a_number_that_is_no_mobile_is_refused(typed: str) -> None:
    with pytest.raises(BadCell):
        phone(typed, production=False)


def test_the_range_of_no_carrier_passes_in_the_test_profile_alone() -> None:
    assert phone("15412345678", production=False) == "+8615412345678"
    with pytest.raises(BadCell, match="154 号段"):
        phone("+8615412345678", production=True)
