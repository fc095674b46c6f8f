"""Invented people: officers with their A and B posts, and residents by the million.

Drawn exactly as the first generator of this registry drew them (same streams, same order of draws), so that a seed
keeps meaning the same people. The order of the `rng` calls in a function is therefore part of its result.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from dispatcher.model import Post
from dispatcher.registry.sample.places import PROPER_UNITS, Places
from dispatcher.store.registry import OfficerRow, PostRow, ResidentRow

PHONE_BASE = 15_400_000_000
_STEP = 48_271_991  # coprime to 10⁸: a stride that meets every number once
OFFICER_PHONES = 0
RESIDENT_PHONES = 10_000
UNIT_PHONES = 50_000_000
OFFICE_PHONES = 60_000_000
MOST_OFFICERS = RESIDENT_PHONES - OFFICER_PHONES
MOST_RESIDENTS = 10_000_000
_PAGE = 20_000

_SURNAMES = (
    "王李张刘陈杨黄吴胡罗周徐朱曾肖谢郭邓彭欧阳钟邱康贺尹郑何曹余龙赖廖熊江汪谭袁毛段刁匡梁戴蒋宋钱孙赵姚宁左施颜涂晏甘范龚易万严邹"
    "高林马夏蓝雷温唐程许叶魏卢丁潘田汤尤洪孔聂"
)
_WEIGHTS = np.r_[np.linspace(60, 20, 20), np.linspace(18, 3, 80)]
_SHE = "蓝雷钟"
# 志 诚 忠 良 城 are left out: nobody named in the 2021 bulletin can come out
_GIVEN = (
    "文武国建华明春秀兰英桂香根生发福财旺金水木火土林森海波涛江河云霞雪梅莲芳玉珍红艳丽娟平安康宁和顺仁义礼智"
    "信勇强军辉光亮东南西北中庆丰收农耕勤俭思源敏慧佳欣怡然宇轩浩子涵梓萱一诺晨曦立新"
)


def names(count: int, rng: np.random.Generator, she: NDArray[np.bool_] | None = None) -> NDArray[np.str_]:
    """Chinese names as one array of code points (fast: nothing is concatenated)."""
    surnames, given = _points(_SURNAMES), _points(_GIVEN)
    second_half = int(np.flatnonzero(surnames == ord("欧"))[0]) + 1  # 欧阳 is one surname of two characters
    starts = np.array([place for place in range(len(surnames)) if place != second_half])
    odds = np.cumsum(_WEIGHTS[: len(starts)] / _WEIGHTS[: len(starts)].sum())
    out = np.zeros((count, 4), "<u4")
    out[:, 0] = surnames[starts[np.searchsorted(odds, rng.random(count))]]
    if she is not None:
        chosen = she & (rng.random(count) < 0.5)
        out[chosen, 0] = _points(_SHE)[(rng.random(int(chosen.sum())) * len(_SHE)).astype(int)]
    pair = given[(rng.random((count, 2)) * len(given)).astype(int)]
    out[:, 1] = pair[:, 0]
    out[:, 2] = np.where(rng.random(count) < 0.14, 0, pair[:, 1])
    double = out[:, 0] == ord("欧")
    out[double, 3] = 0
    out[double, 2], out[double, 1] = out[double, 1], ord("阳")
    return out.view("<U4").ravel()


def _points(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le"), "<u4")


def phones(count: int, start: int) -> NDArray[np.int64]:
    """`count` distinct numbers of 154xxxxxxxx; `start` keeps one range of people off the others."""
    return np.asarray(PHONE_BASE + (np.arange(start, start + count, dtype=np.int64) * _STEP) % 100_000_000)


def e164(numbers: NDArray[np.int64]) -> list[str]:
    return [f"+86{number}" for number in numbers.tolist()]


def bits(count: int, odds: Sequence[float], rng: np.random.Generator) -> NDArray[np.int64]:
    """A mask each; bit n is set with the n-th probability."""
    return np.asarray(((rng.random((count, len(odds))) < np.asarray(odds)) * (1 << np.arange(len(odds)))).sum(1))


def _units(places: Places) -> list[str]:
    proper = [code for code in places.codes("township") if places.by_code[code].kind in PROPER_UNITS]
    return places.codes("city") + places.codes("county") + proper


def unit_posts(places: Places) -> int:
    """A and B posts of the city, the counties and the townships proper: filled before any village's."""
    return 2 * len(_units(places))


def officers(places: Places, total: int, rng: np.random.Generator) -> tuple[list[OfficerRow], list[PostRow]]:
    """A and B in the city, each county, each township and each village; one person may hold several villages."""
    units = _units(places)
    homes = _homes(places, total - 2 * len(units))
    count = 2 * len(units) + len(homes)
    she = np.r_[np.zeros(2 * len(units), bool), places.she[homes]]
    named, numbers = names(count, rng, she), e164(phones(count, OFFICER_PHONES))
    at = np.array([(places.by_code[code].lon, places.by_code[code].lat) for code in units + units])
    spots = np.round(np.vstack([at, places.sample(homes, rng)]), 5).tolist()
    roles = (1 | bits(count, (0, 0.55, 0.2, 0.4, 0.65), rng)).tolist()
    party = (rng.random(count) < 0.62).tolist()
    areas = units + units + places.villages[homes].tolist()
    people = [
        OfficerRow(f"JA{no + 1:05d}", str(named[no]), numbers[no], areas[no], lat, lon, roles[no], party[no], True)
        for no, (lon, lat) in enumerate(spots)
    ]
    held = [PostRow(code, Post.A, people[no].id) for no, code in enumerate(units)]
    held += [PostRow(code, Post.B, people[no + len(units)].id) for no, code in enumerate(units)]
    return people, held + _village_posts(places, homes, people[2 * len(units) :], held)


def _homes(places: Places, count: int) -> NDArray[np.int64]:
    """Village indexes, sorted: the largest villages first, seconds where there are more people than villages."""
    order = np.argsort(-places.population, kind="stable")
    if count <= len(order):
        return np.sort(order[:count])
    return np.sort(np.r_[order, order[np.arange(count - len(order)) % len(order)]])


def _village_posts(
    places: Places, homes: NDArray[np.int64], people: list[OfficerRow], unit_posts_held: list[PostRow]
) -> list[PostRow]:
    """Each village's A and B: the two nearest officers of its township, else the posts of the township or county."""
    unit = {(row.area_code, row.post): row.officer_id for row in unit_posts_held}
    by_town: dict[str, list[int]] = {}
    for place, home in enumerate(homes):
        by_town.setdefault(str(places.town[home]), []).append(place)
    held: list[PostRow] = []
    for village, (code, town) in enumerate(zip(places.villages.tolist(), places.town.tolist(), strict=True)):
        here = by_town.get(town, [])
        away = np.hypot(*(places.points[homes[here]] - places.points[village]).T)
        near = [people[here[place]].id for place in np.argsort(away, kind="stable")[:2]]
        above = town if (town, Post.A) in unit else town[:6]
        near += [unit[above, Post.A], unit[above, Post.B]]
        held.append(PostRow(code, Post.A, near[0]))
        held.append(PostRow(code, Post.B, next(who for who in near if who != near[0])))
    return held


def resident_pages(places: Places, count: int, rng: np.random.Generator) -> Iterator[list[ResidentRow]]:
    """Three to a household: one village, one house. One phone each."""
    household = np.repeat(np.arange((count + 2) // 3), 3)[:count]
    share = np.cumsum(places.population) / places.population.sum()
    homes = np.searchsorted(share, rng.random((count + 2) // 3))
    village, spots = homes[household], np.round(places.sample(homes, rng), 5)[household]
    age = np.searchsorted(np.cumsum([0.20, 0.16, 0.30, 0.16, 0.18]), rng.random(count))  # 0-14 15-29 30-54 55-64 65+
    needs = bits(count, (0, 0.025, 0, 0.006), rng)
    needs = needs | np.where((age == 4) & (rng.random(count) < 0.22), 1, 0)  # 独居老人
    needs = needs | np.where((age == 0) & (rng.random(count) < 0.15), 4, 0)  # 留守儿童
    named = names(count, rng, places.she[village])
    risk = bits(count, (0.06, 0.04, 0.03, 0.05), rng)
    rng.random(count)  # party flags: drawn because the next draw is counted from them
    told = rng.random(count) < 0.97
    numbers = phones(count, RESIDENT_PHONES)
    for start in range(0, count, _PAGE):
        page = slice(start, start + _PAGE)
        yield [
            ResidentRow._make((*row, True))
            for row in zip(
                range(start + 1, min(start + _PAGE, count) + 1),
                named[page].tolist(),
                e164(numbers[page]),
                places.villages[village[page]].tolist(),
                spots[page, 1].tolist(),
                spots[page, 0].tolist(),
                (household[page] + 1).tolist(),
                needs[page].tolist(),
                risk[page].tolist(),
                told[page].tolist(),
                strict=True,
            )
        ]
