"""Whatever a loudspeaker was told, a later version or the cancel silences at that very loudspeaker, by its own number."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from dispatcher.model import BEIJING
from dispatcher.rehearsal.server import Options, playing
from tests.browser.standing import SENT, TWILIO_TOKEN, House, cap, code, filled, standing
from tests.journeys.test_http_warning_lands import completed

HERE, THERE = "360827102", "360827103"
LEDGER = "gateway.jsonl"


def naming(*identifiers: str) -> str:
    sent = SENT.astimezone(BEIJING).isoformat()
    return f"<references>{' '.join(f'36080041600000,{one},{sent}' for one in identifiers)}</references>"


async def issued(house: House, identifier: str, **changes: str) -> str:
    status, said, _ = await house.post(cap(identifier, **changes))
    assert status == 202, said
    await completed(house, said["warning_id"])
    return str(said["warning_id"])


@pytest.mark.timeout(180)
async def test_what_any_version_played_is_stopped_where_it_played(tmp_path: Path) -> None:
    async with playing(Options(folder=tmp_path, account="AC1", token=TWILIO_TOKEN)) as city:
        url = await filled(tmp_path / "mingluo.db", 500, city.url("gateway"), city.url("platform"))
        no_party = {"MINGLUO_CHANNELS__SMS__TWILIO__BASE_URL": city.url("sms")}
        roles = frozenset({"web", "send", "timers"})
        async with standing(url, roles=roles, **no_party) as house:
            first = await issued(house, "36080041600000_1", where=code(HERE) + code(THERE))
            second = await issued(
                house, "36080041600000_2", kind="Update", where=code(HERE), references=naming("36080041600000_1")
            )
            silent_after_the_update = _stopped(tmp_path)
            await issued(house, "36080041600000_3", kind="Cancel", references=naming("36080041600000_2"))
            versions = [first, second]
            _, pushed, _ = await house.text(f"/api/v1/gateways/{_some_gateway(tmp_path)}/commands")
    packets = _packets(tmp_path)
    played, stopped = defaultdict(set), defaultdict(set)
    for packet in packets:
        if packet["kind"] == "issue":
            played[packet["recipient"]].add(packet["ebm_id"])
        else:
            stopped[packet["recipient"]].add(packet["cancels"])
    assert {len(ids) for ids in played.values()} == {1, 2}, "some heard both versions, some the first alone"
    assert stopped == played
    assert silent_after_the_update == set(played), "the others play the new version, whoever is outside plays nothing"
    numbers = [(packet["recipient"], packet["ebm_id"]) for packet in packets]
    assert len(numbers) == len(set(numbers)), "no number is used twice"
    assert len({packet["key"] for packet in packets}) == len(packets)
    commands = [json.loads(line) for line in pushed.splitlines()]
    assert {line["warning_id"] for line in commands} >= set(versions[:1])
    questions = [line for line in commands if line["packet"] == "question"]
    assert questions
    assert all("EBMStateRequest" in line["trace"] for line in questions)
    assert commands == sorted(commands, key=lambda line: line["started"])


def _packets(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / LEDGER).read_text("utf-8").splitlines()]


def _stopped(folder: Path) -> set[str]:
    """Loudspeakers that were told to stop something."""
    return {packet["recipient"] for packet in _packets(folder) if packet["kind"] != "issue"}


def _some_gateway(folder: Path) -> str:
    return str(_packets(folder)[0]["gateway"])
