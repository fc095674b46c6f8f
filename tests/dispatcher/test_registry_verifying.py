"""What would leave somebody unwarned is found before a night finds it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from dispatcher.geofence import Geofence
from dispatcher.model import Point, Post
from dispatcher.registry import sample
from dispatcher.registry.importing import put
from dispatcher.registry.register import Register, load
from dispatcher.registry.verifying import Problem, ProblemKind, verify
from dispatcher.store.engine import open_store
from dispatcher.store.migrating import migrate
from dispatcher.store.sealed import Seal

JIAN = Path(__file__).parents[2] / "config" / "jian"
VILLAGE = "360827102200"


async def _loaded(url: str) -> Register:
    await migrate(url)
    store = open_store(url)
    try:
        wish = sample.Wish(gateways_at="http://127.0.0.1:9", endpoints_at="http://127.0.0.1:9", residents=300)
        await put(store, Seal(b"k" * 32), sample.make(JIAN, wish))
        return await load(store, Seal(b"k" * 32))
    finally:
        await store.close()


@pytest.fixture(scope="module")
def register(tmp_path_factory: pytest.TempPathFactory) -> Register:
    url = f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('verify') / 'mingluo.db'}"
    with ThreadPoolExecutor(1) as thread:  # its own loop, so that no test's is touched
        return thread.submit(asyncio.run, _loaded(url)).result()


def only(register: Register, kind: ProblemKind) -> Problem:
    """The one problem there is, and it is of that kind."""
    found = verify(register)
    assert [problem.kind for problem in found] == [kind], found[:5]
    return found[0]


def test_the_sample_leaves_nobody_unwarned(register: Register) -> None:
    assert verify(register) == []


def test_an_empty_register_is_one_problem(register: Register) -> None:
    empty = replace(register, geofence=Geofence([]), areas={}, officers={}, posts=())
    assert only(empty, ProblemKind.NO_AREAS).sentence.startswith("登记册是空的")


def test_a_village_without_a_post_is_found_by_its_full_name(register: Register) -> None:
    posts = tuple(
        replace(held, area_code="360827102") if held.area_code == VILLAGE else held for held in register.posts
    )
    problem = only(replace(register, posts=posts), ProblemKind.VILLAGE_WITHOUT_POST)
    assert problem.area_code == VILLAGE
    assert problem.sentence.startswith("遂川县碧洲镇")


def test_a_village_without_a_loudspeaker_is_found(register: Register) -> None:
    gateways = {
        number: replace(gateway, villages=tuple(code for code in gateway.villages if code != VILLAGE))
        for number, gateway in register.gateways.items()
    }
    assert only(replace(register, gateways=gateways), ProblemKind.VILLAGE_WITHOUT_GATEWAY).area_code == VILLAGE


def test_a_village_is_dark_only_when_every_gateway_above_it_is(register: Register) -> None:
    township = {**register.gateways, "GW360827102": replace(register.gateways["GW360827102"], online=False)}
    assert verify(replace(register, gateways=township)) == []
    dark = {number: replace(gateway, online=False) for number, gateway in register.gateways.items()}
    found = verify(replace(register, gateways=dark))
    assert {problem.kind for problem in found} == {ProblemKind.VILLAGE_GATEWAYS_OFFLINE}
    assert len(found) == 2_967


def test_an_officer_without_a_post_is_found(register: Register) -> None:
    idle = replace(next(iter(register.officers.values())), id="JX00001", name="闲人", phone_index=-1)
    officers = {**register.officers, idle.id: idle}
    assert "闲人（JX00001）" in only(replace(register, officers=officers), ProblemKind.OFFICER_WITHOUT_POST).sentence


@pytest.mark.parametrize("unit", ["360827102", "360827", "360800"])
def test_a_unit_without_a_duty_room_is_found(register: Register, unit: str) -> None:
    kept = tuple(held for held in register.posts if (held.area_code, held.post) != (unit, Post.DUTY))
    gone = {held.officer_id for held in register.posts} - {held.officer_id for held in kept}
    officers = {number: officer for number, officer in register.officers.items() if number not in gone}
    found = only(replace(register, posts=kept, officers=officers), ProblemKind.UNIT_WITHOUT_DUTY)
    assert found.area_code == unit


def test_a_township_without_an_office_and_an_office_without_a_subscription_are_found(register: Register) -> None:
    offices = {number: office for number, office in register.offices.items() if number != "OF360827102"}
    assert only(replace(register, offices=offices), ProblemKind.TOWNSHIP_WITHOUT_OFFICE).area_code == "360827102"
    heard = tuple(one for one in register.subscriptions if one.office_id != "OF360827102")
    found = only(replace(register, subscriptions=heard), ProblemKind.OFFICE_WITHOUT_SUBSCRIPTION)
    assert found.area_code == "360827102"


def test_a_party_platform_without_branches_is_found_with_the_villages_it_leaves(register: Register) -> None:
    bare = {**register.endpoints, "PE360881": replace(register.endpoints["PE360881"], branches=())}
    found = verify(replace(register, endpoints=bare))
    assert {problem.kind for problem in found} == {
        ProblemKind.ENDPOINT_WITHOUT_BRANCH,
        ProblemKind.VILLAGE_WITHOUT_BRANCH,
    }
    assert len(found) == 1 + len(register.endpoints["PE360881"].branches)


def test_two_people_with_one_phone_are_one_problem(register: Register) -> None:
    first, second = register.officers["JA01000"], register.officers["JA02000"]
    officers = {**register.officers, second.id: replace(second, phone_index=first.phone_index)}
    sentence = only(replace(register, officers=officers), ProblemKind.SHARED_PHONE).sentence
    assert first.name in sentence
    assert second.name in sentence


@pytest.mark.long
def test_two_offices_with_one_phone_are_both_named(register: Register) -> None:
    first, second = list(register.offices.values())[:2]
    offices = {**register.offices, second.id: replace(second, phone_index=first.phone_index)}
    found = verify(replace(register, offices=offices))
    assert [(problem.kind, problem.area_code) for problem in found] == [
        (ProblemKind.SHARED_PHONE, first.area_code),
        (ProblemKind.SHARED_PHONE, second.area_code),
    ]


def test_a_home_in_another_city_is_found(register: Register) -> None:
    astray = replace(register.officers["JA01000"], home=Point(28.68, 115.89))
    officers = {**register.officers, astray.id: astray}
    assert astray.name in only(replace(register, officers=officers), ProblemKind.HOME_OUTSIDE).sentence


def test_residents_in_another_city_are_counted_by_village(register: Register) -> None:
    lat = register.residents.lat.copy()
    lat[:2] = 286_800_000
    found = verify(replace(register, residents=replace(register.residents, lat=lat)))
    assert {problem.kind for problem in found} == {ProblemKind.RESIDENTS_OUTSIDE}
    assert "位住户的住处在吉安市以外" in found[0].sentence


def test_problems_come_sorted_by_area(register: Register) -> None:
    found = verify(replace(register, posts=()))
    assert found == sorted(found, key=lambda problem: (problem.area_code, problem.kind, problem.sentence))
    assert len({problem.kind for problem in found}) == 3
