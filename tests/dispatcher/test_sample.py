"""The synthetic Ji'an: the same people for the same seed, numbers that ring nobody, and nothing left without its posts."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from dispatcher.model import ROLES, Channel, Level, Post, Role, code12, short_code, township_of
from dispatcher.registry import sample
from dispatcher.registry.sample.devices import LOUDSPEAKERS, PLATFORM, ebrid
from dispatcher.registry.sample.places import read_areas
from dispatcher.settings import Service
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
    Sheets,
    SubscriptionRow,
    TerminalRow,
)

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
JIAN = ROOT / "config" / "jian"
FIRST_GENERATOR = ROOT.parent / "shared" / "data" / "gen_registry.py"
ROLE_NAMES = tuple(role.chinese for role in ROLES)


@cache
def jian(officers: int = 3_200, residents: int = 3_000, seed: int = 3608) -> Sheets:
    wish = sample.Wish(
        gateways_at="http://127.0.0.1:9001/gateways",
        endpoints_at="http://127.0.0.1:9002/endpoints",
        officers=officers,
        residents=residents,
        seed=seed,
    )
    return sample.make(JIAN, wish)


def table(kind: type[Row], sheets: Sheets | None = None) -> list[Any]:
    return list((sheets or jian()).tables[kind])


def residents(sheets: Sheets) -> list[ResidentRow]:
    assert sheets.residents is not None
    return [row for page in sheets.residents.pages() for row in page]


@pytest.fixture(scope="module")
def first_draw(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, str]]]:
    if not FIRST_GENERATOR.is_file():
        pytest.skip("第一版生成器 gen_registry.py 不在旁边，无法证明同一种子抽出同样的人")
    folder = tmp_path_factory.mktemp("first")
    subprocess.run([sys.executable, FIRST_GENERATOR, folder, "--residents", "3000"], check=True, capture_output=True)
    found = {}
    for path in folder.glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as lines:
            found[path.stem] = list(csv.DictReader(lines))
    return found


def spot(row: Any) -> tuple[str, str]:
    return f"{row.lon:.5f}", f"{row.lat:.5f}"


def marks(row: ResidentRow) -> tuple[str, ...]:
    return str(row.household), str(row.groups), str(row.risk_tags), str(int(row.opt_in))


def labels(mask: int) -> str:
    return "|".join(name for bit, name in enumerate(ROLE_NAMES) if mask >> bit & 1)


def test_the_same_seed_means_the_officers_the_first_generator_drew(first_draw: dict[str, list[dict[str, str]]]) -> None:
    keys = ("id", "name", "phone", "area_code", "lng", "lat", "roles", "party_member")
    drawn = [tuple(row[key] for key in keys) for row in first_draw["officers"]]
    ours = [
        (
            row.id,
            row.name,
            row.phone.removeprefix("+86"),
            row.home_code,
            *spot(row),
            labels(row.roles),
            str(int(row.party_member)),
        )
        for row in table(OfficerRow)
        if row.id.startswith("JA")
    ]
    assert len(ours) == 3_200
    assert ours == drawn
    posts = [(p.officer_id, p.area_code, p.post) for p in table(PostRow) if p.officer_id.startswith("JA")]
    drawn_posts = [(row["officer_id"], row["area_code"], row["post"]) for row in first_draw["assignments"]]
    assert Counter(posts) == Counter(drawn_posts)


def test_the_same_seed_means_the_devices_the_first_generator_drew(first_draw: dict[str, list[dict[str, str]]]) -> None:
    keys = ("id", "area_code", "name", "level", "parent", "online")
    assert [
        (g.id, g.area_code, g.name, g.level, g.parent, str(int(g.state is GatewayState.ONLINE)))
        for g in table(GatewayRow)
    ] == [tuple(row[key] for key in keys) for row in first_draw["gateways"]]
    columns = ("id", "gateway_id", "village_code", "lng", "lat", "kind", "watt", "online")
    assert [
        (t.id, t.gateway_id, t.village_code, f"{t.lon:.5f}", f"{t.lat:.5f}", t.kind, str(t.watt), str(int(t.online)))
        for t in table(TerminalRow)
    ] == [tuple(row[key] for key in columns) for row in first_draw["terminals"]]


def test_the_same_seed_means_the_residents_the_first_generator_drew(
    first_draw: dict[str, list[dict[str, str]]],
) -> None:
    keys = ("id", "name", "phone", "village_code", "lng", "lat", "household", "needs", "hazard", "opt_in")
    drawn = [tuple(row[key] for key in keys) for row in first_draw["residents"]]
    ours = [
        (str(row.id), row.name, row.phone.removeprefix("+86"), row.village_code, *spot(row), *marks(row))
        for row in residents(jian())
    ]
    assert ours == drawn


def test_the_same_seed_makes_the_same_bytes_and_another_seed_other_people() -> None:
    jian.cache_clear()
    first, again = jian(), jian.__wrapped__()
    assert first.tables == again.tables
    assert residents(first) == residents(again)
    other = jian(seed=7)
    assert table(OfficerRow, other) != table(OfficerRow, first)
    assert {row.secrets for row in table(EndpointRow, other)}.isdisjoint(
        row.secrets for row in table(EndpointRow, first)
    )


def test_more_residents_move_nobody_else() -> None:
    assert jian(residents=7).tables == jian().tables


def test_every_phone_is_in_the_range_of_no_carrier_and_belongs_to_one_person() -> None:
    people = [*table(OfficerRow), *table(OfficeRow), *residents(jian())]
    numbers = [person.phone for person in people]
    assert all(number.startswith("+86154") and len(number) == 14 for number in numbers)
    assert len(set(numbers)) == len(numbers) == 4_012 + 252 + 3_000


def test_the_units_are_as_many_as_the_city_has() -> None:
    assert Counter(area.level for area in table(AreaRow)) == {
        "city": 1,
        "county": 13,
        "township": 252,
        "village": 2_967,
    }
    assert len(table(GatewayRow)) == 266
    assert len(table(OfficeRow)) == len(table(SubscriptionRow)) == 252
    assert len(table(EndpointRow)) == 13
    assert len(table(BranchRow)) == 2_967


def test_every_unit_has_the_posts_the_data_lacks() -> None:
    held: dict[str, set[Post]] = {}
    for post in table(PostRow):
        held.setdefault(post.area_code, set()).add(post.post)
    for area in table(AreaRow):
        match area.level:
            case "city" | "county":
                assert held[area.code] >= {Post.A, Post.B, Post.CHIEF, Post.DUTY}
            case "township":
                wanted = {Post.CHIEF, Post.DUTY, Post.TRANSFER}
                wanted |= {Post.A, Post.B} if area.kind in ("园区", "街道", "镇", "乡", "民族乡") else set()
                assert held[area.code] == wanted
            case _:
                assert held[area.code] == {Post.A, Post.B}


def test_the_fourteen_parks_have_safety_posts_a_and_b() -> None:
    safety = {officer.id for officer in table(OfficerRow) if officer.roles == 1 << ROLES.index(Role.PARK_SAFETY)}
    parks = {area.code for area in table(AreaRow) if area.kind == "园区"}
    posts = [(post.area_code, post.post) for post in table(PostRow) if post.officer_id in safety]
    assert len(parks) == 14
    assert set(posts) == {(park, post) for park in parks for post in (Post.A, Post.B)}
    assert len(posts) == 28


def test_every_post_names_an_officer_and_an_area_that_exist() -> None:
    officers, areas = {row.id for row in table(OfficerRow)}, {row.code for row in table(AreaRow)}
    assert all(post.officer_id in officers and post.area_code in areas for post in table(PostRow))
    assert {post.officer_id for post in table(PostRow)} >= {
        row.id for row in table(OfficerRow) if row.id.startswith("JB")
    }


def test_an_office_hears_everything_in_its_own_area() -> None:
    area_of = {office.id: office.area_code for office in table(OfficeRow)}
    for heard in table(SubscriptionRow):
        assert heard.area_codes == (area_of[heard.office_id],)
        assert (heard.hazards, heard.least_level, heard.channels) == ((), Level.BLUE, (Channel.SMS,))


def test_gateways_speak_http_at_the_bases_the_caller_gave() -> None:
    for gateway in table(GatewayRow):
        assert gateway.protocol == "http"
        assert gateway.url == f"http://127.0.0.1:9001/gateways/{gateway.id}"
    assert {endpoint.url for endpoint in table(EndpointRow)} == {
        f"http://127.0.0.1:9002/endpoints/{endpoint.id}" for endpoint in table(EndpointRow)
    }


def test_resource_codes_are_unique_and_none_is_the_platforms_own() -> None:
    codes = [gateway.ebrid for gateway in table(GatewayRow)]
    assert len(set(codes)) == 266
    assert all(len(code) == 23 and code.isdigit() for code in codes)
    assert Service().platform_ebrid not in codes


def test_every_party_platform_has_a_webhook_secret_of_its_own() -> None:
    secrets = [secret for endpoint in table(EndpointRow) for secret in endpoint.secrets]
    assert len(set(secrets)) == 13
    for secret in secrets:
        assert Webhook(secret)
    assert {branch.endpoint_id for branch in table(BranchRow)} == {endpoint.id for endpoint in table(EndpointRow)}
    assert all(branch.members >= 3 for branch in table(BranchRow))


def test_everything_invented_is_marked_and_the_counties_are_not() -> None:
    for kind in (OfficerRow, OfficeRow, GatewayRow, TerminalRow, EndpointRow):
        assert all(row.synthetic for row in table(kind))
    assert all(row.synthetic for row in residents(jian()))
    assert {area.level for area in read_areas(JIAN) if not area.synthetic} == {"city", "county"}


def test_every_area_but_the_city_has_a_boundary() -> None:
    assert [area.code for area in table(AreaRow) if area.boundary is None] == ["360800"]


@pytest.mark.parametrize("officers", [0, 476, 10_001])
def test_a_number_of_officers_that_cannot_be_made_is_refused_in_words(officers: int) -> None:
    with pytest.raises(sample.CannotMake, match="灾害信息员人数应在 477 到 10000 之间"):
        jian(officers=officers)


def test_more_officers_than_villages_still_fill_every_post_once() -> None:
    sheets = jian(officers=5_000)
    posts = Counter((post.area_code, post.post) for post in table(PostRow, sheets))
    assert set(posts.values()) == {1}
    assert len(table(OfficerRow, sheets)) == 5_000 + 812


codes = st.one_of(
    st.from_regex(r"[1-9][0-9]{5}", fullmatch=True),
    st.from_regex(r"[1-9][0-9]{5}(?!000)[0-9]{3}", fullmatch=True),
    st.from_regex(r"[1-9][0-9]{5}(?!000)[0-9]{3}(?!000)[0-9]{3}", fullmatch=True),
)


@given(code=codes)
def test_a_code_survives_its_twelve_digit_form(code: str) -> None:
    assert len(code12(code)) == 12
    assert short_code(code12(code)) == code
    assert township_of(code12(code)) == code12(code)[:9]


@given(
    code=codes,
    level=st.sampled_from([("city", "3"), ("county", "4"), ("township", "5"), ("village", "6")]),
    kind=st.sampled_from([PLATFORM, LOUDSPEAKERS]),
    no=st.integers(1, 99),
    part=st.sampled_from(["01", "02", "03", "04"]),
)
def test_a_resource_code_says_its_level_area_type_and_part(
    code: str, level: tuple[str, str], kind: str, no: int, part: str
) -> None:
    area = AreaRow(code, "某地", "某", level[0], "镇", "", 27.0, 115.0, 1, None, True)
    made = ebrid(area, kind, no, part)
    assert len(made) == 23
    assert made.isdigit()
    assert (made[0], made[1:13], made[13:17], made[17:19], made[19:]) == (
        level[1],
        code12(code),
        kind,
        f"{no:02d}",
        f"{part}01",
    )
