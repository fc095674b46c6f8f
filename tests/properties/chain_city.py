"""The ground on which chains are tried: a register small enough to list by hand, in a database file that is copied for each
run. It must be cheap, for a run is a second and there are thousands.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop

from dispatcher.drills import Stage
from dispatcher.model import Post
from dispatcher.registry import importing
from dispatcher.settings import Settings
from dispatcher.states import GatewayState
from dispatcher.store import registry as rows
from dispatcher.store.engine import open_store
from dispatcher.store.migrating import migrate
from dispatcher.store.sealed import Seal
from tests.city import NOW, settings
from tests.jian import ROWS, valley
from tests.properties.chain_model import SOURCES

SEAL = Seal(bytes(32))
MEMORY = Path("/dev/shm")
"""Where the files lie if they can: what a power cut leaves is tried elsewhere."""
SOMEWHERE = (0.0, 0.0)
"""No village's ground: nobody is told because of where he lives."""


class Ground:
    """What every house is built on: the settings, a loop, and the file that is copied."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._template = folder / "template.db"
        self.settings = _settings()
        self.loop = uvloop.new_event_loop()
        self.loop.run_until_complete(self._lay())

    async def _lay(self) -> None:
        url = f"sqlite+aiosqlite:///{self._template}"
        await migrate(url)
        store = open_store(url)
        await importing.put(store, SEAL, register())
        await store.close()

    def place(self) -> Path:
        """For the next house, in the place of the one before."""
        path = self._folder / "mingluo.db"
        for one in self._folder.glob(f"{path.name}*"):
            one.unlink()
        shutil.copy(self._template, path)
        return path


@contextmanager
def laid() -> Iterator[Ground]:
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        ground = Ground(Path(folder))
        yield ground
        ground.loop.close()


def _settings() -> Settings:
    """The project's own, and one source more: it needs nobody, and may speak for one county. No two are merged: that has tests
    of its own."""
    ours = settings()
    valley_only = ours.sources["city-weather"].model_copy(update={"area_prefixes": (SOURCES["valley"].prefix,)})
    policy = ours.policy.model_copy(update={"merge_within_minutes": 0})
    return replace(ours, sources={**ours.sources, "valley": valley_only}, policy=policy, stage=Stage.DESK)


def register() -> rows.Sheets:
    """The valley, with somebody in each town and a duty room in each county: the seats of the model."""
    posts = [
        rows.PostRow(ROWS[0], Post.DUTY, "D1"),
        rows.PostRow(f"{ROWS[1]}200", Post.A, "V2"),
        rows.PostRow(f"{ROWS[2]}200", Post.A, "V3"),
        rows.PostRow(ROWS[0][:6], Post.DUTY, "C1"),
        rows.PostRow(ROWS[2][:6], Post.DUTY, "C2"),
    ]
    officers = [
        rows.OfficerRow(post.officer_id, "甲", f"+8615400000{number:03d}", "", *SOMEWHERE, 1, False, True)
        for number, post in enumerate(posts)
    ]
    home = (f"{ROWS[0]}201", *SOMEWHERE)
    residents = [rows.ResidentRow(1, "乙", "+8615400000900", *home, 1, 0, 0, True, True)]
    return rows.Sheets(
        tables={
            rows.AreaRow: _areas(),
            rows.OfficerRow: officers,
            rows.PostRow: posts,
            rows.GatewayRow: [_gateway(number, town) for number, town in enumerate(ROWS, 1)],
            rows.TerminalRow: [
                rows.TerminalRow(
                    f"T{number}{column}", f"G{number}", f"{town}20{column}", *SOMEWHERE, "音柱", 30, True, True
                )
                for number, town in enumerate(ROWS, 1)
                for column in range(4)
            ],
        },
        residents=rows.ResidentRows(total=len(residents), pages=lambda: [residents]),
    )


def _areas() -> list[rows.AreaRow]:
    return [
        rows.AreaRow(
            code=one.code,
            name=one.name,
            short_name=one.short_name,
            level=one.level,
            kind=one.kind,
            parent=one.parent,
            lat=one.point.lat,
            lon=one.point.lon,
            population=one.population,
            boundary=json.loads(one.boundary) if isinstance(one.boundary, str) else None,
            synthetic=True,
        )
        for one in valley()
    ]


def _gateway(number: int, town: str) -> rows.GatewayRow:
    return rows.GatewayRow(
        id=f"G{number}",
        ebrid=f"{number:023d}",
        area_code=f"{town}000",
        name=f"G{number}",
        level="township",
        parent="",
        lat=SOMEWHERE[0],
        lon=SOMEWHERE[1],
        protocol="http",
        url="http://127.0.0.1:1",
        state=GatewayState.ONLINE,
        proven_at=NOW,
        synthetic=True,
    )
