"""What the lint says of a warning's words: each rule has a text that trips it and a like one that does not; it never raises,
and it leaves what is well written alone."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.intake.decode import decode
from dispatcher.intake.hazard import colour_note
from dispatcher.linting import Remark, Rule, Said, Severity, lint, spoken
from dispatcher.model import (
    Area,
    Channel,
    Code,
    Finding,
    Hazard,
    Kind,
    Level,
    Scope,
    Status,
    Verdict,
    WarningMessage,
)
from dispatcher.rehearsal.demo_warnings import TWO_TOWNSHIPS, WHOLE_CITY, filled
from dispatcher.settings import Wording
from dispatcher.wording import Wordsmith
from tests.city import NOW, red, settings

OURS = settings()
RED = OURS.wording.levels[Level.RED]
CHANNELS = (Channel.SMS, Channel.BROADCAST, Channel.PARTY)
CN = Path(__file__).parent.parent / "cap"

HEADLINE = "吉安市气象台发布暴雨红色预警[Ⅰ级/特别严重]"
RAIN = "吉安市气象台2026年4月3日2时39分发布暴雨红色预警：预计未来3小时碧洲镇降雨量将达100毫米以上，可能引发山洪。"
DO = "请立即转移低洼地带的群众。"
DRILL = {"status": Status.EXERCISE, "note": "遂川县2026年山洪避险演练，县防指组织", "description": RAIN + "此为演练。"}
OVER = {
    "kind": Kind.CANCEL,
    "headline": "吉安市气象台解除暴雨红色预警",
    "description": "强降雨已趋于结束，现予解除。",
    "instruction": "",
}
RETRACTED = {**OVER, "retraction": True, "headline": "吉安市气象台撤回误发的暴雨预警", "description": ""}
HEAT = Hazard(scheme="NERP", code="11B09", name="高温")


def warning(**changes: Any) -> WarningMessage:
    """Nothing is to be said of this one."""
    whole = {
        "headline": HEADLINE,
        "description": RAIN,
        "instruction": DO,
        "areas": (Area(description="遂川县碧洲镇"),),
        "source_format": "cap-1.2",
    }
    return red(**{**whole, **changes})


def said(message: WarningMessage, wording: Wording = OURS.wording, findings: tuple[Finding, ...] = ()) -> Said:
    """With the texts as they are made of it, where a level says which."""
    texts = ()
    if message.level is not None or message.kind is Kind.CANCEL:
        texts = spoken(Wordsmith(wording, message), message, ["遂川县", "遂川县碧洲镇"], CHANNELS)
    return Said(message=message, texts=texts, hazards=OURS.hazards, rules=OURS.lint, findings=findings)


def rules(remarks: Iterable[Remark]) -> set[Rule]:
    return {remark.rule for remark in remarks}


def of(rule: Rule, **changes: Any) -> Remark:
    (found,) = [remark for remark in lint(said(warning(**changes))) if remark.rule is rule]
    return found


TRIPS: list[tuple[Rule, dict[str, Any]]] = [
    (Rule.LANGUAGE, {"headline": "Red rainstorm warning", "description": "Heavy rain.", "instruction": "Move."}),
    (Rule.SOURCE, {"sender_name": ""}),
    (Rule.SOURCE, {"sender_name": "Jian Meteorological Observatory"}),
    (Rule.SOURCE, {"headline": "暴雨红色预警", "description": RAIN.replace("吉安市气象台", "")}),
    (Rule.HAZARD, {"hazard": None, "event": ""}),
    (Rule.HAZARD, {"headline": "吉安市气象台发布红色预警", "description": "未来3小时雨量将达100毫米以上。"}),
    (Rule.IMPACT, {"description": "吉安市气象台2026年4月3日2时39分发布暴雨红色预警。"}),
    (Rule.IMPACT, {"description": ""}),
    (Rule.PLACE, {"areas": (), "description": "预计未来3小时降雨量将达100毫米以上。"}),
    (Rule.VAGUE_PLACE, {"areas": (Area(description="部分地区"),), "description": "未来3小时降雨量将达100毫米。"}),
    (Rule.VAGUE_PLACE, {"areas": (Area(description="（划定区域）"),), "description": "我市多地将有100毫米以上降雨。"}),
    (Rule.TIME, {"expires": None}),
    (Rule.VAGUE_TIME, {"description": "近期碧洲镇降雨量将达100毫米以上，可能引发山洪。"}),
    (Rule.ACTION, {"description": RAIN, "instruction": ""}),
    (Rule.ACTION, {"level": Level.YELLOW, "headline": "吉安市气象台发布暴雨黄色预警", "instruction": ""}),
    (Rule.ISSUED, {"description": RAIN.replace("4月3日2时", "3月3日2时")}),
    (Rule.ISSUED, {"description": RAIN.replace("2026", "2025")}),
    (Rule.ISSUED, {"kind": Kind.UPDATE, "description": "吉安市气象台4月2日20时变更暴雨红色预警：碧洲镇将达100毫米。"}),
    (Rule.VALIDITY, {"description": RAIN + "预警有效期至4月3日18时。"}),
    (Rule.VALIDITY, {"description": RAIN + "有效至18时。"}),
    (Rule.VALIDITY, {"description": RAIN + "有效时间到今天下午8时39分。"}),
    (Rule.VALIDITY, {"description": RAIN + "有效期至4月4日8时39分。"}),
    (Rule.MIXED_LEVELS, {"headline": "吉安市气象台发布暴雨橙色预警"}),
    (Rule.MIXED_LEVELS, {"headline": "吉安市气象台发布暴雨红色预警[Ⅱ级/特别严重]"}),
    (Rule.MIXED_LEVELS, {"headline": "吉安市气象台发布暴雨红色预警[I级/严重]"}),
    (Rule.MIXED_LEVELS, {"headline": "吉安市气象台发布暴雨预警（二级）"}),
    (Rule.MIXED_LEVELS, {"instruction": "橙色预警期间请做好转移准备。"}),
    (Rule.MIXED_LEVELS, {"description": RAIN.replace("红色预警", "橙色（Ⅱ级）预警")}),
    (Rule.MIXED_HAZARDS, {"headline": "吉安市气象台发布高温红色预警"}),
    (Rule.MIXED_HAZARDS, {"event": "高温"}),
    (Rule.MIXED_HAZARDS, {"hazard": Hazard(scheme="NERP", code="11B06", name="大风"), "event": "大风",
                          "headline": "吉安市气象台发布雷雨大风红色预警"}),
    (Rule.UNUSUAL_COLOUR, {"level": Level.BLUE, "hazard": HEAT, "event": "高温"}),
    (Rule.EVACUATION, {"responses": ("Evacuate",), "level": Level.YELLOW, "instruction": "请注意防范。"}),
    (Rule.EVACUATION, {"responses": ("Monitor",), "instruction": "请立即撤离。"}),
    (Rule.CANCEL_ORDERS, {**OVER, "instruction": DO}),
    (Rule.CANCEL_ORDERS, {**OVER, "description": "现予解除，请立即到岗。"}),
    (Rule.CANCEL_UNSAID, {**OVER, "headline": HEADLINE, "description": "降雨仍将持续。"}),
    (Rule.CANCEL_UNSAID, {"headline": "吉安市气象台解除暴雨红色预警"}),
    (Rule.DRILL_DENIED, {**DRILL, "description": RAIN + "这不是演练。"}),
    (Rule.DRILL_DENIED, {**DRILL, "instruction": "这是真实险情，演练结束前请立即转移。"}),
    (Rule.DRILL_PANIC, {**DRILL, "instruction": "快跑，晚了就来不及了，此为演练。"}),
    (Rule.DRILL_NOTE, {**DRILL, "note": ""}),
    (Rule.DRILL_READS_REAL, {**DRILL, "description": f"【演练】{RAIN}【演练】"}),
    (Rule.LIVE_DRILL, {"description": RAIN + "此为演练。"}),
    (Rule.LIVE_DRILL, {"headline": "测试：" + HEADLINE}),
    (Rule.HEADLINE, {"headline": HEADLINE + "长" * 40}),
    (Rule.HEADLINE, {"headline": ""}),
    (Rule.CUT, {"sender_name": "吉安市气象台" * 60}),
    (Rule.SEGMENTS, {"sender_name": "吉安市气象台" * 25}),
    (Rule.SECONDS, {"description": RAIN + "雨" * 400}),
    (Rule.URL, {"sender_name": "吉安市气象台 www.example.cn"}),
    (Rule.URL, {"description": RAIN + "详见 https://example.com/a。"}),
    (Rule.URL, {"instruction": DO + "请登录jian.example.gov.cn查看路线。"}),
]  # fmt: skip

CALM: list[tuple[Rule, dict[str, Any]]] = [
    (Rule.LANGUAGE, {}),
    (Rule.LANGUAGE, {**OVER, "headline": "", "description": "", "sender_name": "吉安市气象台"}),
    (Rule.SOURCE, {"sender_name": "遂川县防汛抗旱指挥部", "headline": "遂川县防指发布暴雨红色预警"}),
    (Rule.SOURCE, {"sender_name": "吉安市教育体育局", "headline": "吉安市教体局发布暴雨红色预警",
                   "description": "碧洲镇三小时内有山洪。"}),
    (Rule.HAZARD, {"headline": "吉安市气象台发布强降雨红色预警"}),
    (Rule.IMPACT, {"description": "碧洲镇河水将漫堤，淹没低洼地带。"}),
    (Rule.IMPACT, {**DRILL, "description": "今日开展转移避险演练，请按预案路线前往安置点。"}),
    (Rule.PLACE, {"areas": (), "description": RAIN}),
    (Rule.PLACE, {**OVER, "areas": ()}),
    (Rule.VAGUE_PLACE, {"areas": (Area(description="吉安县（划定区域）"),)}),
    (Rule.VAGUE_PLACE, {"areas": (Area(description="局部"), Area(description="遂川县碧洲镇、枚江镇交界一带"))}),
    (Rule.TIME, {}),
    (Rule.VAGUE_TIME, {"description": RAIN + "近期请勿进山。"}),
    (Rule.ACTION, {"instruction": "", "description": RAIN + "请山洪危险区群众做好转移准备。"}),
    (Rule.ISSUED, {"description": RAIN.replace("2时39分", "1时50分")}),
    (Rule.ISSUED, {"description": "4月2日20时发布的暴雨橙色预警升级为红色预警，碧洲镇雨量将达100毫米。"}),
    (Rule.ISSUED, {"kind": Kind.UPDATE, "description": "将4月2日20时发布的暴雨橙色预警变更为红色预警，碧洲镇达100毫米。"}),
    (Rule.ISSUED, {"description": "江西省气象台4月2日20时发布橙色预警。" + RAIN}),
    (Rule.VALIDITY, {"description": RAIN + "有效期至4月3日8时。"}),
    (Rule.VALIDITY, {"description": RAIN + "有效至今天上午9时。"}),
    (Rule.VALIDITY, {"description": RAIN + "预计强降雨持续至4月4日20时。"}),
    (Rule.VALIDITY, {"description": RAIN + "有效期至4月31日99时。"}),
    (Rule.VALIDITY, {"expires": datetime(2026, 4, 3, 16, tzinfo=UTC), "description": RAIN + "有效至3日24时。"}),
    (Rule.VALIDITY, {"expires": datetime(2026, 12, 31, 17, tzinfo=UTC), "description": RAIN + "有效至1月1日1时。"}),
    (Rule.MIXED_LEVELS, {"description": RAIN + "县防指启动防汛Ⅱ级应急响应，响应等级Ⅱ级。"}),
    (Rule.MIXED_LEVELS, {"kind": Kind.UPDATE, "headline": "吉安市气象台将暴雨橙色预警升级为红色"}),
    (Rule.MIXED_LEVELS, {"description": RAIN + "将出现四级以上阵风，一级公路请慢行。"}),
    (Rule.MIXED_HAZARDS, {"description": RAIN + "伴有雷电、大风、冰雹。"}),
    (Rule.MIXED_HAZARDS, {"hazard": Hazard(scheme="NERP", code="11B20", name="雷雨大风"), "event": "雷雨大风",
                          "headline": "吉安市气象台发布雷雨大风红色预警"}),
    (Rule.MIXED_HAZARDS, {**DRILL, "headline": "【演练】吉安市气象台发布暴雨红色预警"}),
    (Rule.MIXED_HAZARDS, {"sender_name": "吉安市森林火灾指挥部", "headline": "吉安市森林火灾指挥部发布红色预警"}),
    (Rule.UNUSUAL_COLOUR, {"hazard": HEAT, "event": "高温"}),
    (Rule.EVACUATION, {"responses": ("Evacuate",)}),
    (Rule.EVACUATION, {"responses": (), "instruction": "请立即撤离。"}),
    (Rule.EVACUATION, {"responses": ("Prepare",), "instruction": "请做好转移准备。"}),
    (Rule.CANCEL_ORDERS, OVER),
    (Rule.CANCEL_ORDERS, {**OVER, "description": "水位迅速回落，现予解除，请勿立即返回危房。"}),
    (Rule.CANCEL_UNSAID, {**OVER, "headline": "", "description": "", "instruction": ""}),
    (Rule.CANCEL_UNSAID, {"kind": Kind.UPDATE, "headline": "吉安市气象台解除暴雨橙色预警，发布暴雨红色预警"}),
    (Rule.DRILL_DENIED, {**DRILL, "instruction": "这不是真实预警，是实战化演练。"}),
    (Rule.DRILL_DENIED, {"instruction": DO + "这不是演练。"}),
    (Rule.DRILL_PANIC, {**DRILL, "instruction": "目标是零伤亡，此为演练。"}),
    (Rule.DRILL_NOTE, {**DRILL, "note": "", "source_format": "amp-12379"}),
    (Rule.DRILL_NOTE, {**DRILL, **OVER, "note": ""}),
    (Rule.DRILL_READS_REAL, DRILL),
    (Rule.LIVE_DRILL, {"instruction": "请按平时演练的路线转移，这不是演练。"}),
    (Rule.HEADLINE, {}),
    (Rule.CUT, {"description": RAIN + "雨" * 400}),
    (Rule.SEGMENTS, {"sender_name": "吉安市气象台" * 5}),
    (Rule.SECONDS, {}),
    (Rule.URL, {"description": RAIN + "水位超警0.5米，风力7.8级，P.S.请留意，邮箱 a@example.com。"}),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "changes"), TRIPS)
def test_a_text_that_breaks_a_rule_is_remarked(rule: Rule, changes: dict[str, Any]) -> None:
    assert rule in rules(lint(said(warning(**changes))))


@pytest.mark.parametrize(("rule", "changes"), CALM)
def test_a_like_text_that_breaks_none_is_left_alone(rule: Rule, changes: dict[str, Any]) -> None:
    assert [remark for remark in lint(said(warning(**changes))) if remark.rule is rule] == []


def test_every_rule_has_a_text_that_trips_it_and_one_that_does_not() -> None:
    assert {rule for rule, _ in TRIPS} == {rule for rule, _ in CALM} == set(Rule)


@pytest.mark.parametrize("changes", [{}, DRILL, OVER, RETRACTED, {"kind": Kind.UPDATE}, {"scope": Scope.RESTRICTED}])
def test_of_a_warning_that_is_well_written_nothing_is_said(changes: dict[str, Any]) -> None:
    assert lint(said(warning(**changes))) == ()


# ── how a remark reads ──────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_cut_off_an_sms_is_named_for_it_is_what_is_to_be_done() -> None:
    remark = of(Rule.CUT, sender_name="吉安市气象台" * 60)
    assert (remark.severity, remark.field) == (Severity.WARN, "sms")
    assert remark.sentence.startswith("短信（岗位人员、乡镇主要负责人 等 8 种）超过 5 条，末尾被截去")
    assert "应转尽转" in remark.sentence


def test_a_remark_names_field_and_words_and_says_what_to_do() -> None:
    remark = of(Rule.VALIDITY, description=RAIN + "预警有效期至4月3日18时。")
    assert (remark.severity, remark.field, remark.found) == (Severity.WARN, "expires", "有效期至4月3日18时")
    assert remark.sentence.endswith("报文的有效期（expires）却到 04-03 08:39：两处请改成一致")


def test_what_a_fixed_text_supplies_is_a_note_and_what_nobody_says_is_to_be_changed() -> None:
    assert of(Rule.ACTION, instruction="").severity is Severity.NOTE
    yellow = {"level": Level.YELLOW, "headline": "吉安市气象台发布暴雨黄色预警", "description": "碧洲镇将达50毫米。"}
    levels = OURS.wording.levels
    mute = levels[Level.YELLOW].model_copy(
        update={"broadcast": "通知。{sender}{time}发布{event}{colour}预警，{place}。"}
    )
    wording = OURS.wording.model_copy(update={"levels": {**levels, Level.YELLOW: mute}})
    remarks = lint(said(warning(**yellow, instruction=""), wording))
    (silent,) = [remark for remark in remarks if remark.rule is Rule.ACTION]
    assert (silent.severity, silent.field) == (Severity.WARN, "broadcast")


def test_what_to_change_comes_before_what_to_know() -> None:
    remarks = lint(said(warning(headline="", expires=None, level=Level.BLUE, hazard=HEAT)))
    severities = [remark.severity for remark in remarks]
    assert severities == sorted(severities, key=lambda one: one is Severity.NOTE)
    assert set(severities) == set(Severity)


def test_a_severity_that_contradicts_the_colour_is_remarked_as_decoding_said_it() -> None:
    noted = Finding(code=Code.LEVEL_UNKNOWN, verdict=Verdict.ACCEPT, reason="标题写红色，severity 是 Severe（橙色）")
    held = replace(noted, verdict=Verdict.HOLD)
    (remark,) = lint(said(warning(), findings=(noted, held)))
    assert (remark.rule, remark.field) == (Rule.MIXED_LEVELS, "severity")


def test_a_template_that_leaves_an_element_out_is_found_in_the_text_it_makes() -> None:
    """The five elements are looked for where people meet them."""
    gone = {"sms": "{colour}预警。", "resident": "{event}{colour}预警：{place}，{time}，请远离河道。{sender}"}
    bare = OURS.wording.model_copy(update={"levels": {Level.RED: RED.model_copy(update=gone)}})
    found = {remark.rule: remark.sentence for remark in lint(said(warning(), bare)) if remark.field == "sms"}
    assert set(found) == {Rule.SOURCE, Rule.HAZARD, Rule.PLACE, Rule.TIME, Rule.ACTION}
    assert not any("住户" in sentence for sentence in found.values()), "what they get is whole"


def test_a_cancel_whose_template_gives_an_order_is_remarked() -> None:
    ordering = OURS.wording.cancel.model_copy(update={"resident": "{sender}{time}解除{event}预警，请立即转移。"})
    (remark,) = lint(said(warning(**OVER), OURS.wording.model_copy(update={"cancel": ordering})))
    assert (remark.rule, remark.field) == (Rule.CANCEL_ORDERS, "sms")


# ── which texts ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_kind_of_text_is_there_once_with_the_longest_name_of_a_place() -> None:
    texts = said(warning()).texts
    assert len(texts) == len({text.text.body for text in texts}) == 10
    assert all("遂川县碧洲镇" in text.text.body for text in texts)
    assert [text.to for text in texts if text.channel is Channel.SMS][:2] == ["岗位人员", "乡镇主要负责人"]
    assert sum(text.to == "住户" for text in texts) == 1


def test_what_is_internal_is_worded_for_officers_alone() -> None:
    texts = said(warning(scope=Scope.RESTRICTED)).texts
    assert {text.channel for text in texts} == {Channel.SMS}
    assert "住户" not in {text.to for text in texts}


def test_an_update_has_texts_for_whoever_is_outside_now_and_the_elements_are_not_asked_of_them() -> None:
    bare = OURS.wording.former.model_copy(update={"sms": "已不在区域内", "resident": "已不在区域内"})
    update = said(warning(kind=Kind.UPDATE), OURS.wording.model_copy(update={"former": bare}))
    assert sum(text.former for text in update.texts) == 2
    assert lint(update) == ()


def test_only_a_loudspeaker_takes_seconds() -> None:
    seconds = {text.channel: text.seconds(OURS.lint) for text in said(warning()).texts}
    assert seconds[Channel.SMS] == seconds[Channel.PARTY] == 0
    assert 30 <= seconds[Channel.BROADCAST] <= 60


# ── what is really sent ─────────────────────────────────────────────────────────────────────────────────────────────

REVIEWED = {
    "cn_05_villages.xml": {Rule.UNUSUAL_COLOUR},  # a blue 道路结冰, which has three colours
    "cn_31_county12.xml": {Rule.UNUSUAL_COLOUR},
    "cn_13_towns.xml": {Rule.DRILL_NOTE},  # <note/> is empty
    "cn_26_city.xml": {Rule.DRILL_NOTE},
    "cn_39_towns_polygon.xml": {Rule.DRILL_NOTE},
}
"""Read one by one: each is true. All others are well written."""


@pytest.mark.parametrize("file", sorted(CN.glob("cn_*.xml")), ids=lambda path: path.name)
def test_of_the_forty_of_the_chinese_profile_only_what_is_true_is_said(file: Path) -> None:
    decoded = decode(file.read_bytes(), "application/cap+xml", OURS.hazards)
    assert decoded.message is not None
    unusual = colour_note(OURS.hazards, decoded.message)  # the lint says it itself
    remarks = lint(said(decoded.message, findings=tuple(one for one in decoded.findings if one != unusual)))
    assert rules(remarks) == REVIEWED.get(file.name, set()), remarks
    assert all(remark.severity is Severity.NOTE for remark in remarks)


@pytest.mark.parametrize("template", [WHOLE_CITY, TWO_TOWNSHIPS], ids=lambda path: path.name)
def test_of_the_demos_warnings_it_is_noted_that_they_name_no_action(template: Path) -> None:
    message = decode(filled(template, NOW), "application/cap+xml", OURS.hazards).message
    assert message is not None
    (remark,) = lint(said(message))
    assert (remark.rule, remark.severity) == (Rule.ACTION, Severity.NOTE)


# ── any message ─────────────────────────────────────────────────────────────────────────────────────────────────────

PIECES = (
    "暴雨", "高温", "雷雨大风", "红色", "橙色", "预警", "[Ⅱ级/严重]", "（三级）", "IV级", "应急响应", "解除", "发布", "变更",
    "吉安市气象台", "2026年4月3日", "13月32日", "0000年", "9999年12月31日", "24时", "99时99分", "下午", "有效期至",
    "有效至今天", "碧洲镇", "部分地区", "近期", "请立即转移", "撤离", "演练", "【演练】", "不是演练", "真实", "测试", "https://a.cn/",
    "www.b.com", "。", "，", "：", "\n", "rain", "𠮷", "{place}", "¹²", "５",
)  # fmt: skip
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=6), max_size=12).map("".join)
moments = st.datetimes(datetime(1900, 1, 2), datetime(2200, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001
hazards = st.sampled_from(OURS.hazards.hazards).map(lambda kind: Hazard(scheme="", code="", name=kind.name))
messages = st.builds(
    WarningMessage,
    source_format=st.sampled_from(["cap-1.2", "amp-12379", "native-json"]),
    sender=texts,
    identifier=st.just("1"),
    sent=moments,
    status=st.sampled_from(Status),
    kind=st.sampled_from(Kind),
    scope=st.sampled_from(Scope),
    sender_name=texts,
    event=texts,
    hazard=st.none() | hazards | st.just(Hazard(scheme="", code="", name="无此灾种")),
    level=st.none() | st.sampled_from(Level),
    responses=st.lists(st.sampled_from(["Evacuate", "Monitor", "None"]), max_size=2).map(tuple),
    expires=st.none() | moments,
    headline=texts,
    description=texts,
    instruction=texts,
    note=texts,
    areas=st.lists(st.builds(Area, description=texts), max_size=3).map(tuple),
)


@pytest.mark.long
@given(messages)
def test_whatever_a_message_says_the_lint_says_something_that_can_be_read(message: WarningMessage) -> None:
    remarks = lint(said(message))
    assert remarks == lint(said(message))
    for remark in remarks:
        assert len(remark.found) <= 60
        assert len(remark.sentence) <= 250
        assert any("一" <= sign <= "鿿" for sign in remark.sentence)
        assert "：" in remark.sentence, "a remark says what to change"
    if message.kind in (Kind.ACK, Kind.ERROR):
        assert remarks == ()


@pytest.mark.parametrize(
    "piece", ["有效", "发布", "2026年1月1日 ", "下午1", "1", "a.", "I", "级 / ", "（三级", " ", "　"]
)
def test_no_text_makes_the_lint_read_it_over_and_over(piece: str) -> None:
    """As long as intake lets through: tens of milliseconds, where rereading takes seconds."""
    longest = said(warning(description=(piece * 8000)[:8000], instruction=(piece * 8000)[:8000]))
    begun = time.process_time()
    assert lint(longest)
    assert time.process_time() - begun < 1


@given(st.timedeltas(timedelta(minutes=1), timedelta(days=400)))
def test_a_text_that_says_the_messages_own_times_is_never_said_to_contradict_them(span: timedelta) -> None:
    expires = NOW + span
    says = Wordsmith(OURS.wording, red(expires=expires)).word(Channel.SMS, "碧洲镇").body
    found = rules(lint(said(warning(expires=expires, description=says))))
    assert "有效至" in says
    assert not found & {Rule.ISSUED, Rule.VALIDITY}
