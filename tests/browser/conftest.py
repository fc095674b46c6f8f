"""One Chromium for all browser tests of a process, and a service with Ji'an's places and invented people for each test.

The tests share one event loop, because a browser that outlives a test must not be tied to the loop of that test: every test
here is async, and an async fixture of theirs is written `@pytest_asyncio.fixture(loop_scope="session")`.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import pytest_asyncio

from dispatcher.registry import register
from dispatcher.registry.register import Register
from dispatcher.store.engine import open_store
from tests.browser.browsing import Browsing, launched
from tests.browser.landed import Founded
from tests.browser.night import Night, night
from tests.browser.people import People, people
from tests.browser.standing import KNOWN, SEAL, House, filled, standing

OFFICERS = 900


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Before its tests are made of a module, because the loop of a test is settled then."""
    if isinstance(collector, pytest.Module):
        collector.add_marker(pytest.mark.asyncio(loop_scope="session"))
        collector.add_marker(pytest.mark.timeout(180))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browsing() -> AsyncIterator[Browsing]:
    async with launched() as chromium:
        yield Browsing(chromium=chromium)


async def _made(path: Path) -> Register:
    url = await filled(path, OFFICERS)
    store = open_store(url)
    made = await register.load(store, SEAL)
    await store.close()
    return made


@pytest.fixture(scope="session")
def _filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Register]:
    path = tmp_path_factory.mktemp("browser") / "mingluo.db"
    with ThreadPoolExecutor(1) as thread:
        return path, thread.submit(asyncio.run, _made(path)).result()


@pytest.fixture(scope="session")
def founded(_filled: tuple[Path, Register]) -> Founded:
    """The URL of a database of one's own in that folder."""

    def copied(folder: Path) -> str:
        path, known = _filled
        for source in path.parent.glob(f"{path.name}*"):
            shutil.copy(source, folder / source.name)
        url = f"sqlite+aiosqlite:///{folder / path.name}"
        KNOWN[url] = known
        return url

    return copied


@pytest.fixture(scope="session")
def jian(_filled: tuple[Path, Register]) -> Register:
    """What stands in each of those databases."""
    return _filled[1]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def the_night(founded: Founded, jian: Register, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Night]:
    """A warning in each state. Only to be looked at: it is one for all tests of a process."""
    async with night(founded(tmp_path_factory.mktemp("night")), jian) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def house(founded: Founded, tmp_path: Path) -> AsyncIterator[House]:
    """A service with its console and without accounts: whoever sits at this machine may look."""
    async with standing(founded(tmp_path)) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def persons(house: House) -> People:
    """One of each role has an account there, and nobody else may look any more."""
    return await people(house.context)
