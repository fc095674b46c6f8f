"""Parent of one private service: starts it, ends it and removes its folder when its own standard input closes.

Until then every line it reads is an order for whoever tests an accident (kill, freeze, thaw, quit, start); it answers each
with a line when it is done. It must never outlive us, nor leave a process of the service behind.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

LAST_S = 20


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    order = json.loads(sys.argv[1])
    service = begin(order)
    try:
        for line in sys.stdin:
            service = obey(line.strip(), service, order)
            print("done", flush=True)
    finally:
        signal_all(service.pid, signal.SIGCONT)
        end(service, getattr(signal, order["stop_signal"]))
        if order["afterwards"]:
            subprocess.run(order["afterwards"], env=order["environment"], capture_output=True, timeout=10, check=False)
        shutil.rmtree(order["folder"], ignore_errors=True)


def begin(order: Mapping[str, Any]) -> subprocess.Popen[bytes]:
    identity = {} if order["user"] is None else {"user": order["user"], "group": order["group"], "extra_groups": []}
    with open(order["log"], "ab") as log:
        return subprocess.Popen(
            order["argv"], env=order["environment"], cwd=order["folder"], stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, start_new_session=True, **identity,
        )  # fmt: skip


def obey(verb: str, service: subprocess.Popen[bytes], order: Mapping[str, Any]) -> subprocess.Popen[bytes]:
    match verb:
        case "start":
            return begin(order)
        case "kill":
            signal_all(service.pid, signal.SIGKILL)
            service.wait()
        case "quit":
            service.send_signal(signal.SIGQUIT)
            service.wait(timeout=LAST_S)
        case "freeze":
            signal_all(service.pid, signal.SIGSTOP)
        case "thaw":
            signal_all(service.pid, signal.SIGCONT)
        case other:
            raise ValueError(f"no such order: {other}")
    return service


def signal_all(pid: int, number: signal.Signals) -> None:
    """The process and all it brought forth: PostgreSQL's are each in a session of their own."""
    for one in [pid, *offspring(pid)]:
        try:
            os.kill(one, number)
        except ProcessLookupError:
            continue


def offspring(pid: int) -> list[int]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            born = [int(one) for one in file.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return born + [later for one in born for later in offspring(one)]


def end(service: subprocess.Popen[bytes], first: signal.Signals) -> None:
    service.send_signal(first)
    try:
        service.wait(timeout=LAST_S)
    except subprocess.TimeoutExpired:
        os.killpg(service.pid, signal.SIGKILL)
        service.wait(timeout=10)


if __name__ == "__main__":
    main()
