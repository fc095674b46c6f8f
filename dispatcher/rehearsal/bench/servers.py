"""PostgreSQL and RabbitMQ for one run: a database and a virtual host of a random name each, dropped afterwards.

Nobody else's database, queue or message is touched; what is not on this machine is refused.
"""

from __future__ import annotations

import asyncio
import shlex
import subprocess
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from dispatcher.rehearsal.bench.orders import BenchFailed

LIMIT_S: Final = 10.0
LONG_S: Final = 300.0
CONTROL_S: Final = 60.0
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """Where they answer; '' where there is none. `control`: the command that makes virtual hosts."""

    postgres: str = ""
    amqp: str = ""
    control: Sequence[str] = field(default=())

    @staticmethod
    def read(postgres: str, amqp: str, control: str) -> Servers:
        for url in (postgres, amqp):
            host = urlsplit(url).hostname
            if url and host and host not in LOOPBACK:
                raise BenchFailed(f"基准测试只用本机的服务，{host} 不在本机：请改用 127.0.0.1 上的")
        if amqp and not control:
            raise BenchFailed("有 RabbitMQ 而没有 rabbitmqctl，建不了专用的虚拟主机：请加 --rabbitmqctl，或不给 --amqp")
        return Servers(postgres=postgres, amqp=amqp, control=tuple(shlex.split(control)))

    @property
    def missing(self) -> str:
        """Empty where the real pair is there."""
        absent = [name for name, url in (("PostgreSQL", self.postgres), ("RabbitMQ", self.amqp)) if not url]
        return f"没有 {' 和 '.join(absent)}" if absent else ""


async def create_database(server: str, template: str = "template0") -> str:
    """A new one; returns its URL for SQLAlchemy."""
    name = f"mingluo_bench_{uuid.uuid4().hex[:12]}"
    await _run(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}" ENCODING \'UTF8\'')
    return urlunsplit(urlsplit(server)._replace(scheme="postgresql+asyncpg", path=f"/{name}"))


async def drop_database(server: str, url: str) -> None:
    await _run(server, f'DROP DATABASE IF EXISTS "{database_name(url)}" WITH (FORCE)')


async def settle_down(url: str) -> None:
    """Statistics and a clean log before a template is copied, so that no copy begins with another's work."""
    await _run(plain(url), "VACUUM ANALYZE")
    await _run(plain(url), "CHECKPOINT")


async def durability(server: str) -> dict[str, str]:
    """What a commit is worth there: said beside the figures."""
    connection = await asyncpg.connect(server, timeout=LIMIT_S, command_timeout=LIMIT_S)
    try:
        names = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers")
        return {name: str(await connection.fetchval(f"SHOW {name}")) for name in names}
    finally:
        await connection.close()


def database_name(url: str) -> str:
    return urlsplit(url).path.lstrip("/")


def plain(url: str) -> str:
    """As asyncpg wants it."""
    return url.replace("postgresql+asyncpg://", "postgresql://", 1)


async def _run(server: str, statement: str) -> None:
    connection = await asyncpg.connect(server, timeout=LIMIT_S, command_timeout=LONG_S)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@asynccontextmanager
async def virtual_host(servers: Servers) -> AsyncIterator[str]:
    """The URL of a virtual host of our own."""
    name = f"mingluo-bench-{uuid.uuid4().hex[:12]}"
    user = urlsplit(servers.amqp).username or "guest"
    await _control(servers, "add_vhost", name)
    try:
        await _control(servers, "set_permissions", "-p", name, user, ".*", ".*", ".*")
        yield urlunsplit(urlsplit(servers.amqp)._replace(path=f"/{name}"))
    finally:
        await _control(servers, "delete_vhost", name)


async def _control(servers: Servers, *words: str) -> None:
    command = [*servers.control, "-q", *words]
    try:
        await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True, timeout=CONTROL_S)
    except (OSError, subprocess.SubprocessError) as error:
        raise BenchFailed(f"rabbitmqctl {words[0]} 没有成功：{error}") from error
