"""The key, the lock and the numbers: what must be right before anything is sealed, opened or numbered."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dispatcher.service.keys import Occupied, key_file, prove, seal_of, sole_process
from dispatcher.settings import PROJECT, BadConfiguration, Settings
from dispatcher.store import nodes
from dispatcher.store.engine import Store
from dispatcher.store.sealed import Seal, WrongKey
from tests.city import NOW, settings


def _settings(folder: Path, **more: str) -> Settings:
    return settings(MINGLUO_DATABASE_URL=f"sqlite+aiosqlite:///{folder}/a.db", **more)


def test_the_test_profile_makes_its_key_once_and_keeps_it_to_itself(tmp_path: Path) -> None:
    ours = _settings(tmp_path)
    sealed = seal_of(ours).seal("x")
    assert seal_of(ours).open(sealed) == "x"
    assert key_file(ours).stat().st_mode & 0o777 == 0o600


def test_a_key_others_can_read_is_refused_with_the_command_to_type(tmp_path: Path) -> None:
    ours = _settings(tmp_path)
    seal_of(ours)
    os.chmod(key_file(ours), 0o644)
    with pytest.raises(BadConfiguration, match="chmod 600"):
        seal_of(ours)


@pytest.mark.parametrize("key", ["zz" * 32, "00" * 8])
def test_a_key_of_the_wrong_shape_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises((BadConfiguration, WrongKey)):
        seal_of(_settings(tmp_path, MINGLUO_SEAL_KEY=key))


@pytest.mark.long
async def test_another_key_than_the_databases_own_stops_the_start(store: Store) -> None:
    await prove(store, Seal(bytes(32)))
    await prove(store, Seal(bytes(32)))
    with pytest.raises(WrongKey):
        await prove(store, Seal(b"1" * 32))


@pytest.mark.long
def test_a_second_process_on_one_sqlite_file_is_told_so(tmp_path: Path) -> None:
    ours = _settings(tmp_path)
    hold = (
        "import sys; from dispatcher.service.keys import sole_process; from dispatcher.settings import load\n"
        f"with sole_process(load({{'MINGLUO_DATABASE_URL': 'sqlite+aiosqlite:///{tmp_path}/a.db'}})):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold], cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(Occupied, match="已有一个"), sole_process(ours):
            pass
        other.communicate("")
    with sole_process(ours):
        pass


async def test_numbers_are_never_given_twice(store: Store) -> None:
    async def take() -> int:
        async with store.begin() as tx:
            return await nodes.reserve(tx, "ebd", 3)

    firsts = await asyncio.gather(*(take() for _ in range(10)))
    assert sorted(firsts) == [1 + 3 * number for number in range(10)]


async def test_every_start_of_a_node_is_a_new_epoch(store: Store) -> None:
    epochs = []
    for name in ("a", "a", "b"):
        async with store.begin() as tx:
            epochs.append(await nodes.enter(tx, name, NOW))
    assert epochs == [1, 2, 1]
