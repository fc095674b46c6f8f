"""What axe-core finds on a page: the serious and the critical, each as one line that says where.

It does not know that a name on a map is read against its own halo and not against the patch behind: that is looked at here.
"""

from __future__ import annotations

from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Page

GRAVE = frozenset({"serious", "critical"})
_ALL_BUT_COLOURS = """() => axe.run({resultTypes: ["violations"], rules: {"color-contrast": {enabled: false}}})"""
_COLOURS = """() => {
  const seen = new Map();
  const written = (one) => /^(INPUT|SELECT|TEXTAREA)$/.test(one.tagName)
    || [...one.childNodes].some((child) => child.nodeType === Node.TEXT_NODE && child.data.trim());
  const look = (one) => one === document.body ? "" : look(one.parentElement) + ">" + one.tagName + "." + one.className;
  const chosen = [...document.querySelectorAll("body *")].filter(written).filter((one) => {
    const style = getComputedStyle(one);
    const name = one instanceof SVGElement ? "svg" + one.getAttribute("class") + style.fill : look(one) + style.color;
    seen.set(name, (seen.get(name) || 0) + 1);
    return seen.get(name) <= 3;
  });
  return axe.run({include: chosen}, {resultTypes: ["violations"], runOnly: ["color-contrast"]});
}"""
"""Three of each look, which is what it is written in, from the body down: a table of hundreds takes axe half a minute."""
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
    await page.evaluate(AXE_SCRIPT)
    found = await _grave(page, _ALL_BUT_COLOURS)
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        found += [f"{scheme}: {one}" for one in await _grave(page, _COLOURS)]
    return found


async def _grave(page: Page, run: str) -> list[str]:
    response = await page.evaluate(run)
    found = [(one, node) for one in response["violations"] if one["impact"] in GRAVE for node in one["nodes"]]
    return [_line(one, node) for one, node in found if not await _haloed(page, one, node)]


async def _haloed(page: Page, violation: Any, node: Any) -> bool:
    if violation["id"] != "color-contrast" or not node["html"].startswith("<text"):
        return False
    return bool(await page.locator(node["target"][0]).evaluate(_HALO) >= _LEAST)


def _line(violation: Any, node: Any) -> str:
    why = "; ".join(check["message"] for kind in ("any", "all", "none") for check in node[kind])
    return f"{violation['id']} at {' '.join(map(str, node['target']))}: {why} ({node['html'][:120]})"
