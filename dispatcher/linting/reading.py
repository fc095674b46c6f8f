"""Finding words of a list in a text."""

from __future__ import annotations

import re
from functools import lru_cache

from dispatcher.settings import LintWords

_CHINESE = re.compile(r"[\u4e00-\u9fff]")


def is_chinese(text: str) -> bool:
    return _CHINESE.search(text) is not None


def found(words: LintWords, text: str) -> str:
    """The first of the words that stands outside the phrases that excuse it; '' where none does."""
    return next((hit[1] for hit in _pattern(words.words, words.unless).finditer(text) if hit[1]), "")


def without(words: LintWords, text: str) -> str:
    return any_of(words.words).sub("", text)


@lru_cache(maxsize=256)
def any_of(words: tuple[str, ...]) -> re.Pattern[str]:
    """The longest first, so that 雷雨大风 is not read as 大风."""
    return re.compile("|".join(map(re.escape, sorted(words, key=lambda word: -len(word)))) or r"(?!)")


@lru_cache(maxsize=256)
def _pattern(words: tuple[str, ...], unless: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(f"{any_of(unless).pattern}|({any_of(words).pattern})")
