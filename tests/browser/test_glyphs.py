"""Chinese is drawn: not as boxes, down to the rare character in the name of one village."""

from __future__ import annotations

from playwright.async_api import Page

from tests.browser.browsing import Browsing, calm
from tests.browser.standing import House
from tests.services.chromium import DRAWN, FONT

NO_CHARACTER = "\U0010fff0"
"""Private, and in no font: what the browser draws for it is its box."""
_DRAW = """(characters) => {
  const drawn = (character) => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 64;
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    pen.font = "48px " + getComputedStyle(document.body).fontFamily;
    pen.fillText(character, 4, 52);
    return pen.getImageData(0, 0, 64, 64).data.join();
  };
  return characters.map(drawn);
}"""


async def boxes(page: Page, text: str) -> list[str]:
    """Characters that look like one no font has, like nothing, or like one another."""
    *drawn, box, blank = await page.evaluate(_DRAW, [*text, NO_CHARACTER, " "])
    return [one for one, look in zip(text, drawn, strict=True) if look in (box, blank) or drawn.count(look) > 1]


async def test_chinese_is_drawn_and_not_as_boxes(house: House, browsing: Browsing) -> None:
    async with browsing(house) as tab:
        await tab.to("/")
        undrawn = await boxes(tab.page, DRAWN)
        assert undrawn == [], (
            f"这台机器的字体画不出 {'、'.join(undrawn)}：请安装软件包 {FONT}（apt-get install {FONT}）"
        )
        assert await boxes(tab.page, "鸣\ue0f0\ufdd0锣") == ["\ue0f0", "\ufdd0"], "it tells a box where there is one"
        await calm(tab)
