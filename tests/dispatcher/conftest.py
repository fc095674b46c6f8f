"""A database with the sample Ji'an in it, made once a run and copied for each test; on SQLite and PostgreSQL alike."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest

from dispatcher.pipeline.context import Context
from dispatcher.registry import importing, register, sample
from dispatcher.registry.register import Register
from dispatcher.store.engine import open_store
from dispatcher.store.migrating import migrate
from dispatcher.store.sealed import Seal
from tests.browser.standing import KNOWN
from tests.city import Clock, settings
from tests.services import postgres

SEAL = Seal(bytes(32))
OFFICERS = 700
T = TypeVar("T")


async def _make(url: str) -> None:
    await migrate(url)
    store = open_store(url)
    wish = sample.Wish(gateways_at="http://127.0.0.1:1", endpoints_at="http://127.0.0.1:1", officers=OFFICERS)
    await importing.put(store, SEAL, sample.make(settings().config / "jian", wish))
    await store.close()


async def _read(url: str) -> Register:
    store = open_store(url)
    made = await register.load(store, SEAL)
    await store.close()
    return made


def _aside(work: Coroutine[Any, Any, T]) -> T:
    """In a thread of its own, so that no test's event loop is touched."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


@pytest.fixture(scope="session")
def _jian_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("jian") / "jian.db"
    _aside(_make(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def _register(_jian_sqlite: Path) -> Register:
    """Of every copy, on either database, until a test changes it: reading it takes longer than most tests."""
    return _aside(_read(f"sqlite+aiosqlite:///{_jian_sqlite}"))


@pytest.fixture
def jian_sqlite_url(_jian_sqlite: Path, _register: Register, tmp_path: Path) -> str:
    for source in _jian_sqlite.parent.glob(f"{_jian_sqlite.name}*"):
        shutil.copy(source, tmp_path / source.name)
    url = f"sqlite+aiosqlite:///{tmp_path / _jian_sqlite.name}"
    KNOWN[url] = _register
    return url


@pytest.fixture(scope="session")
def _jian_postgres(_postgres_template: tuple[str, str]) -> Iterator[tuple[str, str]]:
    server, empty = _postgres_template
    url = _aside(postgres.create_database(server, empty))
    _aside(_make(url))
    yield server, postgres.database_name(url)
    _aside(postgres.drop_database(server, url))


@pytest.fixture
def jian_postgres_url(_jian_postgres: tuple[str, str], _register: Register) -> Iterator[str]:
    server, template = _jian_postgres
    url = _aside(postgres.create_database(server, template))
    KNOWN[url] = _register
    yield url
    _aside(postgres.drop_database(server, url))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", "postgres"])
async def jian(request: pytest.FixtureRequest, clock: Clock, _register: Register) -> AsyncIterator[Context]:
    """What a pipeline verb needs: the project's settings, the sample register in a database, a clock that stands."""
    store = open_store(request.getfixturevalue(f"jian_{request.param}_url"))
    yield Context(settings=settings(), store=store, seal=SEAL, now=clock, in_memory=_register)
    await store.close()
