"""Which PostgreSQL, RabbitMQ and Chromium this run uses: `MINGLUO_SERVICES=auto|private|off`, `MINGLUO_REQUIRE_SERVICES=1`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from tests.services import SETTLED, Found, chromium, debian, postgres, rabbitmq
from tests.services.private import CannotStart, Kept

MODES = ("auto", "private", "off")


def mode() -> str:
    chosen = os.environ.get("MINGLUO_SERVICES", "auto")
    if chosen not in MODES:
        raise SystemExit(f"MINGLUO_SERVICES={chosen} 不认识：请用 {'、'.join(MODES)}")
    return chosen


def unavailable(reason: str) -> NoReturn:
    """Skipped and said at the end; a failure where services are required."""
    if os.environ.get("MINGLUO_REQUIRE_SERVICES") == "1":
        pytest.fail(f"MINGLUO_REQUIRE_SERVICES=1，但{reason}", pytrace=False)
    pytest.skip(reason)


def own_programs(name: str, programs: Callable[[], Path | None]) -> Path:
    """For tests that start a server of their own, to stop or fill it."""
    where = None if mode() == "off" else programs()
    if where is None:
        unavailable(f"没有 {name} 的程序可用（先运行 make test）")
    return where


def answering() -> dict[str, str]:
    """What answers already, as environment for the tests; starts and installs nothing."""
    environment = {SETTLED: "1"}
    if mode() == "auto":
        for found in (asyncio.run(postgres.answering()), rabbitmq.answering()):
            environment |= found.environment if found else {}
    if mode() != "off" and (browser := chromium.found()) is not None:
        environment |= browser.environment
    return environment


@contextlib.contextmanager
def settled() -> Iterator[dict[str, str]]:
    """Everything the mode allows; private services end with the block."""
    environment, kept = {SETTLED: "1"}, []
    try:
        if mode() != "off":
            for found, keeper in (_postgres(), _rabbitmq()):
                environment |= found.environment if found else {}
                kept += [keeper] if keeper else []
            browser = browser_settled()
            environment |= browser.environment if browser else {}
        yield environment
    finally:
        for keeper in kept:
            keeper.stop()


def browser_settled() -> Found | None:
    """Chromium and its font, installed where we may; what could not be had is said."""
    packages = chromium.missing()
    if packages:
        try:
            debian.install(packages)
        except (debian.CannotInstall, subprocess.SubprocessError, OSError) as error:
            print(f"没有 Chromium 或它要的中文字体：{error}", file=sys.stderr, flush=True)
    return chromium.found()


Outcome = tuple[Found | None, Kept | None]


def _postgres() -> Outcome:
    """A server of our own before one that answers, where its programs are here: it may do without fsync, and thousands of
    databases are made and dropped."""
    theirs = mode() == "auto" and (postgres.lasting() or postgres.programs() is None)
    if theirs and (found := asyncio.run(postgres.answering())) is not None:
        return found, None
    found, kept = _own("PostgreSQL", postgres.programs, postgres.PACKAGES, postgres.start)
    if found is None and mode() == "auto":
        return asyncio.run(postgres.answering()), None
    return found, kept


def _rabbitmq() -> Outcome:
    if mode() == "auto" and (found := rabbitmq.answering()) is not None:
        return found, None
    return _own("RabbitMQ", rabbitmq.programs, rabbitmq.PACKAGES, rabbitmq.start)


def _own(
    name: str,
    programs: Callable[[], Path | None],
    packages: tuple[str, ...],
    start: Callable[[Path], tuple[Found, Kept]],
) -> Outcome:
    try:
        if programs() is None:
            debian.install(packages)
        print(f"启动本次测试专用的 {name} …", file=sys.stderr, flush=True)
        return start(_must(programs(), name))
    except (CannotStart, debian.CannotInstall, subprocess.SubprocessError, OSError) as error:
        print(f"没有 {name}：{error}", file=sys.stderr, flush=True)
        return None, None


def _must(where: Path | None, name: str) -> Path:
    if where is None:
        raise CannotStart(f"软件包装好了，但找不到 {name} 的程序")
    return where
