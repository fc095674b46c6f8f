"""The first thing anybody sees: `mingluo demo` delivers to everybody, proves it, and shows it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from dispatcher.settings import PROJECT

pytestmark = pytest.mark.timeout(240)

KEYS = {
    "warning_id", "officers", "planned", "sent", "delivered", "failed", "answered", "lost", "duplicates", "resolve_ms",
    "accept_to_first_send_ms", "accept_to_last_send_ms", "messages_per_s", "report",
}  # fmt: skip
PHONE = re.compile(rb"154\d{8}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A demo that has been run."""

    code: int
    facts: dict[str, Any]
    out: str
    told: str

    @property
    def folder(self) -> Path:
        return Path(self.facts["report"]).parent


def _demo(*arguments: str) -> Shown:
    """In an environment that would lead it astray, and that says nothing of an encoding."""
    hostile = {
        "MINGLUO_DATABASE_URL": "postgresql+asyncpg://nobody@203.0.113.1/nothing",
        "MINGLUO_LISTEN": "0.0.0.0:80",
        "MINGLUO_PROFILE": "production",
        "MINGLUO_CHANNELS__SMS__ALIYUN__BASE_URL": "https://dysmsapi.aliyuncs.com",
        "MINGLUO_CHANNELS__SMS__TWILIO__BASE_URL": "https://api.twilio.com",
    }
    kept = {name: value for name, value in os.environ.items() if name not in ("LANG", "LC_ALL", "LC_CTYPE")}
    ran = subprocess.run(
        [sys.executable, "-m", "dispatcher", "demo", "--json", *arguments],
        env={**kept, **hostile}, cwd=PROJECT, capture_output=True, encoding="utf-8", timeout=220, check=False,
    )  # fmt: skip
    lines = ran.stdout.splitlines()
    return Shown(code=ran.returncode, facts=json.loads(lines[-1]) if lines else {}, out=ran.stdout, told=ran.stderr)


@pytest.fixture(scope="module")
def shown() -> Iterator[Shown]:
    demo = _demo("--officers", "700", "--residents", "50")
    assert demo.facts, demo.told
    yield demo
    shutil.rmtree(demo.folder)


def test_everybody_is_told_and_nothing_is_lost_or_doubled(shown: Shown) -> None:
    assert shown.code == 0, shown.told
    assert shown.facts.keys() >= KEYS
    assert shown.facts["planned"] == shown.facts["sent"] == shown.facts["delivered"]
    assert shown.facts["planned"]["sms"] > 1_700
    assert shown.facts["planned"]["broadcast"] > 240
    assert shown.facts["planned"]["party"] == 13
    assert (shown.facts["lost"], shown.facts["duplicates"], shown.facts["unplanned"]) == (0, 0, 0)
    assert shown.facts["informants"] == 700
    assert shown.facts["answered"] == 0


def test_standard_output_is_the_json_alone_and_the_story_has_no_colour_codes(shown: Shown) -> None:
    assert len(shown.out.splitlines()) == 1
    assert shown.out.isascii()
    assert "\x1b" not in shown.told
    assert "合成数据" in shown.told
    for command in ("xdg-open", "make demo ARGS=--serve", "make serve"):
        assert command in shown.told


def test_a_polygon_tells_only_those_inside_and_says_why_the_nearest_were_left_alone(shown: Shown) -> None:
    second = shown.facts["second"]
    assert 0 < second["informants"] < 30
    assert second["planned"] == second["delivered"] > 0
    assert len(second["outside"]) == 3
    assert all(one["km"] > 0 and one["why"].startswith("未通知：") for one in second["outside"])
    assert f"灾害信息员 700 → {second['informants']}" in shown.told
    assert shown.told.count("未通知，因为") == 3


def test_the_report_stands_alone_and_says_what_it_is(shown: Shown) -> None:
    page = Path(shown.facts["report"]).read_text(encoding="utf-8")
    assert not re.search(r"""(?:src|href)\s*=|@import|url\(|\bfetch\(|XMLHttpRequest|https?://""", page)
    assert "示意图" in page
    assert "合成数据" in page
    assert page.count('class="time"') == 2
    night = json.loads(page.partition('id="night">')[2].partition("</script>")[0])
    assert [max(one["delivered"]) for one in night["warnings"]] == [
        sum(shown.facts["delivered"].values()),
        shown.facts["second"]["delivered"],
    ]
    assert (shown.folder / "report.txt").read_text(encoding="utf-8").count("吉州区") == 1


def test_the_map_is_an_svg_of_every_township_and_village(shown: Shown) -> None:
    drawn = ElementTree.parse(shown.folder / "map.svg").getroot()  # our own file
    kinds = [element.attrib.get("class", "").split(" ")[0] for element in drawn.iter()]
    assert kinds.count("town") == 252
    assert kinds.count("county") == 13
    assert kinds.count("v") == 2_967


@pytest.mark.long
def test_no_phone_number_reaches_the_log_the_report_or_the_screen(shown: Shown) -> None:
    files = [*shown.folder.glob("*.log"), *shown.folder.glob("report.*"), shown.folder / "map.svg"]
    assert len(files) >= 4
    assert [file.name for file in files if PHONE.search(file.read_bytes())] == []
    assert not PHONE.search(shown.told.encode())
    assert PHONE.search((shown.folder / "providers" / "aliyun.jsonl").read_bytes()), (
        "the check looks for the wrong thing"
    )


def _audit(shown: Shown, folder: Path) -> tuple[int, dict[str, Any]]:
    ran = subprocess.run(
        [sys.executable, "-m", "dispatcher.rehearsal.audit", str(folder), str(shown.folder / "mingluo.db")],
        cwd=PROJECT, capture_output=True, encoding="utf-8", timeout=60, check=False,
    )  # fmt: skip
    return ran.returncode, json.loads(ran.stdout)


@pytest.mark.long
def test_the_audit_sees_a_line_that_is_missing_one_that_is_doubled_and_one_nobody_planned(
    shown: Shown, tmp_path: Path
) -> None:
    logs = tmp_path / "providers"
    shutil.copytree(shown.folder / "providers", logs)
    assert _audit(shown, logs)[0] == 0
    lines = (logs / "aliyun.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    stranger = json.dumps({**json.loads(lines[5]), "recipient": "+8615499999999"}) + "\n"
    (logs / "aliyun.jsonl").write_text(
        "".join([*lines[3:], lines[7], lines[7], stranger, '{"cut": ']), encoding="utf-8"
    )
    code, found = _audit(shown, logs)
    assert code == 1
    assert (found["lost"], found["duplicates"], found["unplanned"]) == (3, 2, 1)
    assert len(found["lost_targets"]) == 3


@pytest.mark.long
def test_a_warning_long_past_gets_its_honest_verdict_and_the_demo_ends_with_one() -> None:
    demo = _demo("--officers", "700", "--residents", "0", "--warning", "tests/cap/cn_16_city.xml")
    assert demo.code == 1
    assert demo.facts["verdict"] == "reject"
    assert demo.facts["code"] == 209
    assert "已过有效期" in demo.told


@pytest.mark.long
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--warning", "/nowhere/at/all.xml"), "读不到 /nowhere/at/all.xml"),
        (("--officers", "3"), "灾害信息员人数应在"),
    ],
)
def test_what_a_person_can_mend_is_one_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    demo = _demo(*arguments)
    assert demo.code == 1
    assert sentence in demo.told.splitlines()[-1]
    assert "Traceback" not in demo.told
