"""Who is on the list, by name: the plan as it was frozen, before anybody signs it and after. Why each is on it, by which way,
and who is not sent to. No number stands here, and whoever has a part of the city is shown that part.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from aiohttp import web

from dispatcher.model import Channel, Post, Target, TargetKind, Why
from dispatcher.registry.register import Register
from dispatcher.store import ledger, warnings
from dispatcher.store.engine import Tx
from dispatcher.store.ledger import Unplanned
from dispatcher.store.packing import FrozenRow, unpack
from dispatcher.store.warnings import WarningRow
from dispatcher.web import asker, asking, reach
from dispatcher.web.console.framing import framed
from dispatcher.web.console.naming import KINDS, called, named
from dispatcher.web.parts import parts
from dispatcher.web.problems import Problem
from dispatcher.web.reach import Frozen

LISTED: Final = 100
SHOWN: Final = 2
"""Posts of one officer: some hold one in each village of a township."""
MOST_AFTER: Final = 100_000_000
POSTS: Final = {
    Post.A: "A角", Post.B: "B角", Post.CHIEF: "负责人", Post.DUTY: "值班岗位", Post.TRANSFER: "转移负责人",
}  # fmt: skip
_PLACE: Final = re.compile(r"\d{6}(\d{3})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """`place`: 6 or 9 digits, '' for all; `after`: how many lines stand on the pages before."""

    channel: str
    place: str
    after: int = 0

    def link(self, warning_id: str) -> str:
        given = {"channel": self.channel, "place": self.place, "after": self.after or ""}
        return f"/warnings/{warning_id}/planned?{urlencode({name: one for name, one in given.items() if one})}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """`posts`: (place, which) of an officer, some of all he holds; `not_sent`: the reason's code, '' where it is sent."""

    name: str
    kind: str
    posts: tuple[tuple[str, str], ...]
    held: int
    place: str
    channel: str
    why: str
    not_sent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A page of the list. `places`: (code, name) of those that somebody on it is counted under."""

    row: WarningRow
    at: datetime
    synthetic: bool
    wanted: Wanted
    places: tuple[tuple[str, str], ...]
    channels: tuple[str, ...]
    lines: tuple[Line, ...]
    total: int
    onward: str


async def planned(request: web.Request) -> web.Response:
    site, warning_id, wanted = parts(request), asking.warning_id(request), _wanted(request)
    register = await site.doors.context.register()
    async with site.doors.context.store.read() as tx:
        row = await warnings.one(tx, warning_id)
        if row is None:
            raise asking.no_such_warning()
        own = reach.part_of(row, asker.stems(request))
        under = (wanted.place,) if wanted.place and (not own or wanted.place.startswith(own)) else own
        chunks = await ledger.signed(tx, row.id)
        codes = await _codes(tx, site.frozen, chunks)
        mine = [chunk for chunk in chunks if not wanted.channel or chunk.channel == wanted.channel]
        found, total = await _page(tx, site.frozen, mine, (under, wanted.after))
    more = wanted.after + LISTED
    page = Planned(
        row=row,
        at=site.doors.context.now(),
        synthetic=register.synthetic,
        wanted=wanted,
        places=tuple((code, called(register, code)) for code in codes if not own or code.startswith(own)),
        channels=tuple(dict.fromkeys(chunk.channel for chunk in chunks)),
        lines=tuple(_lines(register, found)),
        total=total,
        onward=replace(wanted, after=more).link(row.id) if more < total else "",
    )
    return framed(request, "warning_planned.html", {"page": page})


def _wanted(request: web.Request) -> Wanted:
    place = request.query.get("place", "")
    if place and not _PLACE.fullmatch(place):
        raise Problem(400, "bad_query", "place 应为 6 位或 9 位区划代码")
    return Wanted(
        channel=asking.word(request, "channel", [str(one) for one in Channel]),
        place=place,
        after=asking.number(request, "after", 0, MOST_AFTER),
    )


async def _codes(tx: Tx, frozen: Frozen, chunks: Sequence[Unplanned]) -> list[str]:
    spreads = await frozen.spreads(tx, chunks)
    return sorted({township for spread in spreads for township, _, _ in spread})


async def _page(
    tx: Tx, frozen: Frozen, chunks: Sequence[Unplanned], of: tuple[tuple[str, ...], int]
) -> tuple[list[tuple[str, FrozenRow]], int]:
    """(channel, row) of the page, and how many there are in all. `of`: what codes begin with, none for all; and the lines
    before. A chunk is opened only where lines of the page stand in it."""
    under, skip = of
    found: list[tuple[str, FrozenRow]] = []
    total = 0
    for chunk, spread in zip(chunks, await frozen.spreads(tx, chunks), strict=True):
        here = sum(rows for township, _, rows in spread if not under or township.startswith(under))
        if here and total + here > skip and len(found) < LISTED:
            blob = (await ledger.packed(tx, [chunk.id]))[chunk.id]
            rows = [one for one in await asyncio.to_thread(unpack, blob) if not under or one.township.startswith(under)]
            begin = max(0, skip - total)
            found += [(chunk.channel, one) for one in rows[begin : begin + LISTED - len(found)]]
        total += here
    return found, total


def _lines(register: Register, found: Iterable[tuple[str, FrozenRow]]) -> list[Line]:
    targets = [(channel, row, Target.parse(row.target)) for channel, row in found]
    officers = {target.id for _, _, target in targets if target.kind is TargetKind.OFFICER}
    posts: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for post in register.posts:
        if post.officer_id in officers:
            posts[post.officer_id].append((called(register, post.area_code), POSTS[post.post]))
    return [
        Line(
            name=named(register, target),
            kind=KINDS[target.kind],
            posts=tuple(held[:SHOWN]),
            held=len(held),
            place=called(register, row.township),
            channel=channel,
            why=Why(row.why).chinese,
            not_sent=row.suppressed,
        )
        for channel, row, target in targets
        for held in [posts.get(target.id, []) if target.kind is TargetKind.OFFICER else []]
    ]
