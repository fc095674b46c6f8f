"""Party-building platforms by Standard Webhooks 1.0.0: a signed JSON event; a 2xx is the proof that it arrived.

`webhook-id` is the delivery key, the same over all tries, so the platform knows a repetition. During a rotation both
secrets sign; a drill is signed by its own alone. The address comes from a third party and is watched as a stranger's: https,
no inner networks.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Self

from msgspec.structs import replace
from pydantic import Field, SecretStr, model_validator
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from channels.contract import Accepted, Blame, Message, NotConfigured, Outcome, ProviderSettings, Refused
from channels.transport import Answer, Transport, judge, located, trace


class WebhookSettings(ProviderSettings):
    """`secret`: a drill's, in place of those the endpoints have for what is real; only for a drill."""

    timeout_s: float = Field(default=15, gt=0, le=60)
    in_flight: int = Field(default=16, ge=1, le=2000)
    secret: SecretStr | None = None

    @model_validator(mode="after")
    def _a_secret_of_its_own_is_a_drills(self) -> Self:
        if self.secret is not None and not self.drill:
            raise ValueError("secret 只用于演练接口（drill: true）；实战用登记册里各端点自己的密钥")
        return self


LIMIT = 20_000
"""Bytes of body a receiver must take."""

GONE = Refused(code="gone", reason="对方已停用该地址（410），请联系平台并更新登记", blame=Blame.ADDRESS)


class PartyWebhook:
    max_batch = 1

    def __init__(self, settings: WebhookSettings, transport: Transport) -> None:
        if settings.drill and settings.secret is None:
            raise NotConfigured(f"党建平台演练未启用：请设置环境变量 {settings.variables('WEBHOOK_SECRET')}")
        self._settings = settings
        self._own = (settings.secret.get_secret_value(),) if settings.secret else ()
        self._line = transport.line(in_flight=settings.in_flight, timeout_s=settings.timeout_s, stranger=True)

    async def send(self, batch: Sequence[Message], now: datetime) -> list[Outcome]:
        return [await self._send(message, now) for message in batch]

    async def _send(self, message: Message, now: datetime) -> Outcome:
        body = event(message, now)
        if len(body.encode()) >= LIMIT:
            return Refused(code="too_large", reason="事件超过 20 kB，请把该端点按县拆分", blame=Blame.MESSAGE)
        secrets = self._own or message.secrets
        try:
            signature = " ".join(Webhook(secret).sign(message.id, now.astimezone(UTC), body) for secret in secrets)
        except (ValueError, EmptyWebhookSecretError):
            signature = ""
        if not signature:
            return Refused(code="no_secret", reason="该端点没有可用的签名密钥，请重新登记", blame=Blame.ACCOUNT)
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signature,
        }
        answer = await self._line.post(located(self._settings.base_url, message.to), body.encode(), headers)
        said = answer if isinstance(answer, Answer) else None
        return replace(_outcome(answer, now), trace=trace(f"POST webhook-id: {message.id}\n{body}", said, secrets))

    async def close(self) -> None:
        await self._line.close()


def _outcome(answer: Answer | Outcome, now: datetime) -> Outcome:
    if not isinstance(answer, Answer):
        return answer
    if answer.status == 410:
        return GONE
    return judge(answer, now, blame=Blame.ADDRESS) or Accepted(delivered=True)


def event(message: Message, now: datetime) -> str:
    """The body. `areas` are the village codes in which the platform has branches; times are ISO 8601. `chain_id` is the
    event: the latest under it holds."""
    about = message.bulletin
    data = {
        "warning_id": about.warning_id,
        "chain_id": about.chain_id,
        "identifier": about.identifier,
        "kind": about.kind,
        "drill": about.drill,
        "test": about.test,
        "level": about.level,
        "event": about.event,
        "event_code": about.event_code,
        "headline": about.headline,
        "text": message.text,
        "sender": about.sender,
        "sender_name": about.sender_name,
        "sent": about.sent.isoformat(),
        "starts": about.starts.isoformat(),
        "expires": about.expires.isoformat(),
        "areas": message.areas,
    }
    over = about.kind == "Cancel" or message.former
    kind = "warning.cancelled" if over else "warning.issued"
    return json.dumps(
        {"type": kind, "timestamp": now.isoformat(), "data": data}, ensure_ascii=False, separators=(",", ":")
    )
