"""The page on which a warning is drawn and worded: by its doors, without a script."""

from __future__ import annotations

import json
import math
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import pytest

from dispatcher.accounts.authority import AccountRole
from dispatcher.model import BEIJING, Level, Role
from dispatcher.states import DeliveryState, WarningState
from dispatcher.store import events, warnings
from tests.browser.standing import HELD_TOKEN, House, all_in_hand, cap, code, standing
from tests.dispatcher.persons import CITY, Browser, Hands, office

pytestmark = pytest.mark.long

HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)"(?: id="area")? value="([^"]*)"')
SUICHUAN = "360827"
BIZHOU = "360827102"


@pytest.fixture
async def house(jian_sqlite_url: str) -> AsyncIterator[House]:
    async with standing(jian_sqlite_url) as opened:
        yield opened


class Desk:
    """Officers who came in, each with a browser."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.hands = Hands(datetime.now(UTC) - timedelta(hours=1))

    async def officer(self, login: str, scope: str = CITY, role: AccountRole = AccountRole.DUTY_OFFICER) -> Browser:
        kept = office(self.house.context.store, self.hands)
        await kept.person(login, role, scope)
        browser = Browser(url=self.house.url, http=self.house.http)
        self.hands.now = max(self.hands.now, datetime.now(UTC) - timedelta(seconds=20))
        browser.cookies["mingluo"] = await kept.session(login)
        await browser.get("/issue")
        return browser


@pytest.fixture
def desk(house: House) -> Desk:
    return Desk(house)


def hidden(page: str) -> dict[str, str]:
    return {name: value.replace("&#34;", '"') for name, value in HIDDEN.findall(page)}


def form(browser: Browser, **typed: str) -> dict[str, str]:
    """What stands on the page, with this typed over it."""
    return {
        **hidden(browser.page),
        "hazard": "暴雨",
        "level": "red",
        "headline": "吉安市应急管理局发布暴雨红色预警",
        "description": "预计未来3小时降雨量将达100毫米以上，可能引发山洪。",
        **typed,
    }


async def asked(browser: Browser, path: str, **typed: str) -> str:
    """A part of the page, asked for as its script does; the page stays before him."""
    page, given = browser.page, form(browser, **typed)
    found = await browser.post(path, given)
    browser.page = page
    return found


def drawn(**shapes: object) -> str:
    return json.dumps(shapes)


async def row_at(house: House, browser: Browser) -> warnings.WarningRow:
    number = browser.at.split("/")[2]
    async with house.context.store.read() as tx:
        row = await warnings.one(tx, number)
    assert row is not None
    return row


async def test_a_template_is_two_clicks_from_a_warning_put_forward(house: House, desk: Desk) -> None:
    officer = await desk.officer("wang")
    page = await officer.get("/issue?hazard=暴雨&level=red")
    assert "预计未来3小时，上述区域降雨量将达100毫米以上" in page
    title = re.search(r'name="headline" value="([^"]+)"', page)
    assert title is not None
    assert title.group(1) == "吉安市应急管理局发布暴雨红色预警[Ⅰ级/特别严重]"
    await officer.post("/issue", form(officer, area=drawn(codes=[BIZHOU]), do="submit"))
    assert officer.status == 303
    row = await row_at(house, officer)
    assert (row.state, row.level, row.drill) == (WarningState.SUBMITTED, "red", False)
    assert row.area["villages"]
    assert all(code.startswith(BIZHOU) for code in row.area["villages"])


async def test_what_another_source_has_told_already_is_said_beside_the_count(house: House, desk: Desk) -> None:
    """The count is of the area; whoever just heard the same is not rung again, and the forecast holds fewer."""
    officer = await desk.officer("wang")
    here = {"area": drawn(codes=[BIZHOU]), "until": f"{datetime.now(BEIJING) + timedelta(hours=3):%Y-%m-%dT%H:%M}"}
    said = "级别和要求不低于这一条"
    assert said not in await asked(officer, "/issue/audience", **here)
    await house.post(cap(where=code(BIZHOU)))
    page = await asked(officer, "/issue/audience", **here)
    assert f"“吉安市气象台发布暴雨红色预警[Ⅰ级/特别严重]”正在生效，{said}" in page
    assert said not in await asked(officer, "/issue/audience", **here | {"area": drawn(codes=["360828"])}), "elsewhere"
    assert said not in await asked(officer, "/issue/audience", **here | {"area": ""})
    before = targets(await asked(officer, "/issue/words", **here))
    await all_in_hand(house, "sms", lambda _row: (DeliveryState.DELIVERED, ""))
    assert targets(await asked(officer, "/issue/words", **here)) < before


def targets(words: str) -> int:
    """Of SMS, as the forecast has it."""
    found = re.search(r'短信</th><td class="n">([\d,]+)', words)
    assert found is not None
    return int(found.group(1).replace(",", ""))


async def test_the_template_of_a_drill_says_in_its_words_that_it_is_one(desk: Desk) -> None:
    officer = await desk.officer("wang")
    for drill, begins in (("&drill=1", True), ("", False)):
        page = await officer.get(f"/issue?hazard=暴雨&level=red{drill}")
        assert (">此为演练：" in page) is begins


async def test_a_real_warning_whose_words_say_that_it_is_a_drill_is_not_kept(desk: Desk) -> None:
    officer = await desk.officer("wang")
    page = await officer.get("/issue?hazard=暴雨&level=red&drill=1")
    words = re.search(r'<textarea name="description"[^>]*>([^<]+)<', page)
    assert words is not None
    typed = form(officer, description=words[1], area=drawn(codes=[BIZHOU]), do="submit")
    page = await officer.post("/issue", typed)
    assert officer.status == 422
    assert "<b>240</b>" in page
    await officer.post(
        "/issue", form(officer, description=words[1], area=drawn(codes=[BIZHOU]), do="submit", drill="1")
    )
    assert officer.status == 303


async def test_every_quick_link_fills_in_a_template_that_somebody_wrote(house: House, desk: Desk) -> None:
    officer = await desk.officer("wang")
    nav = re.search(r'<nav class="quick".*?</nav>', officer.page)
    assert nav is not None
    links = re.findall(r'href="/issue\?hazard=([^&"]+)&amp;level=(\w+)">([^<]+)<i>([^<]+)</i>', nav[0])
    written = {(one.hazard, one.level): one for one in house.context.settings.templates.templates}
    assert [(unquote(hazard), level) for hazard, level, *_ in links] == list(written)
    assert [(name, colour) for *_, name, colour in links] == [(name, level.chinese) for name, level in written]
    page = await officer.get("/issue?hazard=大风&level=yellow")
    assert written["大风", Level.YELLOW].description in page
    assert page.count('aria-current="true">大风<i>黄色</i>') == 1


async def test_what_cannot_be_put_forward_is_kept_as_a_draft_and_comes_back_with_all_that_was_typed(
    house: House, desk: Desk
) -> None:
    officer = await desk.officer("wang")
    typed = form(officer, headline="没有级别", level="", area=drawn(codes=[BIZHOU]), do="submit")
    page = await officer.post("/issue", typed)
    assert officer.status == 422
    assert "231" in page
    assert 'value="没有级别"' in page
    action = re.search(r'action="(/warnings/[0-9a-f]{32}/edit)"', page)
    assert action is not None
    await officer.post(action.group(1), form(officer, area=drawn(codes=[BIZHOU]), do="submit"))
    assert (await row_at(house, officer)).state == WarningState.SUBMITTED


async def test_without_a_drawn_area_nothing_is_put_forward_whatever_places_the_words_name(desk: Desk) -> None:
    officer = await desk.officer("wang")
    page = await officer.post("/issue", form(officer, description="遂川县碧洲镇将有大雨。", do="submit"))
    assert officer.status == 422
    assert "还没有划定区域" in page
    assert 'action="/issue"' in page


async def test_a_number_that_was_used_is_changed_so_that_nobody_is_stuck(desk: Desk) -> None:
    officer = await desk.officer("wang")
    typed = form(officer, area=drawn(codes=[BIZHOU]), do="save")
    await officer.post("/issue", typed)
    await officer.get("/issue")
    page = await officer.post("/issue", {**typed, "key": hidden(officer.page)["key"], "headline": "改了一个字"})
    assert officer.status == 422
    assert "可能已经存过" in page
    await officer.post("/issue", form(officer, headline="改了一个字", area=drawn(codes=[BIZHOU]), do="save"))
    assert officer.status == 303


async def test_a_long_text_and_a_long_border_are_kept(house: House, desk: Desk) -> None:
    officer = await desk.officer("wang")
    turns = [index * math.tau / 3000 for index in range(3000)]
    ring = [[26.4 + 0.1 * math.sin(turn), 114.5 + 0.1 * math.cos(turn)] for turn in turns]
    words = "低洼处可能积水。" * 600
    await officer.post("/issue", form(officer, description=words, area=drawn(polygons=[ring]), do="save"))
    assert officer.status == 303
    assert (await row_at(house, officer)).message["description"] == words


async def test_what_a_held_warning_names_otherwise_is_not_lost_by_saving(house: House, desk: Desk) -> None:
    named = "<geocode><valueName>行政区划</valueName><value>360827102</value></geocode>"
    other = "</area><area><areaDesc>遂川县泉江镇</areaDesc></area><area><areaDesc>没有这个地方</areaDesc>"
    _, said, _ = await house.post(cap("held", where=named + other), HELD_TOKEN)
    officer = await desk.officer("wang")
    await officer.get(f"/warnings/{said['warning_id']}")
    await officer.post(f"/warnings/{said['warning_id']}/take-up")
    place = f"/warnings/{said['warning_id']}/edit"
    page = await officer.get(place)
    assert json.loads(hidden(page)["area"])["codes"] == ["360827102", "360827100"]
    assert "没有这个地方</textarea>" in page
    assert "待核原因" in page
    page = await officer.post(place, form(officer, names="没有这个地方", do="save"))
    assert officer.status == 422
    await officer.post(place, form(officer, area=drawn(codes=["360827102", "360827100"]), do="save"))
    assert officer.status == 303
    assert {code[:9] for code in (await row_at(house, officer)).area["villages"]} == {"360827102", "360827100"}


async def test_what_is_meant_for_named_persons_is_not_widened_to_an_area(house: House, desk: Desk) -> None:
    private = cap("private", where=code(BIZHOU)).replace(
        b"<scope>Public</scope>", b"<scope>Private</scope><addresses>x</addresses>"
    )
    _, said, _ = await house.post(private)
    officer = await desk.officer("wang")
    await officer.get(f"/warnings/{said['warning_id']}/edit")
    assert officer.status == 409


async def test_pressed_twice_it_is_one_draft(house: House, desk: Desk) -> None:
    officer = await desk.officer("wang")
    typed = form(officer, area=drawn(codes=[BIZHOU]), do="save")
    await officer.post("/issue", typed)
    first = officer.at
    await officer.get("/issue")
    await officer.post("/issue", typed)
    assert (officer.status, officer.at) == (303, first)


@pytest.mark.parametrize("open_for", [(25, 25), (1, 15)])
async def test_pressed_twice_on_a_page_that_lay_open_it_is_one_warning(
    house: House, desk: Desk, open_for: tuple[int, int]
) -> None:
    officer = await desk.officer("wang")
    typed = form(officer, area=drawn(codes=[BIZHOU]), do="submit")
    places = set()
    for minutes in open_for:
        sent = (datetime.now(BEIJING) - timedelta(minutes=minutes)).isoformat(timespec="seconds")
        await officer.get("/issue")
        await officer.post("/issue", {**typed, "sent": sent})
        assert officer.status == 303
        places.add(officer.at)
    assert len(places) == 1
    row = await row_at(house, officer)
    assert row.identifier == typed["identifier"]
    assert datetime.now(UTC) - row.sent <= timedelta(minutes=10)


async def test_a_draft_comes_back_as_it_was_typed(house: House, desk: Desk) -> None:
    officer = await desk.officer("wang")
    ring = [[26.3, 114.4], [26.4, 114.4], [26.4, 114.6], [26.3, 114.4]]
    area = drawn(
        codes=[BIZHOU], polygons=[ring], circles=[{"lat": 26.5, "lon": 114.5, "radius_km": 2}],
        corridors=[{"line": [[26.3, 114.5], [26.4, 114.5]], "width_km": 2}],
    )  # fmt: skip
    typed = {
        "until": "2099-01-02T03:04",
        "night": "1",
        "role.reservoir_keeper": "1",
        "reason": "只涉及水库",
        "drill": "1",
    }
    await officer.post("/issue", form(officer, area=area, do="save", **typed))
    page = await officer.get(officer.at)
    kept = json.loads(hidden(page)["area"])
    assert kept["codes"] == [BIZHOU]
    assert kept["polygons"][0] == ring
    assert len(kept["polygons"]) == 2, "a corridor is kept as its outline"
    assert [one["radius_km"] for one in kept["circles"]] == [2]
    assert 'name="until" value="2099-01-02T03:04"' in page
    assert 'name="role.reservoir_keeper" value="1" checked' in page
    assert 'name="night" value="1" checked' in page
    assert '<body class="level red issuing drill' in page


async def test_two_officers_at_one_draft_neither_overwrites_what_he_has_not_seen(house: House, desk: Desk) -> None:
    first = await desk.officer("wang")
    await first.post("/issue", form(first, area=drawn(codes=[BIZHOU]), do="save"))
    place = first.at
    second = await desk.officer("li")
    await first.get(place)
    await second.get(place)
    await second.post(place, form(second, headline="李写的", area=drawn(codes=[BIZHOU]), do="save"))
    assert second.status == 303
    page = await first.post(place, form(first, headline="王写的", area=drawn(codes=[BIZHOU]), do="save"))
    assert first.status == 409
    assert "被别人改过" in page
    assert "李写的" in page
    assert 'value="王写的"' in page
    await first.post(place, form(first, headline="王写的", area=drawn(codes=[BIZHOU]), do="save"))
    assert first.status == 303
    assert (await row_at(house, first)).headline == "王写的"


async def test_a_page_of_before_another_s_edit_does_not_put_forward_what_he_wrote(house: House, desk: Desk) -> None:
    first, second = await desk.officer("wang"), await desk.officer("li")
    old = form(first, area=drawn(codes=[BIZHOU]), do="save")
    await first.post("/issue", old)
    place = first.at
    await second.get(place)
    edited = form(second, headline="李写的", area=drawn(codes=[BIZHOU]))
    for do in ("save", "submit"):
        await second.get(place)
        await second.post(place, {**edited, **hidden(second.page), "area": edited["area"], "do": do})
        assert second.status == 303
        before = await row_at(house, second)
        await first.get("/issue")
        page = await first.post("/issue", {**old, "do": "submit"})
        assert first.status == 409
        assert "被别人改过" in page
        assert "李写的" in page
        assert f'value="{old["headline"]}"' in page
        assert await row_at(house, second) == before
    await first.post(place, form(first, area=drawn(codes=[BIZHOU]), do="submit"))
    assert first.status == 303
    assert (await row_at(house, first)).headline == old["headline"]


async def test_what_was_put_forward_stays_as_it_was_frozen_however_often_it_is_pressed(
    house: House, desk: Desk
) -> None:
    officer = await desk.officer("wang")
    typed = form(officer, area=drawn(codes=[BIZHOU]), do="submit")
    rows = []
    for _ in range(2):
        await officer.get("/issue")
        await officer.post("/issue", typed)
        assert officer.status == 303
        rows.append(await row_at(house, officer))
    assert rows[0] == rows[1]
    async with house.context.store.read() as tx:
        told = [one.kind for one in await events.of_warning(tx, rows[0].id)]
    assert told.count("warning.submitted") == 1


async def test_whoever_is_overtaken_is_shown_all_that_the_other_wrote(house: House, desk: Desk) -> None:
    first = await desk.officer("wang")
    await first.post("/issue", form(first, area=drawn(codes=[BIZHOU]), do="save"))
    place = first.at
    second = await desk.officer("li")
    await first.get(place)
    await second.get(place)
    others = {
        "internal": "1", "night": "1", "role.reservoir_keeper": "1", "group.独居老人": "1", "tag.林缘": "1",
        "reason": "只涉及水库",
    }  # fmt: skip
    await second.post(place, form(second, area=drawn(codes=[BIZHOU]), do="save", **others))
    assert second.status == 303
    page = await first.post(place, form(first, area=drawn(codes=[BIZHOU]), do="save"))
    assert first.status == 409
    told = dict(re.findall(r'<tr><th scope="row">([^<]+)</th><td>([^<]+)</td></tr>', page))
    assert told.pop("有效至"), "he left it to the hazard's usual"
    assert told == {
        "夜里也响大喇叭": "是", "只发岗位人员": "是", "岗位": Role.RESERVOIR_KEEPER.chinese, "住户人群": "独居老人",
        "住户风险标签": "林缘", "理由": "只涉及水库",
    }  # fmt: skip


async def test_what_is_told_of_an_edit_says_which_it_was(house: House, desk: Desk) -> None:
    officer = await desk.officer("wang")
    await officer.post("/issue", form(officer, area=drawn(codes=[BIZHOU]), do="save"))
    place = officer.at
    await officer.get(place)
    before = hidden(officer.page)["seen"]
    await officer.post(place, form(officer, headline="改过的", area=drawn(codes=[BIZHOU]), do="save"))
    row = await row_at(house, officer)
    await officer.get(place)
    async with house.context.store.read() as tx:
        (told,) = [one for one in await events.of_warning(tx, row.id) if one.kind == "warning.edited"]
    assert told.detail["digest"] == hidden(officer.page)["seen"] != before


async def test_the_counts_are_those_of_whoever_would_be_told(house: House, desk: Desk) -> None:
    officer = await desk.officer("wang")
    page = await asked(officer, "/issue/audience", area=drawn(codes=[BIZHOU]))
    assert f'data-hits="{BIZHOU}:1"' in page
    register = await house.context.register()
    villages = len(register.geofence.under(BIZHOU))
    assert re.search(rf"<dt>区域</dt><dd>{villages}<small>个村", page)
    assert "遂川县碧洲镇" in page
    empty = await asked(officer, "/issue/audience", area="")
    assert "还没有划定区域" in empty
    outside = await asked(officer, "/issue/audience", area=drawn(codes=["110101"]))
    assert "215" in outside


async def test_nobody_counts_who_lives_outside_his_own_area(desk: Desk) -> None:
    officer = await desk.officer("sui", scope=SUICHUAN)
    ring = [[26.9, 115.0], [27.2, 115.0], [27.2, 115.3], [26.9, 115.0]]
    for area in (drawn(codes=["360822"]), drawn(polygons=[ring])):
        page = await asked(officer, "/issue/audience", area=area)
        assert "214" in page
        assert "岗位人员" not in page
        assert "发完要" not in await asked(officer, "/issue/words", area=area)


async def test_the_words_are_those_people_will_get(desk: Desk) -> None:
    officer = await desk.officer("wang")
    page = await asked(officer, "/issue/words", area=drawn(codes=[BIZHOU]))
    assert "【吉安应急】暴雨红色预警（Ⅰ级/特别严重）：遂川县碧洲镇。" in page
    assert "条计费" in page
    assert "读一遍约" in page
    assert "党建平台" in page
    assert "发完要" in page
    page = await asked(officer, "/issue/words", area=drawn(codes=[BIZHOU]), level="")
    assert "看不出预警级别" in page


async def test_without_a_script_what_was_written_is_read_back_on_the_page(desk: Desk) -> None:
    officer = await desk.officer("wang")
    assert "条计费" not in officer.page
    page = await officer.post("/issue", form(officer, area=drawn(codes=[BIZHOU]), do="fill"))
    assert "【吉安应急】暴雨红色预警（Ⅰ级/特别严重）：遂川县碧洲镇。" in page
    await officer.post("/issue", form(officer, area=drawn(codes=[BIZHOU]), do="save"))
    page = await officer.get(officer.at)
    for part in ("【吉安应急】暴雨红色预警（Ⅰ级/特别严重）：遂川县碧洲镇。", "读一遍约", "发完要"):
        assert part in page


async def test_pasted_names_mean_places_and_what_means_nothing_is_said(desk: Desk) -> None:
    officer = await desk.officer("wang")
    pasted = {**hidden(officer.page), "names": f"遂川县碧洲镇\n没有这个镇、{SUICHUAN}"}
    said = json.loads(await officer.post("/issue/names", pasted))
    assert said == {"codes": [BIZHOU, SUICHUAN], "names": ["遂川县碧洲镇", "遂川县"], "unread": ["没有这个镇"]}
    await officer.get("/issue")
    page = await officer.post("/issue", form(officer, names="碧洲镇\n没有这个镇", do="save"))
    assert officer.status == 422
    assert "没有这个镇" in page
    assert json.loads(hidden(page)["area"])["codes"] == [BIZHOU]


@pytest.mark.parametrize("line", ["遂川县碧洲镇没有这村", "碧洲镇 没有这镇", "碧洲镇以外", "999999"])
async def test_a_line_that_is_not_understood_whole_means_nothing(desk: Desk, line: str) -> None:
    officer = await desk.officer("wang")
    said = json.loads(await officer.post("/issue/names", {**hidden(officer.page), "names": line}))
    assert (said["codes"], said["unread"]) == ([], [line])


async def test_a_county_s_officer_draws_nothing_outside_his_county(desk: Desk) -> None:
    officer = await desk.officer("sui", scope=SUICHUAN)
    said = json.loads(await officer.post("/issue/names", {**hidden(officer.page), "names": "吉水县"}))
    assert said["unread"] == ["吉水县"]
    await officer.get("/issue")
    page = await officer.post("/issue", form(officer, area=drawn(codes=["360822"]), do="save"))
    assert officer.status in (403, 422)
    assert "214" in page


async def test_an_update_begins_with_what_is_in_force_and_names_it(house: House, desk: Desk) -> None:
    officer = await desk.officer("wang")
    _, said, _ = await house.post(cap(where=code(SUICHUAN)))
    place = f"/warnings/{said['warning_id']}/update"
    page = await officer.get(place)
    assert "更新预警" in page
    assert json.loads(hidden(page)["area"])["codes"] == [SUICHUAN]
    counted = await asked(officer, f"{place}/audience", area=drawn(codes=[BIZHOU]))
    assert "已不在区域内" in counted
    await officer.get(place)
    await officer.post(place, form(officer, area=drawn(codes=[BIZHOU]), do="submit"))
    assert officer.status == 303
    row = await row_at(house, officer)
    assert (row.kind, row.chain_id) == ("Update", said["warning_id"])


async def test_what_was_never_sent_is_edited_and_not_updated(desk: Desk) -> None:
    officer = await desk.officer("wang")
    await officer.post("/issue", form(officer, area=drawn(codes=[BIZHOU]), do="save"))
    number = officer.at.split("/")[2]
    await officer.get(f"/warnings/{number}/update")
    assert officer.status == 409


@pytest.mark.parametrize("area", ["{", '{"codes": ["1"]}', '{"polygons": [[["x", 1]]]}', '{"evil": 1}', "[]"])
async def test_a_drawing_that_is_none_is_refused_and_nothing_is_kept(desk: Desk, area: str) -> None:
    officer = await desk.officer("wang")
    page = await officer.post("/issue", form(officer, area=area, do="save"))
    assert officer.status == 422
    assert "图形读不出来" in page


MISTAKES = {
    "area": ("{", "图形读不出来"),
    "until": ("20261-01-02T03:04", "应写成日期和时间"),
    "level": ("purple", "没有这个级别"),
    "names": ("、".join(map(str, range(401))), "最多粘贴"),
}


@pytest.mark.parametrize("name", list(MISTAKES))
async def test_a_field_that_cannot_be_read_leaves_all_the_others_on_the_page(desk: Desk, name: str) -> None:
    officer = await desk.officer("wang")
    wrong, why = MISTAKES[name]
    typed = {"headline": "写了半天的标题", "area": drawn(codes=[BIZHOU]), "until": "2099-01-02T03:04", name: wrong}
    for do in ("save", "submit", "fill"):
        page = await officer.post("/issue", form(officer, **typed, do=do))
        assert officer.status == 422
        assert why in page
        assert 'value="写了半天的标题"' in page
        assert (name == "area") or json.loads(hidden(page)["area"])["codes"] == [BIZHOU]
        assert (name == "until") or 'name="until" value="2099-01-02T03:04"' in page
        assert (name != "names") or wrong in page


async def test_a_template_of_no_hazard_loses_nothing(desk: Desk) -> None:
    officer = await desk.officer("wang")
    page = await officer.post("/issue", form(officer, headline="写了半天的标题", level="", do="fill"))
    assert officer.status == 422
    assert "请先选灾种和级别" in page
    assert 'value="写了半天的标题"' in page


@pytest.mark.parametrize("until", ["0001-01-01T00:00", "9999-12-31T23:59"])
async def test_the_first_and_the_last_time_a_browser_knows_are_times(desk: Desk, until: str) -> None:
    officer = await desk.officer("wang")
    await officer.post("/issue", form(officer, area=drawn(codes=[BIZHOU]), until=until, do="save"))
    assert officer.status in (303, 422)


async def test_hostile_words_stay_words(desk: Desk) -> None:
    officer = await desk.officer("wang")
    evil = """"><script>alert(1)</script><img src=x onerror="alert(2)">'{{7*7}}"""
    typed = dict.fromkeys(("headline", "description", "instruction", "reason", "names"), evil)
    page = await officer.post("/issue", form(officer, **typed, do="save"))
    assert officer.status == 422, "a name nobody knows keeps it on the page"
    page += await asked(officer, "/issue/words", headline=evil, description=evil, area=drawn(codes=[BIZHOU]))
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "{{7*7}}" in page


async def test_the_ground_is_handed_out_once(house: House, desk: Desk) -> None:
    officer = await desk.officer("wang")
    cookie = {"Cookie": f"mingluo={officer.cookies['mingluo']}"}
    async with house.http.get(f"{house.url}/map/ground.json", headers=cookie) as answer:
        ground, tag = await answer.json(content_type=None), answer.headers["ETag"]
    kinds = [one["properties"]["kind"] for one in ground["features"]]
    assert (kinds.count("county"), kinds.count("township"), kinds.count("village")) == (13, 252, 2967)
    assert "赣江" in {one["properties"]["name"] for one in ground["features"] if one["properties"]["kind"] == "layer"}
    async with house.http.get(f"{house.url}/map/ground.json", headers={**cookie, "If-None-Match": tag}) as again:
        assert (again.status, await again.read()) == (304, b"")
