"""Jinja2, set up once a language; how times, numbers and states read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from channels.contract import MIXED
from dispatcher.model import BEIJING, Channel, Kind, Level
from dispatcher.planning import NOT_SENT_CHINESE
from dispatcher.states import DeliveryState, WarningState
from dispatcher.web.console.catalogue import CATALOGUES, CHINESE, Catalogue
from dispatcher.web.console.preferences import Preferences

HERE: Final = Path(__file__).parent
STATIC: Final = HERE / "static"

KIND_CHINESE: Final[Mapping[Kind, str]] = {
    Kind.ALERT: "首发",
    Kind.UPDATE: "更新",
    Kind.CANCEL: "解除",
    Kind.ACK: "确认",
    Kind.ERROR: "差错",
}
AGAIN_CHINESE: Final[Mapping[str, str]] = {
    "no_connection": "连不上对方",
    "connect_timeout": "连接超时",
    "timeout": "对方没有应答",
    "name_unknown": "域名解析不出",
    "tls_config": "对方证书有误",
    "no_receipt": "没有等到回执",
    "resting": "对方故障，暂停片刻",
    "quiet_hours": "夜间不响，等到天亮",
    "http_429": "对方限流",
    "http_503": "对方故障",
    "plan_changed": "与批准的方案不符，没有发出",
    "250": "250 没有有效签发，没有发出",
    MIXED: "240 演练与实战混用，已拦下",
}
"""Why a row waits or did not leave, where we know the code; another's is shown as it is."""
EVENT_CHINESE: Final[Mapping[str, str]] = {
    "warning.accepted": "收到并入库",
    "warning.held": "待人工核定",
    "warning.approved": "签发",
    "warning.dispatched": "全部发出",
    "warning.completed": "办结",
    "warning.superseded": "被更新版本取代",
    "warning.cancelled": "解除",
    "warning.expired": "过期",
    "warning.drafted": "拟制",
    "warning.taken_up": "接手拟制",
    "warning.edited": "修改，先前的签名作废",
    "warning.submitted": "送签",
    "warning.returned": "退回",
    "warning.discarded": "作废",
    "warning.reviewed": "领导复核",
    "approval.paged": "通知签发人",
    "approval.page_failed": "签发通知没有发出去，请改用电话",
    "approval.objected": "领导对电话签发提出异议",
    "approval.ink_slip": "书面签批单已交",
    "approval.scanned": "存入签批单扫描件",
    "warning.unsigned": "没有有效签发，拒绝发送（250）",
    "warning.plan_changed": "与批准的方案不符，拒绝发送",
    "warning.row_refused": "台账中有不在签发名单上的行，已拒绝",
    "warning.drill_mixed": "演练与实战混用，已拦下（240）",
    "audit.anchor": "操作日志存下锚点",
}


def clock_time(at: datetime | None) -> str:
    return at.astimezone(BEIJING).strftime("%H:%M:%S") if at else "—"


def full_time(at: datetime | None) -> str:
    return at.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S") if at else "—"


def short_time(at: datetime | None) -> str:
    return at.astimezone(BEIJING).strftime("%m-%d %H:%M") if at else "—"


def grouped(number: int) -> str:
    return f"{number:,}"


def percent(share: float | None) -> str:
    """Never 100 % before it is whole, never 0 % when something came."""
    if share is None:
        return "—"
    if 0 < share < 1:
        return f"{min(99.9, max(0.1, share * 100)):.1f}%"
    return f"{share:.0%}"


Gettext = Callable[[str], str]


def _span_in(gettext: Gettext) -> Callable[[datetime | None, datetime | None], str]:
    def span(begin: datetime | None, end: datetime | None) -> str:
        """How long after: +0.4 秒, +2 分 08 秒."""
        if begin is None or end is None:
            return ""
        seconds = max(0.0, (end - begin).total_seconds())
        if seconds < 60:
            return gettext("+%(s)s 秒") % {"s": f"{seconds:.1f}"}
        minutes, rest = divmod(round(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        if hours:
            return gettext("+%(h)s 小时 %(m)s 分") % {"h": hours, "m": f"{minutes:02d}"}
        return gettext("+%(m)s 分 %(s)s 秒") % {"m": minutes, "s": f"{rest:02d}"}

    return span


span: Final = _span_in(CATALOGUES[CHINESE].gettext)


def level_word(level: str | None) -> str:
    return Level(level).chinese if level else "无级别"


def level_roman(level: str | None) -> str:
    return Level(level).roman if level else "—"


def state_word(state: str) -> str:
    return WarningState(state).chinese


def channel_word(channel: str) -> str:
    return Channel(channel).chinese


def kind_word(kind: str) -> str:
    return KIND_CHINESE[Kind(kind)]


def delivery_word(state: DeliveryState) -> str:
    return state.chinese


def event_word(kind: str) -> str:
    return EVENT_CHINESE.get(kind, kind)


def not_sent_word(code: str) -> str:
    return NOT_SENT_CHINESE.get(code, code)


def again_word(code: str) -> str:
    return AGAIN_CHINESE.get(code) or NOT_SENT_CHINESE.get(code, code)


def _in_words(gettext: Gettext) -> dict[str, Callable[..., str]]:
    """The filters that turn what is kept into a word of the language."""
    chinese: dict[str, Callable[..., str]] = {
        "level": level_word, "state": state_word, "channel": channel_word, "kind": kind_word, "delivery": delivery_word,
        "event": event_word, "again": again_word, "not_sent": not_sent_word,
    }  # fmt: skip

    def translated(word: Callable[..., str]) -> Callable[..., str]:
        return lambda value: gettext(word(value))

    return {name: translated(word) for name, word in chinese.items()} | {"tr": gettext}


def _environment(catalogue: Catalogue) -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        clock=clock_time, full=full_time, short=short_time, grouped=grouped, percent=percent, roman=level_roman
    )
    made.filters.update(_in_words(catalogue.gettext))
    made.globals.update(span=_span_in(catalogue.gettext))
    made.policies["ext.i18n.trimmed"] = True
    made.install_gettext_callables(catalogue.gettext, catalogue.ngettext, newstyle=True)  # type: ignore[attr-defined]
    return made


_PAGES: Final = {language: _environment(catalogue) for language, catalogue in CATALOGUES.items()}


def render(template: str, values: Mapping[str, object], language: str = CHINESE) -> str:
    return _PAGES[language].get_template(template).render(values)


def error_page(said: Mapping[str, object], look: Preferences, *, training: bool) -> str:
    return render("error.html", {**said, "training": training, "look": look}, look.language)
