"""A page's picture is as wide as was asked, in light and dark, and stands in the index."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests.browser.browsing import PHONE, Browsing
from tests.browser.night import Night
from tests.browser.screenshots import index, taken, wished
from tests.browser.tour import VISITS

pytestmark = pytest.mark.long


async def test_a_page_is_stored_in_its_size_in_light_and_dark(
    the_night: Night, browsing: Browsing, tmp_path: Path
) -> None:
    wish, _ = wished(["--only", "sign-in", "--size", "390x844", "--fold"])
    names = await taken(browsing, the_night, wish, tmp_path)
    assert names == ["sign-in-390x844-light.png", "sign-in-390x844-dark.png"]
    pictures = [(tmp_path / name).read_bytes() for name in names]
    assert {struct.unpack(">II", one[16:24]) for one in pictures} == {(PHONE["width"], PHONE["height"])}
    assert pictures[0] != pictures[1]
    shown = index(tmp_path).read_text(encoding="utf-8")
    assert all(f'src="{name}"' in shown for name in names)


async def test_nothing_said_is_every_page_and_a_name_is_all_who_see_it() -> None:
    everything, _ = wished([])
    assert len(everything) == len(VISITS) * 6
    front, _ = wished(["--only", "front"])
    assert {visit.name for visit in front.visits} > {"front-duty_officer", "front-auditor"}
    with pytest.raises(SystemExit):
        wished(["--only", "nowhere"])
