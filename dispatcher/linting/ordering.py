"""Whether the words order what the message asks for: evacuation, and the end of it."""

from __future__ import annotations

from collections.abc import Iterator

from dispatcher.linting.reading import found
from dispatcher.linting.remark import Remark, Rule, Said, note, warn
from dispatcher.linting.speaking import named
from dispatcher.model import Kind

_EVACUATE = "Evacuate"
_ISSUING = ("发布", "变更", "更新", "升级", "降级", "继续", "调整")


def check(said: Said) -> Iterator[Remark]:
    if not said.chinese and said.whole.strip():
        return
    if said.message.kind is Kind.CANCEL:
        yield from _called_off(said)
    elif said.issues:
        yield from _evacuation(said)
        yield from _over_too_early(said)


def _evacuation(said: Said) -> Iterator[Remark]:
    responses, own = said.message.responses, found(said.rules.evacuate, said.whole)
    everything = "\n".join([said.whole, *(text.whole for text in said.current)])
    if _EVACUATE in responses and not found(said.rules.evacuate, everything):
        yield warn(
            Rule.EVACUATION,
            "responses",
            _EVACUATE,
            "报文要求撤离（responseType 为 Evacuate），文字里却没有写转移或撤离：请写明谁、往哪里撤",
        )
    elif own and responses and _EVACUATE not in responses:
        asked = "、".join(responses)
        yield note(
            Rule.EVACUATION,
            "responses",
            own,
            f"正文写了“{own}”，responseType 却是 {asked}：要撤离请加 Evacuate，否则改正文",
        )


def _called_off(said: Said) -> Iterator[Remark]:
    for field, where in (("headline", "标题"), ("description", "正文"), ("instruction", "防范指引")):
        if order := found(said.rules.order, getattr(said.message, field)):
            yield warn(
                Rule.CANCEL_ORDERS, field, order, f"解除的{where}里写了“{order}”，像是还要行动：请改成解除后的安排"
            )
    ordering = [text for text in said.current if found(said.rules.order, text.whole)]
    if ordering and not found(said.rules.order, said.whole):
        order = found(said.rules.order, ordering[0].whole)
        ordering = [text for text in ordering if text.channel is ordering[0].channel]
        yield warn(
            Rule.CANCEL_ORDERS,
            ordering[0].channel,
            order,
            f"解除的{named(ordering)}里有“{order}”，像是还要行动：请改 wording.yaml 的 cancel",
        )
    if said.whole.strip() and not found(said.rules.over, f"{said.whole}\n{said.message.note}"):
        yield warn(
            Rule.CANCEL_UNSAID,
            "headline",
            said.message.headline,
            "这是解除，标题和正文却没有写“解除”：请写明解除了什么",
        )


def _over_too_early(said: Said) -> Iterator[Remark]:
    headline = said.message.headline
    if "解除" in headline and not any(word in headline for word in _ISSUING):
        yield warn(
            Rule.CANCEL_UNSAID,
            "headline",
            headline,
            f"标题写“解除”，msgType 却是 {said.message.kind}，会照常发出预警：要解除请改用 Cancel",
        )
