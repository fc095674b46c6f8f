"""What a signature stands for, and when a warning may leave by it. Pure, so that all of it can be tested.

The approved hash covers what was frozen. Beside it stands what it was a hash of, in words, and what the hash does not reach
(when it was issued, its hazard's code, whether it may sound at night): kept with the signature, which nobody changes, so that
the sender can say what was changed and not only that something was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final
from zlib import crc32

from dispatcher.store.chunks import Shape
from dispatcher.store.packing import stamp
from dispatcher.store.signatures import Signature
from dispatcher.store.warnings import TextRow, WarningRow

FACTS: Final = "facts"
"""Under which name they stand in a signature's detail."""
WORDINGS: Final = "wordings"
"""And under which name among them the mark of each text."""
_DIGITS: Final = 8
_SHOWN: Final = 5
_MOST: Final = 300


class Act(StrEnum):
    """What somebody did to a warning on its way to release."""

    TRUSTED = "trusted"
    DRAFTED = "drafted"
    TAKEN_UP = "taken_up"
    EDITED = "edited"
    SUBMITTED = "submitted"
    RETURNED = "returned"
    APPROVED = "approved"
    RELEASED = "released"
    TELEPHONE = "telephone"
    OBJECTED = "objected"
    INK_SLIP = "ink_slip"
    RETRACTED = "retracted"
    REVIEWED = "reviewed"


RELEASES: Final = frozenset({Act.TRUSTED, Act.APPROVED, Act.RELEASED, Act.TELEPHONE, Act.RETRACTED})
"""By which a warning may leave."""
WRITES: Final = frozenset({Act.DRAFTED, Act.TAKEN_UP, Act.EDITED, Act.SUBMITTED})
"""Whoever did one of these has had a hand in what it says, and is not the second person."""
FREEZES: Final = frozenset({Act.TRUSTED, Act.SUBMITTED, Act.RETRACTED})
"""With which the facts stand."""
ALONE: Final = frozenset({Act.TRUSTED, Act.RETRACTED})
"""What needs one alone: a source that may, or fixed words that take an error back."""


def hands(signatures: Sequence[Signature]) -> frozenset[str]:
    """Accounts that had a hand in what it says; of a system's token also whoever made that token."""
    wrote = [one for one in signatures if one.act in WRITES]
    return frozenset({one.account_id for one in wrote} | {str(one.detail.get("made_by", "")) for one in wrote}) - {""}


def released(row: WarningRow, signatures: Sequence[Signature]) -> bool:
    """Whether somebody who may has let go this very plan: a second person, or one who needs none."""
    wrote = hands(signatures)
    for one in signatures:
        if one.act not in RELEASES or one.plan_hash != row.plan_hash or not row.plan_hash:
            continue
        if one.act == Act.TRUSTED and row.trusted:
            return True
        if one.act == Act.RETRACTED and bool(row.message.get("retraction")):
            return True
        if one.act not in ALONE and one.account_id and one.account_id not in wrote:
            return True
    return False


def facts_as_signed(row: WarningRow, signatures: Sequence[Signature]) -> Mapping[str, Any] | None:
    """Of the plan this row has; None where none were kept."""
    fitting = [one for one in signatures if one.act in FREEZES and one.plan_hash == row.plan_hash]
    found = fitting or [one for one in signatures if one.act in FREEZES]
    facts = found[-1].detail.get(FACTS) if found else None
    return facts if isinstance(facts, Mapping) else None


def facts_of(row: WarningRow, texts: Sequence[TextRow], shapes: Sequence[Shape]) -> dict[str, Any]:
    """All of a warning that leaves the house, is published, or says to whom it goes, except the texts' own words: in words, or
    as a hash."""
    said, hazard = row.message, row.message.get("hazard") or {}
    return {
        "kind": str(row.kind),
        "status": str(row.status),
        "scope": str(row.scope),
        "drill": row.drill,
        "level": str(row.level or ""),
        "event": row.event,
        "hazard": f"{hazard.get('scheme', '')} {hazard.get('code', '')} {hazard.get('name', '')}".strip(),
        "headline": row.headline,
        "sender": row.sender,
        "sender_name": str(said.get("sender_name") or ""),
        "identifier": row.identifier,
        "sent": stamp(row.sent),
        "expires": stamp(row.expires),
        "broadcast_id": row.broadcast_id,
        "earlier": list(row.plan.get("earlier", ())),
        "channels": {str(name): rows for name, rows in sorted(row.plan["channels"].items())},
        "description": str(said.get("description") or ""),
        "instruction": str(said.get("instruction") or ""),
        "message": _hash(said),
        "villages": len(row.area["villages"]),
        "area": _hash(row.area),
        "recipients": _hash([[str(one.channel), one.seq, one.size, one.hash] for one in shapes]),
        "texts": _hash([[one.no, str(one.channel), one.segments] for one in texts]),
    }


def wordings_of(texts: Sequence[TextRow]) -> str:
    """Eight digits a text: enough to say which was changed. That none was is the header hash's word, so that whoever sends a
    thousand texts need not look at each."""
    return "".join(f"{crc32(one.body.encode()):08x}" for one in texts)


def is_message_of(facts: Mapping[str, Any], message: Mapping[str, Any]) -> bool:
    """Whether this is the message that was signed."""
    return bool(facts.get("message") == _hash(message))


CHINESE: Final[Mapping[str, str]] = {
    "kind": "类型", "status": "状态", "scope": "范围", "drill": "演练标志", "level": "级别", "event": "灾种",
    "hazard": "灾种代码", "headline": "标题", "sender": "发布单位编码", "sender_name": "发布单位", "identifier": "编号",
    "sent": "发布时间", "expires": "有效期", "broadcast_id": "播发编号", "earlier": "先前的播发编号", "channels": "渠道",
    "description": "正文", "instruction": "防御指南", "message": "报文", "villages": "村数", "area": "区域",
    "recipients": "名单", "texts": "文字的用处",
}  # fmt: skip
"""What a person calls them."""
_HASHED: Final = frozenset({"message", "area", "recipients", "texts"})


def differences(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[dict[str, str]]:
    """What is not as it was signed, each with its words then and now, where words were kept."""
    found = []
    for name in now:
        if name not in was or was[name] == now[name]:
            continue
        words = ("按签发时的", "已不同") if name in _HASHED else (_short(was[name]), _short(now[name]))
        found.append({"what": CHINESE[name], "was": words[0], "now": words[1]})
    return found


def reworded(was: Mapping[str, Any], texts: Sequence[TextRow]) -> list[dict[str, str]]:
    """Which texts say something else than was signed. A text is made of the message: what the message says stands beside it."""
    signed, now = str(was.get(WORDINGS) or ""), {one.no: one for one in texts}
    count = len(signed) // _DIGITS
    other = [no for no in sorted(now) if wordings_of([now[no]]) != signed[no * _DIGITS : (no + 1) * _DIGITS]]
    said = _short(str(was.get("description") or ""))
    found = [{"what": f"第 {no + 1} 条文字", "was": said, "now": _short(now[no].body)} for no in other[:_SHOWN]]
    if len(other) > _SHOWN or count > len(now):
        found.append({"what": "发出的文字", "was": f"{count} 条", "now": f"{len(now)} 条，{len(other)} 条不同"})
    return found


def in_words(found: Sequence[Mapping[str, str]]) -> str:
    """One sentence for whoever is paged."""
    said = [f"{one['what']}：签发时“{one['was']}”，现在“{one['now']}”" for one in found[:_SHOWN]]
    return "；".join(said) or "签发的内容与库中的不一致"


def _short(value: object) -> str:
    said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return said if len(said) <= _MOST else said[:_MOST] + "…"


def _hash(value: object) -> str:
    written = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(written.encode()).hexdigest()
