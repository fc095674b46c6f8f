"""What axe-core finds on a page: the serious and the critical, each as one line that says where.

It does not know that a name on a map is read against its own halo and not against the patch behind: that is looked at here.
"""

from __future__ import annotations

from typing import Any

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

GRAVE = frozenset({"serious", "critical"})
_ALL = {"resultTypes": ["violations"]}
_COLOURS = {**_ALL, "runOnly": ["color-contrast"]}
_STANDING = Axe(axe_script="0")
"""For a page that has it in already: putting it in takes longer than most of what it does."""
_LEAST = 4.5
_HALO = """(text) => {
  const style = getComputedStyle(text);
  const light = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map((part) => part / 255)
      .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
  };
  const drawn = style.paintOrder.startsWith("stroke") && parseFloat(style.strokeWidth) >= 3
    && parseFloat(style.strokeOpacity) >= 0.9 && style.stroke.startsWith("rgb");
  const pair = drawn ? [light(style.fill), light(style.stroke)] : [1, 1];
  return Math.max(...pair) / Math.min(...pair);
}"""
"""The contrast of an SVG text with its halo; 1 where it has none."""


async def violations(page: Page) -> list[str]:
    """In the light, and what of it is different in the dark. Put in past the page's policy, which forbids it to every script
    that is not ours, and which must stay as it is."""
    await page.emulate_media(color_scheme="light")
    light = await _grave(page, (await Axe().run(page, options=_ALL)).response)
    await page.emulate_media(color_scheme="dark")
    dark = await _grave(page, (await _STANDING.run(page, options=_COLOURS)).response)
    return [*light, *(f"in the dark: {one}" for one in dark)]


async def _grave(page: Page, response: Any) -> list[str]:
    found = [(one, node) for one in response["violations"] if one["impact"] in GRAVE for node in one["nodes"]]
    return [_line(one, node) for one, node in found if not await _haloed(page, one, node)]


async def _haloed(page: Page, violation: Any, node: Any) -> bool:
    if violation["id"] != "color-contrast" or not node["html"].startswith("<text"):
        return False
    return bool(await page.locator(node["target"][0]).evaluate(_HALO) >= _LEAST)


def _line(violation: Any, node: Any) -> str:
    why = "; ".join(check["message"] for kind in ("any", "all", "none") for check in node[kind])
    return f"{violation['id']} at {' '.join(map(str, node['target']))}: {why} ({node['html'][:120]})"
