"""What somebody may do with a warning, as buttons on its page, each with what follows from it in one sentence.

A button is shown to whoever may press it, and decides nothing: the same is asked again when it is pressed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from dispatcher.accounts.authority import Action, Principal, may_once_awake
from dispatcher.pipeline.edit import JOINING, lacks_its_event
from dispatcher.pipeline.page import REFUSED
from dispatcher.signing import Act
from dispatcher.states import LIVE, WAITING, WarningState
from dispatcher.store.events import Recorded
from dispatcher.store.headlines import Headline
from dispatcher.store.signatures import Signature
from dispatcher.store.warnings import WarningRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """`states`: of the warning, in which it makes sense. `asks`: the field to be filled in, and its label; '' for none.
    `page`: what has to be read before it is pressed has a page of its own, where it is pressed. `among`: of which one is
    chosen."""

    verb: str
    action: Action
    label: str
    follows: str
    states: Collection[WarningState] = ()
    asks: tuple[str, str] = ("", "")
    grave: bool = False
    page: str = ""
    among: tuple[Headline, ...] = ()


_S = WarningState
BUTTONS: Final = (
    Button(verb="take-up", action=Action.ISSUE, label="接手拟制", states={_S.HELD}, follows="成为您的草稿，不发送"),
    Button(verb="join", action=Action.EDIT, label="接入同一事件", states=JOINING,
           follows="成为您的草稿，作为那条预警的更新或解除，送签后发出"),
    Button(verb="submit", action=Action.SUBMIT, label="送签", states={_S.DRAFT, _S.RETURNED},
           follows="冻结名单和文字，请另一人签发"),
    Button(verb="approve", action=Action.APPROVE, label="签发", states={_S.SUBMITTED}, grave=True,
           asks=("reason", "签发理由（橙色、红色必填）"), follows="立即发出", page="/warnings/{id}/sign"),
    Button(verb="return", action=Action.RETURN, label="退回", states={_S.SUBMITTED}, asks=("reason", "为什么退回"),
           follows="回到拟制的人手里"),
    Button(verb="telephone", action=Action.RECORD_CALL, label="登记电话请示", states={_S.SUBMITTED}, grave=True,
           page="/warnings/{id}/telephone", follows="领导在电话里同意后，由另一名在岗值班员登记，立即发出；领导随即得到短信"),
    Button(verb="release", action=Action.RELEASE, label="逾时放行", states={_S.SUBMITTED}, grave=True,
           asks=("reason", "为什么不等签发"), follows="红色预警的签发人全部逾时后，由另一名在岗值班员放行；领导随即得到通知"),
    Button(verb="discard", action=Action.EDIT, label="作废", states=WAITING, asks=("reason", "为什么作废"),
           follows="不再处理，原文留存"),
    Button(verb="cancel", action=Action.RETRACT, label="误发撤回", states=LIVE, grave=True, page="/warnings/{id}/cancel",
           follows="按备好的文字立即告知可能已收到的人，还没发的不再发；领导随即得到通知"),
    Button(verb="all-clear", action=Action.CALL_OFF, label="解除", states=LIVE, follows="拟好解除，送另一人签发",
           page="/warnings/{id}/all-clear"),
    Button(verb="reissue", action=Action.ISSUE, label="按签发的原样重新拟制", follows="与签发不符而没有发出的，重拟一份送签"),
    Button(verb="object", action=Action.OBJECT, label="提出异议", asks=("words", "您没有同意过什么"), grave=True,
           follows="这条预警按您电话同意发出；如非本人同意，立即告知在岗值班员和各位领导核实"),
    Button(verb="review", action=Action.APPROVE, label="复核", asks=("words", "复核意见"),
           follows="这条预警未经签发由两名值班员放行，须领导复核"),
)  # fmt: skip
WAYS: Final = (
    Button(verb="correct", action=Action.ISSUE, label="更正", states=LIVE, page="/warnings/{id}/correct",
           follows="先看已收到的人会看到什么，再改写送签"),
    Button(verb="update", action=Action.ISSUE, label="更新", states=LIVE, page="/warnings/{id}/update",
           follows="按现在的内容拟一份新的"),
    Button(verb="edit", action=Action.EDIT, label="修改", states={_S.DRAFT, _S.RETURNED, _S.SUBMITTED},
           page="/warnings/{id}/edit", follows="改区域和文字；已送签的，先前的签名作废"),
    Button(verb="form", action=Action.PAPER, label="审批单", states=WAITING | LIVE, page="/warnings/{id}/form",
           follows="打印出来用笔签，签好的扫描件存在那里"),
)  # fmt: skip
"""What only leads to a page."""
DRILL_LABELS: Final[Mapping[str, str]] = {
    "submit": "送签演练", "approve": "签发演练", "telephone": "登记电话请示演练",
    "release": "逾时放行演练", "cancel": "撤回演练", "all-clear": "解除演练",
    "correct": "更正演练", "update": "更新演练", "edit": "修改演练",
}  # fmt: skip
"""So that nobody signs a drill for real, or the real thing for a drill."""
Done = Sequence[Signature]


def buttons(who: Principal, row: WarningRow, done: Done, told: Sequence[Recorded]) -> tuple[Button, ...]:
    """Those that make sense now, for whoever may press them."""
    areas = list(row.area["villages"]) or None  # what has none yet is drawn first
    return tuple(
        called(button, drill=row.drill)
        for button in (*BUTTONS, *WAYS)
        if _makes_sense(button, who, row, done, told) and may_once_awake(who, button.action, areas)
    )


def called(button: Button, *, drill: bool) -> Button:
    """With the label it bears there."""
    return replace(button, label=DRILL_LABELS.get(button.verb, button.label)) if drill else button


def _makes_sense(button: Button, who: Principal, row: WarningRow, done: Done, told: Sequence[Recorded]) -> bool:
    here, acts = row.state in button.states, {one.act for one in done}
    match button.verb:
        case "reissue":
            here = any(one.kind in REFUSED for one in told)
        case "object":
            called_him = any(one.act == Act.TELEPHONE and one.detail.get("leader") == who.id for one in done)
            here = called_him and not any(one.act == Act.OBJECTED and one.account_id == who.id for one in done)
        case "review":
            here = Act.RELEASED in acts and Act.REVIEWED not in acts
        case "join":
            here = here and lacks_its_event(row)
        case "form":  # the paper may come a day after a warning of six hours is over
            here = here or bool(row.plan_hash or done)
        case "cancel" | "all-clear" | "correct" | "update":
            here = here and row.released_at is not None and row.kind != "Cancel"
        case _:
            pass
    return here
