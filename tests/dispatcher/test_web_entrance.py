"""From the printed code to an account, in a browser: pages, cookies, keys of forms, and what a stranger sees."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from urllib.parse import quote

import pytest

from dispatcher.accounts import second
from dispatcher.accounts.authority import AccountRole
from dispatcher.accounts.keeping import Keeper
from dispatcher.web.asker import place_among
from dispatcher.web.routes import ROUTES
from tests.browser.standing import TOKEN, House, cap, standing
from tests.dispatcher.persons import CITY, PASSWORD, Browser, Hands, office

CODE = re.compile(r'<code class="code">([^<]+)</code>')
SECRET = re.compile(r"手工输入密钥 <code>([A-Z2-7]+)</code>")
SEALED = re.compile(r'name="sealed" value="([0-9a-f]+)"')


@pytest.fixture
async def house(jian_sqlite_url: str) -> AsyncIterator[House]:
    async with standing(jian_sqlite_url) as opened:
        yield opened


@pytest.fixture
def browser(house: House) -> Callable[[], Browser]:
    return lambda: Browser(url=house.url, http=house.http)


def keeper(house: House) -> Keeper:
    context = house.context
    return Keeper(context.store, context.seal, context.now, "asvs")


def now(offset: int = 0) -> datetime:
    return datetime.fromtimestamp(datetime.now(UTC).timestamp() + offset, UTC)


async def founder(house: House, made: Browser) -> str:
    """The first account, made in a browser; the app's secret."""
    code = await keeper(house).first_code()
    await made.get("/sign-in")
    assert (made.status, made.at) == (303, "/first")
    await made.get("/first")
    await made.post("/first", {"code": code, "login": "Chief", "name": "第一人"})
    assert made.status == 200, made.page
    enrolment = re.search(r'name="code"[^>]*value="([^"]+)"', made.page)
    assert enrolment is not None
    await made.post("/enrol", {"code": enrolment.group(1), "password": PASSWORD, "again": PASSWORD})
    assert (made.status, made.at) == (303, "/enrol/second")
    await made.get("/enrol/second")
    secret, sealed = SECRET.search(made.page), SEALED.search(made.page)
    assert secret is not None
    assert sealed is not None
    # the step before this one: so that the next one is still good for what comes
    await made.post("/enrol/second", {"sealed": sealed.group(1), "code": second.code_at(secret.group(1), now(-30))})
    assert made.status == 200, made.page
    assert len(re.findall(r"<li><code>", made.page)) == second.PAPER_CODES
    return secret.group(1)


async def test_from_the_printed_code_to_an_administrator_who_adds_a_duty_officer(
    house: House, browser: Callable[[], Browser]
) -> None:
    chief = browser()
    await founder(house, chief)
    assert "第一人（管理员）" in await chief.get("/")
    await chief.get("/accounts")
    assert chief.status == 200
    await chief.post("/accounts", {"login": "wang", "name": "王值班", "role": "duty_officer", "scope": CITY})
    code = CODE.search(chief.page)
    assert code is not None
    wang = browser()
    await wang.get("/enrol")
    await wang.post("/enrol", {"code": code.group(1), "password": PASSWORD, "again": PASSWORD})
    await wang.get("/enrol/second")
    secret, sealed = SECRET.search(wang.page), SEALED.search(wang.page)
    assert secret is not None
    assert sealed is not None
    await wang.post("/enrol/second", {"sealed": sealed.group(1), "code": second.code_at(secret.group(1), now())})
    assert "王值班（值班员）" in await wang.get("/")
    await wang.get("/accounts")
    assert wang.status == 403
    again = browser()
    await again.get("/enrol")
    await again.post("/enrol", {"code": code.group(1), "password": PASSWORD, "again": PASSWORD})
    assert again.status == 401, "the code was good once"


async def test_signing_in_needs_both_and_a_browser_keeps_the_cookie_to_itself(
    house: House, browser: Callable[[], Browser]
) -> None:
    made = browser()
    secret = await founder(house, made)
    other = browser()
    await other.get("/")
    assert (other.status, other.at) == (303, "/sign-in?next=/")
    await other.get("/sign-in")
    await other.post("/sign-in", {"login": "chief", "password": PASSWORD})
    assert other.status == 303
    half = dict(other.cookies)
    await other.get("/")
    assert other.status == 303, "half a session is none"
    await other.get("/sign-in/second")
    await other.post("/sign-in/second", {"code": "000000"})
    assert other.status == 401
    await other.post("/sign-in/second", {"code": second.code_at(secret, now()), "next": "https://evil.example/"})
    assert (other.status, other.at) == (303, "/")
    assert other.cookies != half
    url = f"{house.url}/sign-in"
    async with house.http.post(url, data={"login": "x", "password": "y", "key": _key(made)}) as answer:
        assert "Set-Cookie" not in answer.headers
    assert "第一人" in await other.get("/")
    await other.post("/sign-out")
    assert other.cookies == {}
    await other.get("/")
    assert other.status == 303


def _key(of: Browser) -> str:
    found = re.search(r'name="key" value="([^"]+)"', of.page)
    return found.group(1) if found else ""


async def test_the_cookie_is_for_this_host_and_no_script(house: House, browser: Callable[[], Browser]) -> None:
    made = browser()
    await founder(house, made)
    await made.get("/sign-in")
    key = _key(made)
    form = {"key": key, "login": "chief", "password": PASSWORD}
    async with house.http.post(f"{house.url}/sign-in", data=form, allow_redirects=False) as answer:
        said = answer.headers["Set-Cookie"]
        assert answer.headers["Cache-Control"] == "no-store"
    assert {"HttpOnly", "Path=/", "SameSite=Strict"} <= {one.strip() for one in said.split(";")}
    assert "Domain" not in said


FOREIGN = (
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.example"},
)


async def test_nothing_is_changed_by_a_page_that_is_not_ours(house: House, browser: Callable[[], Browser]) -> None:
    made = browser()
    await founder(house, made)
    await made.get("/accounts")
    given = {"login": "eve", "name": "夏娃", "role": "administrator", "scope": CITY}
    for headers in FOREIGN:
        await made.post("/accounts", given, **headers)
        assert made.status == 403
        await made.get("/accounts")
    await made.post("/accounts", {**given, "key": "guessed"})
    assert made.status == 403
    made.page = ""
    await made.post("/accounts", given)
    assert made.status == 403, "without a key"
    stranger = browser()
    await stranger.get("/sign-in")
    stranger.cookies = dict(made.cookies)
    await stranger.post("/accounts", given)
    assert stranger.status == 403, "the key of another page"
    name, token = next(iter(made.cookies.items()))
    for kind in ("text/plain", "application/json", "multipart/form-data; boundary=x"):
        headers = {"Cookie": f"{name}={token}", "Content-Type": kind, "Sec-Fetch-Site": "same-origin"}
        async with house.http.post(f"{house.url}/accounts", data=b'{"login":"eve"}', headers=headers) as answer:
            assert answer.status == 403
    assert [one.login for one in await keeper(house).every()] == ["chief"]


async def test_a_form_of_one_process_is_answered_by_another_of_the_same_database(
    jian_postgres_url: str,
) -> None:
    async with standing(jian_postgres_url) as house, standing(jian_postgres_url) as beside:
        await office(house.context.store, Hands(datetime.now(UTC))).person("zhang")
        made = Browser(url=house.url, http=house.http)
        await made.get("/sign-in")
        made.url = beside.url
        await made.post("/sign-in", {"login": "zhang", "password": PASSWORD})
        assert (made.status, made.at.partition("?")[0]) == (303, "/sign-in/second")


async def test_a_form_that_is_none_is_refused_also_with_the_right_key(
    house: House, browser: Callable[[], Browser]
) -> None:
    made = browser()
    await founder(house, made)
    await made.get("/account")
    name, token = next(iter(made.cookies.items()))
    for kind in ("multipart/form-data", "multipart/form-data; boundary=x", "application/json"):
        headers = {"Cookie": f"{name}={token}", "X-Form-Key": _key(made), "Content-Type": kind}
        async with house.http.post(f"{house.url}/account/duty", data=b"on_duty=1", headers=headers) as answer:
            assert answer.status == 403, kind


async def test_once_there_is_an_account_nobody_looks_without_one(house: House, browser: Callable[[], Browser]) -> None:
    await house.post(cap())
    assert (await house.get("/api/v1/warnings"))[0] == 200, "at this machine, where nothing is real"
    await founder(house, browser())
    for path in (
        "/",
        "/api/v1/warnings",
        "/api/v1/gateways",
        "/api/v1/rejects",
        "/api/v1/live",
        "/metrics",
        "/accounts",
    ):
        status, said, _ = await house.get(path)
        assert (status, said["code"]) == (401, "unauthorized"), path
    status, _, _ = await house.get("/api/v1/warnings", Authorization=f"Bearer {TOKEN}")
    assert status == 200


async def test_a_page_left_alone_stays_and_does_nothing_until_its_person_is_back(
    house: House, browser: Callable[[], Browser]
) -> None:
    made = browser()
    secret = await founder(house, made)
    await made.get("/account")
    async with house.context.store.begin() as tx:
        await tx.exec_driver_sql("UPDATE sessions SET seen_at = datetime(seen_at, '-16 minutes')")
    await made.get("/?part=live")
    assert made.status == 200, "the wall stays"
    await made.get("/")
    assert made.status == 200, "also when it is loaded again, and that wakes nobody"
    await made.get("/account")
    assert (made.status, made.at) == (303, "/sign-in/second?next=/account")
    await made.get("/sign-in/second")
    await made.post("/sign-in/second", {"code": second.code_at(secret, now()), "next": "/account"})
    assert (made.status, made.at) == (303, "/account")
    await made.get("/account")
    assert made.status == 200


@pytest.mark.long
async def test_whoever_finds_a_page_left_alone_may_sign_its_person_out(
    house: House, browser: Callable[[], Browser]
) -> None:
    made = browser()
    await founder(house, made)
    await made.get("/account")
    async with house.context.store.begin() as tx:
        await tx.exec_driver_sql("UPDATE sessions SET seen_at = datetime(seen_at, '-16 minutes')")
    await made.post("/sign-out")
    assert (made.status, made.at, made.cookies) == (303, "/sign-in", {})


async def test_what_cannot_be_taken_back_asks_for_the_code_again(house: House, browser: Callable[[], Browser]) -> None:
    made = browser()
    secret = await founder(house, made)
    await made.get("/account")
    async with house.context.store.begin() as tx:
        await tx.exec_driver_sql("UPDATE sessions SET proven_at = datetime(proven_at, '-6 minutes')")
    await made.get("/accounts")
    assert (made.status, made.at) == (303, "/sign-in/second?next=/accounts")
    await made.get("/account")
    await made.post("/account/papers")
    assert (made.status, made.at) == (303, "/sign-in/second?next=/account"), "and back to the page of the button"
    await made.get("/sign-in/second")
    await made.post("/sign-in/second", {"code": second.code_at(secret, now())})
    await made.get("/account")
    await made.post("/account/papers")
    assert made.status == 200


@pytest.mark.parametrize(
    ("given", "to"),
    [
        ("/account", "/account"), ("/warnings/" + "a" * 32 + "?county=1&part=live", "/warnings/" + "a" * 32 + "?county=1"),
        ("/api/v1/rejects", "/"), ("/sign-out", "/"), ("/accounts/1/disable", "/accounts"),
        ("/shift/offer", "/shift"), ("/shift/12", "/shift/12"),
         ("/warnings/" + "0" * 32, "/warnings/" + "0" * 32), ("/accountsx", "/"),
        ("/warnings/" + "a" * 32 + "/approve", "/warnings/" + "a" * 32), ("//evil.example", "/"),
        ("https://evil.example", "/"), ("/\\evil.example", "/"), ("/account\r\nSet-Cookie: a=b", "/"), ("javascript:1", "/"),
    ],
)  # fmt: skip
def test_nobody_is_led_elsewhere_after_signing_in(given: str, to: str) -> None:
    assert place_among([route.place for route in ROUTES if route.is_page], given) == to


@pytest.mark.long
async def test_the_third_guess_waits(house: House, browser: Callable[[], Browser]) -> None:
    made = browser()
    await founder(house, made)
    other, seen = browser(), []
    await other.get("/sign-in")
    while 429 not in seen and len(seen) < 8:  # each one more waits twice as long: no machine is too slow for that
        await other.post("/sign-in", {"login": "chief", "password": "wrong wrong wrong"})
        seen.append(other.status)
    assert seen[:2] == [401, 401]
    assert seen[-1] == 429


@pytest.mark.long
async def test_the_pages_of_a_role_say_whose_they_are(house: House) -> None:
    """Every role signs in by the same pages and sees its own name."""
    there = office(house.context.store, Hands(now()))
    for role in AccountRole:
        if role is AccountRole.SOURCE:
            continue
        await there.person(role.value, role)
        token = await there.session(role.value)
        headers = {"Cookie": f"mingluo={token}", "Accept": "text/html"}
        async with house.http.get(house.url + "/", headers=headers) as answer:
            assert answer.status == 200
            assert role.chinese in await answer.text()


async def test_whoever_presses_a_button_after_his_session_ended_is_told_to_sign_in_and_led_back(
    house: House, browser: Callable[[], Browser]
) -> None:
    there = office(house.context.store, Hands(datetime.now(UTC)))
    await there.person("wang")
    _, said, _ = await house.post(cap())
    path = f"/warnings/{said['warning_id']}"
    wang = browser()
    wang.cookies["mingluo"] = await there.session("wang")
    await wang.get(path)
    wang.cookies.clear()
    page = await wang.post(f"{path}/submit")
    assert wang.status == 401
    assert f'href="/sign-in?next={quote(path, safe="")}"' in page
    assert ("请重新登录" in page, "令牌" in page, "Bearer" in page) == (True, False, False)
    async with house.http.post(f"{house.url}/api/v1{path}/discard", json={"reason": "重复"}) as answer:
        assert (answer.status, "Bearer" in (await answer.json(content_type=None))["detail"]) == (401, True)
    page = await wang.get("/nowhere")
    assert (wang.status, "没有这个页面" in page, "openapi" in page) == (404, True, False)
