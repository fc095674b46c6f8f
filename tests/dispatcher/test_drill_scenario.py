"""A scenario is judged before it is played; it cannot make a drill look real; what it becomes is Exercise in every word."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dispatcher.intake.decode import decode
from dispatcher.intake.native import CONTENT_TYPE
from dispatcher.model import Kind, Status, WarningMessage
from dispatcher.rehearsal.drill import scenario, telling
from dispatcher.rehearsal.drill.letters import FILLED, Letters, Sent, exercise_id
from dispatcher.rehearsal.drill.scenario import Scenario, load, names
from dispatcher.settings import BadConfiguration
from tests.city import NOW, settings

ASKED = {"2009-suichuan-night-flood", "2024-red-at-0239", "five-river-stations", "park-chemical-leak"}
WHOLE = """title: 试验
happened: |-
  前一行
  后一行
source: 无
start: "2026-04-03T02:39"
steps:
  - name: first
    after: "00:00:00"
    valid: "03:00:00"
    issue:
      event: 暴雨
      level: red
      headline: 某地发布暴雨红色预警
      areas:
        - {description: 碧洲镇, geocodes: ["360827102"]}
  - name: wider
    after: "00:12:00"
    update:
      of: first
      areas:
        - {description: 碧洲镇、枚江镇, geocodes: ["360827102", "360827111"]}
    expect:
      reach: {sms: 0.9}
  - name: over
    after: "01:00:00"
    cancel: {of: wider}
"""


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Scenario]:
    """`written(old, new)`: the scenario above with that one difference, as it is read."""

    def read(old: str = "", new: str = "") -> Scenario:
        assert old in WHOLE
        (tmp_path / "trial.yaml").write_text(WHOLE.replace(old, new, 1) if old else WHOLE, encoding="utf-8")
        return load("trial", settings(), tmp_path)

    return read


def messages(of: Scenario) -> list[WarningMessage]:
    """As the service would read them."""
    letters, sent = Letters.of(settings(), exercise_id(of.name, NOW), of.title), list[Sent]()
    found = []
    for step in of.steps:
        sent.append(letters.sent(step, NOW + step.after, sent))
        message = decode(sent[-1].body, CONTENT_TYPE, settings().hazards).message
        assert message is not None
        found.append(message)
    return found


# ── what is shipped ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_scenarios_that_were_asked_for_are_there_and_without_a_fault() -> None:
    assert set(names()) >= ASKED
    for name in names():
        found = load(name, settings())
        assert found.happened
        assert found.source
        assert all(expect.first_within for expect in found.expects.values()), name


@pytest.mark.parametrize("name", sorted(ASKED))
def test_every_message_of_a_scenario_is_a_drill_in_every_field_that_says_so(name: str) -> None:
    for message in messages(load(name, settings())):
        assert message.status is Status.EXERCISE
        assert message.drill
        assert message.headline.startswith("【演练】")
        assert re.match(r"演练编号 DRILL-\d{14}-[a-z0-9-]+-[0-9a-f]{4}，", message.note)
        assert message.identifier.startswith("DRILL-")


def test_the_night_of_2024_is_red_at_0239_and_five_stations_speak_in_one_moment() -> None:
    night = load("2024-red-at-0239", settings())
    (red,) = [step for step in night.steps if step.name == "red"]
    assert f"{night.start + red.after:%H:%M}" == "02:39"
    stations = load("five-river-stations", settings()).steps
    assert [step.after for step in stations].count(timedelta(0)) == 5


@pytest.mark.parametrize("name", sorted(ASKED))
def test_a_scenario_is_shown_with_its_hours_places_and_the_texts_people_would_get(name: str) -> None:
    found = load(name, settings())
    shown = "\n".join(telling.shown(found, settings()))
    for words in (
        "事实：",
        "出处：",
        "信息员短信",
        "住户短信",
        "党建平台：【演练】",
        "停播先前的内容",
        "要求：送达 短信",
    ):
        assert words in shown, words
    assert shown.count("信息员短信") == len(found.steps)
    texts = [line.partition("：")[2] for line in shown.splitlines() if "短信（" in line]
    assert all(text.startswith("【演练】") and text.endswith("【演练】") for text in texts)


# ── how a file is read ──────────────────────────────────────────────────────────────────────────────────────────────


def test_an_update_says_again_what_it_does_not_change_and_refers_to_its_whole_chain(
    written: Callable[..., Scenario],
) -> None:
    first, wider, over = messages(written())
    assert (wider.kind, wider.level, wider.event, wider.headline) == (Kind.UPDATE, first.level, "暴雨", first.headline)
    assert [code.value for area in wider.areas for code in area.geocodes] == ["360827102", "360827111"]
    assert [one.identifier for one in wider.references] == [first.identifier]
    assert [one.identifier for one in over.references] == [first.identifier, wider.identifier]
    assert (over.kind, over.areas, over.headline) == (Kind.CANCEL, (), "【演练】解除暴雨预警")
    assert wider.sent - first.sent == timedelta(minutes=12)
    assert first.expires is not None
    assert first.expires - first.sent == timedelta(hours=3)


def test_lines_of_chinese_are_joined_without_a_blank(written: Callable[..., Scenario]) -> None:
    assert written().happened == "前一行后一行"


@pytest.mark.parametrize("key", sorted(FILLED))
def test_what_the_player_fills_in_no_file_may_say(written: Callable[..., Scenario], key: str) -> None:
    for act in ("issue", "update"):
        with pytest.raises(BadConfiguration, match=rf"trial\.yaml:\d+: steps\.\d\.{act}\.{key}: 由播放器填写"):
            written(f"{act}:\n", f"{act}:\n      {key}: Actual\n")


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        (
            '"360827111"',
            '"360827999"',
            22,
            "steps.1.update.areas.0.geocodes.1: areas.csv 里没有 360827999 这个区划代码",
        ),
        ('"360827111"', "碧洲", 22, "steps.1.update.areas.0.geocodes.1: 写法不对"),
        ("level: red", "level: purple", 13, "steps.0.issue.level: 只能是"),
        ("      level: red\n", "", 11, "steps.0.issue: 缺少 level"),
        ("event: 暴雨", "event: 外星人", 11, "steps.0.issue: hazards.yaml 里没有“外星人”这个灾种"),
        ("of: first", "of: nobody", 20, "steps.1.update.of: of 应是前面某一步的名字（first）"),
        ("of: wider", "of: over", 27, "steps.2.cancel.of: of 应是前面某一步的名字（first、wider）"),
        ('"00:12:00"', "12:00:00", 18, "steps.1.after: 时长应写成带引号"),
        ('"00:12:00"', '"00:72:00"', 18, "steps.1.after: 时长应写成带引号"),
        ('"01:00:00"', '"00:01:00"', 26, "steps.2.after: 比上一步还早"),
        ("name: wider", "name: first", 17, "steps.1.name: first 用过了"),
        ("    cancel: {of: wider}\n", "", 25, "steps.2: issue、update、cancel 三者应有且只有一个"),
        ("reach: {sms: 0.9}", "reach: {sms: 9}", 24, "steps.1.expect.reach.sms"),
        ("reach: {sms: 0.9}", "speed: 3", 24, "steps.1.expect.speed: 没有这个设置项"),
        ("event: 暴雨", "colour: red", 12, "steps.0.issue.colour: 没有这一项"),
        ("source: 无\n", "", 1, "source: 缺少这一项"),
        ("title: 试验", "title: 试验\nstatus: Actual", 2, "status: 没有这个设置项"),
    ],
)
def test_a_fault_is_named_with_its_file_line_and_key(
    written: Callable[..., Scenario], old: str, new: str, line: int, said: str
) -> None:
    with pytest.raises(BadConfiguration) as refused:
        written(old, new)
    assert f"trial.yaml:{line}: {said}" in str(refused.value)
    assert str(refused.value).count("\n") <= 1, "a fault is told once, and not again for whatever follows it"


def test_what_the_intake_would_refuse_is_a_fault_of_the_file(written: Callable[..., Scenario]) -> None:
    with pytest.raises(BadConfiguration, match="headline 含控制或方向字符"):
        written("某地发布暴雨红色预警", '"某地\\u202e发布暴雨红色预警"')


@pytest.mark.parametrize("name", ["nothing", "../../service", "", "A B"])
def test_a_name_that_is_no_scenario_is_answered_with_those_there_are(name: str) -> None:
    with pytest.raises(BadConfiguration, match="park-chemical-leak"):
        load(name, settings())


def test_a_village_a_township_and_a_county_know_how_many_villages_they_hold() -> None:
    units = scenario.units()
    assert units["360800"].villages == sum(unit.level == "village" for unit in units.values()) == 2_967
    assert units["360827102200"].villages == 1
    assert 1 < units["360827102"].villages < units["360827"].villages


def test_two_plays_of_one_second_are_two_exercises() -> None:
    made = {exercise_id("x", NOW) for _ in range(20)}
    assert len(made) > 1
    step = load("park-chemical-leak", settings()).steps[0]
    body: dict[str, Any] = json.loads(Letters.of(settings(), "DRILL-1", "x").body(step, NOW, ()))
    assert body["identifier"] == "DRILL-1-leak"
