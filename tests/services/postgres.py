"""Finds or starts PostgreSQL, and makes and drops a test's own database."""

from __future__ import annotations

import asyncio
import getpass
import os
import pwd
import shutil
import subprocess
import uuid
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from tests.services import PG_NAME, PG_URL, Found
from tests.services.private import Kept, free_port, new_folder

PACKAGES = ("postgresql",)
_LIMIT_S = 5.0
DURABLE = "MINGLUO_SERVICES_DURABLE"
"""For the benchmark: a commit that is not on the disk is no commit to be measured."""


async def answering() -> Found | None:
    """The PostgreSQL of this machine, if it lets us make databases; refused credentials count as absent."""
    me = getpass.getuser()
    candidates = [
        "postgresql://postgres@127.0.0.1:5432/postgres",
        "postgresql://postgres:postgres@127.0.0.1:5432/postgres",
    ]
    candidates.append(f"postgresql://{me}@127.0.0.1:5432/postgres")
    if Path("/var/run/postgresql/.s.PGSQL.5432").exists():
        candidates.append(f"postgresql://{me}@/postgres?host=/var/run/postgresql")
    for url in candidates:
        if (found := await _ask(url)) is not None:
            return found
    return None


async def _ask(url: str) -> Found | None:
    try:
        connection = await asyncpg.connect(url, timeout=_LIMIT_S, command_timeout=_LIMIT_S)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return None
    try:
        may_create = await connection.fetchval(
            "SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user"
        )
        version = str(await connection.fetchval("SHOW server_version")).split()[0]
        port = await connection.fetchval("SHOW port")
    finally:
        await connection.close()
    if not may_create:
        return None
    name = f"PostgreSQL {version}，端口 {port}"
    return Found(name=name, environment={PG_URL: url, PG_NAME: name})


def programs() -> Path | None:
    """The folder of the newest installed PostgreSQL server."""
    debian = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]), reverse=True
    )
    elsewhere = shutil.which("initdb")
    found = [*debian, *([Path(elsewhere)] if elsewhere else [])]
    return found[0].parent if found else None


def lasting() -> bool:
    """Whether this run is one whose commits have to be on the disk."""
    return os.environ.get(DURABLE) == "1"


def start(bin_folder: Path, *, durable: bool = False) -> tuple[Found, Kept]:
    """A server of our own on a free port, under a user of its own where we are root. `durable`: with fsync, for whoever
    kills it."""
    user = _user()
    # not on a disk: ext4 looks through every inode that was freed a moment ago, and a database is three hundred files
    folder = new_folder("pg", in_memory=not (durable or lasting()))
    data = folder / "data"
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
    port = free_port()
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": str(folder)}
    subprocess.run(
        [bin_folder / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
        check=True, capture_output=True, cwd=folder, env=environment, timeout=120,
        user=user.pw_uid if user else None, group=user.pw_gid if user else None, extra_groups=[] if user else None,
    )  # fmt: skip
    written = "on" if durable or lasting() else "off"
    settings = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "fsync": written,
        "full_page_writes": written,
        "max_connections": "200",
        "max_wal_size": "256MB",
    }
    kept = Kept(
        argv=[str(bin_folder / "postgres"), "-D", str(data), "-p", str(port)]
        + [part for name, value in settings.items() for part in ("-c", f"{name}={value}")],
        environment=environment,
        folder=folder,
        user=user.pw_uid if user else None,
        group=user.pw_gid if user else None,
        stop_signal="SIGINT",
    )
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    found = kept.wait_for(lambda: asyncio.run(_ask(url)), "PostgreSQL", limit_s=60)
    return found, kept


def _user() -> pwd.struct_passwd | None:
    """PostgreSQL refuses root: `postgres` if the package made it, else a system user of ours."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "mingluo-test"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    subprocess.run(
        ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", "mingluo-test"], check=True
    )
    return pwd.getpwnam("mingluo-test")


async def create_database(url: str, template: str = "template0") -> str:
    """A new, randomly named database; returns its URL for SQLAlchemy."""
    name = f"mingluo_test_{uuid.uuid4().hex[:12]}"
    connection = await asyncpg.connect(url, timeout=_LIMIT_S, command_timeout=30)
    try:
        await connection.execute(
            f'CREATE DATABASE "{name}" TEMPLATE "{template}" ENCODING \'UTF8\' {await _how(connection)}'
        )
    finally:
        await connection.close()
    parts = urlsplit(url)
    return urlunsplit(parts._replace(scheme="postgresql+asyncpg", path=f"/{name}"))


async def _how(connection: asyncpg.Connection) -> str:
    """Files are copied faster than written anew where nobody waits for the disk; else it is the reverse."""
    written = await connection.fetchval("SHOW fsync") == "on"
    return "" if written or connection.get_server_version().major < 15 else "STRATEGY FILE_COPY"


async def drop_database(url: str, database_url: str) -> None:
    connection = await asyncpg.connect(url, timeout=_LIMIT_S, command_timeout=30)
    try:
        await connection.execute(f'DROP DATABASE IF EXISTS "{database_name(database_url)}" WITH (FORCE)')
    finally:
        await connection.close()


def database_name(database_url: str) -> str:
    return urlsplit(database_url).path.lstrip("/")


def make_owner(environment: dict[str, str], image: dict[str, str]) -> None:
    """What the official image makes of its environment, on a private server: a superuser with a database of its own."""
    asyncio.run(_make_owner(environment[PG_URL], image))


async def _make_owner(url: str, image: dict[str, str]) -> None:
    user, password, database = image["POSTGRES_USER"], image["POSTGRES_PASSWORD"], image["POSTGRES_DB"]
    connection = await asyncpg.connect(url, timeout=_LIMIT_S, command_timeout=30)
    try:
        await connection.execute(f"CREATE ROLE \"{user}\" LOGIN SUPERUSER PASSWORD '{password}'")
        await connection.execute(f'CREATE DATABASE "{database}" OWNER "{user}"')
    finally:
        await connection.close()
