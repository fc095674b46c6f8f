"""A warning on paper, and the scan of it: what is shown, what is taken, and what of it no browser ever runs."""

from __future__ import annotations

import html
import io
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from dispatcher.accounts.authority import AccountRole
from dispatcher.accounts.entering import form_key
from dispatcher.pipeline.attach import MOST_BYTES
from dispatcher.pipeline.telephone import Call, record_call
from tests.browser.standing import House, cap, code, standing
from tests.dispatcher.desk import come
from tests.dispatcher.persons import Browser, Hands, Office, office
from tests.dispatcher.test_attach import JPEG, PDF, PNG
from tests.dispatcher.test_web_acting import browser, drafted
from tests.dispatcher.test_web_shift import on_duty, person

pytestmark = pytest.mark.long

HOSTILE = "<img src=x onerror=alert(1)>"
SHOWN = html.escape(HOSTILE)


@pytest.fixture
async def house(jian_sqlite_url: str) -> AsyncIterator[House]:
    async with standing(jian_sqlite_url) as opened:
        yield opened


@pytest.fixture
def there(house: House) -> Office:
    return office(house.context.store, Hands(datetime.now(UTC)))


async def put_forward(house: House, who: Browser, **changes: object) -> str:
    warning_id = await drafted(house, who, **changes)
    await who.get(f"/warnings/{warning_id}")
    await who.post(f"/warnings/{warning_id}/submit")
    assert who.status == 303
    return warning_id


async def sent(who: Browser, warning_id: str, body: bytes, name: str = "签批单.pdf", **given: Any) -> tuple[int, str]:
    """As a browser sends it: the form's key first, then the file under whatever name and type it says."""
    token = who.cookies["mingluo"]
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("key", given.get("key", form_key(token)))
    form.add_field("file", io.BytesIO(body), filename=name, content_type=given.get("content_type", "text/html"))
    headers = {"Cookie": f"mingluo={token}", "Sec-Fetch-Site": given.get("site", "same-origin"), "Accept": "text/html"}
    async with who.http.post(
        f"{who.url}/warnings/{warning_id}/form/scans", data=form, headers=headers, allow_redirects=False
    ) as answer:
        return answer.status, await answer.text()


async def test_the_paper_says_what_is_to_be_signed_and_whom_it_reaches(house: House, there: Office) -> None:
    wang, li = await person(house, there, "wang"), await person(house, there, "li", AccountRole.APPROVER)
    warning_id = await put_forward(house, wang, description=f'碧洲镇降雨量将达50毫米以上。{HOSTILE}水位 "98" & 涨')
    page = await li.get(f"/warnings/{warning_id}/form")
    _, told, _ = await house.get(f"/api/v1/warnings/{warning_id}", Cookie=f"mingluo={li.cookies['mingluo']}")
    mark = re.search(r'class="mark2">([0-9A-F]{4})-([0-9A-F]{4})-([0-9A-F]{4})<', page)
    assert mark is not None
    assert "".join(mark.groups()).lower() == told["plan_hash"][:12]
    for words in (
        "预警信息发布审批单",
        "遂川县应急管理局",
        "黄色",
        "碧洲镇",
        "值班员wang",
        "电话签发记录",
        "&#34;98&#34; &amp; 涨",
    ):
        assert words in page, words
    for channel, rows in told["plan"]["channels"].items():
        assert f"{ {'sms': '短信', 'broadcast': '大喇叭', 'party': '党建平台'}[channel] } {rows:,}" in page
    assert HOSTILE not in page
    assert 'enctype="multipart/form-data"' not in page, "a leader signs, and attaches nothing"
    assert "across" not in page


async def test_the_paper_is_found_after_the_warning_is_over(house: House, there: Office) -> None:
    wang = await browser(house, there, "wang", AccountRole.DUTY_OFFICER)
    li = await browser(house, there, "li", AccountRole.APPROVER)
    warning_id = await put_forward(house, wang)
    seen = re.search(r'name="plan_hash" value="([0-9a-f]{64})"', await li.get(f"/warnings/{warning_id}"))
    assert seen is not None
    await li.post(f"/warnings/{warning_id}/approve", {"plan_hash": seen.group(1)})
    await wang.get(f"/warnings/{warning_id}")
    await wang.post(f"/warnings/{warning_id}/cancel")
    assert wang.status == 303
    page = await wang.get(f"/warnings/{warning_id}")
    assert 'class="state cancelled"' in page
    assert f'action="/warnings/{warning_id}/form"' in page
    await wang.get(f"/warnings/{warning_id}/form")
    assert wang.status == 200


async def test_a_drill_says_so_across_the_paper(house: House, there: Office) -> None:
    wang = await person(house, there, "wang")
    warning_id = await drafted(house, wang, status="Exercise", headline="【演练】遂川县暴雨黄色预警")
    page = await wang.get(f"/warnings/{warning_id}/form")
    assert 'class="across"' in page
    assert "（演练）" in page
    assert "尚未送签，内容还会变" in page


async def test_a_scan_is_kept_listed_and_handed_out_as_a_file_alone(house: House, there: Office) -> None:
    wang, li = await person(house, there, "wang"), await person(house, there, "li", AccountRole.APPROVER)
    warning_id = await put_forward(house, wang)
    for body, name, kind in ((PDF, f"签批单{HOSTILE}.pdf", "pdf"), (JPEG, "a.html", "jpeg"), (PNG, "b.svg", "png")):
        status, said = await sent(wang, warning_id, body, name)
        assert status == 303, said
        page = await li.get(f"/warnings/{warning_id}/form")
        assert HOSTILE not in page
        place = re.findall(rf'href="(/warnings/{warning_id}/form/scans/[0-9a-f]+)"', page)[-1]
        async with house.http.get(house.url + place, headers={"Cookie": f"mingluo={li.cookies['mingluo']}"}) as answer:
            assert answer.status == 200
            assert answer.headers["Content-Disposition"].startswith("attachment;")
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.content_type == ("application/pdf" if kind == "pdf" else f"image/{kind}")
            assert await answer.read() == body
    assert "存入签批单扫描件" in await li.get("/shift")
    async with house.http.get(f"{house.url}/warnings/{'0' * 32}{place[42:]}") as answer:
        assert answer.status in (303, 401, 404)


@pytest.mark.parametrize(
    "body", [b"", b"<html><script>alert(1)</script></html>", b"MZ\x90", PDF[:-7], b"GIF89a" + bytes(99)]
)
async def test_what_is_no_such_file_is_refused_in_words(house: House, there: Office, body: bytes) -> None:
    wang = await person(house, there, "wang")
    warning_id = await put_forward(house, wang)
    status, page = await sent(wang, warning_id, body)
    assert (status, "请选一个完整的 PDF、JPEG 或 PNG 文件" in page) == (422, True)
    assert "/form/scans/" not in await wang.get(f"/warnings/{warning_id}/form")


async def test_a_file_that_is_too_large_is_not_read_to_its_end(house: House, there: Office) -> None:
    wang = await person(house, there, "wang")
    warning_id = await put_forward(house, wang)
    status, _ = await sent(wang, warning_id, JPEG[:-2] + bytes(MOST_BYTES) + JPEG[-2:])
    assert status == 413
    status, _ = await sent(wang, warning_id, JPEG[:-2] + bytes(MOST_BYTES - len(JPEG)) + JPEG[-2:])
    assert status == 303


async def test_a_form_that_is_not_ours_is_refused_before_its_file_is_read(house: House, there: Office) -> None:
    wang = await person(house, there, "wang")
    warning_id = await put_forward(house, wang)
    for given in ({"key": "x"}, {"key": ""}, {"site": "cross-site"}):
        status, _ = await sent(wang, warning_id, PDF, **given)
        assert status == 403, given
    li = await person(house, there, "li", AccountRole.APPROVER)
    assert (await sent(li, warning_id, PDF))[0] == 403
    tai = await person(house, there, "tai", scope="360826")
    assert (await sent(tai, warning_id, PDF))[0] == 404


RAW = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=key\r\n\r\nno end"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y--\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\nnameless\r\n--x--\r\n"),
        ("application/x-www-form-urlencoded", b"key=%FF"),
    ],
)  # fmt: skip
async def test_a_broken_form_is_refused_and_breaks_nothing(house: House, there: Office, kind: str, body: bytes) -> None:
    wang = await person(house, there, "wang")
    warning_id = await put_forward(house, wang)
    token = wang.cookies["mingluo"]
    for headers in ({}, {"X-Form-Key": form_key(token)}):
        async with house.http.post(
            f"{house.url}/warnings/{warning_id}/form/scans",
            data=body,
            headers={"Content-Type": kind, "Cookie": f"mingluo={token}", **RAW, **headers},
            allow_redirects=False,
        ) as answer:
            assert answer.status in (400, 403, 422), await answer.text()


async def test_no_other_form_takes_a_file(house: House, there: Office) -> None:
    wang = await person(house, there, "wang")
    token = wang.cookies["mingluo"]
    form = aiohttp.FormData()
    form.add_field("key", form_key(token))
    form.add_field("words", b"x", filename="x")
    headers = {"Cookie": f"mingluo={token}", **RAW}
    async with house.http.post(f"{house.url}/shift/note", data=form, headers=headers) as answer:
        assert answer.status == 403


async def test_the_number_of_the_paper_that_follows_a_call_is_put_down_on_the_same_page(
    house: House, there: Office
) -> None:
    wang, zhao = await person(house, there, "wang"), await person(house, there, "zhao")
    await person(house, there, "li", AccountRole.APPROVER)
    warning_id = await put_forward(house, wang)
    await on_duty(zhao)
    known = await there.entrance.known(zhao.cookies["mingluo"])
    assert known is not None
    async with house.http.get(
        f"{house.url}/api/v1/warnings/{warning_id}", headers={"Cookie": f"mingluo={zhao.cookies['mingluo']}"}
    ) as answer:
        plan_hash = (await answer.json())["plan_hash"]
    call = Call(leader="li", number="+8615400000011", at=house.context.now(), words="同意")
    await record_call(house.context, come(known.account), warning_id, plan_hash=plan_hash, call=call)
    page = await zhao.get(f"/warnings/{warning_id}/form")
    assert "书面签批单还没有登记" in page
    assert "15400000011" not in page
    assert "签批单未补交" in await zhao.get("/shift")
    await zhao.get(f"/warnings/{warning_id}/form")
    await zhao.post(f"/warnings/{warning_id}/form/slip", {"number": f"吉应急〔2026〕3号{HOSTILE}"})
    assert (zhao.status, zhao.at) == (303, f"/warnings/{warning_id}/form"), zhao.page
    page = await zhao.get(f"/warnings/{warning_id}/form")
    assert f"吉应急〔2026〕3号{SHOWN}" in page
    assert "签批单未补交" not in await zhao.get("/shift")


async def test_of_a_warning_that_reaches_beyond_his_area_an_officer_sees_no_paper(house: House, there: Office) -> None:
    _, city, _ = await house.post(cap("city", where=code("360800")))
    sui = await person(house, there, "sui", scope="360827")
    await sui.get(f"/warnings/{city['warning_id']}/form")
    assert sui.status == 403
    clerk = await person(house, there, "clerk", AccountRole.TOWNSHIP_CLERK, "360827102")
    await clerk.get(f"/warnings/{city['warning_id']}/form")
    assert clerk.status == 403
