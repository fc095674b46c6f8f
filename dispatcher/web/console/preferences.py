"""In which language and light somebody reads: kept by his browser, in a cookie that says nothing of him."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aiohttp import web

from dispatcher.web.console.catalogue import CHINESE, ENGLISH

COOKIE: Final = "mingluo-look"
KEPT_S: Final = 365 * 24 * 3600
LANGUAGES: Final = (CHINESE, ENGLISH)
THEMES: Final = ("auto", "light", "dark")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """`theme`: `auto` follows the machine."""

    language: str = CHINESE
    theme: str = "auto"

    def changed(self, language: str, theme: str) -> Preferences:
        """What is none of ours changes nothing."""
        return Preferences(
            language=language if language in LANGUAGES else self.language,
            theme=theme if theme in THEMES else self.theme,
        )

    @property
    def text(self) -> str:
        """As the cookie has it."""
        return f"{self.language}.{self.theme}"


def preferences(request: web.Request) -> Preferences:
    language, _, theme = request.cookies.get(COOKIE, "").partition(".")
    return Preferences().changed(language, theme)


def keep(response: web.StreamResponse, chosen: Preferences, *, secure: bool) -> None:
    response.set_cookie(COOKIE, chosen.text, path="/", max_age=KEPT_S, samesite="Lax", secure=secure)
