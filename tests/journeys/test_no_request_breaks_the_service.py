"""Thousands of requests made from the published document, hostile ones among them: none is answered by an error of ours, and
what asks for a person or a token is done for nobody without.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dispatcher.accounts.authority import AccountRole
from dispatcher.accounts.entering import form_key
from tests.browser.standing import TOKEN, House, cap, code, filled, standing
from tests.dispatcher.persons import Hands, office

CASES = 5000
NEVER = ("live", "signOut", "endOthers", "changePassword", "resetAccount", "disableAccount", "changeAccount", "ready")
"""A stream without end; what ends the very session that asks; and readiness, whose 503 says that this house has no SMS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asks:
    """Who asks, what by, and how many requests for each operation."""

    name: str
    headers: dict[str, str]
    checks: str
    phases: str
    examples: int


async def asks(house: House) -> list[Asks]:
    there = office(house.context.store, Hands(datetime.now(UTC)))
    found = [
        Asks(
            name="source",
            headers={"Authorization": f"Bearer {TOKEN}"},
            checks="not_a_server_error,ignored_auth",
            phases="examples,coverage,fuzzing",
            examples=25,
        )
    ]
    for role in (AccountRole.DUTY_OFFICER, AccountRole.APPROVER, AccountRole.ADMINISTRATOR):
        await there.person(role.value.replace("_", "-"), role)
        token = await there.session(role.value.replace("_", "-"))
        headers = {"Cookie": f"mingluo={token}", "X-Form-Key": form_key(token), "Sec-Fetch-Site": "same-origin"}
        phases = "fuzzing" if role is AccountRole.APPROVER else "coverage,fuzzing"
        found.append(Asks(name=role, headers=headers, checks="not_a_server_error", phases=phases, examples=6))
    return found


async def run(house: House, one: Asks, report: Path, measured: Callable[[str], None]) -> dict[str, Any]:
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{house.url}/api/openapi.json"]
    command += ["--checks", one.checks, "--max-examples", str(one.examples), "--continue-on-failure"]
    command += ["--phases", one.phases, "--report", "json", "--report-json-path", str(report)]
    command += ["--request-timeout", "20", "--generation-database", "none"]
    for name, value in one.headers.items():
        command += ["-H", f"{name}: {value}"]
    for name in NEVER:
        command += ["--exclude-operation-id", name]
    environment = {**os.environ, "PYTHONUTF8": "1"}
    running = await asyncio.create_subprocess_exec(
        *command, cwd=report.parent, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await running.communicate()
    (report.parent / f"{one.name}.log").write_bytes(said)
    assert report.exists(), said.decode(errors="replace")[-3000:]
    found: dict[str, Any] = json.loads(report.read_text())
    assert running.returncode == 0, said.decode(errors="replace")[-6000:]
    measured(f"{one.name}：{_cases(found)} 例")
    return found


def _cases(report: dict[str, Any]) -> int:
    return int(report["test_cases"]["generated"])


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_five_thousand_requests_made_from_the_document(tmp_path: Path, measured: Callable[[str], None]) -> None:
    url = await filled(tmp_path / "mingluo.db", 700, "http://127.0.0.1:9", "http://127.0.0.1:9")
    async with standing(url, MINGLUO_PER_ADDRESS="100000") as house:  # a request turned away unseen would test nothing
        await house.post(cap(where=code("360827102")))
        done = 0
        for number, one in enumerate(await asks(house)):
            done += _cases(await run(house, one, tmp_path / f"{number}.json", measured))
        assert done >= CASES
        status, said, _ = await house.post(cap("after", where=code("360827103")))
        assert (status, said["verdict"]) == (202, "accept"), "and it still takes a warning in"
