"""The lists: what is in force and what waits, the search, what is held and why, what was refused, and the first day."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from dispatcher.accounts.authority import AccountRole
from dispatcher.model import BEIJING
from dispatcher.store import rejects
from dispatcher.store.migrating import migrate
from tests.browser.standing import DRILL_SMS, DRILL_TOKEN, HELD_TOKEN, SENT, TOKEN, House, cap, code, standing
from tests.dispatcher.callers import come, drafted, submitted
from tests.dispatcher.persons import Browser, Hands, Office, office

pytestmark = pytest.mark.long

CJK = re.compile(r"[\u3400-\u9fff]+")
EVIL = """<script>alert(1)</script>"><img src=x onerror=alert(2)>"""


@pytest.fixture
async def house(jian_sqlite_url: str) -> AsyncIterator[House]:
    async with standing(jian_sqlite_url, **DRILL_SMS) as opened:
        yield opened


@pytest.fixture
def there(house: House) -> Office:
    return office(house.context.store, Hands(datetime.now(UTC)))


def part(page: str, anchor: str) -> str:
    """What stands under a heading."""
    _, _, rest = page.partition(f'<h2 id="{anchor}">')
    return rest.partition("</section>")[0]


def ids(text: str) -> list[str]:
    return re.findall(r'data-key="([0-9a-f]{32})"', text)


async def several(house: House) -> dict[str, str]:
    given = {
        "red": cap("red", where=code("360827102")),
        "orange": cap("orange", headline="万安县气象台发布雷电橙色预警", where=code("360828")),
        "drill": cap("drill", status="Exercise", where=code("360827102")),
        "held": cap("held", headline="遂川县暴雨橙色预警", where=code("360827")),
        "nowhere": cap("nowhere", where=code("999999")),
    }
    tokens = {"drill": DRILL_TOKEN, "held": HELD_TOKEN}
    found = {}
    for name, body in given.items():
        _, said, _ = await house.post(body, tokens[name]) if name in tokens else await house.post(body)
        found[name] = str(said["warning_id"])
    return found


async def test_the_front_shows_what_is_in_force_what_waits_and_what_is_held_each_apart(
    house: House, there: Office
) -> None:
    found = await several(house)
    wang = await come(house, there, "wang", AccountRole.DUTY_OFFICER)
    draft, waits = await drafted(house, wang, identifier="d"), await submitted(house, wang)
    li = await come(house, there, "li", AccountRole.APPROVER)
    his, hers = await li.get("/"), await wang.get("/")
    assert ids(part(his, "in-force")) == [found["red"], found["orange"]], "the gravest first"
    assert ids(part(his, "drills")) == [found["drill"]]
    assert set(ids(part(his, "held"))) == {found["held"], found["nowhere"]}
    assert ids(part(his, "waiting")) == [waits, draft], "what he is to sign first"
    assert f'href="/warnings/{waits}/sign">去签发' in his
    assert ids(part(hers, "waiting"))[0] in (waits, draft)
    assert "等另一人签发" in hers
    assert f'href="/warnings/{draft}/edit">继续写' in hers


async def test_what_is_held_says_why_and_what_can_be_done(house: House, there: Office) -> None:
    found = await several(house)
    wang = await come(house, there, "wang", AccountRole.DUTY_OFFICER)
    for page in (part(await wang.get("/"), "held"), await wang.get("/warnings?show=held")):
        assert set(ids(page)) == {found["held"], found["nowhere"]}
        assert "<code>250</code>" in page
        assert "<code>215</code>" in page
        assert f'href="/warnings/{found["nowhere"]}">接手改区域</a>' in page
        assert f'href="/warnings/{found["held"]}">接手拟制</a>' in page
    auditor = await come(house, there, "zhou", AccountRole.AUDITOR)
    page = await auditor.get("/warnings?show=held")
    assert ("<code>250</code>" in page, "接手拟制</a>" in page) == (True, False)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", {"red", "orange", "drill", "held", "nowhere"}),
        ("show=current", {"red", "orange", "drill"}),
        ("show=current&drill=no", {"red", "orange"}),
        ("show=held", {"held", "nowhere"}),
        ("show=past", set()),
        ("q=雷电", {"orange"}),
        ("q=NOWHERE", {"nowhere"}),
        ("q=万安县&show=current", {"orange"}),
        ("q=碧洲镇&drill=yes", {"drill"}),
        ("level=orange", {"orange", "held"}),
        ("kind=Cancel", set()),
        ("county=360828", {"orange"}),
        ("county=360828&level=red", set()),
        ("since=2001-01-01", {"red", "orange", "drill", "held", "nowhere"}),
        ("until=2001-01-01", set()),
        ("q=%25", set()),
        ("q=_", set()),
        ("level=<script>&since=yesterday&show=x&county=1", {"red", "orange", "drill", "held", "nowhere"}),
    ],
)
async def test_a_search_finds_what_it_says_and_nothing_else(house: House, query: str, names: set[str]) -> None:
    found = await several(house)
    page = await Browser(url=house.url, http=house.http).get(f"/warnings?{query}")
    assert set(ids(page)) == {found[name] for name in names}


async def test_what_is_in_force_is_counted_alike_in_the_bar_on_the_front_and_in_the_list(house: House) -> None:
    found = await several(house)
    _, over, _ = await house.post(
        cap("over", kind="Cancel", where=code("360828"), headline="万安县气象台解除雷电橙色预警",
            references=f"<references>36080041600000,orange,{SENT.astimezone(BEIJING).isoformat()}</references>")
    )  # fmt: skip
    browser = Browser(url=house.url, http=house.http)
    assert over["warning_id"] in ids(part(await browser.get("/"), "in-force")), "while it is being said"
    async with house.context.store.begin() as tx:
        await tx.exec_driver_sql(f"UPDATE warnings SET state = 'completed' WHERE id = '{over['warning_id']}'")
    front, listed = await browser.get("/"), ids(await browser.get("/warnings?show=current&drill=no"))
    assert listed == ids(part(front, "in-force")) == [found["red"]]
    assert "红色生效 1" in re.sub(r"<[^>]+>", "", front)


async def test_a_list_goes_on_page_by_page_and_keeps_what_was_asked_for(house: House) -> None:
    for number in range(31):
        await house.post(cap(f"no-{number}", where=code("360827102")))
    browser = Browser(url=house.url, http=house.http)
    first = await browser.get("/warnings?level=red&q=no-")
    (onward,) = re.findall(r'<a href="(/warnings\?[^"]*before=[^"]*)">', first)
    assert "level=red" in onward
    second = await browser.get(onward.replace("&amp;", "&"))
    assert (len(ids(first)), len(ids(second))) == (30, 1)
    assert not set(ids(first)) & set(ids(second))
    assert "回到最新" in second


async def test_a_township_finds_what_touches_it_alone(house: House, there: Office) -> None:
    found = await several(house)
    clerk = await come(house, there, "chen", AccountRole.TOWNSHIP_CLERK, "360827102")
    page = await clerk.get("/warnings")
    assert set(ids(page)) == {found["red"], found["drill"], found["held"]}
    assert "拒收的报文" not in page
    assert '<option value="360828"' not in page
    await clerk.get("/rejected")
    assert clerk.status == 403


async def test_what_was_refused_is_shown_with_its_code_and_how_it_begins(house: House, there: Office) -> None:
    raw = f"<alert>{EVIL}\x1b[2J".encode() + b"\xff" * 500
    status, said, _ = await house.post(raw)
    assert (status, said["code"]) == (422, 220) or status == 422
    wang = await come(house, there, "wang", AccountRole.DUTY_OFFICER)
    await wang.get("/warnings?show=rejected")
    assert (wang.status, wang.at) == (303, "/rejected")
    page = await wang.get("/rejected")
    assert "&lt;alert&gt;&lt;script&gt;alert(1)" in page
    assert ("<script>alert" in page, "<img src=x" in page, "\x1b" in page) == (False, False, False)
    assert "吉安市气象台（直通）" in page


@pytest.mark.parametrize(
    ("query", "sizes"),
    [
        ("", {7, 12}),
        ("source=city-weather", {7}),
        ("source=county-weather", {12}),
        ("source=nobody", {7, 12}),
        ("since=2001-01-01", {7, 12}),
        ("until=2001-01-01", set()),
        ("q=%25", set()),
        ("q=99999999999", set()),
        ("q=XML&source=county-weather", {12}),
    ],
)
async def test_refused_messages_are_searched_by_words_source_and_day(
    house: House, there: Office, query: str, sizes: set[int]
) -> None:
    await house.post(b"<alert>")
    await house.post(b"<alert></oh>", HELD_TOKEN)
    wang = await come(house, there, "wang", AccountRole.DUTY_OFFICER)
    page = await wang.get(f"/rejected?{query}")
    assert {int(one) for one in re.findall(r"<summary>(\d+) 字节", page)} == sizes
    assert ("没有符合条件的拒收报文" in page) == (not sizes)


async def test_words_are_looked_for_in_the_newest_refused_messages_unless_a_day_is_named(
    house: House, there: Office
) -> None:
    """The words stand behind the bytes: on SQLite each message would be read whole."""
    await house.post(b"<alert>")
    async with house.context.store.begin() as tx:
        (made,) = await rejects.latest(tx)
        await rejects.keep(tx, replace(made, id="0" * 32, at=made.at - timedelta(days=40), raw=b"<alert></oh>"))
    wang = await come(house, there, "wang", AccountRole.DUTY_OFFICER)
    long_ago = f"{made.at - timedelta(days=41):%Y-%m-%d}"
    with explained(house) as plans:
        for query, sizes, cut in (
            ("", {7, 12}, False),
            ("q=XML", {7}, True),
            (f"q=XML&since={long_ago}", {7, 12}, False),
            (f"q=XML&until={made.at - timedelta(days=39):%Y-%m-%d}", {12}, True),
        ):
            page = await wang.get(f"/rejected?{query}")
            assert {int(one) for one in re.findall(r"<summary>(\d+) 字节", page)} == sizes, query
            assert ("没有写从哪天，只查了" in page) is cut, query
    searches = [plan for statement, plan in plans if "lower(rejects.reason)" in statement]
    assert len(searches) == 3
    assert all("USING INDEX ix_rejects_at (at>? AND at<?)" in plan for plan in searches), searches


@contextmanager
def explained(house: House) -> Iterator[list[tuple[str, str]]]:
    """What is read meanwhile, and how SQLite goes about it."""
    found: list[tuple[str, str]] = []

    def explain(connection: Any, _cursor: object, statement: str, values: object, *_: object) -> None:
        if statement.startswith("SELECT"):
            explaining = connection.connection.cursor()
            explaining.execute(f"EXPLAIN QUERY PLAN {statement}", values)
            found.append((statement, "\n".join(str(row[3]) for row in explaining.fetchall())))
            explaining.close()

    engine = house.context.store.engine.sync_engine
    event.listen(engine, "before_cursor_execute", explain)
    yield found
    event.remove(engine, "before_cursor_execute", explain)


async def test_refused_messages_go_on_page_by_page_and_keep_what_was_asked_for(house: House, there: Office) -> None:
    for _ in range(31):
        await house.post(b"<alert>")
    wang = await come(house, there, "wang", AccountRole.DUTY_OFFICER)
    (onward,) = re.findall(r'<a href="(/rejected\?[^"]*before=[^"]*)">', await wang.get("/rejected?q=XML"))
    assert "q=XML" in onward
    second = await wang.get(onward.replace("&amp;", "&"))
    assert (len(ids(second)), "回到最新" in second) == (1, True)


async def test_hostile_text_in_a_search_is_shown_as_text(house: House) -> None:
    browser = Browser(url=house.url, http=house.http)
    page = await browser.get("/warnings?q=%3Cscript%3Ealert(1)%3C/script%3E%22%3E%7B%7B7*7%7D%7D")
    assert browser.status == 200
    assert "<script>alert" not in page
    assert 'value="&lt;script&gt;alert(1)&lt;/script&gt;&#34;&gt;{{7*7}}"' in page


async def test_an_empty_register_shows_three_steps_and_no_blank_table(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}"
    await migrate(url)
    async with standing(url) as house:
        browser = Browser(url=house.url, http=house.http)
        page = await browser.get("/")
        assert "<table" not in page
        for words in ("mingluo registry import", "mingluo registry sample", 'href="/first"', "mingluo drill play"):
            assert words in page, words
        there = office(house.context.store, Hands(datetime.now(UTC)))
        admin = await come(house, there, "admin", AccountRole.ADMINISTRATOR)
        assert 'href="/first"' not in await admin.get("/")
        wang = await come(house, there, "wang", AccountRole.DUTY_OFFICER)
        page = await wang.get("/")
        assert ("请管理员登录" in page, "三件事" in page, "mingluo drill" in page) == (True, False, False)


async def test_where_there_is_no_warning_yet_each_is_told_in_plain_words_what_to_begin_with(
    house: House, there: Office
) -> None:
    begins = {
        AccountRole.DUTY_OFFICER: ["/issue", "/tonight", "/shift"],
        AccountRole.APPROVER: ["/tonight", "/shift", "/account"],
        AccountRole.TOWNSHIP_CLERK: ["/tonight", "/account", "/warnings"],
        AccountRole.ADMINISTRATOR: ["/accounts", "/account", "/warnings"],
    }
    for role, paths in begins.items():
        one = await come(house, there, str(role), role)
        page = (await one.get("/")).partition('id="live"')[2]
        assert re.findall(r'<h3><a href="([^"]+)">', page) == paths
        assert ("RabbitMQ" in page) == (role is AccountRole.ADMINISTRATOR)
    await house.post(cap(where=code("360827102")))
    one = await come(house, there, "zhao", AccountRole.DUTY_OFFICER)
    assert "可以先做的事" not in await one.get("/")


@pytest.mark.parametrize("path", ["/", "/warnings", "/warnings?show=held", "/rejected", "/account", "/accounts"])
async def test_an_english_page_holds_no_chinese_but_names_and_data(house: House, there: Office, path: str) -> None:
    await several(house)
    await house.post(b"<alert>")
    admin = await come(house, there, "admin", AccountRole.ADMINISTRATOR)
    admin.cookies["mingluo-look"] = "en.auto"
    page = await admin.get(path)
    assert admin.status == 200
    said = r'<p class="why">.*?</p>|<section class="findings.*?</section>|<details class="fact bad".*?</details>'
    seen = re.sub(said, "", page, flags=re.DOTALL)
    async with house.context.store.read() as tx:
        rows = (await tx.exec_driver_sql("SELECT headline, event FROM warnings")).all()
    data = {word for row in rows for word in row} | {one.name for one in house.context.settings.sources.values()}
    data |= {area.name for area in (await house.context.register()).areas.values()} | {"管理员admin", "中文"}
    data.add(house.context.settings.service.sender_name)
    for word in sorted(data, key=len, reverse=True):
        seen = seen.replace(word, "")
    assert CJK.findall(seen) == []


async def test_what_came_without_a_byte_is_listed_among_the_refused(house: House) -> None:
    status, _, _ = await house.post(b"", TOKEN)
    assert status == 422
    async with house.http.get(f"{house.url}/rejected", headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
        assert answer.status == 200
        assert "0 字节" in await answer.text()
