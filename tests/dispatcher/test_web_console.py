"""The pages: whole without JavaScript, every text escaped, every number the ledger's, drills unmistakable."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
import shapely

from dispatcher.model import Area, Circle, Point
from dispatcher.states import DeliveryState, WarningState
from dispatcher.store.deliveries import Row
from dispatcher.web.console import rendering, sketch
from tests.browser.standing import DRILL_SMS, DRILL_TOKEN, HELD_TOKEN, House, cap, code, standing, take_in_hand


@pytest.fixture
async def house(jian_sqlite_url: str) -> AsyncIterator[House]:
    async with standing(jian_sqlite_url) as opened:
        yield opened


async def page(house: House, path: str) -> str:
    status, text, headers = await house.text(path, Accept="text/html")
    assert status == 200, text
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert " style=" not in text
    return text


def mixed(row: Row) -> tuple[DeliveryState, str]:
    fates = ((DeliveryState.FAILED, "30005"), (DeliveryState.UNKNOWN, "no_receipt"), (DeliveryState.SENT, ""))
    return fates[row.pos] if row.pos < 3 else (DeliveryState.DELIVERED, "")


async def test_the_list_shows_every_warning_and_how_far_it_came(house: House) -> None:
    assert "还没有预警" in await page(house, "/")
    _, said, _ = await house.post(cap(where=code("360827102")))
    await house.post(cap("held", headline="遂川县暴雨橙色预警", where=code("360827")), HELD_TOKEN)
    shown = await page(house, "/")
    assert f'href="/warnings/{said["warning_id"]}"' in shown
    for words in ("合成数据", "已签发", "待核", "红色", "橙色", "吉安市气象台（直通）"):
        assert words in shown, words


async def test_a_landing_shows_the_ledgers_numbers_codes_and_names(house: House) -> None:
    _, said, _ = await house.post(cap(where=code("360827102")))
    warning_id = said["warning_id"]
    await take_in_hand(house, "sms", mixed)
    _, detail, _ = await house.get(f"/api/v1/warnings/{warning_id}")
    shown = await page(house, f"/warnings/{warning_id}")
    total = detail["total"]
    for number in (total["planned"], total["delivered"], total["pending"]):
        assert f"<dd>{number:,}" in shown
    for words in (
        "30005",
        "没有等到回执",
        "结果不明",
        "遂川县",
        "碧洲镇",
        "示意图",
        "合成数据",
        "有效至",
        "暴雨红色预警",
    ):
        assert words in shown, words
    assert shown.count("<path class=") == 252
    assert len(re.findall(r'<a href="/warnings/\w{32}\?county=\d{6}" aria-label=', shown)) == 13
    assert 'class="r' in shown
    of_county = await page(house, f"/warnings/{warning_id}?county=360827")
    assert "全市</a> › 遂川县" in of_county
    live = await page(house, f"/warnings/{warning_id}?part=live")
    assert live.lstrip().startswith('<div id="live"')
    assert "<html" not in live
    assert "360827102:r" in live


async def test_a_drill_says_so_everywhere_and_a_real_one_never(jian_sqlite_url: str) -> None:
    async with standing(jian_sqlite_url, **DRILL_SMS) as house:
        _, real, _ = await house.post(cap(where=code("360827102")))
        _, drill, _ = await house.post(cap("drill", status="Exercise", where=code("360827102")), DRILL_TOKEN)
        shown = await page(house, f"/warnings/{drill['warning_id']}")
        assert '<body class="level red drill">' in shown
        assert "<title>【演练】" in shown
        assert "这不是真实预警" in shown
        assert "不发：不在演练名单（drills.yaml）里" in shown, "in the field it tells whom a list names: nobody"
        assert "不发：没有启用演练专用的发送接口" in shown, "and loudspeakers have none here"
        _, _, below_the_bar = (await page(house, f"/warnings/{real['warning_id']}")).partition('id="content"')
        assert "演练" not in below_the_bar
        assert '<tr class="drill"' in await page(house, "/")


async def test_what_was_stopped_between_drill_and_live_is_said_in_words_and_not_in_codes(house: House) -> None:
    _, said, _ = await house.post(cap(where=code("360827102")))
    fates = ((DeliveryState.FAILED, "240"), (DeliveryState.FAILED, "plan_changed"), (DeliveryState.FAILED, "30005"))
    await take_in_hand(house, "sms", lambda row: fates[row.pos % 3])
    shown = await page(house, f"/warnings/{said['warning_id']}")
    for words in (
        "<code>240 演练与实战混用，已拦下</code>",
        "<code>与批准的方案不符，没有发出</code>",
        "<code>30005</code>",
    ):
        assert words in shown, words


async def test_what_its_words_leave_to_be_wished_for_stands_beside_the_texts(house: House) -> None:
    _, whole, _ = await house.post(cap(where=code("360827102")))
    _, mixed, _ = await house.post(cap("mixed", headline="吉安市气象台发布高温红色预警", where=code("360827102")))
    assert "文字检查" not in await page(house, f"/warnings/{whole['warning_id']}")
    shown = await page(house, f"/warnings/{mixed['warning_id']}")
    assert "<li><b>要改</b>标题写“高温”，灾种却是暴雨：请改成一致</li>" in shown


async def test_a_held_warning_says_why_and_promises_nothing(house: House) -> None:
    _, said, _ = await house.post(cap(where=code("360827102")), HELD_TOKEN)
    shown = await page(house, f"/warnings/{said['warning_id']}")
    assert "<b>250</b>" in shown
    assert "没有发送计划" in shown
    assert "每个村都至少有一条路" not in shown
    assert "报文原文" in shown, "whoever judges it reads what it says"
    assert "未送达与失败" not in shown, "where nothing is planned there are no numbers of it"


async def test_hostile_text_is_shown_as_text_even_where_intake_let_it_through(house: House) -> None:
    evil = """<script>alert(1)</script>"><img src=x onerror='alert(2)'>{{7*7}}&lt;"""
    _, said, _ = await house.post(cap(where=code("360827102")))
    await take_in_hand(house, "sms", mixed)
    async with house.context.store.begin() as tx:
        for column in ("headline", "event", "sender", "identifier", "source", "plan_hash"):
            await tx.exec_driver_sql(f"UPDATE warnings SET {column} = ?", (evil,))
        for column in ("state_code", "township"):
            await tx.exec_driver_sql(f"UPDATE deliveries SET {column} = ?", (evil,))
        await tx.exec_driver_sql("UPDATE areas SET name = ?", (evil,))
        await tx.exec_driver_sql("UPDATE texts SET body = ?", (evil,))
        await tx.exec_driver_sql("UPDATE facts SET value = '99' WHERE name = 'register_version'")
    for path in ("/", f"/warnings/{said['warning_id']}", f"/warnings/{said['warning_id']}?part=live"):
        shown = await page(house, path)
        assert "<script>alert" not in shown
        assert "<img src=x" not in shown
        assert "&lt;script&gt;alert(1)" in shown
        assert "{{7*7}}&amp;lt;" in shown


async def test_the_issuers_own_polygon_is_drawn(house: House) -> None:
    ring = "<polygon>26.30,114.40 26.45,114.40 26.45,114.62 26.30,114.62 26.30,114.40</polygon>"
    _, said, _ = await house.post(cap(where=ring))
    assert re.search(r'<path class="drawn" d="M\d+,\d+l[^"]+z"', await page(house, f"/warnings/{said['warning_id']}"))


async def test_an_error_on_a_page_is_a_page(house: House) -> None:
    status, text, headers = await house.text("/warnings/nothing", Accept="text/html")
    assert (status, headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert "没有这条预警" in text
    status, text, headers = await house.text("/warnings/nothing")
    assert headers["Content-Type"].startswith("application/problem+json")
    assert (await house.text(f"/warnings/{'0' * 32}?county=遂川", Accept="text/html"))[0] == 400


async def test_a_warning_without_a_register_still_has_its_page(house: House) -> None:
    _, said, _ = await house.post(cap(where=code("360827102")))
    async with house.context.store.begin() as tx:
        for table in ("areas", "residents", "gateways", "endpoints", "branches", "posts", "officers", "terminals"):
            await tx.exec_driver_sql(f"DELETE FROM {table}")
        await tx.exec_driver_sql("UPDATE facts SET value = '99' WHERE name = 'register_version'")
    shown = await page(house, f"/warnings/{said['warning_id']}")
    assert "画不出地图" in shown
    assert "360827" in shown


async def test_the_sketch_keeps_every_unit_and_its_neighbours(house: House) -> None:
    register = await house.context.register()
    drawn = sketch.draw(register)
    assert (len(drawn.counties), len(drawn.townships)) == (13, 252)
    assert all(one.path.startswith("M") and one.path.endswith("z") for one in (*drawn.counties, *drawn.townships))
    assert sum(len(one.path) for one in drawn.townships) < 120_000
    whole = drawn.window([])
    county = drawn.window(["360827"])
    assert shapely.box(whole.x, whole.y, whole.x + whole.width, whole.y + whole.height).contains(
        shapely.box(county.x + 200, county.y, county.x + county.width - 200, county.y + 1)
    )
    assert drawn.window(["999999"]) == whole
    circle = (Area(description="圆", circles=(Circle(Point(26.3, 114.5), 5.0),)),)
    assert drawn.outline(circle).count(" ") > 50
    assert drawn.outline((Area(description="点", polygons=((Point(26.3, 114.5),) * 4,)),)) == ""


def test_a_share_is_never_whole_before_it_is_and_never_nothing_when_something_came() -> None:
    shares: list[Any] = [None, 0.0, 0.00001, 0.5, 0.99999, 1.0]
    assert [rendering.percent(share) for share in shares] == ["—", "0%", "0.1%", "50.0%", "99.9%", "100%"]


def test_times_read_in_beijing_and_spans_in_words() -> None:
    at = datetime(2026, 6, 18, 18, 39, 5, tzinfo=UTC)
    assert rendering.full_time(at) == "2026-06-19 02:39:05"
    assert rendering.clock_time(None) == "—"
    spans = [rendering.span(at, at + timedelta(seconds=seconds)) for seconds in (-1, 0.42, 59.9, 128, 3720)]
    assert spans == ["+0.0 秒", "+0.4 秒", "+59.9 秒", "+2 分 08 秒", "+1 小时 02 分"]
    assert rendering.span(at, None) == ""


def test_every_state_has_a_word() -> None:
    assert all(rendering.state_word(state) for state in WarningState)


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("level", ["red", "orange", "yellow", "blue"])
def test_text_on_a_levels_colour_can_be_read(level: str) -> None:
    css = (rendering.STATIC / "console.css").read_text(encoding="utf-8")
    found = re.search(rf"^\.{level} {{ --accent: (#\w{{6}}); --accent-ink: (#\w{{6}}); }}", css, re.MULTILINE)
    assert found
    light, dark = sorted(map(luminance, found.groups()), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_nothing_in_the_console_is_loaded_from_elsewhere() -> None:
    for path in rendering.HERE.rglob("*"):
        if path.suffix in (".css", ".js", ".html") and "vendor" not in path.parts:
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|url\(|@import|\bstyle=", text), path


def test_what_others_wrote_is_what_was_taken_over() -> None:
    vendor = rendering.STATIC / "vendor"
    sums = dict(line.split()[::-1] for line in (vendor / "SHA256SUMS").read_text(encoding="utf-8").splitlines())
    found = {path.name: sha256(path.read_bytes()).hexdigest() for path in vendor.iterdir() if path.name != "SHA256SUMS"}
    assert {name.removeprefix("./"): digest for name, digest in sums.items()} == found


async def test_what_keeps_a_warning_from_leaving_stands_on_the_screen(jian_sqlite_url: str) -> None:
    """A channel that is off, rows that are being tried again: a page that looks calm at 02:39 is a lie."""
    roles = frozenset({"web", "send"})
    async with standing(jian_sqlite_url, roles=roles, MINGLUO_TWILIO_SENDER="") as house:
        _, said, _ = await house.post(cap(where=code("360827102")))
        path, shown = f"/warnings/{said['warning_id']}", ""
        async with asyncio.timeout(20):
            while "正在重试" not in shown:
                shown = await page(house, path)
        front = await page(house, "/")
    for words in ("短信发不出去", "MINGLUO_TWILIO_SENDER", "连不上对方", "再试", "拟发的文字"):
        assert words in shown, words
    assert "短信发不出去" in front
    assert "<h2>发出的文字" not in shown
