"""Every message of the Chinese profile comes to exactly the villages its maker wrote down."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from dispatcher.intake.decode import decode
from dispatcher.model import township_of
from dispatcher.settings import load
from tests.jian import jian_fence

HERE = Path(__file__).parent
ALERTS: list[dict[str, Any]] = json.loads((HERE / "expected.json").read_text(encoding="utf-8"))["alerts"]
HAZARDS = load({}).hazards


@pytest.mark.parametrize("expected", ALERTS, ids=[alert["file"] for alert in ALERTS])
def test_the_file_comes_to_exactly_its_villages(expected: dict[str, Any]) -> None:
    message = decode((HERE / expected["file"]).read_bytes(), "application/cap+xml", HAZARDS).message
    assert message is not None
    text = "\n".join([message.headline, message.description, *(area.description for area in message.areas)])
    found = jian_fence().resolve(message.areas, text=text, prefixes=(message.identifier[:6],))
    assert len(found.villages) == expected["expected_villages"]
    assert hashlib.sha256(",".join(found.villages).encode()).hexdigest() == expected["expected_villages_sha256"]
    assert sorted({township_of(code) for code in found.villages}) == expected["expected_townships"]
    assert set(found.villages) <= set(found.touched)
    assert found.from_text == (expected["kind"] == "textonly")
    assert (found.unknown_codes, found.outside_codes, found.unread, found.unusable) == ((), (), (), 0)


def test_all_forty_are_here() -> None:
    assert len(ALERTS) == 40
    assert {alert["file"] for alert in ALERTS} == {path.name for path in HERE.glob("cn_*.xml")}
