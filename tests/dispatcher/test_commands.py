"""The command line by its own door: exit codes are honest, errors are one sentence, `--json` ends with one object."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dispatcher.settings import PROJECT
from tests.city import cap

pytestmark = [pytest.mark.long, pytest.mark.timeout(180)]
LIMIT_S = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out.splitlines()[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A database of one's own with the sample in it, and the environment that points at it."""

    folder: Path
    environment: Mapping[str, str]

    def run(self, *arguments: str, **more: str) -> Ran:
        done = subprocess.run(
            [sys.executable, "-m", "dispatcher", *arguments], env={**self.environment, **more}, cwd=PROJECT,
            capture_output=True, encoding="utf-8", timeout=LIMIT_S, check=False,
        )  # fmt: skip
        return Ran(code=done.returncode, out=done.stdout, err=done.stderr)

    def file(self, name: str, body: bytes) -> str:
        path = self.folder / name
        path.write_bytes(body)
        return str(path)

    @contextmanager
    def serving(self) -> Iterator[list[str]]:
        """`mingluo serve`; yields what it says at its start. It must end by SIGTERM, with 0."""
        with (self.folder / "serve.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dispatcher", "serve"], env=dict(self.environment), cwd=PROJECT,
                stdout=subprocess.PIPE, stderr=log, encoding="utf-8",
            )  # fmt: skip
        assert process.stdout is not None
        try:
            said = []
            while line := process.stdout.readline():
                said.append(line)
                if "已就绪" in line:
                    break
            assert process.poll() is None, (self.folder / "serve.log").read_text(encoding="utf-8")
            yield said
            process.send_signal(signal.SIGTERM)
            assert process.wait(LIMIT_S) == 0
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MINGLUO_")}
    return {
        **kept,
        "PYTHONUTF8": "1",
        "MINGLUO_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/mingluo.db",
        "MINGLUO_LISTEN": "127.0.0.1:0",
    }


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """In a folder whose name has a space and Chinese in it."""
    folder = tmp_path_factory.mktemp("desk") / "值班 室"
    folder.mkdir()
    made = Desk(folder=folder, environment=_environment(folder))
    ran = made.run("registry", "sample", "--officers", "700", "--residents", "40")
    assert ran.code == 0, ran.err
    assert "14 街道 + 123 镇 + 87 乡 = 224，另有 28 个单位（其中园区 14）" in ran.out
    assert "合成数据" in ran.out
    return made


def test_help_names_every_command_without_loading_any() -> None:
    heavy = ("sqlalchemy", "shapely", "alembic", "aiohttp", "pydantic")
    code = (
        "import sys, dispatcher.commands.group as group\n"
        "sys.argv[1:] = ['--help']\n"
        "try: group.main()\n"
        f"finally: print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, encoding="utf-8", timeout=LIMIT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    for name in (
        "demo",
        "serve",
        "migrate",
        "check",
        "warn",
        "preview",
        "why",
        "registry",
        "drill",
        "audit",
        "rejected",
    ):
        assert re.search(rf"^  {name} ", done.stdout, re.MULTILINE), name
    assert done.stdout.splitlines()[-1] == "[]"


def test_preview_prints_one_json_object_a_file_whatever_the_verdict(desk: Desk) -> None:
    soon = datetime.now(UTC) - timedelta(minutes=1)
    files = [
        desk.file("now.xml", cap(sent=soon)),
        "tests/cap/cn_16_city.xml",
        desk.file("junk.xml", b"<not a warning"),
    ]
    ran = desk.run("preview", *files, "--json")
    assert ran.code == 0, ran.err
    now, past, junk = map(json.loads, ran.out.splitlines())
    assert (now["verdict"], now["level"], now["hazard"], now["msg_type"]) == ("accept", "red", "暴雨", "Alert")
    assert {code[:9] for code in now["villages"]} == {"360827102"}
    assert len(now["villages"][0]) == 12
    assert now["officers"] > 3
    assert now["channels"]["sms"].keys() >= {"targets", "rate", "eta_s"}
    assert (past["verdict"], past["code"]) == ("reject", 209)
    assert len(past["villages"]) == 2_967
    assert (junk["verdict"], junk["code"], junk["villages"]) == ("reject", 220, [])


def test_preview_says_what_the_words_leave_to_be_wished_for(desk: Desk) -> None:
    """Nothing is held for it: the verdict stands as it was."""
    soon = datetime.now(UTC) - timedelta(minutes=1)
    file = desk.file("mixed.xml", cap(sent=soon, headline="吉安市气象台发布高温红色预警[Ⅱ级/特别严重]"))
    ran = desk.run("preview", file, "--json")
    assert (ran.code, ran.json["verdict"]) == (0, "accept")
    found = {remark["rule"]: remark for remark in ran.json["remarks"]}
    assert {"mixed_levels", "mixed_hazards"} <= set(found)
    assert found["mixed_hazards"].keys() == {"rule", "severity", "field", "found", "sentence"}
    told = desk.run("preview", file).out
    assert "  文字要改：标题写“高温”，灾种却是暴雨：请改成一致" in told.splitlines()
    assert "  文字留意：报文没有写该做什么" in told


def test_preview_judges_by_the_messages_own_time_when_asked_to(desk: Desk) -> None:
    ran = desk.run("preview", "tests/cap/cn_16_city.xml", "--at", "sent", "--json")
    assert (ran.code, ran.json["verdict"]) == (0, "accept")


def test_preview_of_a_file_that_cannot_be_read_ends_with_two_and_still_shows_the_others(desk: Desk) -> None:
    ran = desk.run("preview", "/nowhere.xml", "tests/cap/cn_16_city.xml", "--json")
    assert ran.code == 2
    assert "读不到 /nowhere.xml" in ran.err
    assert ran.json["file"] == "tests/cap/cn_16_city.xml"


def test_what_is_sent_in_is_judged_by_the_service_and_can_be_asked_about(desk: Desk) -> None:
    soon = datetime.now(UTC) - timedelta(minutes=1)
    held = desk.file("held.xml", cap("36080041600000_1", sent=soon))
    late = desk.file("late.xml", cap("36080041600000_2", sent=soon - timedelta(days=2)))
    with desk.serving() as said:
        told = "".join(said)
        assert f"SQLite {desk.folder}/mingluo.db" in told
        assert "合成数据" in told
        assert re.search(r"控制台\s+http://127\.0\.0\.1:\d+", told)
        second = desk.run("serve")
        assert (second.code, second.err.count("已有一个 mingluo serve 在用")) == (1, 1)
        waited = desk.run("warn", held, "--source", "county-weather", "--wait", "--json")
        assert waited.code == 0, waited.err
        assert waited.json["state"] == "held"
        refused = desk.run("warn", late, "--wait", "--json")
        assert (refused.code, refused.json["code"]) == (1, 209)
    log = (desk.folder / "serve.log").read_text(encoding="utf-8")
    assert "Traceback" not in log
    assert "没有留下正在发送的行" in log


def test_a_warning_handed_in_while_nobody_serves_waits_and_says_so(desk: Desk) -> None:
    ran = desk.run("warn", "tests/cap/cn_16_city.xml", "--source", "county-weather")
    assert ran.code == 0
    assert "现在没有 mingluo serve 在用这个数据库" in ran.err
    assert str(desk.folder / "mingluo.db") in ran.err


def test_a_source_nobody_knows_is_refused_before_anything_is_sent(desk: Desk) -> None:
    ran = desk.run("warn", "tests/cap/cn_16_city.xml", "--source", "moon")
    assert ran.code == 1
    assert ran.err.strip().startswith("sources.yaml 里没有来源“moon”，可用的有：")


def test_the_log_is_verified_shown_and_anchored_and_a_forged_anchor_is_refused(desk: Desk) -> None:
    anchored = desk.run("audit", "anchor", "--json")
    desk.run("audit", "anchor")
    shown = desk.run("audit", "show", "--json").json["entries"]
    file = next(desk.folder.rglob("*.anchors"))
    assert [(entry["actor"], entry["action"]) for entry in shown[:2]] == [("system", "audit.anchor")] * 2
    assert len(anchored.json["hash"]) == 64
    whole = desk.run("audit", "verify", "--anchor", str(file), "--json")
    assert (whole.code, whole.json["whole"], whole.json["anchors"]) == (0, True, 2)
    assert "截尾" in desk.run("audit", "verify").out, "what cannot be seen without an anchor is said"
    file.write_text(file.read_text().replace('"no": ', '"no": 1'))
    forged = desk.run("audit", "verify", "--anchor", str(file))
    assert forged.code == 1
    assert "签名" in forged.err
    assert desk.run("audit", "verify", "--anchor", str(desk.folder / "none")).code == 1


def test_why_and_rejected_speak_of_what_came(desk: Desk) -> None:
    soon = datetime.now(UTC) - timedelta(minutes=1)
    asked = desk.file("asked.xml", cap("36080041600000_3", sent=soon))
    late = desk.file("later.xml", b'{"nothing": 1}')
    with desk.serving():
        number = desk.run("warn", asked, "--source", "county-weather", "--wait", "--json").json["warning_id"]
        assert desk.run("warn", late, "--wait").code == 1
    outside = desk.run("why", "JA00001", number, "--json")
    assert outside.code == 0, outside.err
    assert (outside.json["people"][0]["told"], outside.json["people"][0]["target"]) == (False, "officer-JA00001")
    assert outside.json["people"][0]["reason"].startswith(("未通知", "按现在的登记册会通知"))
    listed = desk.run("rejected", "list", "--json")
    newest = listed.json["rejected"][0]
    assert newest["code"] == 220
    assert desk.run("rejected", "show", newest["id"], "--raw").out == '{"nothing": 1}'
    assert desk.run("rejected", "show", "0").code == 1
    assert desk.run("why", "没有这个人", number).err.strip().startswith("登记册里没有“没有这个人”")


def test_the_register_goes_out_and_comes_back_unchanged(desk: Desk, tmp_path: Path) -> None:
    assert desk.run("registry", "export", str(tmp_path)).code == 0
    assert "registry.exported" in desk.run("audit", "show").out, "phones left the house, and that is on record"
    back = desk.run("registry", "import", str(tmp_path), "--dry-run", "--json")
    assert back.code == 0, back.err
    assert back.json["version"] is None
    assert all(one["added"] == one["changed"] == one["removed"] == 0 for one in back.json["differences"].values())
    (tmp_path / "officers.csv").write_text("id,name\nX,Y\n", encoding="utf-8")
    broken = desk.run("registry", "import", str(tmp_path))
    assert broken.code == 1
    assert "officers.csv" in broken.err
    assert "Traceback" not in broken.err
    assert desk.run("registry", "verify").code == 0


def test_the_doctor_says_what_is_wrong_and_ends_with_one(desk: Desk, tmp_path: Path) -> None:
    sick = desk.run("check", "--json")
    assert sick.code == 1
    problems = {one["name"]: one["problem"] for one in sick.json["checks"]}
    assert "MINGLUO_ALIYUN_ACCESS_KEY_ID" in problems["发送接口"]
    assert "MINGLUO_TWILIO_ACCOUNT_SID" in problems["发送接口"]
    details = {one["name"]: one["detail"] for one in sick.json["checks"]}
    assert details["上行短信"] == "留存 0 条"
    assert (problems["数据库"], problems["密封密钥"], problems["登记册"], problems["时钟"]) == ("", "", "", "")
    empty = desk.run("check", MINGLUO_DATABASE_URL=f"sqlite+aiosqlite:///{tmp_path}/empty.db")
    assert empty.code == 1
    assert "请先运行 mingluo migrate" in empty.out
    wrong = desk.run("check", MINGLUO_SEAL_KEY="ab" * 32)
    assert wrong.code == 1
    assert "密封密钥打不开" in wrong.out


def test_migrate_uses_the_owners_address_and_never_prints_a_password(desk: Desk, tmp_path: Path) -> None:
    owner = f"sqlite+aiosqlite:///{tmp_path}/owned.db"
    ran = desk.run("migrate", "--json", MINGLUO_MIGRATE_DATABASE_URL=owner)
    assert ran.code == 0, ran.err
    assert ran.json["database"] == f"SQLite {tmp_path}/owned.db"
    away = desk.run("migrate", MINGLUO_MIGRATE_DATABASE_URL="postgresql+asyncpg://me:secret@127.0.0.1:1/x")
    assert away.code == 1
    assert "secret" not in away.out + away.err
    assert away.err.startswith("数据库、网络或磁盘用不了")


def test_bad_configuration_is_named_with_file_and_line(desk: Desk, tmp_path: Path) -> None:
    for name in ("service", "sources", "channels", "hazards", "policy", "wording"):
        text = (PROJECT / "config" / f"{name}.yaml").read_text(encoding="utf-8")
        (tmp_path / f"{name}.yaml").write_text(text.replace("quiet_from_hour", "quiet_form_hour"), encoding="utf-8")
    ran = desk.run("serve", MINGLUO_CONFIG=str(tmp_path))
    assert ran.code == 1
    assert re.search(r"^policy\.yaml:\d+: quiet_form_hour", ran.err, re.MULTILINE)
    assert "Traceback" not in ran.err


def test_a_command_or_an_option_nobody_knows_ends_with_two(desk: Desk) -> None:
    assert desk.run("gong").code == 2
    assert desk.run("preview").code == 2
    assert desk.run("preview", "x.xml", "--at", "昨天").code == 2


def test_production_refuses_the_sample(desk: Desk) -> None:
    ran = desk.run("registry", "sample", MINGLUO_PROFILE="production", MINGLUO_SEAL_KEY="ab" * 32)
    assert ran.code == 1
    assert "Traceback" not in ran.err


def test_a_sample_warning_is_at_hand_for_whoever_has_none(desk: Desk) -> None:
    printed = desk.run("warn", "--sample", "print")
    assert printed.code == 0, printed.err
    seen = desk.run("preview", desk.file("sample.xml", printed.out.encode()), "--json")
    assert (seen.json["verdict"], seen.json["level"]) == ("accept", "red")
    assert "off" in seen.json["channels"]["sms"], "without an account no SMS leaves, and the preview says so"
    assert desk.run("warn").code == desk.run("warn", "--sample", "yes").code == 2
    assert desk.run("warn", "--sample", "send", "--wait").code == 1, "nobody serves: there is nothing to wait for"


def test_a_preview_says_that_loudspeakers_wait_for_the_morning(desk: Desk) -> None:
    said = desk.run("preview", "tests/cap/cn_04_town1.xml", "--at", "sent")
    assert "等到 06:00 再播" in said.out


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("MINGLUO_DATABASE_URL", "postgresql://postgres@127.0.0.1:1/x", "数据库、网络或磁盘用不了"),
        ("MINGLUO_LISTN", "127.0.0.1:1", "MINGLUO_LISTEN"),
        ("MINGLUO_LISTEN", "127.0.0.1:99999", "地址:端口"),
        ("MINGLUO_HOME", "/nowhere/at/all", "MINGLUO_CONFIG"),
    ],
)
def test_a_mistake_in_the_environment_is_one_sentence(desk: Desk, variable: str, value: str, said: str) -> None:
    ran = desk.run("check", **{variable: value})
    assert ran.code == 1
    assert said in ran.out + ran.err
    assert "Traceback" not in ran.err


def test_the_wrong_sealing_key_is_named_as_such(desk: Desk) -> None:
    desk.run("registry", "verify")
    ran = desk.run("check", MINGLUO_SEAL_KEY="ab" * 32)
    assert "✗ 密封密钥" in ran.out
    assert "MINGLUO_SEAL_KEY" in ran.out
