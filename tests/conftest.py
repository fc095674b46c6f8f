"""Shared ground of all tests: real databases and brokers, each test with its own, and an environment without ours.

Where PostgreSQL, RabbitMQ or Chromium is absent, what needs it is skipped and said at the end; with
`MINGLUO_REQUIRE_SERVICES=1` it fails instead.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import aio_pika
import hypothesis
import pytest
import structlog
import uvloop

from dispatcher.broker.contract import EXCHANGE_IN, EXCHANGE_OUT, QUEUE_IN, QUEUE_REJECTED
from dispatcher.store.engine import Store, open_store
from dispatcher.store.migrating import migrate
from tests.services import (
    AMQP_NAME,
    AMQP_URL,
    CHROMIUM,
    CHROMIUM_NAME,
    OURS,
    PG_NAME,
    PG_URL,
    SETTLED,
    chromium,
    postgres,
    rabbitmq,
    settling,
)

T = TypeVar("T")
_KNOWN = OURS | {
    "MINGLUO_SERVICES", "MINGLUO_REQUIRE_SERVICES", "MINGLUO_REQUIRE_CORPUS", "MINGLUO_CAP_CORPUS"
}  # fmt: skip


hypothesis.settings.register_profile("house", deadline=None)  # a busy machine is no fault of an example
hypothesis.settings.load_profile("house")


def pytest_configure(config: pytest.Config) -> None:
    for name in [name for name in os.environ if name.startswith("MINGLUO_") and name not in _KNOWN]:
        del os.environ[name]
    if SETTLED not in os.environ:
        os.environ.update(settling.answering())


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What may take longest begins first: begun last, one worker would go on alone for a minute."""
    limits = {item: marker.args[0] for item in items if (marker := item.get_closest_marker("timeout"))}
    items.sort(key=lambda item: -limits.get(item, 0))


def pytest_report_header() -> list[str]:
    return [
        f"数据库：SQLite；{os.environ.get(PG_NAME, '没有 PostgreSQL')}",
        f"消息中间件：内置；{os.environ.get(AMQP_NAME, '没有 RabbitMQ')}",
        f"浏览器：{os.environ.get(CHROMIUM_NAME, '没有 Chromium')}",
    ]


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """What is tested runs on what it runs on. The harness that starts and kills processes runs none of it itself, and stays
    with the standard library, which does not mind signalling a process that has just gone."""
    if item.path.parent.name == "crashes":
        return {"asyncio": asyncio.new_event_loop}
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Figures that a passing test has to show too: they stand at the end of the run."""
    return lambda line: request.node.user_properties.append(("measured", line))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    figures = [
        (report.nodeid, line)
        for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
        if report.when == "call"
        for name, line in report.user_properties
        if name == "measured"
    ]
    if figures:
        terminalreporter.section("量得的数字")
        for test, line in figures:
            terminalreporter.line(f"{test}: {line}")
    missing = [
        (name, packages)
        for name, variable, packages in (
            ("PostgreSQL", PG_URL, postgres.PACKAGES),
            ("RabbitMQ", AMQP_URL, rabbitmq.PACKAGES),
            ("Chromium", CHROMIUM, chromium.PACKAGES),
        )
        if variable not in os.environ
    ]
    if missing:
        terminalreporter.section("没有运行的测试", red=True, bold=True)
        names, install = (
            "、".join(name for name, _ in missing),
            " ".join(one for _, packages in missing for one in packages),
        )
        terminalreporter.line(
            f"本次没有 {names}，需要它的测试一个也没有运行。请用 make test（root 下会自动安装），"
            f"或先运行：sudo apt-get install {install}"
        )


def _needed(variable: str, name: str) -> str:
    if variable not in os.environ:
        settling.unavailable(f"没有 {name}")
    return os.environ[variable]


def _run(work: Coroutine[Any, Any, T]) -> T:
    """In a thread of its own, so that no test's event loop is touched."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    """Logging is the process's own: what a test sets up is taken back, lest the next one writes to a stream that is closed."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "mingluo.db"
    _run(migrate(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture
def sqlite_url(_sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated SQLite file of this test's own."""
    for source in _sqlite_template.parent.glob(f"{_sqlite_template.name}*"):
        shutil.copy(source, tmp_path / source.name)
    return f"sqlite+aiosqlite:///{tmp_path / _sqlite_template.name}"


@pytest.fixture(scope="session")
def _postgres_template() -> Iterator[tuple[str, str]]:
    server = _needed(PG_URL, "PostgreSQL")
    url = _run(postgres.create_database(server))
    _run(migrate(url))
    yield server, postgres.database_name(url)
    _run(postgres.drop_database(server, url))


@pytest.fixture
def postgres_url(_postgres_template: tuple[str, str]) -> Iterator[str]:
    """A migrated, randomly named PostgreSQL database of this test's own, dropped afterwards."""
    server, template = _postgres_template
    url = _run(postgres.create_database(server, template))
    yield url
    _run(postgres.drop_database(server, url))


@pytest.fixture
async def sqlite_store(sqlite_url: str) -> AsyncIterator[Store]:
    store = open_store(sqlite_url)
    yield store
    await store.close()


@pytest.fixture
async def postgres_store(postgres_url: str) -> AsyncIterator[Store]:
    store = open_store(postgres_url)
    yield store
    await store.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Both databases, one after the other."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    """An open store on both databases, one after the other."""
    opened = open_store(database_url)
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def _rabbit_vhost() -> Iterator[str]:
    """A randomly named virtual host of this worker's own, removed at the end: making one takes the broker seconds."""
    _needed(AMQP_URL, "RabbitMQ")
    environment = {name: os.environ[name] for name in OURS if name in os.environ}
    url = rabbitmq.create_vhost(environment)
    yield url
    rabbitmq.remove_vhost(environment, url)


@pytest.fixture
def rabbit_url(_rabbit_vhost: str) -> Iterator[str]:
    """A virtual host with nothing of ours in it, before the test and after."""
    yield _rabbit_vhost
    _run(_emptied(_rabbit_vhost))


async def _emptied(url: str) -> None:
    """Deletes our queues and exchanges; a queue that is still being consumed is deleted all the same."""
    async with asyncio.timeout(20), await aio_pika.connect(url) as connection, connection.channel() as channel:
        for queue in (QUEUE_IN, QUEUE_REJECTED):
            await channel.queue_delete(queue)
        for exchange in (EXCHANGE_IN, EXCHANGE_OUT):
            await channel.exchange_delete(exchange)
