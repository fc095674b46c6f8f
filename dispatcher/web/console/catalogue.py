"""The console's words in English: one catalogue, by the Chinese sentence itself.

A sentence it lacks is shown in Chinese: better read than missing. A test finds every sentence of every template in it.
"""

from __future__ import annotations

import gettext
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from dispatcher.settings.files import File

CHINESE: Final = "zh-CN"
ENGLISH: Final = "en"
_FILE: Final = Path(__file__).parent / "english.yaml"


class Catalogue(gettext.NullTranslations):
    """What `gettext` asks: the sentence in another language, or as it is."""

    def __init__(self, words: Mapping[str, str]) -> None:
        super().__init__()
        self.words: Final = words

    def gettext(self, message: str) -> str:
        return self.words.get(message, message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self.gettext(msgid1 if n == 1 else msgid2)


def _english() -> Mapping[str, str]:
    words: dict[str, str] = File.read(_FILE).data
    return words


CATALOGUES: Final[Mapping[str, Catalogue]] = {CHINESE: Catalogue({}), ENGLISH: Catalogue(_english())}
"""By what stands in `<html lang>`."""
