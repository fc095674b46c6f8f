"""Whether the log of what was done is whole: its chain, and the anchors that were put away elsewhere.

The chain shows what was edited, deleted, inserted or moved. Whoever owns the database can cut its end off, or write all of it
anew so that it fits again: an anchor (number, hash, time, signed by the service's key) that lies in a file and with whoever
listens to `dispatch.events` shows that too. What came after the last anchor is only as safe as the chain alone.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dispatcher.store.audit import START, Entry, Head, link
from dispatcher.store.sealed import Seal, WrongSignature

SHOWN = 20
"""Faults told; whoever writes all anew makes one of every entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """The head of the log as it was at a time."""

    no: int
    hash: str
    at: datetime


@dataclass(slots=True)
class Finding:
    """`faults`: one Chinese sentence each, the first SHOWN of `count`."""

    entries: int = 0
    anchors: int = 0
    count: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        return not self.count

    def add(self, sentence: str) -> None:
        self.count += 1
        if len(self.faults) < SHOWN:
            self.faults.append(sentence)


class BadAnchor(Exception):
    """A line of an anchor file that is none, or that our key did not sign; says which."""


def signed(head: Head, at: datetime, seal: Seal) -> dict[str, Any]:
    """An anchor as it is put away: one JSON object."""
    told = {"no": head.no, "hash": head.hash, "at": at.isoformat()}
    return told | {"signature": seal.sign(_bytes(told)).hex(), "public_key": seal.public_key.hex()}


def anchors_in(lines: Iterable[str], seal: Seal) -> list[Anchor]:
    """Of a file of anchors, one a line; BadAnchor for the first that is not ours."""
    return [_anchor(line, number, seal) for number, line in enumerate(lines, 1) if line.strip()]


def _anchor(line: str, number: int, seal: Seal) -> Anchor:
    try:
        said: Mapping[str, Any] = json.loads(line)
        told = {"no": said["no"], "hash": said["hash"], "at": said["at"]}
        seal.check(_bytes(told), bytes.fromhex(said["signature"]))
        return Anchor(no=int(told["no"]), hash=str(told["hash"]), at=datetime.fromisoformat(told["at"]))
    except WrongSignature:
        raise BadAnchor(f"锚点文件第 {number} 行的签名不对：不是本系统的密钥签的，或被改动") from None
    except (ValueError, TypeError, KeyError):
        raise BadAnchor(f"锚点文件第 {number} 行读不懂：每行应是一个 JSON 锚点") from None


def _bytes(told: Mapping[str, Any]) -> bytes:
    return json.dumps(told, sort_keys=True, separators=(",", ":")).encode()


async def verify(log: AsyncIterable[Entry], anchors: Sequence[Anchor] = ()) -> Finding:
    """Reads the log once, from its first entry to its last."""
    finding, wanted = Finding(anchors=len(anchors)), _by_number(anchors)
    before = Head(0, START)
    async for entry in log:
        finding.entries += 1
        _follows(entry, before, finding)
        for anchor in wanted.pop(entry.no, ()):
            if anchor.hash != entry.hash:
                finding.add(f"第 {entry.no} 条与 {anchor.at:%Y-%m-%d %H:%M} 的锚点不同：从头到这里有记录被改写")
        before = Head(entry.no, entry.hash)
    for number in sorted(wanted):
        finding.add(f"第 {number} 条不在了：锚点证明它存在过，日志的末尾被截掉，或它被删去")
    return finding


def _by_number(anchors: Sequence[Anchor]) -> dict[int, list[Anchor]]:
    wanted: dict[int, list[Anchor]] = {}
    for anchor in anchors:
        if anchor.no:  # an empty log proves nothing
            wanted.setdefault(anchor.no, []).append(anchor)
    return wanted


def _follows(entry: Entry, before: Head, finding: Finding) -> None:
    if entry.no != before.no + 1:
        finding.add(f"第 {before.no} 条之后是第 {entry.no} 条：中间的被删去，或编号被改动")
    if entry.previous != before.hash:
        finding.add(f"第 {entry.no} 条接不上它的前一条：有记录被改动、插入、删去或调换")
    if entry.hash != link(entry.no, entry.at, (entry.actor, entry.action, entry.subject, entry.detail), entry.previous):
        finding.add(f"第 {entry.no} 条的内容与它的哈希不符：被改动过")
