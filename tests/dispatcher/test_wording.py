"""The text a person reads: named fields only, whatever the fields hold; never longer than the city pays for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels import text as sms
from dispatcher.model import ROLES, Channel, Hazard, Kind, Level, Role, Status
from dispatcher.settings import BadConfiguration, Wording
from dispatcher.wording import FIELDS, SPOKEN_FIRST, Form, Wordsmith, check, spoken_time
from tests.city import NOW, red, settings

WORDING = settings().wording
PLACE = "遂川县碧洲镇"
HOSTILE = (
    "{0.__class__}",
    "{place}",
    "{{7*7}}",
    "%(x)s",
    "${IFS}",
    "{line!r:>99}",
    "{",
    "}",
    "{}",
    "\\1",
    "\\g<0>",
    "$1",
)

hostile = st.sampled_from(HOSTILE)
words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=300)


def smith(wording: Wording = WORDING, **changes: object) -> Wordsmith:
    return Wordsmith(wording, red(**changes))


def bits(*roles: Role) -> int:
    return sum(1 << ROLES.index(role) for role in roles)


# ── what a person reads ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_red_rainstorm_says_what_where_since_when_how_long_and_what_to_do() -> None:
    text = smith().word(Channel.SMS, PLACE, "请您立即坐镇指挥。")
    assert text.body == (
        "【吉安应急】暴雨红色预警（Ⅰ级/特别严重）：遂川县碧洲镇。吉安市气象台4月3日2时39分发布，有效至4月3日8时39分。"
        "请您立即坐镇指挥。请立即到岗，叫醒危险区群众，应转尽转。"
    )
    assert text.segments == 2


@pytest.mark.parametrize("level", list(Level))
@pytest.mark.parametrize("channel", [Channel.SMS, Channel.BROADCAST, Channel.PARTY, Channel.VOICE])
def test_every_level_has_a_text_on_every_channel_without_an_open_field(level: Level, channel: Channel) -> None:
    body = smith(level=level).word(channel, PLACE).body
    assert PLACE in body
    assert level.chinese in body or channel is Channel.PARTY
    assert "{" not in body


def test_an_sms_to_one_township_names_that_township_and_no_other() -> None:
    message = red()
    named = replace(message, areas=())
    body = Wordsmith(WORDING, named).word(Channel.SMS, "遂川县碧洲镇").body
    assert "碧洲镇" in body
    assert Wordsmith(WORDING, named).word(Channel.SMS, "遂川县大汾镇").body == body.replace("碧洲镇", "大汾镇")


def test_a_cancel_has_its_own_words_and_needs_no_level() -> None:
    body = smith(kind=Kind.CANCEL, level=None, expires=None).word(Channel.SMS, PLACE).body
    assert body.startswith("【吉安应急】解除：")
    assert "到岗" not in body


def test_a_warning_that_never_expires_says_so() -> None:
    assert "有效至另行通知" in smith(expires=None).word(Channel.SMS, PLACE).body


def test_times_are_beijing_time_as_one_says_them() -> None:
    assert spoken_time(NOW) == "4月3日2时39分"
    assert spoken_time(NOW.replace(hour=16, minute=0)) == "4月3日0时"


def test_a_warning_without_a_level_cannot_be_worded_by_mistake() -> None:
    with pytest.raises(ValueError, match="level"):
        smith(level=None)


# ── roles ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_one_person_with_many_roles_gets_the_line_of_the_most_urgent_one() -> None:
    lines = WORDING.levels[Level.RED].lines
    every = bits(*Role)
    assert smith().line(every) == lines[Role.TOWN_CHIEF]
    assert smith().line(bits(Role.RESERVOIR_KEEPER, Role.DISASTER_INFO)) == "请看溢洪道、看水位。"
    assert smith().line(bits(Role.DISASTER_INFO)) == ""
    assert smith().line(0) == ""


def test_every_role_has_its_place_in_the_order_of_speaking() -> None:
    assert set(SPOKEN_FIRST) == set(Role)
    assert len(SPOKEN_FIRST) == len(Role)


def test_the_line_for_the_hazard_wins_over_the_line_for_the_level() -> None:
    fire = Hazard(scheme="NERP", code="11B25", name="森林火险")
    assert smith(hazard=fire).line(bits(Role.FOREST_RANGER)) == "请巡山护林、劝阻野外用火。"
    assert smith().line(bits(Role.FOREST_RANGER)) == ""
    assert smith(hazard=fire).line(bits(Role.PARK_SAFETY)) == WORDING.levels[Level.RED].lines[Role.PARK_SAFETY]
    assert smith().line(bits(Role.PARK_SAFETY)) == "请通知园区企业停产避险。"


def test_the_city_s_own_line_for_a_hazard_wins_over_its_advice() -> None:
    own = WORDING.model_copy(update={"hazard_lines": {"暴雨": {Role.RESERVOIR_KEEPER: "请到坝上。"}}})
    assert smith(own).line(bits(Role.RESERVOIR_KEEPER)) == "请到坝上。"


# ── what is to be done ──────────────────────────────────────────────────────────────────────────────────────────────


def test_officers_are_told_theirs_and_everybody_else_what_residents_are_told() -> None:
    gas = Hazard(scheme="", code="", name="燃气泄漏")
    advice = WORDING.hazards.advice_on("燃气泄漏", Level.RED, called_off=False)
    assert advice is not None
    said = smith(hazard=gas)
    assert said.word(Channel.SMS, PLACE).body.endswith(advice.officers)
    assert said.word(Channel.SMS, PLACE, resident=True).body.endswith(advice.residents)
    for channel in (Channel.BROADCAST, Channel.PARTY, Channel.VOICE):
        assert advice.residents in said.word(channel, PLACE).body
        assert advice.officers not in said.word(channel, PLACE).body


@pytest.mark.parametrize("level", list(Level))
def test_a_hazard_nobody_knows_is_spoken_of_in_words_that_hold_for_any(level: Level) -> None:
    body = smith(hazard=None, event="陨石", level=level).word(Channel.SMS, PLACE).body
    assert body.endswith(WORDING.levels[level].officers or "?")
    assert f"陨石{level.chinese}预警" in body


def test_a_text_that_says_what_to_do_needs_the_words_for_it() -> None:
    mute = WORDING.cancel.model_copy(update={"officers": None})
    with pytest.raises(BadConfiguration, match=r"cancel\.officers.*action"):
        check(WORDING.model_copy(update={"cancel": mute}))
    plain = mute.model_copy(update={"sms": "解除：{event}（{place}）。"})
    check(WORDING.model_copy(update={"cancel": plain}))


# ── hostile fields ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("attack", HOSTILE)
@pytest.mark.parametrize("channel", [Channel.SMS, Channel.BROADCAST, Channel.PARTY])
def test_what_an_issuer_writes_stays_text(channel: Channel, attack: str) -> None:
    body = smith(sender_name=attack, headline=attack).word(channel, PLACE).body
    assert attack in body


@given(hostile | words, st.sampled_from(FIELDS))
def test_a_field_is_put_in_as_it_is_and_never_read_again(value: str, field: str) -> None:
    every = dict.fromkeys(FIELDS, "?") | {field: value}
    form = Form(f"a{{{field}}}b", every)
    assert form.filled(every["place"], every["line"]) == f"a{value}b"


def test_a_form_keeps_nothing_of_whom_it_was_filled_in_for() -> None:
    form = Form("{place}：{line}{event}（{place}）", {"event": "暴雨"})
    assert form.filled("甲镇", "请到岗。") == "甲镇：请到岗。暴雨（甲镇）"
    assert form.filled("乙镇", "") == "乙镇：暴雨（乙镇）"


@given(words)
def test_a_template_without_fields_is_left_alone(text: str) -> None:
    assert Form(text, {}).filled(PLACE, "") == text


@pytest.mark.parametrize("channel", ["sms", "broadcast", "party"])
@pytest.mark.parametrize("field", ["when", "0.__class__", "place.__len__", "PLACE", " place", "place!r", ""])
def test_a_template_may_name_nothing_but_the_fields(channel: str, field: str) -> None:
    bad = WORDING.cancel.model_copy(update={channel: f"一{{{field}}}二"})
    with pytest.raises(BadConfiguration, match=f"cancel.{channel}"):
        check(WORDING.model_copy(update={"cancel": bad}))


def test_a_line_for_a_role_may_name_no_field_because_none_is_put_in() -> None:
    """`请到{place}指挥` would reach a phone with its braces."""
    red_text = WORDING.levels[Level.RED]
    lined = red_text.model_copy(update={"lines": {Role.TOWN_CHIEF: "请到{place}指挥。"}})
    with pytest.raises(BadConfiguration, match="lines"):
        check(WORDING.model_copy(update={"levels": {**WORDING.levels, Level.RED: lined}}))


@pytest.mark.parametrize("signature", ["", "一", "一二三四五六七八九十一二三", "吉安】应急", "吉安【应急"])
def test_a_signature_a_carrier_would_refuse_stops_the_start(signature: str) -> None:
    with pytest.raises(BadConfiguration, match="signature"):
        check(WORDING.model_copy(update={"signature": signature}))


# ── length ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@given(words, words, st.integers(1, 8), st.sampled_from([Status.ACTUAL, Status.EXERCISE, Status.TEST]))
def test_an_sms_never_costs_more_parts_than_agreed(sender: str, place: str, most: int, status: Status) -> None:
    wording = WORDING.model_copy(update={"max_segments": most})
    text = smith(wording, sender_name=sender, status=status).word(Channel.SMS, place)
    assert 1 <= text.segments == sms.segments(text.body) <= most
    assert sms.is_signed(text.body)


@pytest.mark.parametrize("status", [Status.ACTUAL, Status.EXERCISE])
def test_rare_characters_do_not_make_an_sms_dearer_than_agreed(status: Status) -> None:
    """A pair of units is never split over two parts, so such a text fits less."""
    text = smith(sender_name="𠮷" * 400, status=status).word(Channel.SMS, PLACE)
    assert sms.segments(text.body) <= WORDING.max_segments


def test_what_is_cut_of_a_long_text_is_its_end_and_one_sees_it() -> None:
    body = smith(sender_name="长" * 600).word(Channel.SMS, PLACE).body
    assert body.startswith("【吉安应急】暴雨红色预警（Ⅰ级/特别严重）：遂川县碧洲镇。")
    assert body.endswith("…")


@given(words, st.sampled_from([Status.ACTUAL, Status.EXERCISE]))
def test_what_is_left_and_what_was_cut_off_are_the_whole_text(sender: str, status: Status) -> None:
    short = smith(WORDING.model_copy(update={"max_segments": 2}), sender_name=sender, status=status)
    long = smith(WORDING.model_copy(update={"max_segments": 8}), sender_name=sender, status=status)
    cut, whole = short.word(Channel.SMS, PLACE), long.word(Channel.SMS, PLACE)
    mark = sms.DRILL if status is Status.EXERCISE else ""
    if cut.lost:
        assert cut.body.endswith(f"…{mark}")
        assert cut.body.removesuffix(f"…{mark}") + cut.lost + mark == whole.body
    else:
        assert cut.body == whole.body


def test_what_is_spoken_or_posted_is_not_cut() -> None:
    long = "村" * 2000
    assert long in smith(description=long).word(Channel.BROADCAST, PLACE).body
    assert smith(description=long).word(Channel.BROADCAST, PLACE).segments == 0


# ── drills ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.long
@pytest.mark.parametrize("channel", list(Channel))
@given(text=hostile | words)
def test_a_drill_says_so_first_and_last_in_every_text(channel: Channel, text: str) -> None:
    body = smith(status=Status.EXERCISE, description=text, headline=text).word(channel, PLACE).body
    assert body.startswith("【演练】")
    assert body.endswith("【演练】")
    assert not sms.mismarked(body, drill=True)


@pytest.mark.parametrize("channel", list(Channel))
@pytest.mark.parametrize("status", [Status.TEST, Status.SYSTEM, Status.DRAFT])
def test_a_test_says_so_first_and_last_and_is_no_drill(channel: Channel, status: Status) -> None:
    body = smith(status=status).word(channel, PLACE).body
    assert body.startswith("【测试】")
    assert body.endswith("【测试】")
    assert not sms.is_drill(body)


@pytest.mark.parametrize("channel", list(Channel))
def test_a_real_warning_bears_no_mark(channel: Channel) -> None:
    body = smith().word(channel, PLACE).body
    assert "演练" not in body
    assert not sms.mismarked(body, drill=False)


def test_a_resident_is_told_what_to_do_and_not_sent_to_a_post() -> None:
    """`请立即到岗` is for whoever has a post."""
    told = smith().word(Channel.SMS, PLACE, resident=True).body
    assert "到岗" not in told
    assert "听从村干部指挥" in told
