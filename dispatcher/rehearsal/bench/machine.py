"""On what it was measured: said beside every figure, because a figure without its machine is worth nothing."""

from __future__ import annotations

import os
import platform
import sqlite3
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from dispatcher.model import BEIJING
from dispatcher.rehearsal.bench import servers
from dispatcher.rehearsal.bench.orders import BenchFailed
from dispatcher.rehearsal.bench.servers import Servers
from dispatcher.settings import PROJECT

PACKAGES: Final = ("aiohttp", "sqlalchemy", "asyncpg", "aio-pika", "twilio")


async def described(given: Servers) -> dict[str, Any]:
    return {
        "at": datetime.now(UTC).astimezone(BEIJING).isoformat(timespec="seconds"),
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024**2,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "load_before": [round(one, 2) for one in os.getloadavg()],
        "sqlite": sqlite3.sqlite_version,
        "postgresql": await servers.durability(given.postgres) if given.postgres else None,
        "packages": {name: version(name) for name in PACKAGES},
        "provider": "本机另一进程里的 HTTP 服务；结果是同一次运行里的比值，绝对值只说明这台机器",
    }


def new_folder() -> Path:
    """var/bench/<time> of the project: on the disk the service itself would stand on."""
    root = PROJECT / "var" / "bench"
    name = datetime.now(UTC).astimezone(BEIJING).strftime("%Y%m%d-%H%M%S")
    for number in range(1, 100):
        folder = root / (name if number == 1 else f"{name}-{number}")
        if not folder.exists():
            return folder
    raise BenchFailed(f"{root} 里同名的文件夹太多：请删去一些")


def _processor() -> str:
    """Its own name for itself, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
