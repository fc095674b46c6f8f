"""Broadcast gateways by HTTP: a packet (EBM) is posted, its EBDResponse says whether it was taken, its state is asked
for or pushed to us later.

The EBDID is the same over all tries, so a gateway knows a repetition; a duplicate is not played twice. EBDResponse 1 is
`sent`; only state 3 (played) is `delivered`. What a version replaces or calls off is stopped by a packet for each EBMID
that this very gateway was told. Packets are not signed yet, so a pushed state is believed only under the address we gave
that very gateway, which carries its code and an HMAC of it.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace
from pydantic import Field, SecretStr

from channels.broadcast import ebm, meaning, tarball
from channels.contract import (
    Accepted,
    Asked,
    Blame,
    Callback,
    Forged,
    Malformed,
    Message,
    Outcome,
    ProviderSettings,
    Reading,
    Receipt,
    Refused,
    Reply,
)
from channels.transport import Answer, Failure, Transport, located, trace

EBDIDS = 100
"""Packet numbers (EBDID) that one message may use: itself, and a stop for each version before it."""


class EbmSettings(ProviderSettings):
    """`ebrid` and `sender_code` are ours; `secret` guards the addresses given to the gateways (empty: we only ask)."""

    timeout_s: float = Field(default=5, gt=0, le=60)
    follow: bool = True
    ebrid: str = Field(pattern=r"^\d{23}$")
    sender_code: str
    secret: SecretStr | None = None


class EbmGateway:
    max_batch = 1

    def __init__(self, settings: EbmSettings, transport: Transport, callback_url: str) -> None:
        self._settings = settings
        self._line = transport.line(in_flight=settings.in_flight, timeout_s=settings.timeout_s)
        self._callback_url = callback_url

    async def send(self, batch: Sequence[Message], now: datetime) -> list[Outcome]:
        return [await self._send(message, now) for message in batch]

    async def ask(self, batch: Sequence[Message], now: datetime) -> list[Asked]:
        """All gateways of the batch at once."""
        serial = int(now.timestamp() * 1_000_000)  # 16 digits for 280 years, and far above any message's serial
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._ask(one, serial + no * EBDIDS, now)) for no, one in enumerate(batch)]
        return [task.result() for task in tasks]

    def read(self, callback: Callback, now: datetime) -> Reading:
        """A packet a gateway pushed to the address we gave it: a state, or a heartbeat."""
        peer, _, seal = callback.token.partition(".")
        if not seal or not hmac.compare_digest(self._seal(peer).encode(), seal.encode()):
            raise Forged("回执地址不是发给该网关的")
        try:
            tar = tarball.from_form(callback.headers.get("content-type", ""), callback.body)
            packet = ebm.read(tar)
        except tarball.Unreadable as error:
            raise Malformed(str(error)) from error
        if packet.source != peer:
            raise Forged("网关冒用了别的网关的回执地址")
        receipts: tuple[Receipt, ...] = ()
        said = ebm.Response(result=ebm.Result.OK, text="已接收")
        if isinstance(packet.body, ebm.StateResponse):
            state, code = meaning.STATES[packet.body.state]
            receipt = Receipt(state=state, ref=packet.body.ebm_id, peer=peer, code=code, detail=packet.body.text)
            receipts = (receipt,)
        elif not isinstance(packet.body, ebm.ConnectionCheck | ebm.Response):
            said = ebm.Response(result=ebm.Result.OTHER_ERROR, text="不支持这类数据包")
        answer = self._packet(said, int(now.timestamp() * 1_000_000), now, target=peer)
        body, _ = ebm.write(replace(answer, related=packet.id))
        disposition = ("Content-Disposition", f'attachment; filename="{tarball.file_name(answer.id)}"')
        reply = Reply(status=200, body=body, content_type=tarball.MEDIA_TYPE, headers=(disposition,))
        return Reading(receipts=receipts, reply=reply)

    async def close(self) -> None:
        await self._line.close()

    async def _send(self, message: Message, now: datetime) -> Outcome:
        try:
            bodies = meaning.as_ebms(message, self._settings.sender_code)
            first = message.serial * EBDIDS
            packets = [self._packet(body, first + no, now, target=message.peer) for no, body in bodies.items()]
            written = [(packet.id, *ebm.write(packet)) for packet in packets]
        except ValueError as error:
            return Refused(code="bad_packet", reason=f"播发消息不合规，没有发出：{error}", blame=Blame.MESSAGE)
        said: list[Outcome] = []
        for identifier, tar, xml in written:
            answer = await self._post(message.to, identifier, tar)
            came = meaning.outcome(answer, identifier, now) if isinstance(answer, Answer) else answer
            said.append(replace(came, trace=self._trace(message, xml, answer)))
            if not meaning.only_stops(message) and not isinstance(said[0], Accepted):
                break  # what was not taken replaces nothing
        return meaning.together(said)

    async def _ask(self, message: Message, serial: int, now: datetime) -> Asked:
        """A cancel is asked after what it calls off: that none of it sounds any more is the proof of the cancel."""
        stops = meaning.called_off(message) if meaning.only_stops(message) else ()
        traces, states = [], []
        for no, about in enumerate(stops or (message.bulletin.broadcast_id,)):
            packet = self._packet(ebm.StateRequest(ebm_id=about), serial + no, now, target=message.peer)
            tar, xml = ebm.write(packet)
            answer = await self._post(message.to, packet.id, tar)
            traces.append(self._trace(message, xml, answer))
            state = meaning.state_in(answer, about, now)
            if isinstance(state, Failure):
                return Asked(id=message.id, code=state.code, reason=state.reason, trace=meaning.GAP.join(traces))
            if state is not None:
                states.append(state)
        receipt = meaning.receipt_of(message, states) if len(states) == max(1, len(stops)) else None
        return Asked(id=message.id, receipt=receipt, trace=meaning.GAP.join(traces))

    def _trace(self, message: Message, xml: str, answer: Answer | Failure) -> str:
        said = meaning.legible(answer) if isinstance(answer, Answer) else None
        return trace(xml, said, (self._seal(message.peer),))

    async def _post(self, to: str, identifier: str, tar: bytes) -> Answer | Failure:
        content_type, body = tarball.form(identifier, tar)
        return await self._line.post(located(self._settings.base_url, to), body, {"Content-Type": content_type})

    def _packet(self, body: ebm.Body, serial: int, now: datetime, *, target: str) -> ebm.Ebd:
        source, seal = self._settings.ebrid, self._seal(target)
        url = f"{self._callback_url}/{target}.{seal}" if seal else ""
        return ebm.Ebd(id=ebm.ebd_id(source, serial), source=source, body=body, time=now, target=target, url=url)

    def _seal(self, peer: str) -> str:
        """Proves that we gave this address to this gateway; '' where no secret is set: then nothing may be pushed."""
        secret = self._settings.secret.get_secret_value() if self._settings.secret else ""
        return hmac.new(secret.encode(), peer.encode(), "sha256").hexdigest()[:32] if secret and peer else ""
