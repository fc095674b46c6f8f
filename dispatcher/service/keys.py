"""The sealing key, and the locks: one process on an SQLite database, one sender under a node's name."""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import structlog

from dispatcher.pipeline.context import Context
from dispatcher.settings import BadConfiguration, Settings, sqlite_file
from dispatcher.store import nodes, registry
from dispatcher.store.engine import Store
from dispatcher.store.holding import Hold
from dispatcher.store.registry import homes
from dispatcher.store.sealed import Seal, WrongKey

_CHECK = "seal_check"
_SEALED_AT = "homes_sealed"
"""The register's version whose homes were all found sealed."""
HOMES_AT_ONCE = 5_000
VANISHED_S = 12.0
"""Longer than a database takes to notice that a machine is gone (store/holding.py)."""
_CHECK_TEXT = "mingluo"


log = structlog.get_logger()


class Occupied(Exception):
    """Another process serves this database."""


def seal_of(settings: Settings) -> Seal:
    """The key of the environment; in profile test, one made once beside the database with mode 0600."""
    given = settings.service.seal_key
    if given is not None:
        return Seal(_bytes(given.get_secret_value(), "MINGLUO_SEAL_KEY"))
    if settings.production:
        raise BadConfiguration("正式环境必须由环境变量 MINGLUO_SEAL_KEY 给出密封密钥（64 位十六进制）")
    path = key_file(settings)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
    if path.stat().st_mode & 0o077:
        raise BadConfiguration(f"{path} 别人也能读：请运行 chmod 600 '{path}'")
    return Seal(_bytes(path.read_text(encoding="ascii").strip(), str(path)))


def key_file(settings: Settings) -> Path:
    """Where the test profile keeps its key: beside an SQLite database, else in var/ of the project."""
    database = sqlite_file(settings.service.database_url)
    return (database.with_suffix(".key")) if database else settings.home / "var" / "seal.key"


async def prove(store: Store, seal: Seal) -> None:
    """Refuses a key that does not open this database, before anything is sealed with the wrong one."""
    async with store.begin() as tx:
        sealed = await nodes.fact(tx, _CHECK)
        if sealed is None:
            await nodes.set_fact(tx, _CHECK, seal.seal(_CHECK_TEXT).hex())
        elif seal.open(bytes.fromhex(sealed)) != _CHECK_TEXT:
            raise WrongKey("密封密钥打不开这个数据库")


async def seal_homes(store: Store, seal: Seal) -> int:
    """Seals where people live, where an older register still says it openly; returns how many homes those were.

    A migration has no key, so it is done here, in short transactions: a start that is stopped goes on at the next one.
    """
    async with store.read() as tx:
        version = str(await registry.version(tx))
        if await nodes.fact(tx, _SEALED_AT) == version:
            return 0
    sealed = 0
    while True:
        async with store.begin() as tx:
            some = await homes.seal_some(tx, seal, HOMES_AT_ONCE)
            if not some:
                await nodes.set_fact(tx, _SEALED_AT, version)
                break
        sealed += some
    if sealed:
        await store.tidy()
        log.info("住处的精确位置已加密", homes=sealed)
    return sealed


@contextmanager
def sole_process(settings: Settings) -> Iterator[None]:
    """On SQLite one process serves a database; a second one is told so instead of waiting or harming it."""
    database = sqlite_file(settings.service.database_url)
    if database is None:
        yield
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    with open(database.with_suffix(".lock"), "w", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Occupied(
                f"数据库 {database} 已有一个 mingluo serve 在用：先停掉它，或用 MINGLUO_DATABASE_URL 另指一个"
            ) from error
        yield


@asynccontextmanager
async def sole_sender(context: Context, roles: frozenset[str], patience_s: float = VANISHED_S) -> AsyncIterator[None]:
    """Under one node's name one process sends: a second one would take the first one's chunks for its own, and send twice.

    A machine that vanished is noticed by the database within seconds, so whoever starts in its place waits that long.
    """
    if "send" not in roles:
        yield
        return
    node, hold = context.settings.service.node, Hold(context.store, context.settings.service.node)
    try:
        if not await _taken(hold, patience_s):
            raise Occupied(f"节点名 {node} 已有一个在发送的进程：先停掉它，或用 MINGLUO_NODE 给本进程另起一个名字")
        async with asyncio.TaskGroup() as tasks:
            keeping = tasks.create_task(_keep(hold, node), name="node name")
            yield
            keeping.cancel()
    finally:
        await hold.release()


async def _taken(hold: Hold, patience_s: float) -> bool:
    until = asyncio.get_running_loop().time() + patience_s
    while not await hold.take():
        if asyncio.get_running_loop().time() > until:
            return False
        await asyncio.sleep(0.5)
    return True


async def _keep(hold: Hold, node: str) -> None:
    await hold.keep()
    raise Occupied(f"节点名 {node} 被另一个进程占用，本进程停止，以免重复发送")


def _bytes(text: str, where: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise BadConfiguration(f"{where}: 密封密钥应为 64 位十六进制") from error
