"""What a running service is made of: here, the event code that a loudspeaker's packet bears."""

from __future__ import annotations

import pytest

from dispatcher.intake.canonical import to_json
from dispatcher.model import Hazard
from dispatcher.service.assembly import ANY_EVENT, event_code_of
from tests.city import red, settings

HAZARDS = settings().hazards


@pytest.mark.parametrize(
    ("scheme", "code", "name", "packed"),
    [
        ("NERP", "11B03", "暴雨", "11B03"),
        ("GBT35561", "10203", "暴雨", "11B03"),
        ("GBT35561", "21801", "核设施事故", "21801"),
        ("GBT35561", "90000", "危险化学品泄漏", "90000"),
        ("NERP", "11Z99", "昨天还在表里", "11Z99"),
        ("", "", "没有代码", ANY_EVENT),
    ],
)
def test_a_packet_bears_the_code_of_the_hazard_by_whichever_family_it_was_named(
    scheme: str, code: str, name: str, packed: str
) -> None:
    said = to_json(red(hazard=Hazard(scheme=scheme, code=code, name=name)))
    assert event_code_of(HAZARDS, said) == packed


def test_a_warning_of_no_known_hazard_bears_the_code_for_any() -> None:
    assert event_code_of(HAZARDS, to_json(red(hazard=None))) == ANY_EVENT
