"""What a player took, one JSON line each, on disk before it answers: the other half of every count of lost and doubled.

It must survive the death of the service under test, and of this process between two lines.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path


class Log:
    """One file, only appended to. A line: at, recipient, key (the delivery key, or what stands for it), digest, text …"""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._clock = clock
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, *, recipient: str, key: str, text: str, **more: object) -> None:
        at = datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds")
        line = {"at": at, "recipient": recipient, "key": key, "digest": digest(text), **more, "text": text}
        os.write(self._file, json.dumps(line, ensure_ascii=False).encode() + b"\n")

    def close(self) -> None:
        os.close(self._file)


def digest(text: str) -> str:
    """Names a content: 16 hex digits of its SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
