"""Every page of the console, and who sees it: what screenshots, the check for whoever cannot see, and other tests go through.

A new page is one line in TOUR. Its name is its file among the screenshots, its roles are those whose page differs. The first
steps of an account, which are there once, are gone through by a test of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from playwright.async_api import expect

from dispatcher.accounts.authority import HELD_BY_ACCOUNTS, AccountRole
from tests.browser.browsing import Tab
from tests.browser.night import Night
from tests.browser.people import Person

DUTY, LEADER, CLERK, OPERATOR, AUDITOR, ADMINISTRATOR = HELD_BY_ACCOUNTS
_LOOKING: Final = (DUTY, LEADER, CLERK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """One page. `roles`: whoever opens it, one after the other; nobody's is what a stranger sees. `status`: of its answer.
    `live`: it is told what moves, and says so in its status bar. `ready`: what must be there before it is looked at."""

    name: str
    path: Callable[[Night], str]
    roles: tuple[AccountRole | None, ...] = (DUTY,)
    status: int = 200
    live: bool = False
    ready: str = "h1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A page as one role sees it."""

    stop: Stop
    role: AccountRole | None

    @property
    def name(self) -> str:
        return self.stop.name if len(self.stop.roles) == 1 else f"{self.stop.name}-{self.role or 'stranger'}"

    def person(self, night: Night) -> Person | None:
        return None if self.role is None else night.people[self.role]

    async def open(self, tab: Tab, night: Night) -> None:
        """Until the page stands."""
        with tab.expecting("Failed to load resource") if self.stop.status >= 400 else nullcontext():
            answer = await tab.page.goto(night.url + self.stop.path(night))
            assert answer is not None
            assert answer.status == self.stop.status
            await expect(tab.page.locator(self.stop.ready).first).to_be_visible()
            if self.stop.live:
                await expect(tab.page.locator("#pulse")).to_have_attribute("data-state", "live")


def at(path: str) -> Callable[[Night], str]:
    return lambda night: path


TOUR: Final = (
    # coming in
    Stop(name="sign-in", path=at("/sign-in"), roles=(None,)),
    Stop(name="enrol", path=at("/enrol"), roles=(None,)),
    Stop(name="step-up", path=at("/sign-in/second?next=/")),
    Stop(name="not-found", path=lambda night: f"/warnings/{'0' * 32}", status=404),
    Stop(name="not-allowed", path=at("/accounts"), status=403),
    # lists
    Stop(name="front", path=at("/"), roles=HELD_BY_ACCOUNTS, live=True),
    Stop(name="all-warnings", path=at("/warnings"), roles=(DUTY, CLERK), live=True),
    Stop(name="held-warnings", path=at("/warnings?show=held"), live=True),
    Stop(name="searched", path=at("/warnings?show=current&level=red&q=暴雨"), live=True),
    Stop(name="rejected", path=at("/rejected"), roles=(DUTY, AUDITOR), live=True),
    # issuing
    Stop(name="issue", path=at("/issue"), live=True, ready="warning-map[data-drawn]"),
    Stop(name="issue-template", path=at("/issue?hazard=暴雨&level=red"), live=True, ready="warning-map[data-drawn]"),
    Stop(
        name="issue-drill",
        path=at("/issue?drill=1&hazard=洪水&level=orange"),
        live=True,
        ready="warning-map[data-drawn]",
    ),
    Stop(name="edit", path=lambda night: f"/warnings/{night.draft}/edit", live=True, ready="warning-map[data-drawn]"),
    Stop(name="update", path=lambda night: f"/warnings/{night.red}/update", live=True, ready="warning-map[data-drawn]"),
    # one warning
    Stop(name="red", path=lambda night: f"/warnings/{night.red}", roles=_LOOKING, live=True),
    Stop(name="red-county", path=lambda night: f"/warnings/{night.red}?county=360827", live=True),
    Stop(name="drill", path=lambda night: f"/warnings/{night.drill}", live=True),
    Stop(name="held", path=lambda night: f"/warnings/{night.held}", live=True),
    Stop(name="unjoined", path=lambda night: f"/warnings/{night.unjoined}", live=True, ready="#acts select"),
    Stop(name="draft", path=lambda night: f"/warnings/{night.draft}", live=True),
    Stop(name="submitted", path=lambda night: f"/warnings/{night.submitted}", roles=(DUTY, LEADER), live=True),
    Stop(name="returned", path=lambda night: f"/warnings/{night.returned}", live=True),
    Stop(name="signed", path=lambda night: f"/warnings/{night.signed}", roles=(LEADER,), live=True),
    Stop(name="mistaken", path=lambda night: f"/warnings/{night.mistaken}", live=True),
    Stop(name="taking-back", path=lambda night: f"/warnings/{night.taking_back}", live=True),
    Stop(name="sign", path=lambda night: f"/warnings/{night.submitted}/sign", roles=(LEADER,), live=True),
    Stop(name="telephone", path=lambda night: f"/warnings/{night.to_be_read_out}/telephone", live=True),
    Stop(name="cancel", path=lambda night: f"/warnings/{night.red}/cancel", live=True),
    Stop(name="cancel-drill", path=lambda night: f"/warnings/{night.drill}/cancel", live=True),
    Stop(name="all-clear", path=lambda night: f"/warnings/{night.red}/all-clear", live=True),
    Stop(name="correct", path=lambda night: f"/warnings/{night.red}/correct", live=True),
    Stop(name="planned", path=lambda night: f"/warnings/{night.submitted}/planned", roles=(LEADER, CLERK), live=True),
    Stop(name="rows", path=lambda night: f"/warnings/{night.red}/deliveries", roles=(DUTY, CLERK), live=True),
    Stop(
        name="row",
        path=lambda night: f"/warnings/{night.red}/deliveries/{quote(night.missed, safe='')}",
        live=True,
        ready="#number",
    ),
    Stop(name="form", path=lambda night: f"/warnings/{night.submitted}/form", live=True),
    # the duty room
    Stop(name="shift", path=at("/shift"), roles=(DUTY, LEADER), live=True),
    Stop(name="handover", path=lambda night: f"/shift/{night.handover}", live=True),
    Stop(name="tonight", path=at("/tonight"), roles=_LOOKING, live=True),
    # accounts
    Stop(name="own-account", path=at("/account")),
    Stop(name="accounts", path=at("/accounts"), roles=(ADMINISTRATOR,)),
)


VISITS: Final = tuple(Visit(stop=stop, role=role) for stop in TOUR for role in stop.roles)
