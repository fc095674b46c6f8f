"""GET as a feed's reader needs it: what has not changed is not read again, and no peer hangs, floods or misleads us."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from channels.addresses import Guard
from dispatcher.polling.fetching import Ask, Document, Failed, Fetcher, Unchanged
from tests.channels.test_transport import certificate
from tests.city import NOW
from tests.dispatcher.upstream import Upstream, upstream

LIMIT = 100_000


@pytest.fixture
async def played() -> AsyncIterator[Upstream]:
    async with upstream() as opened:
        yield opened


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    opened = Fetcher(Guard(loopback=True, stranger=True))
    yield opened
    await opened.close()


def ask(url: str, **more: object) -> Ask:
    wanted = Ask(url=url, hosts=frozenset({"127.0.0.1"}), tls=False, timeout_s=5, most=LIMIT)
    return replace(wanted, **more)  # type: ignore[arg-type]


async def failed(fetcher: Fetcher, wanted: Ask) -> Failed:
    found = await fetcher.get(wanted, NOW)
    assert isinstance(found, Failed)
    return found


async def document(fetcher: Fetcher, wanted: Ask) -> Document:
    found = await fetcher.get(wanted, NOW)
    assert isinstance(found, Document), found
    return found


async def test_a_document_is_read_whole_with_what_tells_its_next_version(fetcher: Fetcher, played: Upstream) -> None:
    played.serve("/a", b"<a/>", **{"ETag": 'W/"1"', "Last-Modified": "Thu, 02 Apr 2026 18:39:00 GMT"})
    found = await document(fetcher, ask(f"{played.url}/a"))
    assert (found.body, found.content_type, found.url) == (b"<a/>", "application/xml", f"{played.url}/a")
    assert (found.etag, found.last_modified) == ('W/"1"', "Thu, 02 Apr 2026 18:39:00 GMT")


async def test_what_we_have_is_asked_for_by_its_marks_and_not_read_again(fetcher: Fetcher, played: Upstream) -> None:
    played.serve("/a", b"<a/>", ETag='"1"')
    have = ask(f"{played.url}/a", etag='"1"', last_modified="Thu, 02 Apr 2026 18:39:00 GMT")
    assert await fetcher.get(have, NOW) == Unchanged()
    (_, headers), *_ = played.asked
    assert headers["If-Modified-Since"] == "Thu, 02 Apr 2026 18:39:00 GMT"
    assert isinstance(await fetcher.get(replace(have, etag='"2"'), NOW), Document)


async def test_nothing_changed_is_no_answer_to_who_has_nothing(fetcher: Fetcher, played: Upstream) -> None:
    played.serve("/a", b"", status=304)
    assert "304" in (await failed(fetcher, ask(f"{played.url}/a"))).reason


async def test_a_mark_that_could_not_be_sent_back_is_dropped(fetcher: Fetcher, played: Upstream) -> None:
    played.serve("/a", b"<a/>", **{"ETag": '"预警"', "Last-Modified": "x" * 2000})
    found = await document(fetcher, ask(f"{played.url}/a"))
    assert (found.etag, found.last_modified) == ("", "")


# ── states ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("status", "after", "after_s", "busy"),
    [
        (429, "7", 7, True),
        (503, "Thu, 02 Apr 2026 18:40:00 GMT", 60, True),
        (500, "", None, False),
        (404, "9", None, False),
    ],
)
async def test_a_state_that_is_no_success_says_why_and_for_how_long(
    fetcher: Fetcher, played: Upstream, status: int, after: str, after_s: float | None, busy: bool
) -> None:
    played.serve("/a", b"", status=status, **({"Retry-After": after} if after else {}))
    found = await failed(fetcher, ask(f"{played.url}/a"))
    assert (found.after_s, found.busy) == (after_s, busy)
    assert found.reason


async def test_an_answer_without_a_document_is_none(fetcher: Fetcher, played: Upstream) -> None:
    played.serve("/a", b"", status=204)
    assert "204" in (await failed(fetcher, ask(f"{played.url}/a"))).reason


# ── limits ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _hanging(_request: web.BaseRequest) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def _trickling(request: web.BaseRequest) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    while True:
        await answer.write(b"<")
        await asyncio.sleep(0.02)


async def _cut(request: web.BaseRequest) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Length": "100"})
    await answer.prepare(request)
    await answer.write(b"<feed")
    assert request.transport is not None
    request.transport.abort()
    return answer


async def _endless(request: web.BaseRequest) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    while True:
        await answer.write(b"x" * 10_000)


@pytest.mark.parametrize("play", [_hanging, _trickling])
async def test_a_peer_that_hangs_or_trickles_is_left_in_time(fetcher: Fetcher, played: Upstream, play: object) -> None:
    played.play("/a", play)  # type: ignore[arg-type]
    assert "0.2 秒" in (await failed(fetcher, ask(f"{played.url}/a", timeout_s=0.2))).reason


async def test_an_answer_that_is_cut_off_is_none(fetcher: Fetcher, played: Upstream) -> None:
    played.play("/a", _cut)
    assert "中断" in (await failed(fetcher, ask(f"{played.url}/a"))).reason


async def test_an_answer_without_end_is_not_read_to_its_end(fetcher: Fetcher, played: Upstream) -> None:
    played.play("/a", _endless)
    assert f"{LIMIT} 字节" in (await failed(fetcher, ask(f"{played.url}/a"))).reason


async def test_a_packed_bomb_is_measured_unpacked(fetcher: Fetcher, played: Upstream) -> None:
    played.serve("/a", gzip.compress(b" " * 10 * LIMIT), **{"Content-Encoding": "gzip"})
    assert f"{LIMIT} 字节" in (await failed(fetcher, ask(f"{played.url}/a"))).reason
    played.serve("/a", gzip.compress(b"<a/>"), **{"Content-Encoding": "gzip"})
    assert (await document(fetcher, ask(f"{played.url}/a"))).body == b"<a/>"


async def test_nobody_listening_is_said_as_such(fetcher: Fetcher) -> None:
    assert "连不上" in (await failed(fetcher, ask("http://127.0.0.1:1/a"))).reason


# ── whom we ask ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_redirect_on_the_same_host_is_followed(fetcher: Fetcher, played: Upstream) -> None:
    played.serve("/a", b"", status=302, Location="/x/b")
    played.serve("/x/b", b"<b/>")
    found = await document(fetcher, ask(f"{played.url}/a"))
    assert (found.body, found.url) == (b"<b/>", f"{played.url}/x/b")


@pytest.mark.parametrize(
    "to", ["http://localhost:{port}/b", "http://169.254.169.254/b", "http://user:pass@127.0.0.1:{port}/b"]
)
async def test_a_redirect_to_another_host_is_not(fetcher: Fetcher, played: Upstream, to: str) -> None:
    played.serve("/a", b"", status=302, Location=to.format(port=played.url.rpartition(":")[2]))
    played.serve("/b", b"<b/>")
    await failed(fetcher, ask(f"{played.url}/a"))
    assert played.paths() == ["/a"]


@pytest.mark.parametrize("to", ["/a", "http://[", "ftp://127.0.0.1/b", "/\x7f", "//"])
async def test_a_redirect_that_leads_nowhere_ends(fetcher: Fetcher, played: Upstream, to: str) -> None:
    played.serve("/a", b"", status=301, Location=to)
    assert (await failed(fetcher, ask(f"{played.url}/a"))).reason
    assert len(played.paths()) <= 4


async def test_only_hosts_that_were_named_are_asked(fetcher: Fetcher, played: Upstream) -> None:
    found = await failed(fetcher, ask(f"{played.url}/a", hosts=frozenset({"up.example"})))
    assert "feed.hosts" in found.reason
    assert played.paths() == []


async def test_what_is_read_over_tls_is_not_read_in_plain_text(fetcher: Fetcher, played: Upstream) -> None:
    assert "明文" in (await failed(fetcher, ask(f"{played.url}/a", tls=True))).reason
    assert played.paths() == []


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/a", "https://10.0.0.1/a", "http://up.example/a", "https://127.0.0.1:22/a"]
)
async def test_in_production_only_public_addresses_over_tls_are_asked(url: str) -> None:
    strict = Fetcher(Guard(stranger=True))
    hosts = frozenset({"127.0.0.1", "10.0.0.1", "up.example"})
    assert (await failed(strict, ask(url, hosts=hosts))).reason
    await strict.close()


async def test_a_certificate_that_nobody_vouches_for_is_no_proof(fetcher: Fetcher, tmp_path: Path) -> None:
    server, file = certificate(tmp_path, days=9, host="127.0.0.1")
    knowing = Fetcher(Guard(loopback=True, stranger=True), tls=ssl.create_default_context(cafile=str(file)))
    async with upstream(server) as proven, upstream() as plain:
        proven.serve("/a", b"<a/>")
        proven.serve("/b", b"", status=302, Location=f"{plain.url}/b")
        plain.serve("/b", b"<b/>")
        assert "证书" in (await failed(fetcher, ask(f"{proven.url}/a", tls=True))).reason
        assert proven.paths() == []
        assert (await document(knowing, ask(f"{proven.url}/a", tls=True))).body == b"<a/>"
        assert "明文" in (await failed(knowing, ask(f"{proven.url}/b", tls=True))).reason
        assert plain.paths() == []
    await knowing.close()
