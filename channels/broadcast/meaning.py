"""Between our words and the standard's: message → EBM, EBDResponse → outcome, broadcast state → receipt.

It must survive gateways that answer nonsense, something else, or for another packet: none of these is a yes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from channels.broadcast import ebm, tarball
from channels.contract import Accepted, Blame, Message, NotKnown, Outcome, Receipt, ReceiptState, Refused, TryAgain
from channels.transport import Answer, Failure, judge

GAP = "\n\n"
"""Between two packets of one trace."""

REFUSED = {
    ebm.Result.PARSE_FAILED: (Blame.MESSAGE, "网关解析失败"),
    ebm.Result.CONTENT_MISSING: (Blame.MESSAGE, "网关称内容缺失"),
    ebm.Result.SIGNATURE_FAILED: (Blame.ACCOUNT, "网关验签失败，请核对证书"),
    ebm.Result.OTHER_ERROR: (Blame.ADDRESS, "网关拒绝播发"),
}
STATES = {
    ebm.State.UNPROCESSED: (ReceiptState.SENT, "unprocessed"),
    ebm.State.WAITING: (ReceiptState.SENT, "waiting"),
    ebm.State.PLAYING: (ReceiptState.SENT, "playing"),
    ebm.State.SUCCESS: (ReceiptState.DELIVERED, "played"),
    ebm.State.FAILED: (ReceiptState.FAILED, "failed"),
    ebm.State.CANCELLED: (ReceiptState.FAILED, "cancelled"),
}
SILENT = frozenset({ebm.State.SUCCESS, ebm.State.FAILED, ebm.State.CANCELLED})
"""Of a message that was called off, these mean that it sounds no more."""


def only_stops(message: Message) -> bool:
    """Nothing is played: the warning is called off, or holds no more where this gateway is."""
    return message.bulletin.kind == "Cancel" or message.former


def called_off(message: Message) -> tuple[str, ...]:
    """EBMIDs this message stops at its gateway. Who only stops stops something: what is not known to have come may have."""
    return message.told or (message.bulletin.earlier if only_stops(message) else ())


def as_ebms(message: Message, sender_code: str) -> dict[int, ebm.Ebm]:
    """What the gateway gets, in order, under its offset from the numbers reserved: the message, then the stops.

    First what is to be heard, then silence for what it replaces. ValueError where the standard's codes are missing.
    """
    about = message.bulletin
    stops = {
        (0 if about.kind == "Cancel" else 1) + about.earlier.index(victim): victim for victim in called_off(message)
    }
    if not all(map(ebm.EBMID.fullmatch, (about.broadcast_id, *stops.values()))) or (only_stops(message) and not stops):
        raise ValueError("缺少 35 位 EBMID")
    if not message.areas:
        raise ValueError("缺少播发区域")
    plays = {} if only_stops(message) else {0: _ebm(message, sender_code, offset=0)}
    return plays | {offset: _ebm(message, sender_code, offset=offset, victim=one) for offset, one in stops.items()}


def _ebm(message: Message, sender_code: str, *, offset: int, victim: str = "") -> ebm.Ebm:
    about = message.bulletin
    drill = ebm.MsgType.PLATFORM_DRILL if about.drill or about.test else ebm.MsgType.REAL
    return ebm.Ebm(
        id=ebm.numbered(about.broadcast_id, offset),
        type=ebm.MsgType.CANCEL if victim else drill,
        sender_name=about.sender_name,
        sender_code=sender_code,
        sent=about.sent,
        event=about.event_code,
        severity=about.rank,
        starts=about.starts,
        ends=about.expires,
        title=about.headline,
        text=message.text,
        areas=message.areas,
        cancels=victim,
    )


def together(said: Sequence[Outcome]) -> Outcome:
    """What came of all the packets of one message. Where one did not get through, all are tried again: a gateway knows a
    repeated packet. Where it took one, a stop that it refuses had nothing to stop.
    """
    for kind in (NotKnown, TryAgain, Accepted):
        found = next((one for one in said if isinstance(one, kind)), None)
        if found is not None:
            break
    return replace(found or said[0], trace=GAP.join(one.trace for one in said))


def outcome(answer: Answer, identifier: str, now: datetime) -> Outcome:
    if (failure := judge(answer, now, blame=Blame.ADDRESS)) is not None:
        return failure
    said = packet_in(answer)
    if said is None or not isinstance(said.body, ebm.Response):
        return NotKnown(code="garbage" if answer.whole else "cut", reason="网关的应答无法读懂，可能已收下")
    if said.related not in ("", identifier):
        return NotKnown(code="other_packet", reason="网关应答的是别的数据包，本条结果不明")
    result = said.body.result
    if result is ebm.Result.OK:
        return Accepted(ref=identifier)
    if result is ebm.Result.NOT_PROCESSED:
        return TryAgain(code="ebd_0", reason=f"网关未处理：{said.body.text}")
    blame, meaning = REFUSED[result]
    return Refused(code=f"ebd_{int(result)}", reason=f"{meaning}：{said.body.text}", blame=blame)


def receipt_of(message: Message, states: Sequence[ebm.StateResponse]) -> Receipt:
    """What the states of the EBMIDs asked about say of the message: a cancel is done when all of them are silent."""
    worst = next((one for one in states if one.state not in SILENT), states[0])
    state, code = STATES[worst.state]
    if only_stops(message):
        state = ReceiptState.DELIVERED if worst.state in SILENT else ReceiptState.SENT
    ref = message.bulletin.broadcast_id
    return Receipt(state=state, id=message.id, ref=ref, peer=message.peer, code=code, detail=worst.text)


def state_in(answer: Answer | Failure, about: str, now: datetime) -> ebm.StateResponse | Failure | None:
    """What a gateway said when it was asked; None: nothing yet, it will tell in a connection of its own."""
    fault = judge(answer, now, blame=Blame.ADDRESS) if isinstance(answer, Answer) else answer
    if fault is not None or not isinstance(answer, Answer):
        return fault
    said = packet_in(answer)
    if said is None or not isinstance(said.body, ebm.StateResponse) or said.body.ebm_id != about:
        return None
    return said.body


def packet_in(answer: Answer) -> ebm.Ebd | None:
    try:
        return ebm.read(answer.body)
    except tarball.Unreadable:
        return None


def legible(answer: Answer) -> Answer:
    """The answer with the XML out of its tar, for the ledger."""
    try:
        return replace(answer, body=tarball.only_xml(answer.body))
    except tarball.Unreadable:
        return answer
