"""Which kinds of provider there are: a plain table, no discovery. Only the dispatcher's `service` reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from channels.broadcast.gateway import EbmGateway, EbmSettings
from channels.contract import NotConfigured, Provider, ProviderSettings
from channels.pacing import Paced
from channels.party.webhook import PartyWebhook, WebhookSettings
from channels.sms.aliyun import AliyunSettings, AliyunSms
from channels.sms.twilio import TwilioSettings, TwilioSms
from channels.transport import Transport


class BadSettings(Exception):
    """A provider's settings in channels.yaml are wrong: one fault a line, `channel.name.key: what`."""


@dataclass(frozen=True, slots=True)
class ProviderKind:
    """`make(settings, transport, callback_url)`; it may raise NotConfigured."""

    settings: type[ProviderSettings]
    make: Callable[[Any, Transport, str], Provider]


PROVIDERS: dict[str, dict[str, ProviderKind]] = {
    "sms": {
        "aliyun": ProviderKind(AliyunSettings, AliyunSms),
        "twilio": ProviderKind(TwilioSettings, TwilioSms),
    },
    "voice": {},
    "broadcast": {"ebm": ProviderKind(EbmSettings, EbmGateway)},
    "party": {
        "webhook": ProviderKind(WebhookSettings, lambda settings, transport, _: PartyWebhook(settings, transport))
    },
}


def build(channel: str, name: str, settings: Mapping[str, Any], transport: Transport, callback_url: str) -> Paced:
    """One provider of channels.yaml, paced. `callback_url`: `{public URL}/api/v1/callbacks`; the rest is added here.

    Raises BadSettings, or NotConfigured where it lacks its account: it stays off, which is no fault.
    """
    kind, checked = check(channel, name, settings)
    if checked.drill and not checked.base_url:
        where = checked.variables(f"{checked.kind.upper()}_BASE_URL")
        raise NotConfigured(f"演练接口未启用：请设置环境变量 {where}（演练专用的地址，不是登记册里的）")
    return Paced(kind.make(checked, transport, f"{callback_url.rstrip('/')}/{channel}/{name}"), checked)


def check(channel: str, name: str, settings: Mapping[str, Any]) -> tuple[ProviderKind, ProviderSettings]:
    """The kind and the typed settings, without building anything; raises BadSettings."""
    kinds = PROVIDERS.get(channel, {})
    kind = kinds.get(str(settings.get("kind", name)))
    if kind is None:
        raise BadSettings(f"{channel}.{name}.kind: 没有这种服务商，可用的有：{'、'.join(kinds) or '（无）'}")
    given = {key: value for key, value in settings.items() if value is not None}  # an unset ${NAME} is the default
    try:
        return kind, kind.settings.model_validate({"kind": name, **given})
    except ValidationError as error:
        faults = [
            f"{channel}.{name}.{'.'.join(map(str, f['loc']))}: {_chinese(f['type'], f['msg'])}" for f in error.errors()
        ]
        raise BadSettings("\n".join(faults)) from error


def _chinese(kind: str, message: str) -> str:
    said = message.removeprefix("Value error, ")
    return {"extra_forbidden": "没有这个设置项（是不是拼错了？）", "missing": "缺少这一项"}.get(kind, said)
