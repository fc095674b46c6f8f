"""A script in every text field of every form is kept as text, and shown as text on every page, whoever looks."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

from dispatcher.registry.register import Register
from tests.browser.browsing import Browsing, Tab, calm
from tests.browser.landed import Founded
from tests.browser.night import Night, night
from tests.browser.tour import TOUR, Stop, Visit

pytestmark = pytest.mark.long

EVIL: Final = """<script>window.evil=1</script><img src=x onerror="window.evil=2">'"&{{7*7}}"""
PASSED_OVER: Final = ("/sign-in", "/account/password", "/preferences")
"""A code or a password that is wrong ends the session, and is shown by nobody."""
_FORMS: Final = """(evil) => [...document.forms].map((form) => {
  const text = "textarea, input:not([type]), input[type=text], input[type=search]";
  const texts = [...form.elements].filter((one) => one.matches(text));
  const fields = {};
  for (const one of form.elements) {
    if (!one.name || one.type === "file" || (one.type === "checkbox" && !one.required) || one.type === "submit") continue;
    if (one.type === "radio" && !one.checked) continue;
    fields[one.name] = texts.includes(one) ? evil : one.value;
  }
  return { action: form.getAttribute("action"), method: form.method, fields, texts: texts.length };
}).filter((form) => form.texts)"""


@pytest.mark.timeout(400)
async def test_a_script_in_every_field_of_every_form_stays_text(
    founded: Founded, jian: Register, tmp_path: Path, browsing: Browsing
) -> None:
    async with night(founded(tmp_path), jian) as fallen:
        seen: set[str] = set()
        for stop in TOUR:
            if stop.status < 400:
                await _fill_in(fallen, browsing, stop, seen)
        assert {"/issue", "/warnings", "/accounts"} <= seen
        assert any(action.startswith("/shift") for action in seen)
        for stop in TOUR:
            await _look(fallen, browsing, stop)


async def _fill_in(fallen: Night, browsing: Browsing, stop: Stop, seen: set[str]) -> None:
    """Sends each form once, as whoever the page is for."""
    visit = Visit(stop=stop, role=stop.roles[0])
    async with browsing(fallen, visit.person(fallen)) as tab:
        await visit.open(tab, fallen)
        for form in await tab.page.evaluate(_FORMS, EVIL):
            if form["action"] in seen or form["action"].startswith(PASSED_OVER):
                continue
            seen.add(form["action"])
            await _send(tab, form)


async def _send(tab: Tab, form: dict[str, Any]) -> None:
    """What comes of it is a page or a sentence, never a fault of ours, and the script in it is text."""
    with tab.expecting("Failed to load resource"):
        if form["method"] == "get":
            answer = await tab.page.request.get(tab.url + form["action"], params=form["fields"])
        else:
            answer = await tab.page.request.post(tab.url + form["action"], form=form["fields"])
        assert answer.status < 500, form
        body = await answer.text()
        assert "<script>window.evil" not in body, form
        assert "<img src=x" not in body, form


async def _look(fallen: Night, browsing: Browsing, stop: Stop) -> None:
    visit = Visit(stop=stop, role=stop.roles[0])
    async with browsing(fallen, visit.person(fallen)) as tab:
        with tab.expecting("Failed to load resource"):
            await tab.page.goto(fallen.url + stop.path(fallen))
            await tab.page.locator("body").wait_for()
        assert await tab.page.evaluate("window.evil") is None, stop.name
        await calm(tab)
