"""The console over HTTPS: what it shows, what it refuses, and what stops the start."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp import ClientConnectorCertificateError, ClientError, TCPConnector

from dispatcher.service.serving import Rehearsal, serving
from dispatcher.service.tls import Files, context_of, remark
from dispatcher.settings import BadConfiguration
from tests.browser.standing import settings
from tests.channels.test_transport import certificate


def _pair(folder: Path, days: int = 90) -> Files:
    folder.mkdir(exist_ok=True)
    certificate(folder, days=days, host="127.0.0.1")
    files = Files(folder / "cert.pem", folder / "key.pem")
    files.key.chmod(0o600)
    return files


def _client(files: Files, **more: ssl.TLSVersion) -> aiohttp.ClientSession:
    knowing = ssl.create_default_context(cafile=str(files.certificate))
    for name, value in more.items():
        setattr(knowing, name, value)
    return aiohttp.ClientSession(connector=TCPConnector(ssl=knowing), timeout=aiohttp.ClientTimeout(total=10))


async def test_over_https_pages_come_and_say_that_nothing_else_will_do(jian_sqlite_url: str, tmp_path: Path) -> None:
    files = _pair(tmp_path / "pair")
    roles = frozenset({"web"})
    async with serving(settings(jian_sqlite_url), roles=roles, rehearsal=Rehearsal(), tls=context_of(files)) as live:
        assert live.url.startswith("https://127.0.0.1:")
        named = {"Host": "mingluo.example"}
        async with _client(files) as http, http.get(live.url + "/health/live", headers=named) as answer:
            assert answer.status == 200
            assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        async with _client(files) as http, http.get(live.url + "/health/live") as answer:
            assert "Strict-Transport-Security" not in answer.headers, "this machine has other things at other ports"
        async with _client(files) as http, http.get(live.url + "/") as answer:
            assert (answer.status, "default-src 'self'" in answer.headers["Content-Security-Policy"]) == (200, True)
        async with _client(files) as http:
            with pytest.raises(ClientError):
                await http.get(live.url.replace("https", "http", 1) + "/health/live")
        async with aiohttp.ClientSession() as stranger:
            with pytest.raises(ClientConnectorCertificateError):
                await stranger.get(live.url + "/health/live")


async def test_old_tls_is_not_spoken(jian_sqlite_url: str, tmp_path: Path) -> None:
    assert context_of(_pair(tmp_path / "pair")).minimum_version is ssl.TLSVersion.TLSv1_2


async def test_half_a_handshake_holds_up_nobody(jian_sqlite_url: str, tmp_path: Path) -> None:
    files = _pair(tmp_path / "pair")
    roles = frozenset({"web"})
    async with serving(settings(jian_sqlite_url), roles=roles, rehearsal=Rehearsal(), tls=context_of(files)) as live:
        port = int(live.url.rpartition(":")[2])
        lines = [await asyncio.open_connection("127.0.0.1", port) for _ in range(50)]
        async with _client(files) as http, http.get(live.url + "/health/live") as answer:
            assert answer.status == 200
        for _, writer in lines:
            writer.close()


def test_a_pair_that_is_none_stops_the_start_and_says_what_to_do(tmp_path: Path) -> None:
    one, other = _pair(tmp_path / "one"), _pair(tmp_path / "other")
    with pytest.raises(BadConfiguration, match="一对"):
        context_of(Files(one.certificate, other.key))
    with pytest.raises(BadConfiguration, match="不存在"):
        context_of(Files(tmp_path / "none.pem", one.key))
    one.key.chmod(0o644)
    with pytest.raises(BadConfiguration, match="chmod 600"):
        context_of(one)
    one.key.chmod(0o600)
    one.certificate.write_text("not a certificate")
    with pytest.raises(BadConfiguration, match="PEM"):
        context_of(one)


@pytest.mark.parametrize(
    ("days", "in_days", "said"), [(90, 0, ""), (20, 0, "还有 19 天到期"), (9, 10, "过期"), (90, -900, "才生效")]
)
def test_a_certificate_that_is_not_good_for_long_is_spoken_of(
    tmp_path: Path, days: int, in_days: int, said: str
) -> None:
    found = remark(_pair(tmp_path / "pair", days), datetime.now(UTC) + timedelta(days=in_days))
    assert (said in found) if said else found == ""
