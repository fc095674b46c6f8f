"""Bad input: a code and a readable reason, whatever the bytes. Hostile XML is in tests/hostile/test_xml.py."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.intake.decode import decode
from dispatcher.intake.judge import verdict_of
from dispatcher.model import Code, Verdict
from dispatcher.settings import Hazards

PROJECT = Path(__file__).resolve().parents[2]
HAZARDS = Hazards.model_validate(yaml.safe_load((PROJECT / "config" / "hazards.yaml").read_text(encoding="utf-8")))
FILES = tuple(path.read_bytes() for path in sorted((PROJECT / "tests" / "cap").glob("cn_*.xml")))
GOOD = (PROJECT / "tests" / "cap" / "cn_14_town1.xml").read_text(encoding="utf-8")
DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="no"?>'
CAP = "urn:oasis:names:tc:emergency:cap:1.2"


def refusal(body: bytes | str, content_type: str = "application/cap+xml") -> Code | None:
    body = body.encode("utf-8") if isinstance(body, str) else body
    verdict, code, reason = verdict_of(decode(body, content_type, HAZARDS).findings)
    assert (code is None) == (verdict is Verdict.ACCEPT)
    assert code is None or any("\u4e00" <= sign <= "\u9fff" for sign in reason), reason
    return code


def declared(encoding: str) -> str:
    return GOOD.replace('encoding="UTF-8"', f'encoding="{encoding}"')


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=2_000), st.sampled_from(["", "application/cap+xml", "application/json", "\x00"]))
def test_no_bytes_raise(body: bytes, content_type: str) -> None:
    assert decode(body, content_type, HAZARDS).findings


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(FILES),
    st.lists(st.tuples(st.integers(0, 6_000), st.integers(0, 30), st.binary(max_size=8)), min_size=1, max_size=4),
)
def test_no_mutation_of_a_good_file_raises(body: bytes, cuts: list[tuple[int, int, bytes]]) -> None:
    for at, length, new in cuts:
        body = body[:at] + new + body[at + length :]
    decoded = decode(body, "application/cap+xml", HAZARDS)
    assert decoded.message is not None or decoded.findings


FIELDS = ("identifier", "sender", "event", "headline", "description", "areaDesc", "value")


@pytest.mark.long
@settings(max_examples=200, deadline=None)
@given(st.sampled_from(FIELDS), st.text(max_size=200))
def test_no_text_in_any_field_raises(name: str, said: str) -> None:
    escaped = said.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    body = GOOD.replace(f"<{name}>", f"<{name}>{escaped}", 1)
    assert body != GOOD or not said
    decoded = decode(body.encode("utf-8", "surrogatepass"), "", HAZARDS)
    assert decoded.message is not None or decoded.findings


@pytest.mark.parametrize(
    "body",
    [
        GOOD.encode("utf-8-sig"),
        GOOD.encode("utf-16"),
        declared("GBK").encode("gbk", "ignore"),
        declared("gb18030").encode("gb18030"),
        GOOD.removeprefix(DECLARATION).lstrip().encode("utf-8"),
    ],
    ids=["utf-8-with-mark", "utf-16-with-mark", "gbk", "gb18030", "no-declaration"],
)
def test_an_honest_encoding_is_read(body: bytes) -> None:
    message = decode(body, "", HAZARDS).message
    assert message is not None
    assert message.event == "暴雨"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", Code.SCHEMA),
        (b" \n ", Code.SCHEMA),
        (b"hello", Code.FORMAT),
        (b"\x89PNG\r\n", Code.FORMAT),
        (b"<html>", Code.SCHEMA),
        (b"<html/>", Code.FORMAT),
        (b'<alert xmlns="http://com.icss.amp"/>', Code.SCHEMA),
        (b'<alert xmlns="urn:oasis:names:tc:emergency:cap:1.1"/>', Code.FORMAT),
        (f'<alert xmlns="{CAP}"/>'.encode(), Code.SCHEMA),
    ],
)
def test_what_is_no_warning_gets_its_code(body: bytes, code: Code) -> None:
    assert refusal(body, "application/octet-stream") is code


def test_the_content_type_is_only_a_hint() -> None:
    assert refusal(GOOD, "application/json") is None
    assert refusal(GOOD, "") is None
    assert refusal(b"hello", "application/json") is Code.SCHEMA
    assert refusal(b"hello", "application/cap+xml") is Code.SCHEMA


def test_the_reason_says_in_chinese_what_to_mend() -> None:
    missing = decode(GOOD.replace("<severity>Extreme</severity>", "").encode(), "", HAZARDS)
    assert missing.message is None
    assert missing.findings[0].reason.startswith("第 ")
    assert "certainty 不该在这里，此处应为 severity" in missing.findings[0].reason
    amp = decode(b'<test xmlns="http://com.icss.amp"/>', "", HAZARDS)
    assert amp.findings[0].reason == "缺少 sendTime，或者写法不对"
