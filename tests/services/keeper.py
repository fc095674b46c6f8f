"""Parent of one private service: starts it, waits for its own standard input to close, ends it, removes its folder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    order = json.loads(sys.argv[1])
    identity = {} if order["user"] is None else {"user": order["user"], "group": order["group"], "extra_groups": []}
    with open(order["log"], "wb") as log:
        service = subprocess.Popen(
            order["argv"], env=order["environment"], cwd=order["folder"], stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, start_new_session=True, **identity,
        )  # fmt: skip
    try:
        sys.stdin.buffer.read()
    finally:
        end(service, getattr(signal, order["stop_signal"]))
        if order["afterwards"]:
            subprocess.run(order["afterwards"], env=order["environment"], capture_output=True, timeout=10, check=False)
        shutil.rmtree(order["folder"], ignore_errors=True)


def end(service: subprocess.Popen[bytes], first: signal.Signals) -> None:
    service.send_signal(first)
    try:
        service.wait(timeout=20)
    except subprocess.TimeoutExpired:
        os.killpg(service.pid, signal.SIGKILL)
        service.wait(timeout=10)


if __name__ == "__main__":
    main()
