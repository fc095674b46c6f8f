"""Hostile JSON by the name of the attack, at the door where warnings come in: only 4xx, each with its code and its sentence."""

from __future__ import annotations

import codecs
import json

import pytest

from dispatcher.intake.decode import MOST_JSON
from dispatcher.intake.native import CONTENT_TYPE
from tests.browser.standing import House
from tests.hostile.letters import handed_in, native, written

pytestmark = pytest.mark.asyncio(loop_scope="module")

DEEP = "JSON 嵌套过深，最多 32 层"
STRANGE = "x：没有这一项（是不是拼错了？）"
HALF = "含不成对的代理字符（\\ud800 之类），请去掉后重发"
BROKEN = "不是完整的 JSON：第 1 行第"
BIG = "JSON 报文 "
NO_OBJECT = "最外层必须是一个 JSON 对象"
NO_JSON = "不是完整的 JSON，请发送一个 JSON 对象"


def changed(**more: object) -> str:
    """An honest warning but for these."""
    return json.dumps(native("hostile-json", **more))


ATTACKS: dict[str, tuple[str | bytes, int, str]] = {
    "depth-33": ('{"x":' + "[" * 32 + "]" * 32 + "}", 221, DEEP),
    "depth-32-is-only-unknown": (changed(x=json.loads("[" * 31 + "]" * 31)), 220, STRANGE),
    "depth-100000": ("[" * 100_000 + "]" * 100_000, 221, DEEP),
    "depth-100000-left-open": ("[" * 100_000, 221, DEEP),
    "depth-of-objects": ('{"x":' * 40_000 + "1" + "}" * 40_000, 221, DEEP),
    "depth-behind-an-escaped-quote": ('{"x":"\\\\","y":' + "[" * 40 + "]" * 40 + "}", 221, DEEP),
    "depth-behind-a-string-left-open": ('{"x":"' + "[" * 1_000, 221, DEEP),
    "key-twice": ('{"sender":"a","sender":"b"}', 220, "sender 写了两次"),
    "key-twice-within": ('{"areas":[{"description":"a","description":"b"}]}', 220, "description 写了两次"),
    "key-twice-by-an-escape": ('{"sender":"a","\\u0073ender":"b"}', 220, "sender 写了两次"),
    "nan": ('{"x":NaN}', 220, "NaN 不是 JSON 数字"),
    "infinity": ('{"x":Infinity}', 220, "Infinity 不是 JSON 数字"),
    "infinity-below": ('{"x":-Infinity}', 220, "-Infinity 不是 JSON 数字"),
    "beyond-double": ('{"x":1e999}', 220, "数字 1e999 超出范围"),
    "beyond-double-below": ('{"x":-1e999}', 220, "数字 -1e999 超出范围"),
    "int64-and-one": ('{"x":9223372036854775808}', 220, "整数 9223372036854775808 超出 64 位范围"),
    "int64-below-by-one": ('{"x":-9223372036854775809}', 220, "整数 -9223372036854775809 超出 64 位范围"),
    "int64-is-only-unknown": (changed(x=9223372036854775807), 220, STRANGE),
    "integer-of-5000-digits": ('{"x":' + "9" * 5_000 + "}", 220, "整数 " + "9" * 30 + " 超出 64 位范围"),
    "lone-high-surrogate": ('{"event":"\\ud800"}', 222, HALF),
    "lone-low-surrogate": ('{"event":"\\udc00"}', 222, HALF),
    "surrogates-swapped": ('{"event":"\\udc00\\ud800"}', 222, HALF),
    "lone-surrogate-before-a-letter": ('{"event":"\\ud83dA"}', 222, HALF),
    "lone-surrogate-in-a-key": ('{"\\ud800":1}', 222, HALF),
    "lone-surrogate-in-bytes": (b'{"event":"\xed\xa0\x80"}', 220, "第 11 个字节不是 UTF-8，请按 UTF-8 重发"),
    "unknown-field": (changed(colour="red"), 220, "colour：没有这一项（是不是拼错了？）"),
    "unknown-field-within": (
        changed(areas=[{"description": "a", "codes": []}]), 220, "areas.0.codes：没有这一项（是不是拼错了？）"
    ),
    "field-in-capitals": (changed(Level="blue"), 220, "Level：没有这一项（是不是拼错了？）"),
    "prototype": (changed(__proto__={"trusted": True}), 220, "__proto__：没有这一项（是不是拼错了？）"),
    "python-class": (changed(__class__="os.system"), 220, "__class__：没有这一项（是不是拼错了？）"),
    "a-number-for-text": (changed(event=7), 220, "event：应为文字"),
    "text-for-truth": (changed(sound_at_night="true"), 220, "sound_at_night：应为 true 或 false"),
    "an-object-for-a-list": (changed(areas={}), 220, "areas：应为数组"),
    "nothing-for-text": (changed(event=None), 220, "event：应为文字"),
    "256-kb-and-one": ('{"x":"'.ljust(MOST_JSON - 1, "a") + '"}', 221, BIG),
    "one-megabyte": ("{" + " " * 1_000_000 + "}", 221, BIG),
    "list-at-the-top": ("[1]", 220, NO_OBJECT),
    "text-at-the-top": ('"text"', 220, NO_JSON),
    "number-at-the-top": ("1", 220, NO_JSON),
    "null-at-the-top": ("null", 220, NO_JSON),
    "cut-short": (changed()[:-20], 220, BROKEN),
    "two-documents": ("{}{}", 220, BROKEN),
    "text-behind": (changed() + "x", 220, BROKEN),
    "comma-at-the-end": ('{"x":1,}', 220, BROKEN),
    "comment": ('{"x":1/*y*/}', 220, BROKEN),
    "single-quotes": ("{'x':1}", 220, BROKEN),
    "hexadecimal": ('{"x":0x10}', 220, BROKEN),
    "leading-zero": ('{"x":010}', 220, BROKEN),
    "python-truth": ('{"x":True}', 220, BROKEN),
    "line-break-in-text": ('{"x":"a\nb"}', 220, BROKEN),
    "nul-in-bytes": ('{"x":"a\x00b"}', 220, BROKEN),
    "nul-by-an-escape": (changed(description="大\x00雨"), 222, "含控制或方向字符 U+0000，请去掉后重发"),
    "utf-16": (codecs.BOM_UTF16_LE + changed().encode("utf-16-le"), 220, "第 1 个字节不是 UTF-8，请按 UTF-8 重发"),
    "utf-16-without-mark": (changed().encode("utf-16-le"), 220, BROKEN),
    "utf-32": (changed().encode("utf-32"), 220, "第 1 个字节不是 UTF-8，请按 UTF-8 重发"),
    "utf-8-too-long": (b'{"x":"\xc0\xae"}', 220, "第 7 个字节不是 UTF-8，请按 UTF-8 重发"),
    "gbk": ('{"x":"雨"}'.encode("gbk"), 220, "第 7 个字节不是 UTF-8，请按 UTF-8 重发"),
    "nothing": (b"", 220, "报文是空的"),
    "blanks": (b" \r\n\t", 220, "报文是空的"),
}  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize(("body", "code", "why"), ATTACKS.values(), ids=ATTACKS)
async def test_hostile_json_is_refused_by_its_code(house: House, body: str | bytes, code: int, why: str) -> None:
    status, said = await handed_in(house, body.encode() if isinstance(body, str) else body)
    assert (status, said["code"], said["verdict"]) == (422, str(code), "reject"), said["detail"]
    assert {one["code"] for one in said["findings"]} == {code}
    assert said["findings"][0]["reason"].startswith(why)


async def test_json_beyond_all_limits_is_not_even_read(house: House) -> None:
    status, said = await handed_in(house, b"{".ljust(4 * 1024 * 1024 + 1) + b"}")
    assert (status, said["code"]) == (413, "221")


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8], ids=["plain", "with-mark"])
async def test_honest_json_as_large_as_allowed_is_taken(house: House, mark: bytes) -> None:
    body = mark + written(native(f"as-large-as-allowed-{len(mark)}"))
    status, said = await handed_in(house, body.ljust(MOST_JSON), CONTENT_TYPE)
    assert (status, said["verdict"]) == (202, "hold")
