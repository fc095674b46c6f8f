"""Where one may go from every page: a table of paths and words. Who is shown which is asked of the routes themselves.

A page that does not exist has no entry, and one that comes later shows by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from dispatcher.accounts.authority import Action, Principal, may_once_awake
from dispatcher.web.route import About, Route

LABELS: Final[Sequence[tuple[str, str]]] = (
    ("/", "当前"),
    ("/issue", "发布预警"),
    ("/warnings", "预警查询"),
    ("/shift", "交接班"),
    ("/tonight", "今夜值班单"),
    ("/accounts", "账号"),
    ("/account", "我的账号"),
)
STEPS: Final[Mapping[str, str]] = {
    "/issue": "在地图上画出区域，写好文字，送另一人签发。",
    "/accounts": "给值班员、签发领导、乡镇管理员建立账号。",
    "/tonight": "看哪些村现在收不到，哪些播发网关失联。",
    "/shift": "看上一班交代了什么。",
    "/account": "写明本人是否在班。",
    "/warnings": "有了预警，都在这里查。",
}
"""What to begin with where there is nothing to see yet, the nearest first."""
MOST_STEPS: Final = 3
PAGES: Final = web.AppKey("pages by path", Mapping[str, Route])


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    path: str
    label: str
    current: bool


def by_path(routes: Sequence[Route]) -> dict[str, Route]:
    return {route.path: route for route in routes if route.is_page}


def entries(pages: Mapping[str, Route], who: Principal, city: str, at: str) -> tuple[Entry, ...]:
    """`at`: the path that is shown."""
    shown = [(path, label) for path, label in LABELS if path in pages and _may(pages[path], who, city)]
    here = _current([path for path, _ in shown], at)
    return tuple(Entry(path=path, label=label, current=path == here) for path, label in shown)


def steps(shown: Sequence[Entry]) -> tuple[tuple[Entry, str], ...]:
    """Of the pages that whoever looks is shown, those to begin with, and what for."""
    there = {one.path: one for one in shown}
    return tuple((there[path], words) for path, words in STEPS.items() if path in there)[:MOST_STEPS]


def _may(route: Route, who: Principal, city: str) -> bool:
    if not isinstance(route.who, Action):
        return True
    return may_once_awake(who, route.who, (city,) if route.about is About.CITY else None)


def _current(paths: Sequence[str], at: str) -> str:
    """The nearest one above; the front page is above nothing."""
    while at not in paths and at:
        at = at.rpartition("/")[0]
    return at
