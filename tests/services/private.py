"""Private services: each has a keeper process as its parent, which ends it and removes its folder when we are gone.

However the test run ends (finished, Ctrl-C, kill -9), the keeper's standard input closes, and that is its signal.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tests.services.waiting import wait_until

T = TypeVar("T")
_MEMORY = "/dev/shm"
_ROOM = 4 * 2**30


class CannotStart(Exception):
    """Says what did not start, and the last lines of its log."""


class Kept:
    def __init__(
        self,
        *,
        argv: list[str],
        environment: dict[str, str],
        folder: Path,
        stop_signal: str,
        user: int | None = None,
        group: int | None = None,
        afterwards: list[str] | None = None,
    ) -> None:
        self._log = folder / "server.log"
        order = {
            "argv": argv,
            "environment": environment,
            "folder": str(folder),
            "log": str(self._log),
            "user": user,
            "group": group,
            "stop_signal": stop_signal,
            "afterwards": afterwards or [],
        }
        self._keeper = subprocess.Popen(
            [sys.executable, "-I", str(Path(__file__).with_name("keeper.py")), json.dumps(order)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def wait_for(self, ask: Callable[[], T | None], name: str, limit_s: float) -> T:
        answers: list[T] = []

        def settled() -> bool:
            if (answer := ask()) is not None:
                answers.append(answer)
            return bool(answers) or self._keeper.poll() is not None

        if wait_until(settled, limit_s) and answers:
            return answers[0]
        log = self._log.read_text(errors="replace").splitlines()[-5:] if self._log.exists() else []
        self.stop()
        raise CannotStart(f"{name} 没有启动：" + " | ".join(log))

    def order(self, verb: str) -> None:
        """kill, freeze, thaw, quit or start (see the keeper); returns when it is done."""
        assert self._keeper.stdin is not None
        assert self._keeper.stdout is not None
        self._keeper.stdin.write(f"{verb}\n".encode())
        self._keeper.stdin.flush()
        if self._keeper.stdout.readline() != b"done\n":
            raise CannotStart(f"the keeper did not obey: {verb}")

    def stop(self) -> None:
        if self._keeper.stdin is not None:
            self._keeper.stdin.close()
        self._keeper.wait(timeout=60)
        if self._keeper.stdout is not None:
            self._keeper.stdout.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def new_folder(name: str, *, in_memory: bool = False) -> Path:
    """Under /tmp, because another user must be able to walk there, whatever TMPDIR says; in memory where there is room."""
    outer = Path(tempfile.mkdtemp(prefix=f"mingluo-test-{name}-", dir=_MEMORY if in_memory and _roomy() else "/tmp"))
    outer.chmod(0o700)
    return outer


def _roomy() -> bool:
    return os.access(_MEMORY, os.W_OK | os.X_OK) and shutil.disk_usage(_MEMORY).free >= _ROOM
