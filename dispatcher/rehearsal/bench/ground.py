"""A database with the sample register in it, made once a run and copied for each engine, so that every one begins alike."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from dispatcher.registry import importing, sample
from dispatcher.rehearsal.bench import servers
from dispatcher.settings import PROJECT
from dispatcher.store.engine import open_store
from dispatcher.store.migrating import migrate
from dispatcher.store.registry import BranchRow, EndpointRow, GatewayRow, Row, Sheets, TerminalRow
from dispatcher.store.sealed import Seal

MACHINES: Final[tuple[type[Row], ...]] = (GatewayRow, TerminalRow, EndpointRow, BranchRow)
OFFICERS: Final = 3_200


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """What the register holds. `machines_at`: where gateways and platforms stand; '' leaves them out."""

    officers: int = OFFICERS
    residents: int = 0
    machines_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """`url` is a template that nobody serves; `copied` makes one to be served."""

    url: str
    key: str
    server: str
    folder: Path

    @property
    def real(self) -> bool:
        """On PostgreSQL."""
        return bool(self.server)

    @asynccontextmanager
    async def copied(self) -> AsyncIterator[str]:
        """A database of one engine's own; gone with the block."""
        if self.real:
            url = await servers.create_database(self.server, servers.database_name(self.url))
            try:
                yield url
            finally:
                await servers.drop_database(self.server, url)
            return
        folder = next(one for number in range(10_000) if not (one := self.folder / f"copy-{number}").exists())
        folder.mkdir(parents=True)
        await asyncio.to_thread(shutil.copy, _file(self.url), folder / "mingluo.db")
        try:
            yield f"sqlite+aiosqlite:///{folder / 'mingluo.db'}"
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


@asynccontextmanager
async def ground(folder: Path, server: str, key: str, people: People) -> AsyncIterator[Ground]:
    """Migrated and filled. `server`: PostgreSQL's URL, or '' for an SQLite file in `folder`."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    url = await servers.create_database(server) if server else f"sqlite+aiosqlite:///{folder / 'template.db'}"
    try:
        await migrate(url)
        await _fill(url, key, people)
        if server:
            await servers.settle_down(url)
        yield Ground(url=url, key=key, server=server, folder=folder)
    finally:
        if server:
            await servers.drop_database(server, url)
        else:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def _fill(url: str, key: str, people: People) -> None:
    at = people.machines_at or "http://127.0.0.1:9"
    wish = sample.Wish(
        gateways_at=at, endpoints_at=at, officers=people.officers, residents=people.residents
    )  # fmt: skip
    sheets = await asyncio.to_thread(sample.make, PROJECT / "config" / "jian", wish)
    store = open_store(url)
    try:
        await importing.put(store, Seal(bytes.fromhex(key)), _without_machines(sheets, people))
    finally:
        await store.close()


def _without_machines(sheets: Sheets, people: People) -> Sheets:
    if people.machines_at:
        return sheets
    tables: Mapping[type[Row], list[Row]] = {
        kind: [] if kind in MACHINES else list(rows) for kind, rows in sheets.tables.items()
    }
    return replace(sheets, tables=dict(tables))


def _file(url: str) -> Path:
    return Path(url.partition(":///")[2])
