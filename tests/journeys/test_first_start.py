"""The first `mingluo serve`: a new database of one's own machine gets a synthetic city, loudly; no other is touched."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from dispatcher.settings import PROJECT
from tests.journeys.stages import environment, of_production

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]
LIMIT_S = 120
LOADS = "现在装入一座【合成】的吉安市"
IS_EMPTY = "登记册是空的，谁也通知不到"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Of a service that was started and stopped."""

    out: str
    err: str


def _ran(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dispatcher", *arguments], env=_at(folder, more), cwd=PROJECT, capture_output=True,
        encoding="utf-8", timeout=LIMIT_S, check=False,
    )  # fmt: skip


def _served(folder: Path, *arguments: str, **more: str) -> Said:
    """Until it is ready, and then no longer."""
    with (folder / "err").open("w+", encoding="utf-8") as err:
        with subprocess.Popen(
            [sys.executable, "-m", "dispatcher", "serve", *arguments], env=_at(folder, more), cwd=PROJECT,
            stdout=subprocess.PIPE, stderr=err, encoding="utf-8",
        ) as process:  # fmt: skip
            assert process.stdout is not None
            said: list[str] = []
            try:
                while "已就绪" not in "".join(said[-1:]) and (line := process.stdout.readline()):
                    said.append(line)
                process.send_signal(signal.SIGTERM)
                assert process.wait(LIMIT_S) == 0
            finally:
                process.kill()
        err.seek(0)
        return Said(out="".join(said), err=err.read())


def _at(folder: Path, more: dict[str, str]) -> dict[str, str]:
    own = {"MINGLUO_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/mingluo.db", "MINGLUO_LISTEN": "127.0.0.1:0"}
    return environment(**own, **more)


def test_a_new_database_gets_a_synthetic_city_once_and_says_so(tmp_path: Path) -> None:
    first = _served(tmp_path)
    assert first.err.count(LOADS) == 1
    for said in ("通知不到任何真实的人", "mingluo serve --empty", "生成吉安市登记册（合成数据）"):
        assert said in first.err, said
    assert "合成数据（人员、号码、设备和乡村边界是虚构的" in first.out
    assert IS_EMPTY not in first.err
    again = _served(tmp_path)
    assert LOADS not in again.err
    assert "合成数据" in again.out


def test_told_to_stay_empty_it_does_and_once_there_is_an_account_for_good(tmp_path: Path) -> None:
    told = _served(tmp_path, "--empty")
    assert (LOADS in told.err, IS_EMPTY in told.err) == (False, True)
    assert _ran(tmp_path, "account", "add", "chief", "管理", "--role", "administrator").returncode == 0
    kept = _served(tmp_path)
    assert (LOADS in kept.err, IS_EMPTY in kept.err) == (False, True)


def test_production_never_loads_it(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    real = of_production(tmp_path / "config")
    migrated = _ran(tmp_path, "migrate", **real)
    assert migrated.returncode == 0, migrated.stderr
    said = _served(tmp_path, **real)
    assert (LOADS in said.err, IS_EMPTY in said.err) == (False, True)


def test_a_training_has_a_city_of_its_own_and_takes_no_such_wish(tmp_path: Path) -> None:
    ran = _ran(tmp_path, "serve", "--training", "--empty")
    assert (ran.returncode, "请去掉 --empty" in ran.stderr) == (2, True)
