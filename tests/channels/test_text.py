"""SMS length, segments, signature and marks."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels import text

ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)


@given(ANY)
def test_units_are_what_utf_16_counts(value: str) -> None:
    assert text.units(value) == len(value.encode("utf-16-le")) // 2


@given(ANY)
def test_what_is_percent_encoded_is_read_by_every_form(value: str) -> None:
    assert parse_qs(f"Body={text.percent_encoded(value)}", keep_blank_values=True) == {"Body": [value]}


@given(ANY)
def test_segments_hold_the_text_and_not_one_more_than_needed(value: str) -> None:
    units, parts = text.units(value), text.segments(value)
    assert (parts == 0) == (value == "")
    assert units <= max(parts, 0) * text.PART or (parts == 1 and units <= text.SINGLE)
    if parts > 1:
        assert units > (parts - 1) * (text.PART - 1)


@pytest.mark.parametrize(
    ("length", "parts"), [(0, 0), (1, 1), (70, 1), (71, 2), (134, 2), (135, 3), (335, 5), (336, 6)]
)
def test_chinese_costs_70_or_67_a_part(length: int, parts: int) -> None:
    assert text.segments("汛" * length) == parts


def test_a_surname_outside_the_basic_plane_is_never_halved() -> None:
    assert text.units("𠮷") == 2
    assert text.segments("安" * 66 + "𠮷" + "安" * 66) == 3
    assert text.segments("安" * 65 + "𠮷" + "安" * 67) == 2


@given(ANY, st.integers(0, 300))
def test_a_cut_text_fits_and_begins_as_before(value: str, limit: int) -> None:
    short = text.cut(value, limit)
    assert text.units(short) <= limit
    if text.units(value) <= limit:
        assert short == value
    elif short:
        assert value.startswith(short.removesuffix(text.ELLIPSIS))


def test_a_text_is_cut_at_a_stop_and_never_inside_a_joined_character() -> None:
    assert text.cut("请立即转移。请远离河道，注意安全", 8) == "请立即转移…"
    assert text.cut("全家👨‍👩‍👧转移了", 8) == "全家…"


@given(ANY, st.sampled_from(["吉安应急", "中国气象"]))
def test_an_unsigned_text_is_what_was_signed_with_its_marks(value: str, name: str) -> None:
    signed = text.signed(value, name)
    bare = signed.removeprefix(f"【{name}】")
    assert text.unsigned(signed) == bare
    assert text.unsigned(text.mark_drill(signed)) == text.mark_drill(bare) or bare.startswith(text.DRILL)


@pytest.mark.parametrize(
    "value", ["", "没有签名", "【】空", "【没有右括号", "【这个名字长得不可能是一个签名】文", "【演练】文【演练】"]
)
def test_what_is_not_signed_stays_as_it_is(value: str) -> None:
    assert text.unsigned(value) == value


@given(ANY)
def test_a_drill_is_marked_first_and_last_and_once(value: str) -> None:
    marked = text.mark_drill(value)
    assert marked.startswith(text.DRILL)
    assert marked.endswith(text.DRILL)
    assert text.mark_drill(marked) == marked
    assert not text.mismarked(marked, drill=True) or not value
    assert text.mismarked(marked, drill=False)


def test_an_unmarked_drill_and_a_marked_warning_are_both_wrong() -> None:
    assert text.mismarked("立即转移", drill=True)
    assert text.mismarked("【演练】立即转移", drill=True)
    assert text.mismarked("立即转移【演练】", drill=False)
    assert not text.mismarked("立即转移", drill=False)


@pytest.mark.parametrize(
    ("value", "good"),
    [
        ("【吉安应急】暴雨红色预警", True),
        ("【演练】【吉安应急】暴雨红色预警【演练】", True),
        ("暴雨红色预警", False),
        ("【】暴雨", False),
        ("【吉安市应急管理局指挥中心值班】暴雨", False),
        ("【吉安应急】【吉安应急】暴雨", False),
        ("【吉安应急暴雨", False),
    ],
)
def test_a_signature_stands_in_front_once(value: str, good: bool) -> None:
    assert text.is_signed(value) is good


def test_signing_twice_signs_once() -> None:
    assert text.signed(text.signed("暴雨", "吉安应急"), "吉安应急") == "【吉安应急】暴雨"


def test_a_test_is_marked_on_both_sides() -> None:
    assert text.mark_test("通知") == "【测试】通知【测试】"
    assert text.capacity(1) == 70
    assert text.capacity(5) == 335
