"""SMS by Twilio. In mainland China it is the reserve: no replies come back, no links go out, fines are heavy.

Twilio has no idempotency key: a request that ran out of time after its bytes were written is NotKnown, and a second
one is a second SMS that costs money. So what is in doubt is looked up by number and text before it is sent again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from urllib.parse import quote, quote_plus

from msgspec.structs import replace
from pydantic import Field, SecretStr

from channels.contract import (
    Accepted,
    Asked,
    Callback,
    Malformed,
    Message,
    NotConfigured,
    Outcome,
    ProviderSettings,
    Reading,
    Receipt,
    ReceiptState,
)
from channels.text import percent_encoded
from channels.transport import Answer, Transport, trace
from channels.twilio import HOME, Account, explain


class TwilioSettings(ProviderSettings):
    """Either `sender` (a number, E.164) or `messaging_service_sid` (MG…)."""

    base_url: str = HOME
    account_sid: str | None = None
    auth_token: SecretStr | None = None
    sender: str | None = None
    messaging_service_sid: str | None = None
    window: int = Field(default=64, ge=1, le=4096)
    look_up: bool = True


STATES = {
    "accepted": ReceiptState.SENT,
    "scheduled": ReceiptState.SENT,
    "queued": ReceiptState.SENT,
    "sending": ReceiptState.SENT,
    "sent": ReceiptState.SENT,  # handed to the carrier: not a delivery
    "delivered": ReceiptState.DELIVERED,
    "read": ReceiptState.DELIVERED,
    "partially_delivered": ReceiptState.UNDELIVERED,
    "undelivered": ReceiptState.UNDELIVERED,
    "failed": ReceiptState.FAILED,
    "canceled": ReceiptState.FAILED,
}
"""A word that is not here says nothing about a message of ours (receiving, received, or one yet to be invented)."""

LONGEST_S = 36_000
"""Twilio's longest validity."""


class TwilioSms:
    max_batch = 1

    def __init__(self, settings: TwilioSettings, transport: Transport, callback_url: str) -> None:
        token = settings.auth_token.get_secret_value() if settings.auth_token else ""
        if not settings.account_sid or not token:
            missing = settings.variables("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", between=" 和 ")
            raise NotConfigured(f"短信 Twilio 未启用：请设置环境变量 {missing}")
        if not settings.sender and not settings.messaging_service_sid:
            missing = settings.variables("TWILIO_SENDER", "TWILIO_MESSAGING_SERVICE_SID", between=" 或 ")
            raise NotConfigured(f"短信 Twilio 未启用：请设置环境变量 {missing}")
        self._line = transport.line(in_flight=settings.in_flight, timeout_s=settings.timeout_s)
        self._account = Account(self._line, settings.base_url, settings.account_sid, token)
        self._callback = quote_plus(f"{callback_url}/")
        self._from = (
            f"MessagingServiceSid={quote_plus(settings.messaging_service_sid)}"
            if settings.messaging_service_sid
            else f"From={quote_plus(settings.sender or '')}"
        )

    async def send(self, batch: Sequence[Message], now: datetime) -> list[Outcome]:
        return [await self._send(message, now) for message in batch]

    async def _send(self, message: Message, now: datetime) -> Outcome:
        left = int((message.bulletin.expires - now).total_seconds())
        callback = self._callback + _quoted(message.id)
        form = (
            f"To={_number(message.to)}&{self._from}&StatusCallback={callback}"
            f"&ValidityPeriod={max(1, min(LONGEST_S, left))}&Body={percent_encoded(message.text)}"
        )
        answer = await self._account.post("Messages", form.encode("ascii"))
        outcome = self._account.outcome(answer, now, message.to) if isinstance(answer, Answer) else answer
        if isinstance(outcome, Accepted):
            return outcome
        said = answer if isinstance(answer, Answer) else None
        blot = (message.to, message.to.removeprefix("+"))
        return replace(outcome, trace=trace(f"POST Messages.json\n{form}", said, blot))

    def read(self, callback: Callback, now: datetime) -> Reading:
        """A status callback. The delivery key stands in the signed URL; unknown fields and words are let pass."""
        form = self._account.genuine(callback)
        sid, word, code = form.get("MessageSid", ""), form.get("MessageStatus", ""), form.get("ErrorCode", "")
        if not sid or not word or not callback.token:
            raise Malformed("回执缺少 MessageSid、MessageStatus 或投递编号")
        state = STATES.get(word)
        if state is None:
            return Reading()
        receipt = Receipt(state=state, id=callback.token, ref=sid, code=code, detail=explain(code) or word)
        return Reading(receipts=(receipt,))

    async def ask(self, batch: Sequence[Message], now: datetime) -> list[Asked]:
        """Looks up by number and text, since the warning was issued: the newest hit is what became of it."""
        return [await self._ask(message) for message in batch]

    async def _ask(self, message: Message) -> Asked:
        from channels.twilio_sdk import client  # noqa: PLC0415 - with the first look-up, not before

        since = message.bulletin.sent - timedelta(minutes=5)
        try:
            found = await client(self._account).messages.list_async(to=message.to, limit=20, page_size=20)
        except (TimeoutError, OSError) as error:
            return Asked(id=message.id, code="no_answer", reason=str(error))
        for item in found:
            state = STATES.get(str(item.status))
            if state and item.body == message.text and item.date_created and item.date_created >= since:
                code = str(item.error_code or "")
                return Asked(id=message.id, receipt=Receipt(state=state, id=message.id, ref=item.sid or "", code=code))
        return Asked(id=message.id)

    async def close(self) -> None:
        await self._line.close()


def _quoted(key: str) -> str:
    """In a URL that stands in a form; a delivery's key is mostly its own code, and finding that out takes a quarter of it."""
    plain = key.isascii() and key.replace(".", "").replace("-", "").isalnum()
    return key if plain else quote_plus(quote(key, safe=""))


def _number(to: str) -> str:
    """A number is its own encoding but for the plus: at ten thousand a second, the general way is a tenth of the sending."""
    return f"%2B{to[1:]}" if to[:1] == "+" and to[1:].isdigit() else quote_plus(to)
