"""A log line: one line, no phone number, whatever careless hands put into a field."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.telemetry import mask, metrics, set_up_logging

PHONE = "+8615412345678"
BARE = "15412345678"

digits = st.text("0123456789", min_size=8, max_size=8)


pytestmark = pytest.mark.usefixtures("logging_as_before")


def printed(capsys: pytest.CaptureFixture[str], form: str, **fields: object) -> str:
    set_up_logging("debug", form)
    structlog.get_logger().info("一句话", **fields)
    return capsys.readouterr().err


# ── masking ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (BARE, "154****5678"),
        (PHONE, "154****5678"),
        ("8615412345678", "154****5678"),
        (f"打给{BARE}，再打给{PHONE}。", "打给154****5678，再打给154****5678。"),
        ("008615412345678", "154****5678"),
        ("360827102200", "360827102200"),
        ("20260403023900", "20260403023900"),
        ("", ""),
    ],
)
def test_a_phone_number_shows_its_first_three_and_last_four_digits(text: str, masked: str) -> None:
    assert mask(text) == masked


@given(st.sampled_from(["", "+86", "86"]), st.integers(3, 9), digits, st.text("，。 a-zA-Z_=:/中", max_size=6))
def test_no_mobile_number_survives_whatever_stands_round_it(prefix: str, second: int, rest: str, around: str) -> None:
    number = f"1{second}{rest[0]}{rest}"
    assert number not in mask(f"{around}{prefix}{number}{around}")


def test_masking_twice_is_masking_once() -> None:
    assert mask(mask(PHONE)) == mask(PHONE)


# ── a log line ──────────────────────────────────────────────────────────────────────────────────────────────────────

forms = pytest.mark.parametrize("form", ["json", "console"])


@forms
@pytest.mark.parametrize(
    "field",
    [
        PHONE,
        BARE,
        f"to={PHONE}&body=x",
        [PHONE],
        (BARE, BARE),
        {"to": PHONE},
        {"a": [{"to": BARE}]},
        int(BARE),
        ValueError(f"bad number {PHONE}"),
        PHONE.encode(),
        Path(f"/calls/{BARE}"),
    ],
    ids=["e164", "bare", "in-text", "list", "tuple", "dict", "nested", "number", "exception", "bytes", "path"],
)
def test_a_phone_number_never_reaches_a_log_whatever_it_is_wrapped_in(
    capsys: pytest.CaptureFixture[str], form: str, field: object
) -> None:
    assert BARE not in printed(capsys, form, field=field)


@forms
def test_a_phone_number_in_a_traceback_is_masked(capsys: pytest.CaptureFixture[str], form: str) -> None:
    set_up_logging("debug", form)
    try:
        int(f"{PHONE} 打不通")
    except ValueError:
        structlog.get_logger().exception("出错了")
    said = capsys.readouterr().err
    assert BARE not in said
    assert "打不通" in said, "the traceback itself must be there"


def test_a_phone_number_in_a_librarys_own_log_is_masked(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("info", "console")
    logging.getLogger("twilio.http_client").warning("POST to=%s failed", PHONE)
    said = capsys.readouterr().err
    assert "failed" in said
    assert BARE not in said


@forms
@pytest.mark.parametrize("ending", ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"])
def test_a_field_cannot_forge_a_second_line(capsys: pytest.CaptureFixture[str], form: str, ending: str) -> None:
    said = printed(capsys, form, field=f"a{ending}2026 [info] 已全部送达")
    assert len(said.rstrip("\n").splitlines()) == 1


def test_a_field_cannot_move_the_cursor_of_who_reads_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    assert "\x1b[2J" not in printed(capsys, "console", field="a\x1b[2Jb")


def test_a_json_line_is_one_object_with_level_time_and_the_fields(capsys: pytest.CaptureFixture[str]) -> None:
    said = json.loads(printed(capsys, "json", channel="sms", rows=3))
    assert (said["event"], said["level"], said["channel"], said["rows"]) == ("一句话", "info", "sms", 3)
    assert said["timestamp"]


def test_what_is_below_the_level_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("warning", "json")
    structlog.get_logger().info("安静")
    assert capsys.readouterr().err == ""


# ── metrics ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_metrics_are_prometheus_text_and_ours_alone() -> None:
    families = [line.split()[2] for line in metrics().decode().splitlines() if line.startswith("# TYPE")]
    assert "mingluo_rejects_total" in families
    assert [name for name in families if not name.startswith("mingluo_")] == []


@pytest.mark.parametrize(
    "spelt",
    [
        "154 1234 5678",
        "+86 154-1234-5678",
        "154.1234.5678",
        "１５４１２３４５６７８",
        "%2215412345678%22",
        "%2C8615412345678",
    ],
)
def test_a_number_that_is_spelt_otherwise_is_masked_too(spelt: str) -> None:
    assert "1234" not in mask(spelt)
    assert "１２３４" not in mask(spelt)
