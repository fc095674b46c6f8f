"""One catalogue of English words, by the Chinese sentence itself: every sentence of every template stands in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from jinja2 import Environment, nodes

from dispatcher.accounts.authority import AccountRole
from dispatcher.model import Channel, Kind, Level, TargetKind
from dispatcher.states import DeliveryState, WarningState
from dispatcher.web.console import rendering
from dispatcher.web.console.catalogue import CATALOGUES, CHINESE, ENGLISH
from dispatcher.web.console.naming import KINDS

TEMPLATES: Final = rendering.HERE / "templates"
CJK: Final = re.compile(r"[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")
TO_COME: Final = ()
"""What is still in Chinese alone. It only gets shorter."""
NAMES: Final = frozenset({"中文"})
"""What is called so in every language."""


def every() -> list[str]:
    return sorted(path.name for path in TEMPLATES.glob("*.html"))


def source(name: str) -> str:
    return Path(TEMPLATES / name).read_text(encoding="utf-8")


def environment() -> Environment:
    made = Environment(extensions=["jinja2.ext.i18n"], autoescape=True, trim_blocks=True, lstrip_blocks=True)
    made.policies["ext.i18n.trimmed"] = True
    return made


def said(name: str) -> Iterator[str]:
    """What it asks the catalogue for."""
    for _line, _function, message in environment().extract_translations(source(name)):  # type: ignore[attr-defined]
        yield from [message] if isinstance(message, str) else [one for one in message if one]


def bare(name: str) -> Iterator[str]:
    """Chinese that no translation is asked for."""
    tree = environment().parse(source(name))
    asked = {
        id(const)
        for call in tree.find_all(nodes.Call)
        if isinstance(call.node, nodes.Name) and call.node.name in ("_", "gettext", "ngettext")
        for const in call.find_all(nodes.Const)
    }
    for data in tree.find_all(nodes.TemplateData):
        yield from (line.strip() for line in data.data.splitlines() if CJK.search(line))
    for const in tree.find_all(nodes.Const):
        if isinstance(const.value, str) and CJK.search(const.value) and id(const) not in asked:
            yield const.value


def test_chinese_is_what_stands_in_the_templates() -> None:
    assert CATALOGUES[CHINESE].gettext("预警") == "预警"


def test_english_is_looked_up_and_what_it_lacks_is_shown_in_chinese() -> None:
    assert CATALOGUES[ENGLISH].gettext("预警") == "Warnings"
    assert CATALOGUES[ENGLISH].gettext("没有这一句") == "没有这一句"


@pytest.mark.parametrize("name", every())
def test_every_sentence_of_a_template_has_its_english(name: str) -> None:
    assert [one for one in said(name) if one not in CATALOGUES[ENGLISH].words] == []


@pytest.mark.parametrize("name", [name for name in every() if name not in TO_COME])
def test_no_chinese_stands_in_a_template_beside_the_catalogue(name: str) -> None:
    assert list(bare(name)) == []


def test_what_is_to_come_is_still_to_come() -> None:
    assert [name for name in TO_COME if not list(bare(name))] == []


def test_every_word_of_the_tables_has_its_english() -> None:
    words = [
        *rendering.KIND_CHINESE.values(), *rendering.AGAIN_CHINESE.values(),
        *rendering.EVENT_CHINESE.values(), *rendering.NOT_SENT_CHINESE.values(), *KINDS.values(),
        *(one.chinese for one in (*Level, *Channel, *AccountRole, *WarningState, *DeliveryState)),
    ]  # fmt: skip
    assert [one for one in words if one not in CATALOGUES[ENGLISH].words] == []
    assert set(KINDS) == set(TargetKind)
    assert set(rendering.KIND_CHINESE) == set(Kind)


def test_the_english_is_english() -> None:
    words = CATALOGUES[ENGLISH].words
    assert [one for one in words.values() if CJK.search(one) and one not in NAMES] == []


def test_what_is_filled_in_is_filled_in_in_both() -> None:
    holes = re.compile(r"%\(\w+\)s")
    words = CATALOGUES[ENGLISH].words
    assert [chinese for chinese, said in words.items() if set(holes.findall(chinese)) != set(holes.findall(said))] == []
