"""Text that people will read, hear and be woken by: plain, NFC, without tags, control or direction-changing characters.

It must survive hostile text. Tags, those that speech engines know among them, are taken out for readability; safety comes
from escaping wherever text is shown.
"""

from __future__ import annotations

import html
import re
import unicodedata

LONGEST = {
    "identifier": 256,
    "sender": 256,
    "event": 100,
    "headline": 400,
    "sender_name": 200,
    "description": 8_000,
    "instruction": 8_000,
    "contact": 500,
    "web": 2_048,
    "note": 4_000,
    "restriction": 2_000,
    "area": 4_000,
    "reason": 500,
    "parameter": 4_000,
    "resource": 1_000,
    "address": 256,
}
"""In characters, after stripping; anything longer is no warning text."""

_LONGEST_RAW = 40_000
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f\ud800-\udfff\ufffe\uffff]"
)
_UNSEEN = re.compile(
    "[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u2065\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff9-\ufffb\U000e0000-\U000e01ef]"
)
"""Of no width, or blank though it counts as a letter: words are cut by it, and hidden in it."""
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,30});")
_ATTRIBUTES = r"""(?:\s+[\w:.-]+\s*=\s*(?:"[^"<>]*"|'[^'<>]*'|[^\s"'<>=]+)){0,20}\s*/?>"""  # “水位<b且雨量>c” is no tag
_TAG = re.compile(
    r"</?(?:a|abbr|audio|b|big|blockquote|body|break|center|code|dd|dl|dt|em|embed|emphasis|font|form|h[1-6]|head|hr|html|i|"
    r"iframe|img|input|label|lang|lexicon|link|mark|meta|object|ol|option|phoneme|pre|prosody|s|say-as|script|select|small|"
    r"span|speak|strike|strong|style|sub|sup|svg|table|tbody|td|textarea|tfoot|th|thead|title|u|ul|video|voice)"
    + _ATTRIBUTES,
    re.IGNORECASE,
)
_LINE_TAG = re.compile(r"</?(?:br|p|div|li|tr)" + _ATTRIBUTES, re.IGNORECASE)


def forbidden(text: str) -> str | None:
    """The first control or direction character, as `U+202E`; None where there is none."""
    found = _FORBIDDEN.search(text)
    return f"U+{ord(found[0]):04X}" if found else None


def plain(text: str | None, *, lines: bool = False) -> str:
    """Entities resolved, tags gone, NFC, white space tidied; `lines` keeps the line breaks.

    What is far too long comes back untouched, for `too_long` to find.
    """
    if not text or len(text) > _LONGEST_RAW:
        return text or ""
    text = _ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
    text = _UNSEEN.sub("", text)
    if "<" in text:
        text = _TAG.sub("", _LINE_TAG.sub("\n", text))
        # what the tags taken out leave behind may be one: it stays to be read, and is none any more
        text = _TAG.sub(lambda tag: f"＜{tag[0][1:]}", text)
    text = unicodedata.normalize("NFC", text)
    rows = [" ".join(row.split()) for row in text.splitlines()]
    return ("\n" if lines else " ").join(row for row in rows if row)


def too_long(field: str, text: str) -> str | None:
    if len(text) > LONGEST[field]:
        return f"{field} 有 {len(text)} 个字符，最多 {LONGEST[field]} 个"
    return None


def web_address(text: str | None) -> str:
    """http and https only: `javascript:` and its kin never reach a page."""
    address = (text or "").strip()
    return address if address.lower().startswith(("http://", "https://")) else ""
