"""The rehearsal as a process of its own: it says where it is, and leaves no orphan."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

ROOT = Path(__file__).parents[2]
PLAYERS = {f"{player}{side}" for player in ("sms", "aliyun", "gateway", "platform") for side in ("", "_drill")}
"""For what is real, and for drills."""


async def started(folder: Path, *more: str, stdin: int | None = PIPE) -> Process:
    arguments = ("-m", "dispatcher.rehearsal", "--dir", str(folder), *more)
    return await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=ROOT, stdin=stdin, stdout=PIPE, stderr=PIPE
    )


async def said(process: Process) -> dict[str, Any]:
    assert process.stdout is not None
    async with asyncio.timeout(30):
        found: dict[str, Any] = json.loads(await process.stdout.readline())
    return found


async def ended(process: Process) -> int:
    async with asyncio.timeout(10):
        await process.communicate()
    assert process.returncode is not None
    return process.returncode


async def test_it_says_where_it_plays_and_ends_on_sigterm(tmp_path: Path) -> None:
    process = await started(tmp_path, "--faults", '{"sms": {"delay_s": 0.01}}')
    ready = await said(process)
    assert set(ready["ports"]) == PLAYERS
    assert ready["pid"] == process.pid
    async with ClientSession() as session:
        for port in ready["ports"].values():
            async with session.get(f"http://127.0.0.1:{port}/_rehearsal/stats") as answer:
                assert answer.status == 200
    process.send_signal(signal.SIGTERM)
    assert await ended(process) == 0
    assert {file.name for file in tmp_path.iterdir()} == {f"{player}.jsonl" for player in PLAYERS}


async def test_it_ends_when_its_parent_is_gone(tmp_path: Path) -> None:
    process = await started(tmp_path)
    await said(process)
    assert process.stdin is not None
    process.stdin.close()
    assert await ended(process) == 0


async def test_an_empty_standard_input_is_no_dead_parent(tmp_path: Path) -> None:
    process = await started(tmp_path, stdin=asyncio.subprocess.DEVNULL)
    ready = await said(process)
    url = f"http://127.0.0.1:{ready['ports']['sms']}/_rehearsal/stats"
    async with ClientSession() as session, session.get(url) as answer:
        assert answer.status == 200
    process.send_signal(signal.SIGINT)
    assert await ended(process) == 0


@pytest.mark.parametrize("faults", ['{"pigeon": {}}', '{"sms": {"refuse": 7}}', "{"])
async def test_wrong_arguments_are_named(tmp_path: Path, faults: str) -> None:
    process = await started(tmp_path, "--faults", faults)
    async with asyncio.timeout(30):
        _, errors = await process.communicate()
    assert process.returncode == 2
    assert "参数有误" in errors.decode()
