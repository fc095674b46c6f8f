"""All broadcast gateways on one server, `/gateways/{id}`: they take packets, play them, and say how far they are.

Its log line: recipient (the gateway's EBRID), key (EBDID), digest, gateway, ebm_id, kind (issue or cancel), drill,
areas, cancels, repeat (this packet was here before: it is not played again), text. Questions about a state are not
logged. A cancel of what never came is answered so; should it still come, it stays silent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from aiohttp import web

from channels.broadcast import ebm, tarball
from dispatcher.rehearsal.faults import Fate, Faults
from dispatcher.rehearsal.player import Player
from dispatcher.rehearsal.reports import Report, Reports

PLAY_S: Final = 0.5
DRILLS: Final = frozenset({ebm.MsgType.PLATFORM_DRILL, ebm.MsgType.FRONT_END_DRILL, ebm.MsgType.TERMINAL_DRILL})


@dataclass(slots=True)
class Playing:
    started: float
    cancelled: bool = False
    failed: bool = False

    def state(self, now: float) -> ebm.State:
        """Playing for half a second; what was called off while it played, or before it came, stays cancelled."""
        if self.cancelled:
            return ebm.State.CANCELLED
        if now - self.started < PLAY_S:
            return ebm.State.PLAYING
        return ebm.State.FAILED if self.failed else ebm.State.SUCCESS


class Gateways(Player):
    def __init__(self, log: Path, faults: Faults, reports: Reports, clock: Callable[[], float]) -> None:
        super().__init__(log, faults, reports, clock)
        self._playing: dict[tuple[str, str], Playing] = {}
        self._seen: set[tuple[str, str]] = set()
        self._called_off: set[tuple[str, str]] = set()
        self._serial = int(clock() * 1000)

    async def play(self, request: web.BaseRequest) -> web.StreamResponse:
        root, _, gateway = request.path.strip("/").partition("/")
        if root != "gateways" or not gateway or request.method != "POST":
            return web.Response(status=404)
        try:
            packet = ebm.read(tarball.from_form(request.headers.get("Content-Type", ""), await request.read()))
        except tarball.Unreadable as error:
            return web.Response(status=400, text=str(error))
        if not packet.target:
            return self._answer(packet, ebm.Response(result=ebm.Result.CONTENT_MISSING, text="缺少 DEST"))
        if isinstance(packet.body, ebm.StateRequest):
            self.mischief.counts["asked"] += 1
            playing = self._playing.get((packet.target, packet.body.ebm_id))
            state = playing.state(self.clock()) if playing else ebm.State.UNPROCESSED
            return self._answer(
                packet, ebm.StateResponse(ebm_id=packet.body.ebm_id, state=state, text=state.name.lower())
            )
        if not isinstance(packet.body, ebm.Ebm):
            return self._answer(packet, ebm.Response(result=ebm.Result.OK))
        fate = self.mischief.fate(packet.target, packet.id)
        answer = self._answer(packet, ebm.Response(result=ebm.Result.OK, text="已接收"))
        if fate is Fate.REFUSE:
            answer = self._answer(packet, ebm.Response(result=ebm.Result.OTHER_ERROR, text="设备故障"))
        if packet.body.cancels and (packet.target, packet.body.cancels) not in self._playing:
            answer = self._answer(packet, ebm.Response(result=ebm.Result.OTHER_ERROR, text="没有这条消息"))
        if fate.taken:
            self._take(gateway, packet, packet.body)
        return await self.end(request, fate, answer)

    def _take(self, gateway: str, packet: ebm.Ebd, message: ebm.Ebm) -> None:
        """Logged first; a packet that comes again is logged again, and changes nothing."""
        cancel = message.type is ebm.MsgType.CANCEL
        repeat = (packet.target, packet.id) in self._seen
        self.log.write(
            recipient=packet.target,
            key=packet.id,
            text=message.text,
            gateway=gateway,
            ebm_id=message.id,
            kind="cancel" if cancel else "issue",
            drill=message.type in DRILLS,
            areas=message.areas,
            cancels=message.cancels,
            repeat=repeat,
        )
        if repeat:
            return
        self._seen.add((packet.target, packet.id))
        about = (packet.target, message.cancels if cancel else message.id)
        now = self.clock()
        if cancel:
            self._called_off.add(about)
            playing = self._playing.get(about)
            if playing is not None:
                playing.cancelled = playing.cancelled or now - playing.started < PLAY_S
        else:
            failed = self.mischief.faults.hits("undelivered", packet.target)
            fresh = Playing(started=now, failed=failed, cancelled=about in self._called_off)
            playing = self._playing.setdefault(about, fresh)
        if packet.url and playing is not None:
            for after in (0.0, PLAY_S + 0.05):
                asyncio.get_running_loop().call_later(after, self._push, packet, about[1], playing)

    def _push(self, packet: ebm.Ebd, ebm_id: str, playing: Playing) -> None:
        """Says in a connection of its own how far it is."""
        state = playing.state(self.clock())
        body, identifier = self._packet(packet, ebm.StateResponse(ebm_id=ebm_id, state=state, text=state.name.lower()))
        content_type, form = tarball.form(identifier, body)
        due = asyncio.get_running_loop().time()
        for _ in range(2 if self.mischief.faults.hits("repeat", identifier) else 1):
            self.reports.later(Report(url=packet.url, body=form, headers={"Content-Type": content_type}, due=due))

    def _answer(self, packet: ebm.Ebd, said: ebm.Body) -> web.Response:
        body, identifier = self._packet(packet, said)
        disposition = f'attachment; filename="{tarball.file_name(identifier)}"'
        return web.Response(body=body, content_type=tarball.MEDIA_TYPE, headers={"Content-Disposition": disposition})

    def _packet(self, packet: ebm.Ebd, said: ebm.Body) -> tuple[bytes, str]:
        """Something this gateway says, and its EBDID; the gateway is whom the packet was for."""
        self._serial += 1
        source = packet.target if len(packet.target) == 23 else "0" * 23
        answer = ebm.Ebd(
            id=ebm.ebd_id(source, self._serial),
            source=source,
            target=packet.source,
            body=said,
            time=datetime.fromtimestamp(self.clock(), UTC),
            related=packet.id,
        )
        return ebm.write(answer)[0], answer.id
