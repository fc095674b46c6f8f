"""The page on which a warning is drawn and worded, with its script: what is sent is what stands there finished, once."""

from __future__ import annotations

import asyncio
import json
import re

import pytest
from playwright.async_api import Page, Response, Route, expect

from dispatcher.accounts.authority import AccountRole
from tests.browser.browsing import Browsing, calm
from tests.browser.people import People
from tests.browser.standing import House

pytestmark = pytest.mark.long

SAVED = re.compile("/warnings/.*/edit")
COUNTS = re.compile("/issue/(audience|words)$")


async def corners(page: Page, tool: str, *at: tuple[int, int]) -> None:
    """Clicked one after the other round the middle of the map; then the hand goes to the words."""
    await page.locator(f"[data-tool={tool}]").click()
    box = await page.locator("warning-map").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for right, down in at:
        await page.mouse.move(x + right, y + down, steps=4)
        await page.mouse.click(x + right, y + down, delay=60)
    await page.mouse.move(x + 20, y + 60, steps=4)
    await page.locator("[name=headline]").hover()


async def area(page: Page) -> dict[str, list[object]]:
    found: dict[str, list[object]] = json.loads(await page.locator("#area").input_value() or "{}")
    return {kind: shapes for kind, shapes in found.items() if shapes}


@pytest.mark.parametrize(
    ("tool", "at"),
    [("polygon", ((-45, -35), (45, -35))), ("circle", ((0, 0),)), ("corridor", ((-45, -35), (45, -35)))],
)
async def test_a_shape_that_is_not_finished_is_counted_and_neither_kept_nor_sent(
    house: House, persons: People, browsing: Browsing, tool: str, at: tuple[tuple[int, int], ...]
) -> None:
    async with browsing(house, persons.duty_officer) as tab:
        page = tab.page
        await tab.to("/issue?hazard=暴雨&level=red")
        await expect(page.locator("warning-map[data-drawn]")).to_be_visible()
        await corners(page, tool, *at)
        await expect(page.locator("#audience")).to_contain_text("岗位人员")
        assert await area(page) == {}
        for name in ("送签", "存草稿"):
            await page.get_by_role("button", name=name).click()
            await expect(page.locator("#told")).to_contain_text("还没有画完")
        await page.keyboard.press("Escape")
        await expect(page.locator("#audience")).to_contain_text("还没有划定区域")
        await corners(page, tool, *at, (45, 35))
        await page.locator("warning-map").focus()
        await page.keyboard.press("Enter")
        await expect(page.locator("#area")).to_have_value(re.compile(r"\d\.\d"))
        await page.get_by_role("button", name="存草稿").click()
        await page.wait_for_url(SAVED)
        await calm(tab)


async def test_a_browser_of_before_2022_saves_too(house: House, persons: People, browsing: Browsing) -> None:
    async with browsing(house, persons.duty_officer) as tab:
        await tab.page.add_init_script("delete AbortSignal.timeout")
        await tab.to("/issue?hazard=暴雨&level=red")
        await tab.page.get_by_role("button", name="存草稿").click()
        await tab.page.wait_for_url(SAVED)
        await calm(tab)


async def test_a_fault_of_the_script_does_not_keep_a_warning_from_being_saved(
    house: House, persons: People, browsing: Browsing
) -> None:
    async with browsing(house, persons.duty_officer) as tab:
        await tab.to("/issue?hazard=暴雨&level=red")
        await expect(tab.page.locator("#audience")).to_contain_text("还没有划定区域")
        await tab.page.evaluate("delete window.URLSearchParams")
        with tab.expecting("URLSearchParams"):
            await tab.page.get_by_role("button", name="存草稿").click()
            await tab.page.wait_for_url(SAVED)
        await calm(tab)


async def test_a_server_that_is_away_is_said_in_words_and_nothing_is_lost(
    house: House, persons: People, browsing: Browsing
) -> None:
    async with browsing(house, persons.duty_officer) as tab:
        await tab.to("/issue?hazard=暴雨&level=red")
        await tab.page.context.set_offline(True)
        with tab.expecting("ERR_INTERNET_DISCONNECTED", "Failed to"):
            await tab.page.get_by_role("button", name="存草稿").click()
            await expect(tab.page.locator("#told")).to_contain_text("服务器没有回应")
            await tab.page.context.set_offline(False)
            await tab.page.get_by_role("button", name="存草稿").click()
            await tab.page.wait_for_url(SAVED)


async def test_whoever_signs_in_again_in_another_tab_saves_what_he_wrote(
    house: House, persons: People, browsing: Browsing
) -> None:
    async with browsing(house, persons.duty_officer) as tab:
        page = tab.page
        await tab.to("/issue?hazard=暴雨&level=red")
        await page.locator("[name=headline]").fill("睡前写的标题")
        with tab.expecting("401", "403"):
            await page.context.clear_cookies()
            await page.get_by_role("button", name="存草稿").click()
            await expect(page.locator("#told")).to_contain_text("在另一个标签页登录")
            again = await persons.duty_officer.session()
            await page.context.add_cookies([{"name": "mingluo", "value": again, "url": house.url}])
            await page.get_by_role("button", name="存草稿").click()
            await page.wait_for_url(SAVED)
        await expect(page.locator("[name=headline]")).to_have_value("睡前写的标题")


async def test_a_count_that_asks_for_the_new_key_first_does_not_keep_it_from_the_save(
    house: House, persons: People, browsing: Browsing
) -> None:
    async with browsing(house, persons.duty_officer) as tab:
        page, pressed, refused, counted = tab.page, asyncio.Event(), asyncio.Event(), asyncio.Event()
        await tab.to("/issue?hazard=暴雨&level=red")
        again = await persons.duty_officer.session()

        async def behind_the_press(route: Route) -> None:
            await pressed.wait()  # or it has the new key before the press, which then never meets the old one
            await route.continue_()

        async def behind_the_count(route: Route) -> None:
            pressed.set()
            await counted.wait()
            await route.continue_()

        def note(response: Response) -> None:
            if COUNTS.search(response.url) and response.status == 403:
                refused.set()
            elif response.url.endswith("/issue/audience") and refused.is_set():
                counted.set()

        page.on("response", note)
        await page.route(COUNTS, behind_the_press)
        await page.route("**/issue/names", behind_the_count, times=1)
        await page.context.add_cookies([{"name": "mingluo", "value": again, "url": house.url}])
        with tab.expecting("403"):
            await page.locator("[name=headline]").fill("醒来写的标题")
            # counts anew, also where the first count came before
            await page.locator("[name=level][value=orange]").check(force=True)
            await page.get_by_role("button", name="存草稿").click()
            await page.wait_for_url(SAVED)
        await expect(page.locator("[name=headline]")).to_have_value("醒来写的标题")


async def test_what_one_wrote_is_not_saved_as_whoever_signed_in_after_him(
    house: House, persons: People, browsing: Browsing
) -> None:
    async with browsing(house, persons.duty_officer) as tab:
        page, told = tab.page, tab.page.locator("#told")
        await tab.to("/issue?hazard=暴雨&level=red")
        await page.locator("[name=headline]").fill("周写的标题")
        after = await persons.another("li", "李接班", AccountRole.DUTY_OFFICER)
        own, other = await persons.duty_officer.session(), await after.session()
        with tab.expecting("403"):
            await page.context.add_cookies([{"name": "mingluo", "value": other, "url": house.url}])
            for name in ("存草稿", "送签"):
                await page.get_by_role("button", name=name).click()
                await expect(told).to_contain_text(f"这一页是{persons.duty_officer.name}写的")
                await expect(told).to_contain_text("现在登录的是：李接班")
            await page.context.add_cookies([{"name": "mingluo", "value": own, "url": house.url}])
            await page.get_by_role("button", name="存草稿").click()
            await page.wait_for_url(SAVED)
        await expect(page.locator("[name=headline]")).to_have_value("周写的标题")


PRESSING = """() => setInterval(() => {
  const button = document.querySelector(".send [value=save]");
  button.click();
  button.form.requestSubmit();
  window.pressed(button.disabled);
}, 50)"""


async def test_pressed_again_while_it_goes_it_goes_once(house: House, persons: People, browsing: Browsing) -> None:
    async with browsing(house, persons.duty_officer) as tab:
        page, posted, again = tab.page, list[str](), asyncio.Event()

        async def slow(route: Route) -> None:
            if route.request.method == "POST":
                posted.append(route.request.url)
                await again.wait()
            await route.continue_()

        held = list[bool]()

        def pressed(disabled: bool) -> None:
            held.append(disabled)
            if sum(held) == 5:
                again.set()

        await page.expose_function("pressed", pressed)
        await page.route(house.url + "/issue", slow)
        await tab.to("/issue?hazard=暴雨&level=red")
        await page.evaluate(PRESSING)
        await page.wait_for_url(SAVED)
        assert len(posted) == 1
        await calm(tab)


TELL = """([id, digest]) => document.dispatchEvent(new CustomEvent(
  "mingluo:event", { detail: { warning_id: id, kind: "warning.edited", detail: { digest } } }))"""


async def test_one_s_own_edit_is_no_other_s_and_another_s_can_be_looked_at(
    house: House, persons: People, browsing: Browsing
) -> None:
    async with browsing(house, persons.duty_officer) as tab:
        page, box = tab.page, tab.page.locator("#changed")
        await tab.to("/issue?hazard=暴雨&level=red")
        await page.get_by_role("button", name="存草稿").click()
        await page.wait_for_url(SAVED)
        draft = page.url.split("/")[-2]
        await page.evaluate(TELL, [draft, await page.locator("[name=seen]").input_value()])
        await expect(box).to_be_hidden()
        await page.locator("#names").evaluate(
            "(box) => { box.closest('details').open = true; box.value = '没有这个镇'; }"
        )
        await page.get_by_role("button", name="存草稿").click()
        await page.evaluate(TELL, [draft, "another"])
        await expect(page.locator("#told")).to_contain_text("认不出：没有这个镇")
        await expect(box).to_contain_text("别人刚刚改了")
        await expect(box.get_by_role("link")).to_be_visible()
        await calm(tab)


async def test_pasted_names_are_counted_before_they_are_sent(house: House, persons: People, browsing: Browsing) -> None:
    async with browsing(house, persons.duty_officer) as tab:
        page = tab.page
        await tab.to("/issue?hazard=暴雨&level=red")
        await page.locator("details.names summary").click()
        await page.locator("#names").fill("遂川县碧洲镇\n没有这个镇")
        await page.get_by_role("button", name="存草稿").click()
        await expect(page.locator("#told")).to_contain_text("认不出：没有这个镇")
        await expect(page.locator("#names")).to_have_value("没有这个镇")
        await expect(page.locator("#audience")).to_contain_text("遂川县碧洲镇")
        await page.locator("#names").fill("遂川县泉江镇")
        await page.get_by_role("button", name="送签").click()
        await expect(page.locator("#told")).to_contain_text("请核对后再按一次")
        await expect(page.locator("#audience")).to_contain_text("遂川县泉江镇")
        await page.get_by_role("button", name="送签").click()
        await expect(page.locator("#live")).to_have_attribute("data-state", "submitted")
        await calm(tab)


async def test_a_template_keeps_the_area_and_gives_back_what_a_hand_wrote(
    house: House, persons: People, browsing: Browsing
) -> None:
    async with browsing(house, persons.duty_officer) as tab:
        page, headline, back = tab.page, tab.page.locator("[name=headline]"), tab.page.locator("#restore")
        await tab.to("/issue")
        await page.locator("details.names summary").click()
        await page.locator("#names").fill("遂川县碧洲镇")
        await page.locator("#addnames").click()
        await headline.fill("自己写的标题")
        for name, said in (("暴雨红色", "暴雨红色预警"), ("大风黄色", "大风黄色预警")):
            await page.get_by_role("link", name=name, exact=True).click()
            await expect(headline).to_have_value(re.compile(said))
        await expect(page.get_by_role("link", name="大风黄色", exact=True)).to_have_attribute("aria-current", "true")
        await expect(page.locator("[name=level][value=yellow]")).to_be_checked()
        assert await area(page) == {"codes": ["360827102"]}
        await back.click()
        await expect(headline).to_have_value("自己写的标题")
        await expect(page.locator("[name=hazard]")).to_have_value("")
        await expect(back).to_be_hidden()
        await page.get_by_role("button", name="填入模板文字").click()
        await expect(page.locator("#told")).to_contain_text("请先选灾种和级别")
        await expect(headline).to_have_value("自己写的标题")


async def test_the_words_say_that_it_is_a_drill_as_long_as_the_box_does(
    house: House, persons: People, browsing: Browsing
) -> None:
    async with browsing(house, persons.duty_officer) as tab:
        words, box = tab.page.locator("[name=description]"), tab.page.get_by_label("这是演练")
        await tab.to("/issue?hazard=暴雨&level=red&drill=1")
        said = await words.input_value()
        assert said.startswith("此为演练：")
        await box.uncheck()
        await expect(words).to_have_value(said.removeprefix("此为演练："))
        await box.check()
        await expect(words).to_have_value(said)
        await words.fill("")
        await box.uncheck()
        await box.check()
        await expect(words).to_have_value("")
        await calm(tab)


async def test_a_count_that_could_not_be_had_is_said_to_be_old_until_the_next(
    house: House, persons: People, browsing: Browsing
) -> None:
    async with browsing(house, persons.duty_officer) as tab:
        page = tab.page
        parts = [page.locator(f"#{name} > .outdated") for name in ("audience", "readback")]
        await tab.to("/issue?hazard=暴雨&level=red")
        await page.locator("details.names summary").click()
        await page.locator("#names").fill("遂川县碧洲镇")
        await page.locator("#addnames").click()
        await expect(page.locator("#readback")).to_contain_text("条计费")

        async def silent(route: Route) -> None:
            """Nothing is answered: it ends by the page's own limit."""

        for name in ("audience", "words"):
            await page.route(f"{house.url}/issue/{name}", silent)
        await page.locator("[name=level][value=orange]").check(force=True)
        for one in parts:
            await expect(one).to_contain_text("不是最新的", timeout=10_000)
        await expect(page.locator("#readback")).to_contain_text("条计费")
        await page.unroute_all()
        await page.locator("[name=level][value=blue]").check(force=True)
        for one in parts:
            await expect(one).to_have_count(0)
        await expect(page.locator("#readback")).to_contain_text("蓝色")


async def test_the_map_keeps_its_size_while_the_first_count_comes(
    house: House, persons: People, browsing: Browsing
) -> None:
    async with browsing(house, persons.duty_officer) as tab:
        await tab.to("/issue?hazard=暴雨&level=red")
        await expect(tab.page.locator("warning-map[data-drawn]")).to_be_visible()
        before = await tab.page.locator("warning-map").bounding_box()
        await corners(tab.page, "polygon", (-45, -35), (45, -35), (45, 35))
        await expect(tab.page.locator("#audience")).to_contain_text("岗位人员")
        assert await tab.page.locator("warning-map").bounding_box() == before
        await calm(tab)
