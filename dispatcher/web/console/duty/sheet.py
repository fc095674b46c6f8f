"""How a page of the duty room is shown: with the frame of every page, whole without JavaScript, good on paper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from dispatcher.registry.register import Register
from dispatcher.web.console.framing import framed
from dispatcher.web.parts import parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What the frame asks of a page."""

    synthetic: bool


async def sheet(request: web.Request, name: str, values: Mapping[str, object], status: int = 200) -> web.Response:
    context = parts(request).doors.context
    page = Page(synthetic=(await context.register()).synthetic)
    return framed(request, f"{name}.html", {"page": page, "now": context.now(), "why": "", **values}, status=status)


def called(register: Register, code: str) -> str:
    """遂川县碧洲镇; the code itself where nobody knows it."""
    own = register.areas.get(code)
    if own is None:
        return code
    above = register.areas.get(own.parent)
    if own.level in ("city", "county") or above is None or above.level == "city":
        return own.name
    return called(register, above.code) + own.name
