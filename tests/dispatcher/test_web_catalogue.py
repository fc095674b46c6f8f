"""One catalogue of English words, by the Chinese sentence itself."""

from __future__ import annotations

from dispatcher.web.console.catalogue import CATALOGUES, CHINESE, ENGLISH


def test_chinese_is_what_stands_in_the_templates() -> None:
    assert CATALOGUES[CHINESE].gettext("预警") == "预警"


def test_english_is_looked_up_and_what_it_lacks_is_shown_in_chinese() -> None:
    assert CATALOGUES[ENGLISH].gettext("预警") == "Warnings"
    assert CATALOGUES[ENGLISH].gettext("没有这一句") == "没有这一句"
