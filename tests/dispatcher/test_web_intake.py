"""Warnings in by HTTP: answered only after the commit, once each, and every refusal with its code."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from io import BytesIO

import pytest

from dispatcher.store import rejects, warnings
from tests.browser.standing import HELD_TOKEN, TOKEN, House, cap, code, standing

PATH = "/api/v1/warnings"


@pytest.fixture
async def house(jian_sqlite_url: str) -> AsyncIterator[House]:
    async with standing(jian_sqlite_url) as opened:
        yield opened


async def kept(house: House) -> int:
    async with house.context.store.read() as tx:
        return len(await warnings.latest(tx))


async def test_an_accepted_warning_is_in_the_database_when_202_is_read(house: House) -> None:
    status, said, headers = await house.post(cap())
    assert (status, said["verdict"], said["state"], said["code"]) == (202, "accept", "approved", None)
    assert headers["Location"] == f"{PATH}/{said['warning_id']}"
    async with house.context.store.read() as tx:
        row = await warnings.one(tx, said["warning_id"])
    assert row is not None
    assert (row.door, row.source, row.raw) == ("http", "city-weather", cap())


@pytest.mark.long
async def test_a_source_not_trusted_waits_for_a_person(house: House) -> None:
    status, said, _ = await house.post(cap(), HELD_TOKEN)
    assert (status, said["verdict"], said["state"], said["code"]) == (202, "hold", "held", 250)


async def test_the_same_message_again_gets_the_same_answer_and_does_nothing(house: House) -> None:
    _, first, _ = await house.post(cap())
    status, again, _ = await house.post(cap())
    assert (status, again["warning_id"], again["repeated"]) == (202, first["warning_id"], True)
    assert await kept(house) == 1


async def test_the_same_message_ten_times_at_once_is_one_warning(house: House) -> None:
    answers = await asyncio.gather(*(house.post(cap()) for _ in range(10)))
    assert {status for status, _, _ in answers} == {202}
    assert len({said["warning_id"] for _, said, _ in answers}) == 1
    assert [said["repeated"] for _, said, _ in answers].count(False) == 1


async def test_the_same_identity_with_other_words_is_a_conflict(house: House) -> None:
    await house.post(cap())
    status, said, headers = await house.post(cap(description="改过的文字"))
    assert (status, said["code"], said["status"]) == (409, "201", 409)
    assert headers.get("Content-Type", "").startswith("application/problem+json")
    assert await kept(house) == 1


async def test_an_idempotency_key_speaks_for_one_body_alone(house: House) -> None:
    key = {"Idempotency-Key": "night-1"}
    _, first, _ = await house.post(cap(), **key)
    status, again, _ = await house.post(cap(), **key)
    assert (status, again["warning_id"]) == (202, first["warning_id"])
    status, said, _ = await house.post(cap("36080041600000_other"), **key)
    assert (status, said["code"]) == (409, "idempotency_key_reused")
    status, _, _ = await house.post(cap("36080041600000_other"), HELD_TOKEN, **key)
    assert status == 202, "another source may use the same key"
    assert await kept(house) == 2


async def test_an_idempotency_key_of_strange_characters_is_refused(house: House) -> None:
    for key in ("", " ", "钥匙", "x" * 256):
        status, said, _ = await house.post(cap(), **{"Idempotency-Key": key})
        assert (status, said["code"]) == (400, "idempotency_key"), key
    assert await kept(house) == 0


HOSTILE = {
    "nothing": (b"", "220"),
    "blanks": (b" \n\t ", "220"),
    "half an alert": (cap()[:200], "220"),
    "a doctype": (b'<!DOCTYPE a [<!ENTITY b "c">]>' + cap(), "220"),
    "an unknown geocode": (cap(where=code("999999")), "215"),
    "a place out of authority": (cap(where=code("110101")), "215"),
    "latitude and longitude swapped": (
        cap(where="<polygon>114.4,26.3 114.4,26.4 114.6,26.4 114.4,26.3</polygon>"),
        "213",
    ),
    "an open ring": (cap(where="<polygon>26.3,114.4 26.4,114.4 26.4,114.6</polygon>"), "213"),
    "already expired": (cap(sent="2020-01-01T00:00:00+08:00", expires="2020-01-01T06:00:00+08:00"), "209"),
    "a control character": (cap(description="坏\x07字符"), "220"),
    "no JSON": (b'{"sender":', "220"),
    "a key twice": (b'{"sender":"a","sender":"b"}', "220"),
    "a deep JSON": (b"[" * 100_000, "221"),
    "a picture that says it is XML": (b"\x89PNG\r\n\x1a\n" + bytes(100), "220"),
    "CAP 1.1": (cap().replace(b"cap:1.2", b"cap:1.1"), "260"),
}


@pytest.mark.long
async def test_bad_bytes_get_a_code_and_are_kept_and_the_next_message_is_unharmed(house: House) -> None:
    for number, (name, (hostile, expected)) in enumerate(HOSTILE.items()):
        body = hostile.replace(b"_20260403023830", b"_bad_%d" % number)
        status, said, headers = await house.post(body)
        if status == 202:
            assert (said["verdict"], str(said["code"])) == ("hold", expected), name
        else:
            assert (status, said["code"]) == (422, expected), name
            assert headers["Content-Type"].startswith("application/problem+json")
            assert said["detail"], name
            assert said["findings"], name
            async with house.context.store.read() as tx:
                reject = (await rejects.latest(tx))[0]
            assert (reject.raw, str(reject.code), reject.door) == (body, expected, "http"), name
        status, said, _ = await house.post(cap(f"next-{number}", where=code("360827102")))
        assert (status, said["verdict"]) == (202, "accept"), name


async def test_a_body_too_large_is_refused_before_it_is_read(house: House) -> None:
    most = house.context.settings.service.max_body_bytes
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/cap+xml"}
    large = BytesIO(bytes(most + 1))
    async with house.http.post(house.url + PATH, data=large, headers=headers) as answer:
        assert (answer.status, (await answer.json(content_type=None))["code"]) == (413, "221")

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(most // 65536 + 2):
            yield bytes(65536)

    async with house.http.post(house.url + PATH, data=endless(), headers=headers) as answer:
        assert answer.status == 413


async def test_no_content_type_and_a_compressed_body_are_refused(house: House) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    skip = ["Content-Type"]
    async with house.http.post(house.url + PATH, data=cap(), headers=headers, skip_auto_headers=skip) as answer:
        assert (answer.status, (await answer.json(content_type=None))["code"]) == (415, "no_content_type")
    status, said, _ = await house.post(cap(), **{"Content-Encoding": "gzip"})
    assert (status, said["code"]) == (415, "encoded")


async def test_native_json_comes_in_by_the_same_door(house: House) -> None:
    _, said, _ = await house.get("/api/v1/warnings")
    assert said == {"warnings": [], "next_before": None}
    body = {
        "sender": "36080041600000",
        "identifier": "json-1",
        "sent": house.context.now().replace(microsecond=0).isoformat(),
        "status": "Actual",
        "kind": "Alert",
        "event": "暴雨",
        "level": "red",
        "headline": "暴雨红色预警",
        "description": "三小时内有大暴雨",
        "areas": [{"description": "碧洲镇", "geocodes": ["360827102"]}],
    }
    status, said, _ = await house.post(
        json.dumps(body).encode(), **{"Content-Type": "application/vnd.mingluo.warning+json"}
    )
    assert (status, said["verdict"]) == (202, "accept"), said


async def test_a_preview_tells_who_would_be_told_and_writes_nothing(house: House) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/cap+xml"}
    url = f"{house.url}{PATH}/preview"
    async with house.http.post(url, data=cap(where=code("360827102")), headers=headers) as answer:
        said = await answer.json()
    assert (answer.status, said["verdict"]) == (200, "accept")
    assert said["officers"] > 0
    assert {"sms", "broadcast", "party"} == set(said["channels"])
    assert all(village.startswith("360827102") for village in said["villages"])
    async with house.http.post(url, data=b"nothing of ours", headers=headers) as answer:
        assert (answer.status, (await answer.json())["verdict"]) == (200, "reject")
    async with house.context.store.read() as tx:
        assert (await warnings.latest(tx), await rejects.latest(tx)) == ([], [])
