"""`python -m tests.browser.screenshots`: every page of the tour as a picture, in three sizes, light and dark, with an index.

For whoever changes a page, to look at what he has done; `--only NAME` takes one page in seconds. A service with an invented
city stands for as long as it takes.
"""

from __future__ import annotations

import argparse
import asyncio
import html
import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import ViewportSize
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from dispatcher.registry import register
from dispatcher.registry.register import Register
from dispatcher.store.engine import open_store
from tests.browser.browsing import DESKTOP, PHONE, WIDE, Browsing, launched
from tests.browser.night import Night, night
from tests.browser.standing import SEAL, filled
from tests.browser.tour import TOUR, VISITS, Visit
from tests.services import settling

FOLDER = Path(__file__).resolve().parents[2] / "var" / "screenshots"
SIZES = (DESKTOP, WIDE, PHONE)
OFFICERS = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be taken. `whole`: the page to its end; else what is seen before one scrolls."""

    visits: Sequence[Visit] = VISITS
    sizes: Sequence[ViewportSize] = SIZES
    schemes: Sequence[str] = ("light", "dark")
    whole: bool = True

    def __len__(self) -> int:
        return len(self.visits) * len(self.sizes) * len(self.schemes)


async def taken(browsing: Browsing, there: Night, wish: Wish, folder: Path) -> list[str]:
    """The names of the pictures, which lie in the folder, in the order of the tour."""
    return [name async for name in _each(browsing, there, wish, folder)]


async def _each(browsing: Browsing, there: Night, wish: Wish, folder: Path) -> AsyncIterator[str]:
    for visit, size in itertools.product(wish.visits, wish.sizes):
        async with browsing(there, visit.person(there), size=size) as tab:
            await visit.open(tab, there)
            for scheme in wish.schemes:
                await tab.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
                name = f"{visit.name}-{size['width']}x{size['height']}-{scheme}.png"
                await tab.page.screenshot(path=folder / name, full_page=wish.whole, animations="disabled")
                yield name


def index(folder: Path) -> Path:
    """A page with every picture that lies there, also those of an earlier run."""
    order = {visit.name: place for place, visit in enumerate(VISITS)}
    groups: dict[str, list[str]] = {}
    for picture in sorted(path.name for path in folder.glob("*.png")):
        groups.setdefault(picture.rsplit("-", 2)[0], []).append(picture)
    parts = "".join(_section(name, groups[name]) for name in sorted(groups, key=lambda one: order.get(one, 999)))
    page = folder / "index.html"
    page.write_text(
        '<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>鸣锣：各页截图</title>'
        "<style>body{font:14px sans-serif;margin:16px}div{display:flex;flex-wrap:wrap;gap:12px;align-items:start}"
        "figure{margin:0}img{height:300px;max-width:100%;border:1px solid #bbb}</style>"
        f"<h1>各页截图</h1>{parts}</html>\n",
        encoding="utf-8",
    )
    return page


def _section(name: str, pictures: Iterable[str]) -> str:
    shown = "".join(
        f'<figure><a href="{html.escape(one)}"><img loading="lazy" src="{html.escape(one)}" alt=""></a>'
        f"<figcaption>{html.escape(one.removesuffix('.png').removeprefix(name + '-'))}</figcaption></figure>"
        for one in pictures
    )
    return f"<h2>{html.escape(name)}</h2><div>{shown}</div>"


def wished(arguments: Sequence[str]) -> tuple[Wish, Path]:
    parser = argparse.ArgumentParser(prog="python -m tests.browser.screenshots", description=__doc__)
    parser.add_argument("--only", action="append", metavar="NAME", choices=sorted(_names()), help="只拍这一页，可重复")
    parser.add_argument("--size", action="append", metavar="WxH", choices=[_word(size) for size in SIZES])
    parser.add_argument("--scheme", action="append", choices=("light", "dark"))
    parser.add_argument("--fold", action="store_true", help="只拍不滚动时看得到的部分")
    parser.add_argument("--into", type=Path, default=FOLDER, metavar="DIR")
    given = parser.parse_args(arguments)
    wish = Wish(
        visits=[one for one in VISITS if not given.only or {one.name, one.stop.name} & set(given.only)],
        sizes=[size for size in SIZES if not given.size or _word(size) in given.size],
        schemes=given.scheme or ("light", "dark"),
        whole=not given.fold,
    )
    return wish, given.into


def _names() -> Iterator[str]:
    yield from {visit.name for visit in VISITS} | {stop.name for stop in TOUR}


def _word(size: ViewportSize) -> str:
    return f"{size['width']}x{size['height']}"


async def _founded(folder: Path) -> tuple[str, Register]:
    url = await filled(folder / "mingluo.db", OFFICERS)
    store = open_store(url)
    made = await register.load(store, SEAL)
    await store.close()
    return url, made


async def _all(wish: Wish, folder: Path) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with tempfile.TemporaryDirectory(prefix="mingluo-screenshots-") as made, Progress(*columns) as progress:
        bar = progress.add_task("造一座城", total=len(wish))
        url, known = await _founded(Path(made))
        async with night(url, known) as there, launched() as chromium:
            async for name in _each(Browsing(chromium=chromium), there, wish, folder):
                progress.update(bar, advance=1, description=name)


def main(arguments: Sequence[str]) -> int:
    wish, folder = wished(arguments)
    browser = settling.browser_settled()
    if browser is None:
        return 1
    os.environ.update(browser.environment)
    if len(wish.visits) == len(VISITS):
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(_all(wish, folder))
    print(f"{len(wish)} 张截图：{index(folder)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
