"""Looks for what would leave somebody unwarned, before a night finds it: one sentence each, with the area it concerns.

It changes nothing, judges what is loaded (`register.load`), and must find everything in one go.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import shapely
from numpy.typing import NDArray

from dispatcher.model import AdminArea, Post, county_of, township_of
from dispatcher.registry.register import Register

_BORDER_DEGREES = 0.005
"""About 500 m: homes and borders are both known only roughly."""


class ProblemKind(StrEnum):
    NO_AREAS = "no_areas"
    VILLAGE_WITHOUT_POST = "village_without_post"
    VILLAGE_WITHOUT_GATEWAY = "village_without_gateway"
    VILLAGE_GATEWAYS_OFFLINE = "village_gateways_offline"
    VILLAGE_WITHOUT_BRANCH = "village_without_branch"
    OFFICER_WITHOUT_POST = "officer_without_post"
    UNIT_WITHOUT_DUTY = "unit_without_duty"
    TOWNSHIP_WITHOUT_OFFICE = "township_without_office"
    OFFICE_WITHOUT_SUBSCRIPTION = "office_without_subscription"
    ENDPOINT_WITHOUT_BRANCH = "endpoint_without_branch"
    SHARED_PHONE = "shared_phone"
    HOME_OUTSIDE = "home_outside"
    RESIDENTS_OUTSIDE = "residents_outside"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    kind: ProblemKind
    area_code: str
    sentence: str


def verify(register: Register) -> list[Problem]:
    """Sorted by area, then kind. An empty list: nobody was found to be out of reach."""
    if not register.geofence.village_codes:
        return [
            _problem(
                ProblemKind.NO_AREAS, register.city, "登记册是空的：请先导入区划和人员，或运行 mingluo registry sample"
            )
        ]
    found = [problem for look in _LOOKS for problem in look(register)]
    return sorted(found, key=lambda problem: (problem.area_code, problem.kind, problem.sentence))


def _villages(register: Register) -> Iterator[Problem]:
    posted = {held.area_code for held in register.posts if held.officer_id in register.officers}
    covered = {village for gateway in register.gateways.values() for village in gateway.villages}
    reached = {village for gateway in register.gateways.values() if gateway.online for village in gateway.villages}
    branched = {village for endpoint in register.endpoints.values() for village in endpoint.branches}
    for code in register.geofence.village_codes:
        name = _name(register, code)
        if code not in posted:
            yield _problem(ProblemKind.VILLAGE_WITHOUT_POST, code, f"{name}没有灾害信息员（A 角或 B 角），请补上")
        if code not in covered:
            yield _problem(
                ProblemKind.VILLAGE_WITHOUT_GATEWAY, code, f"{name}没有任何大喇叭，广播到不了这里，请补上终端"
            )
        elif code not in reached:
            yield _problem(ProblemKind.VILLAGE_GATEWAYS_OFFLINE, code, f"{name}的各级播发网关都不在线，请派人检查")
        if code not in branched:
            yield _problem(ProblemKind.VILLAGE_WITHOUT_BRANCH, code, f"{name}没有接入党建平台的党支部，请补上")


def _officers(register: Register) -> Iterator[Problem]:
    posted = {held.officer_id for held in register.posts}
    for officer in register.officers.values():
        if officer.id not in posted:
            sentence = f"{officer.name}（{officer.id}）没有任何岗位，收不到预警，请安排岗位或移出登记册"
            yield _problem(ProblemKind.OFFICER_WITHOUT_POST, officer.home_code, sentence)


def _units(register: Register) -> Iterator[Problem]:
    duty = {
        held.area_code for held in register.posts if held.post is Post.DUTY and held.officer_id in register.officers
    }
    offices = {office.area_code for office in register.offices.values()}
    for area in register.areas.values():
        if area.level == "village":
            continue
        if area.code not in duty:
            yield _problem(
                ProblemKind.UNIT_WITHOUT_DUTY, area.code, f"{_name(register, area.code)}没有值班室岗位，请补上"
            )
        if area.level == "township" and area.code not in offices:
            sentence = f"{_name(register, area.code)}没有应急办，订阅的预警送不到，请补上"
            yield _problem(ProblemKind.TOWNSHIP_WITHOUT_OFFICE, area.code, sentence)


def _subscribers(register: Register) -> Iterator[Problem]:
    subscribed = {subscription.office_id for subscription in register.subscriptions}
    for office in register.offices.values():
        if office.id not in subscribed:
            sentence = f"{office.name}（{office.id}）没有订阅任何区域，请补上订阅"
            yield _problem(ProblemKind.OFFICE_WITHOUT_SUBSCRIPTION, office.area_code, sentence)
    for endpoint in register.endpoints.values():
        if not endpoint.branches:
            sentence = f"{endpoint.name}（{endpoint.id}）下没有党支部，发去也无人收到，请补上党支部"
            yield _problem(ProblemKind.ENDPOINT_WITHOUT_BRANCH, endpoint.area_code, sentence)


def _phones(register: Register) -> Iterator[Problem]:
    """Officers and offices each by themselves: a duty officer may well answer the office's phone."""
    officers: dict[int, list[str]] = defaultdict(list)
    for officer in register.officers.values():
        officers[officer.phone_index].append(officer.id)
    for ids in officers.values():
        if len(ids) > 1:
            home = register.officers[ids[0]].home_code
            names = "、".join(f"{register.officers[one].name}（{one}）" for one in ids)
            yield _problem(ProblemKind.SHARED_PHONE, home, f"{names}登记了同一个手机号，请核实")
    offices = Counter(office.phone_index for office in register.offices.values())
    for office in register.offices.values():
        if offices[office.phone_index] > 1:
            sentence = f"{office.name}（{office.id}）与别的应急办登记了同一个电话，请核实"
            yield _problem(ProblemKind.SHARED_PHONE, office.area_code, sentence)


def _homes(register: Register) -> Iterator[Problem]:
    city = _city(register)
    if city is None:
        return
    officers = list(register.officers.values())
    lon = np.array([officer.home.lon for officer in officers], np.float64)
    lat = np.array([officer.home.lat for officer in officers], np.float64)
    for place in np.flatnonzero(~shapely.contains_xy(city, lon, lat)):
        officer = officers[place]
        sentence = f"{officer.name}（{officer.id}）的住处在{_name(register, register.city)}以外，请核对经纬度"
        yield _problem(ProblemKind.HOME_OUTSIDE, officer.home_code, sentence)
    yield from _residents(register, city)


def _residents(register: Register, city: shapely.Geometry) -> Iterator[Problem]:
    """One line a village: they may be many."""
    people = register.residents
    inside: NDArray[np.bool_] = shapely.contains_xy(city, people.lon / 1e7, people.lat / 1e7)
    for village, count in Counter(people.village[~inside].tolist()).items():
        code = register.geofence.village_codes[village]
        sentence = f"{_name(register, code)}有 {count} 位住户的住处在{_name(register, register.city)}以外，请核对经纬度"
        yield _problem(ProblemKind.RESIDENTS_OUTSIDE, code, sentence)


def _city(register: Register) -> shapely.Geometry | None:
    """The counties' land with a little margin, ready for many questions; None where no boundary is known."""
    known = [area.boundary for area in register.areas.values() if area.level == "county" and area.boundary]
    if not known:
        return None
    city: shapely.Geometry = shapely.union_all(shapely.from_geojson(known)).buffer(_BORDER_DEGREES)
    shapely.prepare(city)
    return city


def _name(register: Register, code: str) -> str:
    """县 + 乡镇 + 村, as far as the code goes."""
    chain = dict.fromkeys((county_of(code), township_of(code), code))
    known: list[AdminArea] = [register.areas[part] for part in chain if part in register.areas]
    return "".join(area.name for area in known) or code


def _problem(kind: ProblemKind, area_code: str, sentence: str) -> Problem:
    return Problem(kind=kind, area_code=area_code, sentence=sentence)


_LOOKS: tuple[Callable[[Register], Iterator[Problem]], ...] = (
    _villages,
    _officers,
    _units,
    _subscribers,
    _phones,
    _homes,
)
