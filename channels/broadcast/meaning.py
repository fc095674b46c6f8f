"""Between our words and the standard's: message → EBM, EBDResponse → outcome, broadcast state → receipt.

It must survive gateways that answer nonsense, something else, or for another packet: none of these is a yes.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from channels.broadcast import ebm, tarball
from channels.contract import Accepted, Blame, Message, NotKnown, Outcome, ReceiptState, Refused, TryAgain
from channels.transport import Answer, judge

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


def as_ebm(message: Message, sender_code: str) -> ebm.Ebm:
    """A message as the gateway gets it; ValueError where the standard's codes are missing."""
    about = message.bulletin
    cancel = about.kind == "Cancel"
    named = (about.broadcast_id, about.cancels_broadcast_id) if cancel else (about.broadcast_id,)
    if not all(map(ebm.EBMID.fullmatch, named)):
        raise ValueError("缺少 35 位 EBMID")
    if not message.areas:
        raise ValueError("缺少播发区域")
    drill = ebm.MsgType.PLATFORM_DRILL if about.drill or about.test else ebm.MsgType.REAL
    return ebm.Ebm(
        id=about.broadcast_id,
        type=ebm.MsgType.CANCEL if cancel else drill,
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
        cancels=about.cancels_broadcast_id if cancel else "",
    )


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
