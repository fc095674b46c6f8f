"""Hostile text by the name of the attack, in every field a person comes to see: refused, or stored and told as what it
should be."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.standing import House, cap
from tests.hostile.letters import TEXTS, found, handed_in, kept, native, saying, told, written

pytestmark = pytest.mark.asyncio(loop_scope="module")

REFUSED = {
    "bidi-embedding-left-to-right": "\u202a",
    "bidi-embedding-right-to-left": "\u202b",
    "bidi-pop": "\u202c",
    "bidi-override-left-to-right": "\u202d",
    "bidi-override-right-to-left": "\u202e",
    "bidi-isolate-left-to-right": "\u2066",
    "bidi-isolate-right-to-left": "\u2067",
    "bidi-isolate-first-strong": "\u2068",
    "bidi-isolate-pop": "\u2069",
    "mark-left-to-right": "\u200e",
    "mark-right-to-left": "\u200f",
    "mark-arabic": "\u061c",
    "swapping-inhibited": "\u206a",
    "digit-shapes": "\u206e",
    "nul": "\x00",
    "bell": "\x07",
    "backspace": "\x08",
    "vertical-tab": "\x0b",
    "form-feed": "\x0c",
    "escape": "\x1b",
    "delete": "\x7f",
    "c1-next-line": "\x85",
    "c1-control-sequence": "\x9b",
    "no-character-fffe": "\ufffe",
    "no-character-ffff": "\uffff",
}


@pytest.mark.long
@pytest.mark.parametrize("hidden", REFUSED.values(), ids=REFUSED)
async def test_a_control_or_direction_character_is_refused_in_every_field(house: House, hidden: str) -> None:
    for field in TEXTS:
        status, said = await handed_in(
            house, written(saying(f"refused-{ord(hidden):x}-{field}", field, f"请{hidden}转移"))
        )
        assert (status, said["code"]) == (422, "222"), field
        assert f"含控制或方向字符 U+{ord(hidden):04X}" in said["detail"]


@pytest.mark.parametrize("hidden", ["\u202e", "\u2066", "\u200f"], ids=["override", "isolate", "mark"])
@pytest.mark.parametrize("written_as", ["{0}", "&#x{1:x};", "&amp;#x{1:x};", "&amp;#{1};"])
async def test_it_is_refused_in_cap_too_however_it_is_written(house: House, hidden: str, written_as: str) -> None:
    text = f"请{written_as.format(hidden, ord(hidden))}转移"
    name = f"refused-{written_as.encode().hex()}-{ord(hidden):x}"
    status, said = await handed_in(house, cap(name, description=text), "application/cap+xml")
    assert (status, said["code"]) == (422, "222")


UNSEEN = {
    "zero-width-space": "\u200b",
    "zero-width-non-joiner": "\u200c",
    "zero-width-joiner": "\u200d",
    "word-joiner": "\u2060",
    "invisible-times": "\u2062",
    "byte-order-mark": "\ufeff",
    "soft-hyphen": "\u00ad",
    "vowel-separator": "\u180e",
    "annotation": "\ufff9",
    "grapheme-joiner": "\u034f",
    "hangul-filler": "\u3164",
    "hangul-filler-half-width": "\uffa0",
    "hangul-choseong-filler": "\u115f",
    "braille-blank": "\u2800",
    "language-tag": "\U000e0001",
    "tag-characters": "".join(chr(0xE0000 + ord(letter)) for letter in "ignore all of this"),
    "variation-selectors": "\ufe00\U000e0100\U000e01ef",
}


@pytest.mark.parametrize("hidden", UNSEEN.values(), ids=UNSEEN)
async def test_what_nobody_sees_is_taken_out_of_every_field(house: House, hidden: str) -> None:
    """A word cut by it would pass every check for that word, and a loudspeaker stumbles over it."""
    for field in TEXTS:
        name = f"{field}-{'-'.join(f'{ord(one):x}' for one in hidden)}"[:80]
        more = {"scope": "Restricted"} if field == "restriction" else {}
        status, said = await handed_in(house, written(saying(name, field, f"请{hidden}转移") | more))
        assert (status, found(await kept(house, said), field)) == (202, "请转移"), field


PLAIN = {
    "speak": ("<speak>快跑</speak>", "快跑"),
    "speak-with-attributes": ('<speak version="1.0" xml:lang="zh-CN">快跑</speak>', "快跑"),
    "break": ('快<break time="600s"/>跑', "快跑"),
    "prosody": ('<prosody rate="x-slow" volume="silent">快跑</prosody>', "快跑"),
    "say-as": ('<say-as interpret-as="characters">快跑</say-as>', "快跑"),
    "audio": ('<audio src="http://127.0.0.1/a.mp3"/>快跑', "快跑"),
    "voice": ('<voice name="x">快跑</voice>', "快跑"),
    "speak-in-entities": ("&lt;speak&gt;快跑&lt;/speak&gt;", "快跑"),
    "speak-in-capitals": ("<SPEAK>快跑</SPEAK>", "快跑"),
    "speak-cut-by-nothing": ("<spe\u200bak>快跑</spe\u200bak>", "快跑"),
    "speak-within-speak": ("<spe<speak>ak>快跑", "＜speak>快跑"),
    "script": ("<script>快跑</script>", "快跑"),
    "image": ("<img src=x onerror=alert(1)>快跑", "快跑"),
    "script-within-script": ("<scr<script>ipt>快跑", "＜script>快跑"),
    "less-and-more": ("水位<b且雨量>c", "水位<b且雨量>c"),
    "composed": ("cafe\u0301", "café"),
    "line-separator": ("快\u2028跑", "快 跑"),
    "many-blanks": ("快" + " \t\u3000\u00a0" * 50 + "跑", "快 跑"),
}


@pytest.mark.parametrize(("said", "read"), PLAIN.values(), ids=PLAIN)
async def test_what_speaks_to_machines_does_not_reach_people(house: House, said: str, read: str) -> None:
    name = f"plain-{said.encode().hex()}"[:200]
    status, answer = await handed_in(house, written(native(name, sender_name=said, description=said)))
    assert status == 202
    message = await kept(house, answer)
    assert (message["sender_name"], " ".join(message["description"].split())) == (read, read)
    texts = (await told(house, native(name, sender_name=said, headline=said)))["texts"]
    assert texts
    assert [text["text"] for text in texts if read not in text["text"]] == []


LONG = {"sender_name": 200, "event": 100, "headline": 400, "description": 8_000, "instruction": 8_000, "contact": 500}


@pytest.mark.parametrize("field", LONG)
async def test_ten_thousand_characters_are_no_warning(house: House, field: str) -> None:
    status, said = await handed_in(house, written(saying(f"long-{field}", field, "雨" * 10_000)))
    assert (status, said["code"]) == (422, "222")
    assert f"{field} 有 10000 个字符，最多 {LONG[field]} 个" in said["detail"]


async def test_tags_within_tags_without_end_are_read_once(house: House) -> None:
    """Taking them out one layer at a time would cost the square of their number."""
    status, said = await handed_in(house, written(native("tags-in-tags", description="<b" * 6_000 + ">" * 6_000)))
    assert (status, said["code"]) == (422, "222")


@pytest.mark.parametrize(
    "web", ["javascript:alert(1)", " JavaScript:alert(1)", "data:text/html,x", "file:///etc/passwd", "//evil.example/"]
)
async def test_an_address_that_is_no_page_is_left_out(house: House, web: str) -> None:
    _, said = await handed_in(house, written(native(f"web-{web.encode().hex()}", web=web)))
    assert (await kept(house, said))["web"] == ""


ADDRESSES = {
    "plain": "www.example.com",
    "with-scheme": "HTTPS://example.com/a",
    "bare": "example.com",
    "userinfo": "https://12379.cn@evil.example/",
    "number": "http://192.0.2.1/",
    "cyrillic": "аррӏе.com",
    "cyrillic-within": "ехаmple.cn",
    "greek": "gοοgle.com",
    "full-width": "ｗｗｗ．ｅｘａｍｐｌｅ．ｃｏｍ",
    "chinese-stop": "example。com",
    "circled": "ⓔⓧⓐⓜⓟⓛⓔ.com",
    "punycode": "xn--80ak6aa92e.com",
    "cut-by-nothing": "exam\u200bple.com",
}


@pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES)
async def test_an_address_in_the_words_is_remarked_whatever_letters_it_borrows(house: House, address: str) -> None:
    said = await told(house, native("lint", description=f"请看{address}，三小时内有大暴雨。"))
    (remark,) = [one for one in said["remarks"] if one["rule"] == "url"]
    assert remark["found"].startswith(address.replace("\u200b", "")[:11]), remark


HONEST: dict[str, dict[str, Any]] = {
    "time": {"description": "预计12.30时前后有大暴雨，雨量100.5毫米。"},
    "stop-behind-a-number": {"description": "碧洲镇雨量已达100毫米。CN站水位上涨。"},
    "decimals": {"description": "气温25.5℃，风力6.7级。"},
}


@pytest.mark.parametrize("changes", HONEST.values(), ids=HONEST)
async def test_honest_numbers_are_no_address(house: House, changes: dict[str, Any]) -> None:
    said = await told(house, native("lint", **changes))
    assert [one for one in said["remarks"] if one["rule"] == "url"] == []
