"""What every request passes first: nothing is shown in clear to another machine, and junk from one address keeps no red out."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from urllib.parse import urlencode

import pytest
from twilio.request_validator import RequestValidator

from dispatcher.commands.serve import in_clear
from dispatcher.web.limits import BURST_S
from dispatcher.web.routes import ROUTES
from tests.browser.standing import TOKEN, TWILIO_TOKEN, House, cap, settings, standing

pytestmark = pytest.mark.long

FAR = {"X-Forwarded-For": "203.0.113.9", "Authorization": f"Bearer {TOKEN}"}
OPEN = {"callback", "alive", "ready"}


@pytest.fixture
async def behind(jian_sqlite_url: str) -> AsyncIterator[House]:
    """Believes this machine's proxy, so that a test can come from anywhere."""
    async with standing(jian_sqlite_url, MINGLUO_PROXIES="[127.0.0.1]", MINGLUO_PLAIN_FROM="[172.30.77.1]") as opened:
        yield opened


# ── in clear ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_in_clear_another_machine_gets_one_sentence_whatever_it_asks_for_and_shows(behind: House) -> None:
    for route in ROUTES:
        path = route.template.replace("{id}", "0" * 32).replace("{target}", "officer-1").replace("{identifier}", "x")
        path = path.replace("{channel}", "sms").replace("{provider}", "twilio").replace("{token}", "x")
        async with behind.http.request(route.method, behind.url + path, headers=FAR, data=b"") as answer:
            refused = answer.status == 403 and (await answer.json(content_type=None))["code"] == "plain_http"
        assert refused == (route.name not in OPEN), route.path
    for path in ("/nowhere", "/static/console.js", "/training/reset"):
        status, said, _ = await behind.get(path, **FAR)
        assert (status, said["code"]) == (403, "plain_http")


async def test_a_person_is_told_in_chinese_which_command_to_use_and_is_asked_for_nothing(behind: House) -> None:
    status, page, headers = await behind.text("/", **FAR, Accept="text/html")
    assert status == 403
    assert "mingluo serve --tls 证书 私钥" in page
    assert "docs/nginx.conf" in page
    assert ("<form" in page, "<input" in page, "WWW-Authenticate" in headers) == (False, False, False)
    status, _, _ = await behind.text("/static/console.css", **FAR)
    assert status == 200, "the sentence is to be read"


async def test_no_warning_comes_in_by_a_token_that_anybody_could_read_on_the_way(behind: House) -> None:
    status, said, _ = await behind.post(cap(), **FAR)
    assert (status, said["code"]) == (403, "plain_http")
    status, said, _ = await behind.post(cap(), **FAR, **{"X-Forwarded-Proto": "https"})
    assert (status, said["verdict"]) == (202, "accept")


async def test_what_is_signed_comes_in_all_the_same(behind: House) -> None:
    assert (await report(behind, **FAR)) == 204
    assert (await behind.get("/health/live", **FAR))[0] == 200


async def test_where_nobody_can_listen_plain_is_enough(behind: House) -> None:
    """A container's bridge: the host's own browser comes from its gateway."""
    bridge = {**FAR, "X-Forwarded-For": "172.30.77.1"}
    assert (await behind.text("/", **bridge))[0] == 200
    assert (await behind.text("/", **{**bridge, "X-Forwarded-For": "172.30.77.2"}))[0] == 403


def _own_address() -> str:
    """Under which another machine would reach this one; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(asking.getsockname()[0])


async def test_an_address_that_is_not_loopback_is_another_machines(jian_sqlite_url: str) -> None:
    own = _own_address()
    if own.startswith("127."):
        pytest.skip("this machine has no address but loopback")
    async with standing(jian_sqlite_url, MINGLUO_LISTEN="0.0.0.0:0") as house:
        assert (await house.text("/"))[0] == 200
        far = house.url.replace("127.0.0.1", own)
        async with house.http.get(far + "/", headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
            assert (answer.status, (await answer.json(content_type=None))["code"]) == (403, "plain_http")
        async with house.http.get(far + "/health/live") as answer:
            assert answer.status == 200


@pytest.mark.parametrize(
    ("listen", "more", "said"),
    [
        ("127.0.0.1:8080", {}, False),
        ("[::1]:8080", {}, False),
        ("0.0.0.0:8080", {}, True),
        ("10.36.0.2:8080", {}, True),
        ("0.0.0.0:8080", {"MINGLUO_PROXIES": "[10.36.0.3]"}, False),
        ("0.0.0.0:8080", {"MINGLUO_PLAIN_FROM": "[172.30.77.1]"}, False),
    ],
)
def test_whoever_starts_it_in_clear_for_other_machines_is_told(listen: str, more: dict[str, str], said: bool) -> None:
    told = in_clear(settings("sqlite+aiosqlite:///x.db", MINGLUO_LISTEN=listen, **more))
    assert ("--tls" in told) == said


# ── how much ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def report(house: House, *, token: str = TWILIO_TOKEN, **headers: str) -> int:
    form = {"MessageSid": "SM1", "MessageStatus": "delivered", "AccountSid": "AC1"}
    path = "/api/v1/callbacks/sms/twilio/nobody"
    public = f"{house.context.settings.service.public_url or house.url}{path}"
    signed = {
        "X-Twilio-Signature": RequestValidator(token).compute_signature(public, form),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    async with house.http.post(house.url + path, data=urlencode(form), headers={**headers, **signed}) as answer:
        return answer.status


class Flood:
    """One address that asks as fast as it can, until the block ends; `refused` is set at its first 429."""

    def __init__(self, house: House, path: str, method: str = "GET", **headers: str) -> None:
        self._house, self._path, self._method, self._headers = house, path, method, headers
        self.refused = asyncio.Event()
        self.statuses: set[int] = set()
        self.retry_after = ""

    async def run(self) -> None:
        while True:
            async with self._house.http.request(
                self._method, self._house.url + self._path, headers=self._headers, data=b"junk"
            ) as answer:
                self.statuses.add(answer.status)
                if answer.status == 429:
                    self.retry_after = answer.headers["Retry-After"]
                    assert (await answer.json(content_type=None))["code"] == "too_many"
                    self.refused.set()

    async def __aenter__(self) -> Flood:
        self._tasks = asyncio.TaskGroup()
        await self._tasks.__aenter__()
        self._running = [self._tasks.create_task(self.run()) for _ in range(20)]
        async with asyncio.timeout(40):
            await self.refused.wait()
        return self

    async def __aexit__(self, *failed: object) -> None:
        for task in self._running:
            task.cancel()
        await self._tasks.__aexit__(None, None, None)


JUNK = {
    "no-such-page": ("/nowhere", "GET", 404),
    "warnings-without-a-token": ("/api/v1/warnings", "POST", 401),
    "receipts-nobody-can-read": ("/api/v1/callbacks/sms/twilio/x", "POST", 400),
    "style": ("/static/console.css", "GET", 200),
}


@pytest.mark.parametrize(("path", "method", "status"), JUNK.values(), ids=JUNK)
async def test_while_junk_floods_in_from_its_own_address_a_sources_red_is_accepted(
    jian_sqlite_url: str, path: str, method: str, status: int
) -> None:
    async with standing(jian_sqlite_url) as house, Flood(house, path, method) as flood:
        answered, said, _ = await house.post(cap())
        assert (answered, said["verdict"]) == (202, "accept")
        answered, said, _ = await house.post(b"", path=f"/api/v1/warnings/{said['warning_id']}/cancel")
        assert answered == 202, said
        assert (await house.get("/health/live"))[0] == 200
    assert flood.statuses == {status, 429}
    assert int(flood.retry_after) >= 1


async def test_a_flood_from_one_address_turns_nobody_else_away(behind: House) -> None:
    https = {"X-Forwarded-Proto": "https", "Authorization": f"Bearer {TOKEN}"}
    async with Flood(behind, "/nowhere", **https, **{"X-Forwarded-For": "2001:db8:0:1::1"}):
        assert (await behind.text("/", **https, **{"X-Forwarded-For": "2001:db8:0:2::1"}))[0] == 200
        neighbour = {"X-Forwarded-For": "2001:db8:0:1:ffff::2"}
        statuses = {(await behind.text("/nowhere", **https, **neighbour))[0] for _ in range(200)}
        assert 429 in statuses, "who has one such address has all of them"


async def test_receipts_that_are_signed_are_not_counted(jian_sqlite_url: str) -> None:
    async with standing(jian_sqlite_url) as house:
        most = int(house.context.settings.service.per_address * BURST_S)
        answers = [await report(house) for _ in range(most + 500)]
        assert set(answers) == {204}
