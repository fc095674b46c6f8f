"""Drills by the command line: at the desk everybody hears and nothing leaves the machine; in the field the listed alone."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from channels.text import is_drill, unsigned
from dispatcher.model import BEIJING
from dispatcher.rehearsal.server import City, Options, playing
from dispatcher.settings import PROJECT
from dispatcher.store.registry import opening
from tests.browser.standing import DRILL_TOKEN, SEAL, TOKEN, House, filled, standing
from tests.journeys.test_http_warning_lands import ACCOUNT, secrets_of
from tests.journeys.test_http_warning_lands import TOKEN as CITY_TOKEN

PLAYERS = ("aliyun", "sms", "gateway", "platform")
DRILL_SECRET = "whsec_" + "ZHJpbGw0" * 4
"""What we share with the platform for drills."""

pytestmark = pytest.mark.timeout(180)
LEAK = "park-chemical-leak"
TOWN, COUNTY = "360822105", "360822"
"""金滩镇, downwind of the leak, until the wind turns; 吉水县."""
PHONE = re.compile(r"154\d{8}")
LIMIT_S = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    code: int
    out: str
    told: str

    @property
    def facts(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out.splitlines()[-1])
        return found


async def drill(*arguments: str, **environment: str) -> Ran:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MINGLUO_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dispatcher", "drill", *arguments, cwd=PROJECT,
        env={**kept, "PYTHONUTF8": "1", **environment},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(LIMIT_S):
        out, told = await process.communicate()
    return Ran(code=process.returncode or 0, out=out.decode(), told=told.decode())


def taken(folder: Path, player: str) -> list[dict[str, Any]]:
    path = folder / f"{player}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


# ── at the desk ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def played() -> Iterator[Ran]:
    """In an environment that would lead it to real accounts and a real database."""
    hostile = {
        "MINGLUO_DATABASE_URL": "postgresql+asyncpg://nobody@203.0.113.1/nothing",
        "MINGLUO_PROFILE": "production",
        "MINGLUO_CHANNELS__SMS__ALIYUN__BASE_URL": "https://dysmsapi.aliyuncs.com",
        "MINGLUO_DRILLS__PARTICIPANTS": "[JA00001]",
    }
    arguments = ("--speed", "max", "--officers", "700", "--residents", "300", "--keep", "--json")
    ran = asyncio.run(drill("play", LEAK, *arguments, **hostile))
    assert ran.out, ran.told
    yield ran
    shutil.rmtree(Path(ran.facts["report"]).parent)


def test_a_scenario_at_full_speed_reaches_everybody_and_is_scored_from_the_ledger_and_the_players_logs(
    played: Ran,
) -> None:
    facts = played.facts
    assert played.code == 0, played.told
    assert (facts["kind"], facts["speed"], facts["refused"], facts["ok"]) == ("desk", "max", None, True)
    assert (facts["lost"], facts["duplicates"], facts["unplanned"], facts["unmarked"]) == (0, 0, 0, 0)
    assert [step["name"] for step in facts["steps"]] == ["leak", "wind-turns", "contained"]
    for step in facts["steps"]:
        for channel, cell in step["channels"].items():
            assert cell["planned"] == cell["delivered"] > 0, (step["name"], channel)
            assert cell["not_sent"] == 0
        assert 0 < step["accept_to_first_s"] <= step["accept_to_last_s"] < 60
    leak, _, off = facts["steps"]
    assert leak["villages"]["total"] == leak["villages"]["due"] == leak["villages"]["reached"] > 3
    assert off["heard_before"] == off["told_it_is_over"] > 20
    assert facts["total"] == 100
    assert facts["answers"] is None
    assert facts["not_measured"] == ["answers"]


def test_every_text_that_arrived_bears_the_marks_and_every_line_says_drill(played: Ran) -> None:
    providers = Path(played.facts["report"]).parent / "providers"
    lines = [line for player in PLAYERS for line in taken(providers, f"{player}_drill")]
    assert len(lines) > 60
    assert [line for player in PLAYERS for line in taken(providers, player)] == [], "none of it by a live provider"
    assert [line["text"] for line in lines if not is_drill(unsigned(line["text"]))] == []
    assert [line for line in lines if not line["drill"] and line.get("kind") != "cancel"] == []


@pytest.mark.long
def test_the_report_says_drill_at_every_edge_stands_alone_and_names_no_number(played: Ran) -> None:
    page = Path(played.facts["report"]).read_text(encoding="utf-8")
    assert "<title>【演练】" in page
    assert page.count("这不是真实预警") == 2
    assert page.count("<h2>【演练】") == 3
    assert "repeating-linear-gradient" in page
    assert played.facts["exercise"] in page
    assert "未测、不计入：叫应" in page
    assert not re.search(r"""(?:src|href)\s*=|@import|url\(|\bfetch\(|XMLHttpRequest""", page)
    assert not PHONE.search(page)
    assert not PHONE.search(played.told)
    assert json.loads((Path(played.facts["report"]).parent / "score.json").read_text(encoding="utf-8"))["total"] == 100


@pytest.mark.long
async def test_without_keep_only_the_report_is_left_and_a_copy_goes_where_it_is_wanted(tmp_path: Path) -> None:
    before = set((PROJECT / "var" / "drill").glob("*")) if (PROJECT / "var" / "drill").exists() else set()
    copy = tmp_path / "报告.html"
    ran = await drill(
        "play", LEAK, "--speed", "60000", "--officers", "700", "--residents", "0", "--report", str(copy), "--json"
    )
    assert ran.code == 0, ran.told
    assert ran.facts["report"] == str(copy)
    assert "【演练】" in copy.read_text(encoding="utf-8")
    (folder,) = set((PROJECT / "var" / "drill").glob("*")) - before
    assert {path.name for path in folder.iterdir()} == {"report.html", "report.txt", "score.json"}
    shutil.rmtree(folder)


@pytest.mark.long
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("play", "nothing"), 1, "没有名为“nothing”的演练剧本"),
        (("play", LEAK, "--speed", "0"), 2, "--speed 0 不是倍速"),
        (("play", LEAK, "--speed", "soon"), 2, "--speed soon 不是倍速"),
        (("play", LEAK, "--dry-run"), 2, "--dry-run 只用于实地演练"),
        (("play", LEAK, "--kind", "field"), 1, "MINGLUO_TOKEN_DRILL"),
        (("show", "../policy"), 1, "没有名为"),
    ],
)
async def test_what_a_person_can_mend_is_one_sentence(
    tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    ran = await drill(*arguments, MINGLUO_DATABASE_URL=f"sqlite+aiosqlite:///{tmp_path / 'm.db'}")
    assert ran.code == code
    assert said in ran.told.splitlines()[-1]
    assert "Traceback" not in ran.told


@pytest.mark.long
async def test_the_list_and_a_scenario_are_shown_without_a_database(tmp_path: Path) -> None:
    nowhere = {"MINGLUO_DATABASE_URL": "postgresql+asyncpg://nobody@127.0.0.1:1/nothing"}
    listed, shown = await asyncio.gather(drill("list", **nowhere), drill("show", LEAK, **nowhere))
    assert (listed.code, shown.code) == (0, 0)
    assert LEAK in listed.out.splitlines()
    assert "【演练】【吉安应急】危险化学品泄漏红色预警" in shown.out


# ── in the field ────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A service that runs as in earnest, with the city's players as its providers."""

    house: House
    city: City
    logs: Path
    environment: Mapping[str, str]

    async def play(self, *more: str) -> Ran:
        ran = await drill(
            "play", LEAK, "--kind", "field", "--speed", "max", "--url", self.house.url, "--json", *more,
            **self.environment,
        )  # fmt: skip
        if ran.out and "report" in ran.facts:
            shutil.rmtree(Path(ran.facts["report"]).parent)
        return ran

    async def phone(self, officer: str) -> str:
        async with self.house.context.store.read() as tx:
            return (await opening.phones_of(tx, SEAL, [f"officer-{officer}"]))[f"officer-{officer}"]


@asynccontextmanager
async def in_field(folder: Path, participants: int, consents: Mapping[str, int], **more: str) -> AsyncIterator[Field]:
    """`participants`: how many officers of 金滩镇 are listed; `consents`: code → days from today until it lapses."""
    today = datetime.now(UTC).astimezone(BEIJING).date()
    agreed = [
        f'{{township: "{code}", by: 书面同意, until: {today + timedelta(days=days)}}}'
        for code, days in consents.items()
    ]
    options = Options(folder=folder, account="AC9", token="live", drill=(ACCOUNT, CITY_TOKEN))
    async with playing(options) as city:
        url = await filled(folder / "mingluo.db", 700, city.url("gateway"), city.url("platform"))
        city.drill.platform.know({endpoint: [DRILL_SECRET] for endpoint in await secrets_of(url)})
        async with standing(url) as looking:
            register = await looking.context.register()
        here = sorted({post.officer_id for post in register.posts if post.area_code == TOWN and post.post == "A"})
        environment = {
            "MINGLUO_DATABASE_URL": url,
            "MINGLUO_SEAL_KEY": "00" * 32,
            "MINGLUO_TOKEN_DRILL": DRILL_TOKEN,
            "MINGLUO_CHANNELS__SMS__TWILIO__BASE_URL": city.url("sms"),
            "MINGLUO_DRILL_TWILIO_ACCOUNT_SID": ACCOUNT,
            "MINGLUO_DRILL_TWILIO_AUTH_TOKEN": CITY_TOKEN,
            "MINGLUO_DRILL_TWILIO_SENDER": "+15005550007",
            "MINGLUO_CHANNELS__SMS__TWILIO_DRILL__BASE_URL": city.url("sms_drill"),
            "MINGLUO_DRILL_EBM_BASE_URL": city.url("gateway_drill"),
            "MINGLUO_DRILL_WEBHOOK_BASE_URL": city.url("platform_drill"),
            "MINGLUO_DRILL_WEBHOOK_SECRET": DRILL_SECRET,
            "MINGLUO_DRILLS__PARTICIPANTS": f"[{', '.join([*here[:participants], 'JA99999'])}]",
            "MINGLUO_DRILLS__CONSENTS": f"[{', '.join(agreed)}]",
            **more,
        }
        async with standing(url, frozenset({"web", "send", "timers"}), **environment) as house:
            yield Field(house=house, city=city, logs=folder, environment=environment)


@pytest.mark.long
async def test_in_the_field_only_the_listed_hear_it_and_only_who_agreed_sounds(tmp_path: Path) -> None:
    async with in_field(tmp_path, 1, {TOWN: 0}) as field:
        ran = await field.play()
        assert ran.code == 0, ran.told
        listed = next(iter(field.house.context.settings.drills.participants))
        phone = await field.phone(listed)
    heard, sounded = taken(tmp_path, "sms_drill"), taken(tmp_path, "gateway_drill")
    assert {line["recipient"] for line in heard} == {phone}
    assert len(heard) == 3, "the leak, that the wind turned away, that it is over"
    assert all(is_drill(line["text"]) for line in heard)
    assert {line["gateway"] for line in sounded} == {f"GW{TOWN}"}
    assert [line["kind"] for line in sounded] == ["issue", "cancel", "cancel"], "once heard, then only silenced"
    assert taken(tmp_path, "platform_drill") == []
    leak = ran.facts["steps"][0]["channels"]
    assert (leak["sms"]["delivered"], leak["broadcast"]["delivered"], leak["party"]["delivered"]) == (1, 1, 0)
    assert leak["sms"]["not_sent"] > 5
    assert ran.facts["lost"] is None
    assert "proof" in ran.facts["not_measured"]
    assert "JA99999 不在登记册" in ran.told


@pytest.mark.long
async def test_a_consent_that_lapsed_yesterday_leaves_the_loudspeaker_silent_also_where_drills_are_signed(
    tmp_path: Path,
) -> None:
    signed = {"MINGLUO_SOURCES__DRILL__SIGNED": "true", "MINGLUO_SECRET_DRILL": "whsec_" + "MfKQ" * 8}
    async with in_field(tmp_path, 1, {TOWN: -1, COUNTY: 30}, **signed) as field:
        ran = await field.play()
        assert ran.code == 0, ran.told
    assert taken(tmp_path, "gateway_drill") == []
    assert {line["recipient"] for line in taken(tmp_path, "platform_drill")} == {f"PE{COUNTY}"}
    assert len(taken(tmp_path, "sms_drill")) == 3


@pytest.mark.long
async def test_a_dry_run_says_who_would_be_told_and_who_not_and_neither_it_nor_a_wrong_token_sends_anything(
    tmp_path: Path,
) -> None:
    async with in_field(tmp_path, 1, {TOWN: 0, COUNTY: -1}) as field:
        ran = await field.play("--dry-run")
        wrong = {**field.environment, "MINGLUO_TOKEN_DRILL": TOKEN + "x"}
        stranger = await drill("play", LEAK, "--kind", "field", "--speed", "max", "--url", field.house.url, **wrong)
        _, listed, _ = await field.house.get("/api/v1/warnings")
        register = await field.house.context.register()
        name = register.officers[field.house.context.settings.drills.participants[0]].name
    assert ran.code == 0, ran.told
    assert (stranger.code, "服务不认这个令牌" in stranger.told) == (1, True)
    assert listed["warnings"] == []
    leak = ran.facts["steps"][0]
    assert any(told.startswith(name) for told in leak["told"])
    assert len(leak["told"]) == 2
    assert sum(leak["not_told"].values()) > 5
    assert any("演练名单" in why for why in leak["not_told"])
    assert ran.facts["odd"] == ["participants 里的 JA99999 不在登记册"]
    assert taken(tmp_path, "sms_drill") == taken(tmp_path, "gateway_drill") == []


@pytest.mark.long
async def test_a_step_that_is_refused_ends_the_play_and_is_reported(tmp_path: Path) -> None:
    """The service lets drills speak for 吉州区 alone; the leak is in 吉水县."""
    url = await filled(tmp_path / "mingluo.db", 700)
    environment = {
        "MINGLUO_DATABASE_URL": url,
        "MINGLUO_SEAL_KEY": "00" * 32,
        "MINGLUO_TOKEN_DRILL": DRILL_TOKEN,
        "MINGLUO_SOURCES__DRILL__AREA_PREFIXES": '["360802"]',
    }
    async with standing(url, **environment) as house:
        ran = await drill(
            "play", LEAK, "--kind", "field", "--speed", "max", "--url", house.url, "--json", **environment
        )
        _, refused, _ = await house.get("/api/v1/rejects")
    assert ran.code == 1
    assert ran.facts["refused"]["step"] == "leak"
    assert "214" in ran.facts["refused"]["reason"]
    assert (ran.facts["total"], ran.facts["steps"]) == (None, [])
    assert len(refused["rejects"]) == 1, "what follows speaks of something that never was, and is not sent"
    page = Path(ran.facts["report"])
    assert "在步骤 leak 停下" in page.read_text(encoding="utf-8")
    shutil.rmtree(page.parent)
