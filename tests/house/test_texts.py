"""The README and its companions tell the truth: what they name exists, what they show runs."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import pytest

from dispatcher.broker.rabbit import RabbitBroker
from dispatcher.commands.group import COMMANDS
from dispatcher.model import Code
from dispatcher.web.routes import ROUTES
from tests.dispatcher.listening import Inbox, consuming, node_that_tells
from tests.house.tree import PROJECT

TEXTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/privacy.md")
ALERT = PROJECT / "tests" / "cap" / "cn_01_county12.xml"


def text(name: str) -> str:
    return (PROJECT / name).read_text(encoding="utf-8")


def script() -> str:
    (found,) = re.findall(r"<!-- publish\.py -->\n```python\n(.*?)```", text("README.md"), re.DOTALL)
    return str(found)


@pytest.mark.parametrize("name", TEXTS)
def test_every_file_that_a_text_names_exists(name: str) -> None:
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text(name), flags=re.DOTALL))
    ours = ("dispatcher/", "channels/", "tests/", "config/", "docs/", "migrations/", ".ci/")
    named = [span for span in spans if span.startswith(ours) and not set(span) & set("<>*{} …")]
    assert [place for place in named if not (PROJECT / place).exists()] == []


@pytest.mark.parametrize("name", TEXTS)
def test_every_link_leads_somewhere(name: str) -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text(name)) if "://" not in link]
    assert [link for link in links if not (PROJECT / link).exists()] == []


@pytest.mark.parametrize("name", TEXTS)
def test_every_make_target_that_a_text_names_exists(name: str) -> None:
    targets = set(re.findall(r"^([a-z-]+)(?: [a-z]+)?:", text("Makefile"), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+(?:-[a-z]+)*)", text(name))) - targets - {"sure"} == set()


def test_every_command_is_in_the_readme_and_the_readme_names_no_other() -> None:
    table = text("README.md").partition("## Commands")[2].partition("\n## ")[0]
    rows = [re.findall(r"`([a-z]+)", row.split("|")[1])[0] for row in table.splitlines() if row.startswith("| `")]
    assert sorted(rows) == sorted(COMMANDS)
    assert set(re.findall(r"`mingluo ([a-z]+)", text("README.md"))) <= set(COMMANDS)


def test_every_route_that_the_readme_names_exists() -> None:
    named = set(re.findall(r"(?:GET|POST) (/[\w/{}.-]+)", text("README.md"))) | set(
        re.findall(r"`(/api/[\w.-]+)`", text("README.md"))
    )
    assert named - {route.template for route in ROUTES} == set()


def test_every_code_is_in_the_readme_but_the_one_whose_check_is_to_come() -> None:
    told = text("README.md").partition("## What becomes of a message")[2].partition("\n## ")[0]
    assert {code for code in Code if f" {int(code)} " not in told} == {Code.REACH_ABOVE_PREVIEW}


def test_what_the_mission_names_is_either_proven_or_to_come() -> None:
    rows = [line.split("|")[1:-1] for line in text("README.md").splitlines() if line.startswith("| ")]
    mission = [[cell.strip() for cell in row] for row in rows if len(row) == 4 and "mission says" not in row[0]]
    assert len(mission) >= 20
    for phrase, file, command, test in mission:
        if file == "to come":
            assert (command, test) == ("", ""), phrase
        else:
            assert "`" in file, phrase
            assert "`" in command, phrase
            assert "`tests/" in test or "to come" in test, phrase


def test_the_chinese_part_stands_on_its_own() -> None:
    chinese = text("README.md").partition("\n# 中文\n")[2]
    assert "make demo" in chinese
    assert "make test" in chinese
    assert "| 中文 | 代码里 | 意思 |" in chinese


def test_the_script_of_the_readme_has_ten_lines() -> None:
    assert len([line for line in script().splitlines() if line.strip()]) == 10


async def test_the_script_of_the_readme_publishes_a_file_as_it_is(rabbit_url: str, tmp_path: Path) -> None:
    (tmp_path / "publish.py").write_text(script(), encoding="utf-8")
    inbox = Inbox()
    async with consuming(RabbitBroker(rabbit_url, node_that_tells([])), inbox):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-W", "error", tmp_path / "publish.py", rabbit_url, ALERT, cwd=tmp_path
        )
        async with asyncio.timeout(30):
            assert await process.wait() == 0
        (arrived,) = await inbox.until(1)
    assert arrived.body == ALERT.read_bytes()
    assert (arrived.routing_key, arrived.content_type) == ("city-weather", "application/cap+xml")


def test_the_changelog_begins_with_what_is_not_released_and_names_the_version_of_the_project() -> None:
    heads = re.findall(r"^## \[(.+?)\]", text("CHANGELOG.md"), re.MULTILINE)
    version = re.search(r'^version = "(.+?)"', text("pyproject.toml"), re.MULTILINE)
    assert version is not None
    assert heads[0] == "Unreleased"
    assert heads[1] == version[1]


def test_the_licence_is_whole() -> None:
    licence = text("LICENSE")
    assert "Apache License" in licence
    assert "END OF TERMS AND CONDITIONS" in licence
    assert "9. Accepting Warranty or Additional Liability" in licence
