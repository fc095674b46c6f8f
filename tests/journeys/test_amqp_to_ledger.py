"""The README's ten lines publish a CAP file to RabbitMQ; the service consumes it and its ledger on PostgreSQL shows it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from dispatcher.settings import PROJECT
from dispatcher.store import ledger, warnings
from dispatcher.store.engine import Store, open_store
from tests.crashes import harness
from tests.crashes.test_kill_nine import red_for_the_city
from tests.house.test_texts import script as the_script


@pytest.mark.long
@pytest.mark.timeout(120)
async def test_a_cap_file_published_to_rabbitmq_stands_in_the_ledger(
    postgres_url: str, rabbit_url: str, tmp_path: Path
) -> None:
    publish, cap = tmp_path / "publish.py", tmp_path / "red.xml"
    publish.write_text(the_script(), encoding="utf-8")
    cap.write_bytes(red_for_the_city())
    async with harness.city(tmp_path, {}) as played:
        ground = await harness.ground(postgres_url, tmp_path, played, 700, MINGLUO_BROKER_URL=rabbit_url)
        child = await ground.start()
        await ground.ready()
        store = open_store(postgres_url)
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, str(publish), rabbit_url, str(cap)), cwd=PROJECT
            )
            assert await process.wait() == 0
            await _delivered(store)
            assert await child.end() == 0
        finally:
            await store.close()


async def _delivered(store: Store) -> None:
    """Waits until the one warning is completed with every row delivered."""
    async with asyncio.timeout(60):
        while True:
            async with store.read() as tx:
                rows = await warnings.latest(tx)
                counted = await ledger.counts(tx, rows[0].id) if rows else []
            if rows and rows[0].state == "completed":
                break
            await asyncio.sleep(0.1)
    assert {count.state.label for count in counted} == {"delivered"}
    assert {count.channel for count in counted} == {"sms", "broadcast", "party"}
    assert rows[0].door == "amqp"
