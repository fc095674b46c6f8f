"""The register in the database and in memory, on both databases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import update

from dispatcher.model import Target, TargetKind, township_of
from dispatcher.registry import importing, sample
from dispatcher.registry.cells import FILE_OF
from dispatcher.registry.register import BrokenRegister, Register, count_units, current, load
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
    Row,
    Sheets,
    TerminalRow,
)
from dispatcher.store.sealed import Seal
from dispatcher.store.tables import officers

JIAN = Path(__file__).parents[2] / "config" / "jian"
SEAL = Seal(b"k" * 32)
WISH = sample.Wish(
    gateways_at="http://127.0.0.1:9/gateways", endpoints_at="http://127.0.0.1:9/endpoints", residents=2_000
)
SHEETS = sample.make(JIAN, WISH)
COUNTY = "360827"


def people(*found: ResidentRow) -> ResidentRows:
    return ResidentRows(total=len(found), pages=lambda: [found])


def resident(number: int, **changes: Any) -> ResidentRow:
    row = ResidentRow(number, "甲", "+8613807960000", "360827100001", 27.1, 114.97, 1, 0, 0, True, False)
    return row._replace(**changes)


def officer(number: str) -> Target:
    return Target(kind=TargetKind.OFFICER, id=number)


def county() -> Sheets:
    """The city with one of its counties: a tenth of the work."""

    def here(code: str) -> bool:
        return code == "360800" or code.startswith(COUNTY)

    tables: dict[type[Row], list[Row]] = {
        AreaRow: [row for row in SHEETS.tables[AreaRow] if isinstance(row, AreaRow) and here(row.code)],
        OfficerRow: [row for row in SHEETS.tables[OfficerRow] if isinstance(row, OfficerRow) and here(row.home_code)],
        PostRow: [row for row in SHEETS.tables[PostRow] if isinstance(row, PostRow) and here(row.area_code)],
        TerminalRow: [
            row for row in SHEETS.tables[TerminalRow] if isinstance(row, TerminalRow) and here(row.village_code)
        ],
        BranchRow: [row for row in SHEETS.tables[BranchRow] if isinstance(row, BranchRow) and here(row.village_code)],
    }
    for kind in (OfficeRow, GatewayRow, EndpointRow):
        tables[kind] = [row for row in SHEETS.tables[kind] if isinstance(row, kind) and here(row.area_code)]
    assert SHEETS.residents is not None
    living = [row for page in SHEETS.residents.pages() for row in page if here(row.village_code)]
    return Sheets(tables=tables, residents=people(*living))


SMALL = county()


def residents() -> list[ResidentRow]:
    assert SMALL.residents is not None
    return [row for page in SMALL.residents.pages() for row in page]


async def filled(store: Store, sheets: Sheets = SMALL) -> Register:
    await importing.put(store, SEAL, sheets)
    return await load(store, SEAL)


async def test_an_empty_database_is_an_empty_register(store: Store) -> None:
    register = await load(store, SEAL)
    assert (register.version, register.city, register.synthetic, register.officers) == (0, "", False, {})
    assert len(register.residents.id) == 0


@pytest.mark.long
async def test_what_was_put_in_stands_in_memory(store: Store) -> None:
    register = await filled(store, SHEETS)
    assert (register.version, register.city, register.synthetic) == (1, "360800", True)
    assert len(register.areas) == 3_233
    assert len(register.officers) == 4_012
    assert len(register.offices) == len(register.subscriptions) == 252
    assert len(register.gateways) == 266
    units = count_units(register.areas.values())
    assert (units.streets, units.towns, units.townships, units.proper) == (14, 123, 87, 224)
    assert (units.parks, units.others, units.total) == (14, 28, 252)


async def test_a_gateway_covers_the_villages_of_the_gateways_below_it(sqlite_store: Store) -> None:
    register = await filled(sqlite_store, SHEETS)
    everywhere = register.geofence.village_codes
    assert register.gateways["GW360800"].villages == everywhere
    assert register.gateways["GW360827"].villages == tuple(code for code in everywhere if code.startswith("360827"))
    assert register.gateways["GW360827102"].villages == tuple(
        code for code in everywhere if township_of(code) == "360827102"
    )
    assert sum(gateway.online for gateway in register.gateways.values()) < 266
    assert register.endpoints["PE360827"].branches == register.gateways["GW360827"].villages


async def test_residents_stand_sorted_by_village_in_at_most_32_bytes_each_without_those_who_opted_out(
    store: Store,
) -> None:
    register = await filled(store)
    found = register.residents
    told = {row.id: row for row in residents() if row.opt_in}
    assert set(found.id.tolist()) == set(told)
    assert len(told) < len(residents())
    assert (np.diff(found.village) >= 0).all()
    columns = (found.id, found.village, found.lat, found.lon, found.phone_index, found.groups, found.risk_tags)
    assert sum(column.itemsize for column in columns) <= 32
    for place, number in enumerate(found.id.tolist()):
        row = told[number]
        assert register.geofence.village_codes[found.village[place]] == row.village_code
        assert (found.lat[place], found.lon[place]) == (round(row.lat * 1e7), round(row.lon * 1e7))
        assert found.phone_index[place] == SEAL.index(row.phone)
        assert (found.groups[place], found.risk_tags[place]) == (row.groups, row.risk_tags)


async def test_the_register_is_read_anew_only_when_its_version_moved(store: Store) -> None:
    first = await filled(store)
    assert await current(store, SEAL, first) is first
    async with store.begin() as tx:
        assert await rows.bump_version(tx) == 2
    second = await current(store, SEAL, first)
    assert (second.version, first.version) == (2, 1)


async def test_one_invented_resident_makes_the_register_synthetic(sqlite_store: Store) -> None:
    areas = [row._replace(synthetic=False) for row in SMALL.tables[AreaRow] if isinstance(row, AreaRow)]
    real = Sheets(tables={AreaRow: areas}, residents=people(resident(1)))
    await importing.put(sqlite_store, SEAL, real)
    assert not (await load(sqlite_store, SEAL)).synthetic
    await importing.put(
        sqlite_store, SEAL, replace(real, residents=people(resident(1), resident(2, synthetic=True, opt_in=False)))
    )
    assert (await load(sqlite_store, SEAL)).synthetic


async def test_a_resident_of_a_village_nobody_knows_stops_the_load_in_words(sqlite_store: Store) -> None:
    await importing.put(sqlite_store, SEAL, Sheets(tables={}, residents=people(resident(1))))
    with pytest.raises(BrokenRegister, match="360827100001"):
        await load(sqlite_store, SEAL)


@pytest.mark.long
async def test_phones_are_found_for_those_who_are_to_be_told(store: Store) -> None:
    await filled(store, SHEETS)
    officers = {row.id: row.phone for row in SHEETS.tables[OfficerRow] if isinstance(row, OfficerRow)}
    one = residents()[0]
    wanted = [officer(number) for number in officers]  # more than one batch
    wanted += [Target(kind=TargetKind.OFFICE, id="OF360827102"), Target(kind=TargetKind.RESIDENT, id=str(one.id))]
    wanted += [officer("GONE"), Target(kind=TargetKind.GATEWAY, id="GW360800")]
    async with store.read() as tx:
        phones = await rows.phones_of(tx, SEAL, map(str, wanted))
    assert len(phones) == len(officers) + 2
    assert {f"officer-{number}": phone for number, phone in officers.items()}.items() <= phones.items()
    assert phones[f"resident-{one.id}"] == one.phone
    assert phones["office-OF360827102"].startswith("+86154")


async def test_another_key_opens_no_phone(store: Store) -> None:
    await filled(store)
    async with store.read() as tx:
        assert await rows.phones_of(tx, Seal(b"x" * 32), ["officer-JA00001"]) == {}


async def test_one_damaged_phone_is_one_missing_address(store: Store) -> None:
    await filled(store)
    every = [officer(row.id) for row in SMALL.tables[OfficerRow] if isinstance(row, OfficerRow)]
    async with store.begin() as tx:
        await tx.execute(update(officers).where(officers.c.id == every[0].id).values(phone=b"damaged"))
        found = await rows.phones_of(tx, SEAL, map(str, every))
    assert found.keys() == {str(one) for one in every[1:]}
    assert found


async def test_the_database_file_holds_no_phone_and_no_secret(sqlite_url: str, sqlite_store: Store) -> None:
    await filled(sqlite_store)
    async with sqlite_store.read() as tx:
        secret = (await rows.endpoint_addresses(tx, SEAL, ["PE360827"]))["PE360827"].secrets[0]
    await sqlite_store.close()
    first = next(row.name for row in SMALL.tables[OfficerRow] if isinstance(row, OfficerRow))
    held = Path(sqlite_url.removeprefix("sqlite+aiosqlite:///")).read_bytes()
    assert first.encode() in held  # this is the right file
    for hidden in ("15400000000", residents()[0].phone[1:], secret.removeprefix("whsec_")):
        assert hidden.encode() not in held


async def test_gateways_and_party_platforms_are_found_with_what_a_sender_needs(store: Store) -> None:
    await filled(store)
    async with store.read() as tx:
        gateways = await rows.gateway_addresses(tx, ["GW360827102", "GONE"])
        endpoints = await rows.endpoint_addresses(tx, SEAL, ["PE360827", "GONE"])
    assert list(gateways) == ["GW360827102"]
    assert gateways["GW360827102"].url == "http://127.0.0.1:9/gateways/GW360827102"
    assert gateways["GW360827102"].ebrid == "53608271020000314010201"
    assert list(endpoints) == ["PE360827"]
    assert endpoints["PE360827"].secrets[0].startswith("whsec_")
    assert endpoints["PE360827"].disabled_reason == ""


async def test_a_person_is_found_by_name_id_target_and_phone(store: Store) -> None:
    register = await filled(store)
    wanted = next(officer for officer in register.officers.values() if len(officer.home_code) == 12)
    one = residents()[0]
    async with store.read() as tx:
        by_name = await rows.people_named(tx, wanted.name)
        by_id = await rows.people_named(tx, wanted.id)
        by_target = await rows.people_named(tx, f"officer-{wanted.id}")
        resident_17 = await rows.people_named(tx, f"resident-{one.id}")
        phone = (await rows.phones_of(tx, SEAL, [f"officer-{wanted.id}"]))[f"officer-{wanted.id}"]
        by_phone = await rows.people_with_phone(tx, SEAL, phone)
        nobody = await rows.people_named(tx, "查无此人")
    assert [person.target for person in by_id] == [officer(wanted.id)]
    assert by_id == by_target == by_phone
    assert by_id[0] in by_name
    assert by_id[0].area_code == wanted.home_code
    assert [str(person.target) for person in resident_17] == [f"resident-{one.id}"]
    assert nobody == []


async def test_a_load_that_fails_half_way_leaves_the_last_good_register(store: Store) -> None:
    before = await filled(store)
    twice = people(resident(1), resident(1))
    with pytest.raises(Exception, match=r"(?i)unique"):
        await importing.put(store, SEAL, replace(SMALL, residents=twice))
    after = await load(store, SEAL)
    assert after.version == before.version
    assert len(after.residents.id) == len(before.residents.id)
    assert after.officers == before.officers


async def test_a_gateway_is_tried_unless_the_register_calls_it_silent(store: Store) -> None:
    gateways = [row for row in SMALL.tables[GatewayRow] if isinstance(row, GatewayRow)]
    for state, tried in ((GatewayState.OFFLINE, False), (GatewayState.UNKNOWN, True), (GatewayState.FAULT, False)):
        named = [row._replace(state=state) for row in gateways]
        await importing.put(store, SEAL, Sheets(tables={GatewayRow: named, TerminalRow: []}))
        async with store.read() as tx:
            assert {gateway.online for gateway in await rows.gateways(tx)} == {tried}


async def test_progress_is_told_table_by_table_to_the_end(sqlite_store: Store) -> None:
    told: dict[str, list[tuple[int, int]]] = {}
    await importing.put(
        sqlite_store, SEAL, SMALL, tell=lambda what, done, total: told.setdefault(what, []).append((done, total))
    )
    assert set(told) == {*(FILE_OF[kind].removesuffix(".csv") for kind in SMALL.tables), "residents"}
    assert told["residents"] == [(0, len(residents())), (len(residents()), len(residents()))]
    assert all(done == total for done, total in (steps[-1] for steps in told.values()))


@pytest.mark.long
async def test_a_ring_of_gateways_does_not_hang_the_start(sqlite_store: Store) -> None:
    ring = [
        row._replace(parent="GW360827102") if isinstance(row, GatewayRow) and row.id == "GW360827" else row
        for row in SHEETS.tables[GatewayRow]
    ]
    await importing.put(sqlite_store, SEAL, replace(SHEETS, tables={**SHEETS.tables, GatewayRow: ring}))
    assert (await load(sqlite_store, SEAL)).gateways["GW360827102"].villages
