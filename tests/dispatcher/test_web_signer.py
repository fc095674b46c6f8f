"""What a leader sees before he signs: the frozen words, three numbers, what happens meanwhile; and that he signs just that."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from dispatcher.accounts.authority import AccountRole
from dispatcher.accounts.entering import IDLE, form_key
from dispatcher.intake import native
from dispatcher.model import BEIJING
from dispatcher.settings import PROJECT
from dispatcher.store.tables import sessions
from tests.browser.standing import DRILL_SMS, House, standing
from tests.dispatcher.desk import written
from tests.dispatcher.persons import Browser, Hands, Office, office

pytestmark = pytest.mark.long

SENT = datetime.now(UTC).replace(microsecond=0)
HASH = re.compile(r'name="plan_hash" value="([0-9a-f]{64})"')


@pytest.fixture
async def house(jian_sqlite_url: str) -> AsyncIterator[House]:
    async with standing(jian_sqlite_url, **DRILL_SMS) as opened:
        yield opened


@pytest.fixture
def there(house: House) -> Office:
    return office(house.context.store, Hands(datetime.now(UTC)))


async def browser(house: House, there: Office, login: str, role: AccountRole, scope: str = "360800") -> Browser:
    await there.person(login, role, scope)
    return Browser(url=house.url, http=house.http, cookies={"mingluo": await there.session(login)})


async def posted(house: House, who: Browser, path: str, body: object) -> tuple[int, Any]:
    token = who.cookies["mingluo"]
    headers = {"Cookie": f"mingluo={token}", "X-Form-Key": form_key(token), "Sec-Fetch-Site": "same-origin"}
    verb = path.count("/") > 3 and not path.endswith("/edit")
    headers["Content-Type"] = "application/json" if verb else native.CONTENT_TYPE
    async with house.http.post(house.url + path, data=json.dumps(body).encode(), headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


def words(**changes: object) -> Any:
    return json.loads(written(sent=SENT.isoformat(), expires=(SENT + timedelta(hours=6)).isoformat(), **changes))


async def submitted(house: House, wang: Browser, **changes: object) -> str:
    status, said = await posted(house, wang, "/api/v1/warnings", words(**changes))
    assert status == 202, said
    status, put = await posted(house, wang, f"/api/v1/warnings/{said['warning_id']}/submit", {})
    assert status == 202, put
    return str(said["warning_id"])


@pytest.fixture
async def wang(house: House, there: Office) -> Browser:
    return await browser(house, there, "wang", AccountRole.DUTY_OFFICER)


@pytest.fixture
async def li(house: House, there: Office) -> Browser:
    return await browser(house, there, "li", AccountRole.APPROVER)


async def test_a_leader_is_shown_what_he_signs_in_place_of_the_dense_page(
    house: House, wang: Browser, li: Browser
) -> None:
    red = await submitted(house, wang, level="red", headline="遂川县应急管理局发布暴雨红色预警")
    sheet = await li.get(f"/warnings/{red}")
    _, detail, _ = await house.get(f"/api/v1/warnings/{red}", Cookie=f"mingluo={li.cookies['mingluo']}")
    plan = detail["plan"]
    assert f"<dt>收到短信的人</dt><dd>{plan['channels']['sms']}</dd>" in sheet
    assert f"<dt>响起的播发网关</dt><dd>{plan['channels']['broadcast']}</dd>" in sheet
    assert HASH.search(sheet).group(1) == detail["plan_hash"]  # type: ignore[union-attr]
    for said in ("示意图", "条计费", "念 ", "值班员wang", "还剩", "通知首位签发人：签发领导li", "通知候补签发人",
                 "逾时放行", 'name="confirm" value="yes" required', "签发理由（必填）", "发出去的收不回来"):  # fmt: skip
        assert said in sheet, said
    texts = {one["body"] for one in await frozen_texts(house, red)}
    shown = set(re.findall(r"<blockquote>([^<]+)</blockquote>", sheet))
    assert shown, "the words stand there"
    assert shown <= texts, "and are the frozen ones"
    assert 'class="sums"' in await li.get(f"/warnings/{red}?view=whole")
    assert 'class="sums"' in await wang.get(f"/warnings/{red}"), "whoever wrote it watches the dense page"
    assert "不能再签发" not in sheet


async def left(house: House) -> None:
    """Everybody has been away for a quarter of an hour."""
    before = house.context.now() - IDLE
    async with house.context.store.begin() as tx:
        await tx.execute(update(sessions).values(seen_at=before, proven_at=before))


async def test_whoever_was_away_is_offered_what_he_may_and_shows_himself_as_he_presses(
    house: House, there: Office, wang: Browser, li: Browser
) -> None:
    elsewhere = await browser(house, there, "zhao", AccountRole.APPROVER, "360826")
    yellow = await submitted(house, wang)
    await left(house)
    sheet = await li.get(f"/warnings/{yellow}")
    assert f'action="/warnings/{yellow}/approve"' in sheet, "the sheet to sign, and not only to look at"
    assert "由有此权限的领导操作" not in sheet
    assert "现在就输，回来再签" in sheet
    for verb in ("approve", "return"):
        await li.post(f"/warnings/{yellow}/{verb}", {"reason": "可以"})
        assert (li.status, li.at) == (303, f"/sign-in/second?next=/warnings/{yellow}")
    assert ">修改</button>" in await wang.get(f"/warnings/{yellow}")
    await elsewhere.get(f"/warnings/{yellow}")
    assert elsewhere.status == 404, "and nobody gains an area by sleeping"


async def frozen_texts(house: House, warning_id: str) -> list[dict[str, str]]:
    async with house.context.store.read() as tx:
        rows = await tx.exec_driver_sql("SELECT body FROM texts WHERE warning_id = ?", (warning_id,))
        return [{"body": row[0]} for row in rows]


async def test_whoever_had_a_hand_in_it_may_read_the_sheet_and_not_sign(house: House, wang: Browser) -> None:
    yellow = await submitted(house, wang)
    sheet = await wang.get(f"/warnings/{yellow}/sign")
    assert (wang.status, "由有此权限的领导操作" in sheet) == (200, True)
    assert 'action="/warnings/' not in sheet


async def test_what_was_changed_since_is_said_and_shown_anew(house: House, wang: Browser, li: Browser) -> None:
    yellow = await submitted(house, wang)
    seen = HASH.search(await li.get(f"/warnings/{yellow}"))
    assert seen is not None
    status, said = await posted(
        house, wang, f"/api/v1/warnings/{yellow}/edit", words(description="预计未来6小时碧洲镇有大雨。")
    )
    assert status in (200, 202), said
    status, _ = await posted(house, wang, f"/api/v1/warnings/{yellow}/submit", {})
    assert status == 202
    form = {"plan_hash": seen.group(1), "asked": "confirm", "confirm": "yes"}
    again = await li.post(f"/warnings/{yellow}/approve", form)
    assert li.status == 409
    assert "您看到的内容与现在待签的不同" in again
    anew = HASH.search(again)
    assert anew is not None
    assert anew.group(1) != seen.group(1)
    assert "未来6小时" in again
    await li.post(f"/warnings/{yellow}/approve", {**form, "plan_hash": anew.group(1)})
    assert li.status == 303


async def test_nothing_is_signed_before_the_consequence_is_confirmed(house: House, wang: Browser, li: Browser) -> None:
    yellow = await submitted(house, wang)
    seen = HASH.search(await li.get(f"/warnings/{yellow}"))
    assert seen is not None
    page = await li.post(f"/warnings/{yellow}/approve", {"plan_hash": seen.group(1), "asked": "confirm"})
    assert (li.status, "勾选确认" in page) == (422, True)
    await li.post(f"/warnings/{yellow}/approve", {"plan_hash": seen.group(1), "asked": "confirm", "confirm": "yes"})
    assert li.status == 303
    await li.get(f"/warnings/{yellow}/sign")
    assert (li.status, li.at) == (303, f"/warnings/{yellow}")


async def test_a_red_needs_a_reason_and_a_return_too(house: House, wang: Browser, li: Browser) -> None:
    red = await submitted(house, wang, level="red", headline="遂川县应急管理局发布暴雨红色预警")
    seen = HASH.search(await li.get(f"/warnings/{red}"))
    assert seen is not None
    page = await li.post(f"/warnings/{red}/approve", {"plan_hash": seen.group(1), "asked": "confirm", "confirm": "yes"})
    assert (li.status, "请写明签发理由" in page) == (422, True)
    page = await li.post(f"/warnings/{red}/return", {"reason": ""})
    assert (li.status, "请写明为什么退回" in page) == (422, True)
    await li.post(f"/warnings/{red}/return", {"reason": "少写了一个乡"})
    assert li.status == 303


async def test_a_drill_is_signed_on_a_hatched_sheet_by_a_button_that_says_so(
    house: House, wang: Browser, li: Browser
) -> None:
    drill = await submitted(house, wang, identifier="drill", status="Exercise", headline="遂川县暴雨黄色预警演练",
                            description="此为演练。预计未来3小时碧洲镇降雨量将达50毫米以上。", note="汛前演练")  # fmt: skip
    sheet = await li.get(f"/warnings/{drill}")
    assert '<body class="level yellow drill signing">' in sheet
    for said in ("<title>【演练】", "这不是真实预警", "签发演练</button>", "这是演练"):
        assert said in sheet, said
    real = await li.get(f"/warnings/{await submitted(house, wang)}")
    assert "演练" not in real
    assert '<button type="submit" class="grave">签发</button>' in real


async def test_that_loudspeakers_wait_is_said_with_what_moves_and_never_in_what_is_ticked(
    jian_sqlite_url: str, tmp_path: Path
) -> None:
    """Whoever opens the sheet before the quiet hours and signs in them has read what holds then."""
    here = datetime.now(BEIJING).hour
    for file in (PROJECT / "config").glob("*.yaml"):
        text = file.read_text(encoding="utf-8").replace("quiet_from_hour: 22", f"quiet_from_hour: {(here - 1) % 24}")
        (tmp_path / file.name).write_text(
            text.replace("quiet_to_hour: 6", f"quiet_to_hour: {(here + 3) % 24}"), "utf-8"
        )
    async with standing(jian_sqlite_url, MINGLUO_CONFIG=str(tmp_path)) as house:
        there = office(house.context.store, Hands(datetime.now(UTC)))
        wang, zhao = [await browser(house, there, login, AccountRole.DUTY_OFFICER) for login in ("wang", "zhao")]
        li = await browser(house, there, "li", AccountRole.APPROVER)
        yellow, red = await submitted(house, wang), await submitted(house, wang, level="red", identifier="red")
        night = f"现在是夜里，大喇叭等到 {(here + 3) % 24:02}:00:00 才响"
        for who, place, said in ((li, f"{yellow}/sign", 1), (zhao, f"{yellow}/telephone", 1), (li, f"{red}/sign", 0)):
            page = await who.get(f"/warnings/{place}")
            assert (who.status, page.count(night)) == (200, said), place
            live = await who.get(f"/warnings/{place}?part=live")
            assert live.count(night) == said
            changes = datetime.fromisoformat(re.search(r'data-changes="([^"]+)"', live).group(1))  # type: ignore[union-attr]
            assert timedelta() < changes - datetime.now(UTC) <= timedelta(hours=1)


async def test_what_moves_on_the_sheet_is_asked_for_alone(house: House, wang: Browser, li: Browser) -> None:
    yellow = await submitted(house, wang)
    live = await li.get(f"/warnings/{yellow}?part=live")
    assert live.lstrip().startswith('<div id="live"')
    assert "data-hash=" in live
    assert "<html" not in live
    key = HASH.search(await li.get(f"/warnings/{yellow}"))
    assert key is not None
    await li.post(f"/warnings/{yellow}/approve", {"plan_hash": key.group(1)})
    assert 'class="moving"' in await li.get(f"/warnings/{yellow}?part=live"), "once it is signed, the dense one"
