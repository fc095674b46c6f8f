"""Who may do what, where: the one place that decides. What no rule allows is denied.

It must hold whatever a page shows or hides: every route names its action, and every handler that knows an area asks here. An
issuer's area must contain all that a warning speaks for; whoever only looks needs to be touched by it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, assert_never

from dispatcher.geofence.names import stem
from dispatcher.store.accounts import Account


class AccountRole(StrEnum):
    """Whoever asks. A source is a system that sends warnings by a token of `sources.yaml`; all others are accounts, or tokens
    of accounts' kind."""

    DUTY_OFFICER = "duty_officer"
    APPROVER = "approver"
    TOWNSHIP_CLERK = "township_clerk"
    GATEWAY_OPERATOR = "gateway_operator"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"
    SOURCE = "source"

    @property
    def chinese(self) -> str:
        return _ROLE_CHINESE[self]


_ROLE_CHINESE: Final[Mapping[AccountRole, str]] = {
    AccountRole.DUTY_OFFICER: "值班员",
    AccountRole.APPROVER: "签发领导",
    AccountRole.TOWNSHIP_CLERK: "乡镇管理员",
    AccountRole.GATEWAY_OPERATOR: "播发操作员",
    AccountRole.AUDITOR: "审计员",
    AccountRole.ADMINISTRATOR: "管理员",
    AccountRole.SOURCE: "来源",
}
HELD_BY_ACCOUNTS: Final[tuple[AccountRole, ...]] = tuple(role for role in AccountRole if role is not AccountRole.SOURCE)


class Action(StrEnum):
    """What a route does, in the words of the person who asks."""

    LOOK = "look"
    LEDGER = "ledger"
    GATEWAYS = "gateways"
    REJECTS = "rejects"
    AUDIT = "audit"
    PREPARE = "prepare"
    ISSUE = "issue"
    EDIT = "edit"
    SUBMIT = "submit"
    APPROVE = "approve"
    RETURN = "return"
    RELEASE = "release"
    RECORD_CALL = "record_call"
    OBJECT = "object"
    RETRACT = "retract"
    CALL_OFF = "call_off"
    UNMASK = "unmask"
    ADMINISTER = "administer"
    LEAVE = "leave"
    OWN_ACCOUNT = "own_account"
    OWN_KEYS = "own_keys"
    METRICS = "metrics"
    TRAIN = "train"
    SHIFT = "shift"
    HAND_OVER = "hand_over"
    TONIGHT = "tonight"
    PAPER = "paper"
    ATTACH = "attach"

    @property
    def chinese(self) -> str:
        return _ACTION_CHINESE[self]


_ACTION_CHINESE: Final[Mapping[Action, str]] = {
    Action.LOOK: "查看预警",
    Action.LEDGER: "查看逐条台账",
    Action.GATEWAYS: "查看播发网关",
    Action.REJECTS: "查看拒收报文",
    Action.AUDIT: "查看操作日志",
    Action.PREPARE: "试算和检查文字",
    Action.ISSUE: "拟制预警",
    Action.EDIT: "修改草稿",
    Action.SUBMIT: "送签",
    Action.APPROVE: "签发",
    Action.RETURN: "退回",
    Action.RELEASE: "逾时放行",
    Action.RECORD_CALL: "记录电话请示",
    Action.OBJECT: "对电话签发提出异议",
    Action.RETRACT: "撤回误发",
    Action.CALL_OFF: "解除预警",
    Action.UNMASK: "查看完整号码",
    Action.ADMINISTER: "管理账号",
    Action.LEAVE: "退出登录",
    Action.OWN_ACCOUNT: "管理本人账号",
    Action.OWN_KEYS: "更换本人密码和验证码",
    Action.METRICS: "查看运行指标",
    Action.TRAIN: "重置培训",
    Action.SHIFT: "查看值班日志",
    Action.HAND_OVER: "交接班",
    Action.TONIGHT: "查看今夜值班单",
    Action.PAPER: "查看审批单",
    Action.ATTACH: "存入签批单扫描件",
}


class Reach(StrEnum):
    """How far a rule goes. `WITHIN`: all it is about lies in one's own area; `TOUCHING`: some of it does, or contains it."""

    WITHIN = "within"
    TOUCHING = "touching"
    ANYWHERE = "anywhere"


Rule = dict[AccountRole, Reach]
_DUTY, _APPROVER, _CLERK, _OPERATOR, _AUDITOR, _ADMINISTRATOR, _SOURCE = AccountRole


def _within(*roles: AccountRole) -> Rule:
    return dict.fromkeys(roles, Reach.WITHIN)


def _touching(*roles: AccountRole) -> Rule:
    return dict.fromkeys(roles, Reach.TOUCHING)


_EVERYBODY: Final[Rule] = dict.fromkeys(HELD_BY_ACCOUNTS, Reach.ANYWHERE)
_JUDGED_AT_INTAKE: Final[Rule] = {_SOURCE: Reach.ANYWHERE}
"""Of a source's words the area is judged by intake (214): by the message's codes and geometry, not by its villages alone."""

RULES: Final[Mapping[Action, Rule]] = {
    Action.LOOK: _touching(*AccountRole),
    Action.LEDGER: _touching(_DUTY, _APPROVER, _CLERK, _AUDITOR, _SOURCE),
    Action.GATEWAYS: _touching(_DUTY, _APPROVER, _CLERK, _OPERATOR, _AUDITOR, _SOURCE),
    Action.REJECTS: _within(_DUTY, _AUDITOR, _ADMINISTRATOR, _SOURCE),
    Action.AUDIT: _within(_AUDITOR),
    Action.PREPARE: _within(_DUTY, _APPROVER) | _JUDGED_AT_INTAKE,
    Action.ISSUE: _within(_DUTY) | _JUDGED_AT_INTAKE,
    Action.EDIT: _within(_DUTY),
    Action.SUBMIT: _within(_DUTY),
    Action.APPROVE: _within(_APPROVER),
    Action.RETURN: _within(_APPROVER, _DUTY),
    Action.RELEASE: _within(_DUTY),
    Action.RECORD_CALL: _within(_DUTY),
    Action.OBJECT: _within(_APPROVER),
    Action.RETRACT: _within(_DUTY, _APPROVER) | _JUDGED_AT_INTAKE,
    Action.CALL_OFF: _within(_DUTY) | _JUDGED_AT_INTAKE,
    Action.UNMASK: _within(_DUTY, _CLERK),
    Action.ADMINISTER: _within(_ADMINISTRATOR),
    Action.LEAVE: _EVERYBODY,
    Action.OWN_ACCOUNT: _EVERYBODY,
    Action.OWN_KEYS: _EVERYBODY,
    Action.METRICS: _within(_DUTY, _AUDITOR, _ADMINISTRATOR) | _JUDGED_AT_INTAKE,
    Action.TRAIN: _EVERYBODY,
    Action.SHIFT: _touching(_DUTY, _APPROVER, _AUDITOR),
    Action.HAND_OVER: _within(_DUTY),
    Action.TONIGHT: _touching(_DUTY, _APPROVER, _CLERK, _OPERATOR, _AUDITOR),
    Action.PAPER: _within(_DUTY, _APPROVER, _AUDITOR),
    Action.ATTACH: _within(_DUTY),
}

STEP_UP: Final = frozenset(
    {
        Action.APPROVE, Action.RELEASE, Action.RECORD_CALL, Action.RETRACT, Action.UNMASK, Action.ADMINISTER,
        Action.OWN_KEYS,
    }
)  # fmt: skip
"""What a session alone is not enough for: the second factor, a moment ago."""

BY_A_PERSON: Final = frozenset(
    {
        Action.APPROVE, Action.RELEASE, Action.RECORD_CALL, Action.OBJECT, Action.UNMASK, Action.ADMINISTER,
        Action.LEAVE, Action.OWN_ACCOUNT, Action.OWN_KEYS, Action.HAND_OVER, Action.ATTACH,
    }
)  # fmt: skip
"""What no token does."""


NOT_BY_TOKEN: Final = frozenset({Action.RETRACT})
"""What a source may by its own token, and no system by one that an administrator made."""

SEEN_ASLEEP: Final = frozenset({Action.LOOK, Action.GATEWAYS, Action.LEAVE})
"""What stays on the wall while nobody touches it; and the way out."""


class Means(StrEnum):
    """How whoever asks showed who he is. A visitor showed nothing: he is at this machine, where nothing is real."""

    SESSION = "session"
    TOKEN = "token"  # noqa: S105 - a word
    SOURCE = "source"
    VISITOR = "visitor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Whoever asks. `scope`: area codes; `id` is the account's, the token's or the source's; `stepped_up`: the second factor
    was shown a moment ago."""

    means: Means
    id: str
    name: str
    role: AccountRole
    scope: tuple[str, ...]
    stepped_up: bool = False
    asleep: bool = False
    """Nobody touched his session for a while: what he sees stays, and nothing can be done."""

    @property
    def actor(self) -> str:
        """As the log has it."""
        return f"{'account' if self.means is Means.SESSION else self.means}:{self.id}"


def in_person(account: Account, *, stepped_up: bool = True, asleep: bool = False) -> Principal:
    """Whoever an account belongs to, come by himself."""
    return Principal(
        means=Means.SESSION,
        id=account.id,
        name=account.name,
        role=AccountRole(account.role),
        scope=account.scope,
        stepped_up=stepped_up,
        asleep=asleep,
    )


class Denial(StrEnum):
    """Why not."""

    ROLE = "role"
    AREA = "area"
    PERSON = "person"
    ASLEEP = "asleep"
    STEP_UP = "step_up"


def denial(principal: Principal, action: Action, areas: Collection[str] | None = None) -> Denial | None:
    """None where he may. `areas`: codes of any level that it is about; None where it is about none, or where what is shown is
    cut to his own area afterwards; empty where it is about an area nobody knows, which only whoever has all may touch."""
    reach = RULES[action].get(principal.role)
    if reach is None:
        return Denial.ROLE
    if _needs_a_person(principal.means, action):
        return Denial.PERSON
    if principal.asleep and action not in SEEN_ASLEEP:
        return Denial.ASLEEP
    if areas is not None and not _reaches(reach, principal.scope, areas):
        return Denial.AREA
    if action in STEP_UP and principal.means is Means.SESSION and not principal.stepped_up:
        return Denial.STEP_UP
    return None


def may_once_awake(principal: Principal, action: Action, areas: Collection[str] | None = None) -> bool:
    """Whether he may as soon as he has shown himself again: what a page offers him, and pressing it asks for the code."""
    return denial(replace(principal, asleep=False, stepped_up=True), action, areas) is None


def _needs_a_person(means: Means, action: Action) -> bool:
    if action in NOT_BY_TOKEN and means is Means.TOKEN:
        return True
    return action in BY_A_PERSON and means is not Means.SESSION


def _reaches(reach: Reach, scope: tuple[str, ...], areas: Collection[str]) -> bool:
    if reach is Reach.ANYWHERE:
        return True
    own = tuple(map(stem, scope))
    found = [stem(area) for area in areas]
    match reach:
        case Reach.WITHIN:
            return bool(found) and all(one.startswith(own) for one in found)
        case Reach.TOUCHING:
            return any(one.startswith(own) or any(mine.startswith(one) for mine in own) for one in found)
        case _:
            assert_never(reach)
