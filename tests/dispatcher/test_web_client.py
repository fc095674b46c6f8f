"""Who is at the other end: a proxy that service.yaml names is believed, anybody else's header is only a header."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from dispatcher.settings import BadConfiguration
from tests.browser.standing import TOKEN, House, settings, standing

FORGED = "/api/v1/callbacks/sms/twilio/x"
HERE = "127.0.0.1"
FAR = "203.0.113.9"


@pytest.fixture
async def house(jian_sqlite_url: str) -> AsyncIterator[House]:
    """Nobody is believed."""
    async with standing(jian_sqlite_url) as opened:
        yield opened


@pytest.fixture
async def behind(jian_sqlite_url: str) -> AsyncIterator[House]:
    """This machine's proxy is believed, and a second one that stands before it."""
    async with standing(jian_sqlite_url, MINGLUO_PROXIES="[127.0.0.1, 198.51.100.0/24]") as opened:
        yield opened


async def seen(house: House, *headers: tuple[str, str]) -> str:
    """The address that is written down of whoever forges a receipt."""
    with capture_logs() as logged:
        async with house.http.post(house.url + FORGED, data=b"MessageSid=x", headers=list(headers)) as answer:
            assert answer.status == 401
    (line,) = [one for one in logged if "remote" in one]
    return str(line["remote"])


async def test_a_header_of_a_stranger_is_not_believed(house: House) -> None:
    assert await seen(house) == HERE
    assert await seen(house, ("X-Forwarded-For", FAR)) == HERE
    https = {"X-Forwarded-Proto": "https", "Host": "mingluo.example"}
    _, _, headers = await house.text("/health/live", **https)
    assert "Strict-Transport-Security" not in headers


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ([FAR], FAR),
        ([f"127.0.0.1, {FAR}"], FAR),
        ([f"10.0.0.1, {FAR}"], FAR),
        (["10.0.0.1", FAR], FAR),
        ([f"{FAR}, 198.51.100.7"], FAR),
        ([f"192.0.2.1, {FAR}, 198.51.100.7, 127.0.0.1"], FAR),
        (["198.51.100.7"], "198.51.100.7"),
        ([f"{FAR}:50123"], FAR),
        (["[2001:db8::7]:50123"], "2001:db8::7"),
        (["2001:db8::7"], "2001:db8::7"),
        ([f"::ffff:{FAR}"], FAR),
        ([f"{FAR}, unknown"], "None"),
        ([f"{FAR}, "], "None"),
        (["<script>"], "None"),
        ([], "None"),
    ],
    ids=str,
)
async def test_behind_a_named_proxy_the_last_that_is_none_is_the_client(
    behind: House, forwarded: list[str], address: str
) -> None:
    assert await seen(behind, *(("X-Forwarded-For", one) for one in forwarded)) == address


async def test_https_at_a_named_proxy_is_https(behind: House) -> None:
    given = {"X-Forwarded-For": FAR, "Host": "mingluo.example", "Authorization": f"Bearer {TOKEN}"}
    status, _, headers = await behind.text("/", **given, **{"X-Forwarded-Proto": "https"})
    assert (status, headers["Strict-Transport-Security"]) == (200, "max-age=31536000")
    for proto in ("http", "https, http", ""):
        status, _, headers = await behind.text("/", **given, **{"X-Forwarded-Proto": proto})
        assert (status, "Strict-Transport-Security" in headers) == (403, False), proto


async def test_nobody_who_comes_by_a_proxy_is_taken_for_this_machine(behind: House) -> None:
    """Not even where the proxy forgets to say for whom it asks, or a client says that he is the proxy."""
    https = {"X-Forwarded-Proto": "https"}
    for said in ({}, {"X-Forwarded-For": "127.0.0.1"}, {"X-Forwarded-For": f"127.0.0.1, {FAR}"}):
        status, _, _ = await behind.text("/", **https, **said)
        assert status == 401, said


@pytest.mark.parametrize("name", ["PROXIES", "PLAIN_FROM"])
@pytest.mark.parametrize(
    ("networks", "said"),
    [("[10.1.0.1/16]", "网段"), ("[nginx]", "网段"), ("['0.0.0.0/0']", "所有地址"), ("['::/0']", "所有地址")],
)
def test_a_network_that_is_none_or_is_everybody_stops_the_start(name: str, networks: str, said: str) -> None:
    with pytest.raises(BadConfiguration, match=rf"service\.yaml.*{name.lower()}.*{said}"):
        settings("sqlite+aiosqlite:///x.db", **{f"MINGLUO_{name}": networks})
