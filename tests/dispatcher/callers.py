"""People at the console by HTTP: each with an account, in a browser of his own, and what they do there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from dispatcher.accounts.authority import AccountRole
from dispatcher.accounts.entering import form_key
from tests.browser.standing import House
from tests.dispatcher.desk import stamp, written
from tests.dispatcher.persons import CITY, Browser, Office


async def come(house: House, there: Office, login: str, role: AccountRole, scope: str = CITY) -> Browser:
    await there.person(login, role, scope)
    return Browser(url=house.url, http=house.http, cookies={"mingluo": await there.session(login)})


async def drafted(house: House, browser: Browser, **changes: Any) -> str:
    """A yellow one of the county's."""
    token = browser.cookies["mingluo"]
    now = datetime.now(UTC).replace(microsecond=0)
    body = written(sent=stamp(now), expires=stamp(now + timedelta(hours=6)), **changes)
    headers = {
        "Cookie": f"mingluo={token}", "X-Form-Key": form_key(token), "Sec-Fetch-Site": "same-origin",
        "Content-Type": "application/json",
    }  # fmt: skip
    async with house.http.post(f"{house.url}/api/v1/warnings", data=body, headers=headers) as answer:
        said: dict[str, Any] = await answer.json(content_type=None)
    assert answer.status == 202, said
    return str(said["warning_id"])


async def submitted(house: House, browser: Browser, **changes: Any) -> str:
    """The same, waiting for its signature."""
    warning_id = await drafted(house, browser, **changes)
    await browser.get(f"/warnings/{warning_id}")
    await browser.post(f"/warnings/{warning_id}/submit")
    assert browser.status == 303
    return warning_id
