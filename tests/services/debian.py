"""Installs what is missing from Debian's packages, when we are root: says first what and how much, then each step."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

_POLICY = Path("/usr/sbin/policy-rc.d")
_ENVIRONMENT = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}


class CannotInstall(Exception):
    """One sentence and the command to type."""


def install(packages: tuple[str, ...]) -> None:
    command = f"apt-get install {' '.join(packages)}"
    if shutil.which("apt-get") is None:
        raise CannotInstall(f"缺少 {'、'.join(packages)}，本机没有 apt-get：请用本机的软件包工具安装后重试")
    if os.geteuid() != 0:
        raise CannotInstall(f"缺少 {'、'.join(packages)}：请运行 sudo {command}")
    _step("apt-get update", ["apt-get", "-q", "update"], command)
    plan = _apt(["apt-get", "-q", "--assume-no", "--no-install-recommends", "install", *packages])
    sizes = re.findall(r"(?:Need to get|After this operation,) ([\d.,]+ \w?B)", plan.stdout)
    if not sizes:
        raise CannotInstall(f"apt-get 找不到 {'、'.join(packages)}：请联网后运行 {command}")
    _say(f"将安装 Debian 软件包 {'、'.join(packages)} 及其依赖：下载与占用 {'，'.join(sizes)}")
    with _nothing_starts_by_itself():
        _step(
            f"安装 {'、'.join(packages)}（{sizes[-1]}）",
            ["apt-get", "-q", "-y", "--no-install-recommends", "install", *packages],
            command,
        )


def _step(name: str, argv: list[str], command: str) -> None:
    began = time.monotonic()
    _say(f"  {name} …")
    done = _apt(argv)
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise CannotInstall(f"{name} 失败（{' '.join(last)}）：请联网后运行 {command}")
    _say(f"  {name}：{time.monotonic() - began:.0f} 秒")


def _apt(argv: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv, env=_ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
    )


@contextlib.contextmanager
def _nothing_starts_by_itself() -> Iterator[None]:
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
