"""hazards.yaml: every hazard is whole, is known by one name, and says what people are to do about it and about nothing else."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from channels import text as sms
from dispatcher.intake.hazard import hazard_of
from dispatcher.model import ROLES, Channel, Hazard, Kind, Level, Role
from dispatcher.settings import HazardKind
from dispatcher.settings.hazards import Guide
from dispatcher.wording import Wordsmith
from tests.city import red, settings
from tests.dispatcher.test_settings import Change, change, line_of, loaded, refusal
from tests.jian import jian

__all__ = ["change"]
OURS = settings()
KINDS = OURS.hazards.hazards
BY_NAME = {kind.name: kind for kind in KINDS}
ACCIDENTS = (
    "危险化学品泄漏", "燃气泄漏", "工矿商贸事故", "火灾", "森林火灾", "溺水", "道路交通", "水库险情", "烟花爆竹安全",
    "停水停电", "突发公共卫生事件", "食品安全事件", "动物疫情",
)  # fmt: skip
WATER = re.compile("河道|沟谷|陡坡|溢洪道|山洪|应转尽转|水位")


def smith(kind: HazardKind, level: Level, of: Kind = Kind.ALERT) -> Wordsmith:
    hazard = Hazard(scheme="", code="", name=kind.name)
    message = red(hazard=hazard, event=kind.name, level=level, kind=of, sender_name="吉安市应急管理局")
    return Wordsmith(OURS.wording, message)


def every_text(kind: HazardKind, level: Level, place: str = "遂川县碧洲镇") -> list[str]:
    words = smith(kind, level)
    lines = ["", *(words.line(1 << number) for number in range(len(ROLES)))]
    texts = [words.word(Channel.SMS, place, line) for line in lines]
    texts.append(words.word(Channel.SMS, place, resident=True))
    texts += [words.word(channel, place) for channel in (Channel.BROADCAST, Channel.PARTY)]
    return [text.body for text in texts]


# ── what is shipped ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_hazard_has_a_code_a_symbol_and_all_but_the_notices_advice_of_their_own() -> None:
    assert [kind.name for kind in KINDS if not kind.codes] == []
    assert {kind.name for kind in KINDS if not kind.advice} == {"紧急公告", "提示性公告"}
    assert [kind.name for kind in KINDS if kind.icon == "notice"] == ["紧急公告", "提示性公告"]


def test_every_advice_is_of_some_hazard() -> None:
    assert set(OURS.hazards.advice) == {kind.advice for kind in KINDS if kind.advice}


def test_accidents_and_public_safety_are_graded_as_emergencies_and_weather_as_weather() -> None:
    grades = {name: [OURS.hazards.grade(name, level) for level in Level] for name in (*ACCIDENTS, "暴雨", "台风")}
    assert all(grades[name] == ["特别重大", "重大", "较大", "一般"] for name in ACCIDENTS)
    assert grades["暴雨"] == grades["台风"] == ["特别严重", "严重", "较重", "一般"]
    assert OURS.hazards.grade("没有的灾种", Level.RED) == ""


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("水库险情", "水库险情"),
        ("水库溃坝红色预警", "水库险情"),
        ("dam failure warning", "水库险情"),
        ("水库泄洪预警", "水库泄洪"),
        ("液化气泄漏", "燃气泄漏"),
        ("危化品泄漏预警", "危险化学品泄漏"),
        ("工矿事故", "工矿商贸事故"),
        ("食物中毒", "食品安全事件"),
        ("公共卫生", "突发公共卫生事件"),
    ],
)
def test_a_hazard_is_known_by_any_of_its_names(said: str, name: str) -> None:
    found = hazard_of(OURS.hazards, ("90000",), said)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("name", ACCIDENTS)
@pytest.mark.parametrize("level", list(Level))
def test_who_is_hit_by_an_accident_is_told_nothing_of_rivers_and_slopes(name: str, level: Level) -> None:
    """But where the accident is water's own."""
    if name in ("水库险情", "溺水"):
        return
    for text in every_text(BY_NAME[name], level):
        assert not WATER.search(text), text


def test_who_is_hit_by_a_leak_is_sent_out_of_the_wind_and_who_smells_gas_is_told_not_to_switch_anything() -> None:
    for level in (Level.RED, Level.ORANGE):
        leak = smith(BY_NAME["危险化学品泄漏"], level).word(Channel.SMS, "甲镇", resident=True).body
        assert "捂住口鼻" in leak
        assert "往侧风、上风方向" in leak
        gas = smith(BY_NAME["燃气泄漏"], level).word(Channel.BROADCAST, "甲镇").body
        assert "不点火" in gas
        assert "不打电话" in gas


def test_below_a_dam_one_goes_up_and_not_along_the_river() -> None:
    said = smith(BY_NAME["水库险情"], Level.RED).word(Channel.SMS, "甲镇", resident=True).body
    assert "往高处" in said
    assert "不要顺着河跑" in said


@pytest.mark.parametrize(
    ("name", "role", "told"),
    [
        ("水库险情", Role.RESERVOIR_KEEPER, "查险"),
        ("水库泄洪", Role.RESERVOIR_KEEPER, "放水"),
        ("危险化学品泄漏", Role.PARK_SAFETY, "报明泄漏物"),
        ("工矿商贸事故", Role.PARK_SAFETY, "清点人员"),
        ("烟花爆竹安全", Role.PARK_SAFETY, "停产"),
        ("燃气泄漏", Role.FIRE_GRID, "抢修"),
        ("火灾", Role.FIRE_GRID, "消防车"),
        ("森林火灾", Role.FOREST_RANGER, "报告火情"),
        ("溺水", Role.RESERVOIR_KEEPER, "停止放水"),
        ("滑坡", Role.FLOOD_GEO_MONITOR, "鸣锣"),
        ("地震", Role.RESERVOIR_KEEPER, "渗漏"),
    ],
)
def test_whoever_has_a_hand_in_it_is_told_what_his_is(name: str, role: Role, told: str) -> None:
    assert told in smith(BY_NAME[name], Level.RED).line(1 << ROLES.index(role))


def test_nobody_is_sent_to_move_people_where_there_is_nowhere_to_move_them_from() -> None:
    leader = 1 << ROLES.index(Role.TRANSFER_LEADER)
    still = ("高温", "大雾", "霾", "雷电", "停水停电", "突发公共卫生事件", "动物疫情", "道路交通", "溺水", "干旱")
    assert [name for name in still if smith(BY_NAME[name], Level.RED).line(leader)] == []
    assert smith(BY_NAME["危险化学品泄漏"], Level.RED).line(leader) == "请避开下风向组织撤离。"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_an_sms_of_any_hazard_costs_two_parts_at_the_most(kind: HazardKind) -> None:
    """To the unit with the longest name, from us, at the longest hour, and in a drill."""
    names = {area.code: area.name for area in jian()}
    place = max((names[area.parent] + area.name for area in jian() if area.level == "township"), key=len)
    longest = 2 * len("12月31日23时59分") - 2 * len("4月3日2时39分") + 2 * len("【演练】")
    for level in Level:
        for text in every_text(kind, level, place)[:-2]:
            assert sms.units(text) + longest <= sms.capacity(2), text


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_what_is_said_is_a_whole_sentence_that_asks_and_no_word_of_a_drill(kind: HazardKind) -> None:
    guide = OURS.hazards.advice.get(kind.advice, Guide())
    for advice in (guide.red, guide.orange, guide.yellow, guide.blue, guide.cancel):
        for sentence in (advice.officers, advice.residents, *advice.lines.values()) if advice else ():
            assert sentence.startswith("请"), sentence
            assert sentence.endswith("。"), sentence
            assert kind.name == "应急疏散演练" or "演练" not in sentence


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_an_all_clear_calls_nobody_to_a_post(kind: HazardKind) -> None:
    said = smith(kind, Level.RED, Kind.CANCEL)
    for channel, resident in itertools.product((Channel.SMS, Channel.BROADCAST), (False, True)):
        body = said.word(channel, "甲镇", resident=resident).body
        assert kind.name in body
        assert "到岗" not in body
        assert "{" not in body


# ── levels that are left out ────────────────────────────────────────────────────────────────────────────────────────


def test_a_level_left_out_takes_the_words_of_the_next_above_it_else_of_the_next_below() -> None:
    words = {level: {"officers": f"{level}官", "residents": f"{level}民"} for level in ("red", "yellow")}
    guide = Guide.model_validate(words)
    said = [advice.officers for level in Level if (advice := guide.at(level))]
    assert said == ["red官", "red官", "yellow官", "yellow官"]
    low = Guide.model_validate({"blue": words["red"]})
    assert [low.at(level) is low.blue for level in Level] == [True] * 4
    assert Guide().at(Level.RED) is None


# ── faults, named with file and line ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("advice: chemical,", "advice: chemcal,", "没有“chemcal”"),
        ("grades: emergency, codes", "grades: emergancy, codes", "没有“emergancy”"),
        ("icon: gas,", "icon: gass,", "icon"),
        ("category: CBRNE,", "category: Chemical,", "category"),
        ('NERP: "11B03"', 'NERP: "11b3"', "五位"),
        ("validity_hours: 48}", "validity_hours: 0}", "validity_hours"),
        ("colours: [orange, red]", "colours: [orange, purple]", "colours"),
        ("aliases: [热带气旋, typhoon", "aliases: [暴雨, typhoon", "“暴雨”写在几个灾种里"),
        ("residents: 请留意天气变化。", "residents: 请留意{event}。", "花括号"),
        ("residents: 请留意天气变化。", "residents: ''", "不能空着"),
        ("lines: {park_safety: 请督促企业停产排查。}", "lines: {park_keeper: 请督促企业停产排查。}", "park_keeper"),
        ("orange: 重大, ", "", "缺少 orange"),
    ],
)
def test_a_fault_stops_the_start_and_is_named_with_its_line(change: Change, old: str, new: str, said: str) -> None:
    folder = change("hazards", old, new)
    where = line_of(folder / "hazards.yaml", new) if new else line_of(folder / "hazards.yaml", "  emergency: {")
    assert f"hazards.yaml:{where}: " in refusal(folder)
    assert said in refusal(folder)


def test_a_line_for_a_hazard_that_is_not_known_stops_the_start(change: Change) -> None:
    folder = change("wording", "hazard_lines: {}", "hazard_lines:\n  大凤: {fire_grid: 请检查用火用电。}")
    assert f"wording.yaml:{line_of(folder / 'wording.yaml', '大凤')}: " in refusal(folder)


def test_wording_yaml_cannot_speak_of_hazards(change: Change) -> None:
    assert "hazards" in refusal(change("wording", "max_segments: 5", "max_segments: 5\nhazards: {hazards: []}"))


def test_a_city_without_advice_still_starts_and_says_what_holds_for_everything(change: Change) -> None:
    """An older hazards.yaml has none of it."""
    folder: Path = change("hazards", "hazards:", "hazards:")
    (folder / "hazards.yaml").write_text("hazards:\n  - {name: 暴雨, codes: {NERP: '11B03'}}\n", encoding="utf-8")
    (folder / "templates.yaml").unlink()  # no older folder has one
    ours = loaded(folder)
    said = Wordsmith(ours.wording, red()).word(Channel.SMS, "甲镇").body
    assert "（Ⅰ级/红色）" in said
    assert said.endswith("请立即到岗，逐户叫应，组织群众避险。")
