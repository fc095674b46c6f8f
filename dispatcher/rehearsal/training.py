"""`mingluo serve --training`: the whole service on a stage of its own, where nothing can reach a real person.

Its own database (var/training.db, whatever the environment says), an embedded broker, and a rehearsal city that starts
and ends with it. Its sources take Exercise alone: a real warning that is sent here by mistake is refused with a reason,
because to accept it would be to let it vanish. A reset stops the service, makes the database anew and starts it again;
the socket stays open meanwhile, so that a browser waits for seconds instead of being refused.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pydantic import SecretStr

from dispatcher.drills import Stage
from dispatcher.registry import sample
from dispatcher.registry.register import glance
from dispatcher.rehearsal import demo_stage
from dispatcher.rehearsal.demo_screen import Screen
from dispatcher.rehearsal.demo_stage import City
from dispatcher.rehearsal.founding import acquaint, found_city
from dispatcher.service import schema
from dispatcher.service.keys import sole_process
from dispatcher.service.listening import bound_to
from dispatcher.service.running import ROLES
from dispatcher.service.serving import Rehearsal, Serving, Training, serving
from dispatcher.settings import BadConfiguration, Settings, sqlite_file
from dispatcher.store.engine import open_store

DRILL = "drill"
"""The source by which people practise; it gets a token where the environment gave none."""
RESIDENTS = 2_000


async def serve_training(
    own: Settings, stop: asyncio.Event, on_ready: Callable[[Serving], None], screen: Screen
) -> None:
    """Runs until `stop` is set; `own`: the installation's settings. Raises BadConfiguration where this is no place for it."""
    ours = _for_training(own)
    folder, asked = _folder(own), asyncio.Event()
    bound, url = bound_to(own)
    training = Training(bound=bound, url=url, reset=asked.set)
    with bound:
        while not stop.is_set():
            anew = asked.is_set()
            asked.clear()
            async with demo_stage.city(_swept(folder)) as place:
                settings = demo_stage.played(ours, place)
                with sole_process(settings):
                    await _founded(settings, place, screen, anew=anew)
                async with serving(settings, roles=ROLES, rehearsal=Rehearsal(training=training)) as live:
                    await place.report_to(live.url)
                    on_ready(live)
                    await _either(stop, asked)


def _for_training(own: Settings) -> Settings:
    """A database, a key and a node of its own; every source speaks in drills, and no feed elsewhere is polled."""
    _refuse(own)
    service = own.service.model_copy(
        update={
            "database_url": f"sqlite+aiosqlite:///{database_of(own)}",
            "broker_url": "embedded://",
            "public_url": "",
            "node": "training",
            "seal_key": None,
            "intranet": (),
        }
    )
    sources = {
        name: one.model_copy(update={"name": f"{one.name}（培训环境）", "drill_only": True})
        for name, one in own.sources.items()
        if one.feed is None
    }
    if DRILL in sources and sources[DRILL].token is None:
        sources[DRILL] = sources[DRILL].model_copy(update={"token": SecretStr(secrets.token_hex(16))})
    return replace(own, service=service, sources=sources, stage=Stage.TRAINING)


def database_of(settings: Settings) -> Path:
    return settings.home / "var" / "training.db"


def _refuse(own: Settings) -> None:
    if own.production:
        raise BadConfiguration(
            "正式环境（profile: production）不能启动培训：请在另一台机器上，或用 MINGLUO_CONFIG 另指一份 profile: test 的配置"
        )
    real = sqlite_file(own.service.database_url)
    if real is not None and real.resolve() == database_of(own).resolve():
        raise BadConfiguration(
            f"MINGLUO_DATABASE_URL 指着培训库 {real}，重置会把它清空：请把正式数据换一个文件名，再启动培训"
        )


def _folder(own: Settings) -> Path:
    """Where the city's players write what they took."""
    folder = own.home / "var" / "training"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadConfiguration(f"建不了文件夹 {folder}（{error.strerror}）：请检查权限和磁盘空间") from error
    return folder


def _swept(folder: Path) -> Path:
    """Without what the players of before wrote: they know nothing of it any more."""
    shutil.rmtree(folder / "providers", ignore_errors=True)
    return folder


async def _founded(settings: Settings, place: City, screen: Screen, *, anew: bool) -> None:
    """The sample register on the first start and after a reset; what is kept is only made known to the new city."""
    if anew:
        await _empty(settings)
    await schema.ensure(settings)
    store = open_store(settings.service.database_url)
    try:
        seen = await glance(store)
    finally:
        await store.close()
    if not seen.empty:
        await acquaint(settings, place)
        return
    wish = sample.Wish(gateways_at="/gateways", endpoints_at="/platforms", residents=RESIDENTS)
    await found_city(settings, place, wish, screen)


async def _empty(settings: Settings) -> None:
    """The file goes, and comes again: what is append-only is never deleted row by row, not even here."""
    file = sqlite_file(settings.service.database_url)
    assert file == database_of(settings)
    store = open_store(settings.service.database_url)
    try:
        seen = await glance(store)
    finally:
        await store.close()
    if not seen.empty and not seen.synthetic:
        raise BadConfiguration(f"{file} 里是真实的登记册，不能清空：请把它移走，再启动培训")
    for path in (file, file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")):
        path.unlink(missing_ok=True)


async def _either(stop: asyncio.Event, asked: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(one.wait()) for one in (stop, asked)]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
