"""A dispatcher that was frozen while another took a cancel in: what it had opened does not leave after the cancel."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest

from tests.crashes import faults, letters, recording
from tests.crashes.chaos import WINDOWS, Profile
from tests.crashes.facts import Facts
from tests.crashes.judge import judge
from tests.crashes.letters import Letter, Notice
from tests.crashes.stack import FIRST, SECOND, TOKENS, Programs, Stack, standing
from tests.services import postgres, rabbitmq
from tests.services.settling import own_programs

COUNTY = "360826000000"


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_nobody_hears_the_alert_after_its_cancel_from_a_dispatcher_that_wakes(tmp_path: Path) -> None:
    programs = Programs(
        database=own_programs("PostgreSQL", postgres.programs), broker=own_programs("RabbitMQ", rabbitmq.programs)
    )
    settings = Profile(seed=1, deliveries=1, officers=700, residents=1000, rate=40, ground=(), counts={}).settings()
    players = {name: {"delay_s": 0.05} for name in ("sms", "gateway", "platform")}
    async with standing(tmp_path, programs, (700, 1000), players, **settings) as stack:
        await stack.start(FIRST)
        await stack.start(SECOND)
        alert = Notice(identifier="ZOMBIE", sent=letters.now(), colour="红", area=COUNTY)
        await _post(stack, FIRST, letters.letter(alert))
        await _opened(stack)
        stack.children[FIRST].freeze()
        await asyncio.sleep(1.1)  # a message that comes later is written at least a second later
        await _post(stack, SECOND, letters.letter(alert.followed_by("Cancel", "ZOMBIE-CANCEL", letters.now())))
        async with asyncio.timeout(faults.TAKEN_OVER_S):
            while await stack.ask(partial(faults.held, node=FIRST)):
                await asyncio.sleep(0.1)
        stack.children[FIRST].thaw()
        async with asyncio.timeout(90):
            while not await stack.ask(recording.at_rest):
                await asyncio.sleep(0.1)
        facts = await _facts(stack)
    assert [finding.what for finding in judge(facts) if finding.promise == "out of order"] == []


async def _opened(stack: Stack) -> None:
    """Waits until most of a window is opened and its calls are under way."""
    async with asyncio.timeout(60):
        while (await stack.ask(partial(faults.unsettled, node=FIRST))).get("sms", 0) < 40:
            await asyncio.sleep(0.01)


async def _post(stack: Stack, node: str, letter: Letter) -> None:
    url = f"http://{stack.grounds[node].environment['MINGLUO_LISTEN']}/api/v1/warnings"
    headers = {"Authorization": f"Bearer {TOKENS[letter.source]}", "Content-Type": letter.content_type}
    async with stack.http.post(url, data=letter.body, headers=headers) as answer:
        assert answer.status == 202, await answer.text()


async def _facts(stack: Stack) -> Facts:
    """Of the order alone."""
    ground, rows = stack.grounds[FIRST], await recording.kept(stack.store)
    return Facts(
        lines=tuple(recording.lines_in(ground.folder, await recording.serials(stack.store))),
        planned=await recording.plan_of(stack.store, ground.seal, rows),
        rows=await recording.rows_of(stack.store),
        warnings=tuple(recording.warned(row) for row in rows),
        said=(),
        kept_digests=frozenset(),
        struck=(),
        books=(),
        snapshots=(),
        windows=WINDOWS,
        terminal_after_s=0,
    )
