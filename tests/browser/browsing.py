"""A person's browser: a context of its own in the Chromium that all tests of a process share, and what the page complained of.

`async with browsing(house) as tab:` opens one; `calm(tab)` at the end says that nothing was wrong with what it saw.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

from playwright.async_api import (
    Browser,
    ConsoleMessage,
    Page,
    Request,
    ViewportSize,
    async_playwright,
    expect,
)

from tests.browser.people import Person
from tests.services import CHROMIUM, chromium, settling

DESKTOP = ViewportSize(width=1366, height=768)
WIDE = ViewportSize(width=1920, height=1080)
PHONE = ViewportSize(width=390, height=844)

PATIENCE_MS = 30_000
"""Two browsers, a service and a city share two slow cores: what comes at all has come by then."""
expect.set_options(timeout=PATIENCE_MS)

# what the page's policy forbade, also where it came to nothing that the console would tell
_TELL = """addEventListener("securitypolicyviolation", (event) => console.error(
  "policy: " + event.violatedDirective + " " + event.blockedURI + " " + event.sourceFile + ":" + event.lineNumber))"""


class Reached(Protocol):
    """Something that is opened: a service of this process, or one of its own."""

    @property
    def url(self) -> str: ...


@dataclass(slots=True, kw_only=True)
class Tab:
    """A page, what it complained of (console, policy, uncaught errors) and what it asked of others."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    async def to(self, path: str) -> None:
        await self.page.goto(self.url + path)

    @contextmanager
    def expecting(self, *words: str) -> Iterator[None]:
        """Complaints with one of these words in them are what this part of the test is about."""
        self.expected.extend(words)
        yield
        for word in words:
            self.expected.remove(word)

    def heard(self, said: ConsoleMessage) -> None:
        if said.type in ("error", "warning"):
            self.complain(f"{said.text} ({said.location.get('url', '')})")

    def complain(self, what: str) -> None:
        if not any(word in what for word in self.expected):
            self.complaints.append(what)

    def asked(self, request: Request) -> None:
        there = urlsplit(request.url)
        if there.scheme not in ("data", "blob") and f"{there.scheme}://{there.netloc}" != self.url:
            self.strangers.append(request.url)


@dataclass(frozen=True, slots=True, kw_only=True)
class Browsing:
    """Opens browsers. What is not said is a desktop in the light, with script, of nobody in particular."""

    chromium: Browser

    @asynccontextmanager
    async def __call__(
        self,
        house: Reached,
        person: Person | None = None,
        *,
        dark: bool = False,
        script: bool = True,
        size: ViewportSize = DESKTOP,
    ) -> AsyncIterator[Tab]:
        context = await self.chromium.new_context(
            viewport=size,
            color_scheme="dark" if dark else "light",
            java_script_enabled=script,
            locale="zh-CN",
            timezone_id="Asia/Shanghai",
        )
        try:
            if person is not None:
                await context.add_cookies([_cookie(house.url, await person.session())])
            context.set_default_timeout(2 * PATIENCE_MS)
            await context.add_init_script(_TELL)
            tab = Tab(page=await context.new_page(), url=house.url)
            tab.page.on("console", lambda said: tab.heard(said))  # noqa: PLW0108 - a method would be written to its object
            tab.page.on("pageerror", lambda error: tab.complain(str(error)))
            context.on("request", lambda asked: tab.asked(asked))  # noqa: PLW0108
            yield tab
        finally:
            await context.close()


def _cookie(url: str, token: str) -> Any:
    return {"name": "mingluo", "value": token, "url": url, "httpOnly": True, "sameSite": "Strict"}


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """The Chromium that was found; a test that needs it is left out, and said, where there is none."""
    if CHROMIUM not in os.environ:
        settling.unavailable("没有 Chromium")
    async with async_playwright() as play:
        browser = await play.chromium.launch(
            executable_path=os.environ[CHROMIUM], args=chromium.arguments(), chromium_sandbox=os.geteuid() != 0
        )
        try:
            yield browser
        finally:
            await browser.close()


async def calm(tab: Tab) -> None:
    """No complaint, nothing from elsewhere, nothing beyond the edge."""
    assert tab.complaints == []
    assert tab.strangers == []
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    beyond = await tab.page.evaluate(wide)
    assert beyond <= 0, f"{tab.page.url}: {beyond} px beyond the edge, by {await _widest(tab.page)}"


async def _widest(page: Page) -> Sequence[str]:
    """What reaches over the edge, as a hint of what to mend."""
    found: list[str] = await page.evaluate(
        """() => [...document.querySelectorAll("body *")]
          .filter((one) => one.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
          .slice(0, 5).map((one) => one.tagName + "." + one.className)"""
    )
    return found
