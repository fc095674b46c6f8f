"""SMS by Aliyun (阿里云短信), the way into mainland China: approved templates, batches, receipts, replies (上行短信).

Aliyun knows no idempotency: a request that ran out of time after its bytes were written is NotKnown, and is looked up by
number and warning before it is sent again. A request is taken or refused whole, so one that is refused for the sake of
one number or text is cut in halves until that one stands alone: nothing of it had left. Aliyun does not sign what it
pushes; a token in our address stands for that, and without one nothing pushed is believed.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace
from pydantic import Field, SecretStr, model_validator

from channels import aliyun
from channels.blotting import blotted
from channels.contract import (
    Accepted,
    Asked,
    Blame,
    Callback,
    Forged,
    Message,
    NotConfigured,
    Outcome,
    ProviderSettings,
    Reading,
    Refused,
    Reply,
)
from channels.text import unsigned
from channels.transport import Answer, Transport, trace


class AliyunSettings(ProviderSettings):
    """`template_param`: the template's one variable, which bears the whole text but the signature in front."""

    base_url: str = aliyun.HOME
    region: str = "cn-hangzhou"
    access_key_id: str | None = None
    access_key_secret: SecretStr | None = None
    sign_name: str | None = None
    template_code: str | None = None
    template_param: str = "content"
    callback_token: SecretStr | None = Field(default=None, min_length=16)
    batch: int = Field(default=100, ge=1, le=1000, description="messages in one call of ours; two fit into the window")
    look_up: bool = True
    follow: bool = True
    follow_after_s: float = Field(default=300, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _asked_at_once_where_nothing_is_pushed(cls, given: Any) -> Any:
        if isinstance(given, dict) and not given.get("callback_token"):
            return {**given, "follow_after_s": 0}
        return given


ABROAD = Refused(code="abroad", reason="不是内地手机号码，这个接口发不到", blame=Blame.ADDRESS)
LATE = "阿里云没有在时限内答完"
THANKS = Reply(status=200, body='{"code": 0, "msg": "成功"}'.encode(), content_type="application/json")


class AliyunSms:
    def __init__(self, settings: AliyunSettings, transport: Transport, callback_url: str) -> None:
        secret = settings.access_key_secret.get_secret_value() if settings.access_key_secret else ""
        key, sign_name, template = settings.access_key_id or "", settings.sign_name or "", settings.template_code or ""
        wanted = {"ACCESS_KEY_ID": key, "ACCESS_KEY_SECRET": secret, "SIGN_NAME": sign_name, "TEMPLATE_CODE": template}
        if missing := [f"ALIYUN_{name}" for name, value in wanted.items() if not value]:
            raise NotConfigured(f"阿里云短信未启用：请设置环境变量 {settings.variables(*missing)}")
        self._sign_name, self._template, self._variable = sign_name, template, settings.template_param
        self._token = settings.callback_token.get_secret_value() if settings.callback_token else ""
        line = transport.line(in_flight=settings.in_flight, timeout_s=settings.timeout_s)
        asking = transport.line(in_flight=aliyun.ASKING, timeout_s=settings.timeout_s)
        self._account = aliyun.Account((line, asking), settings.base_url, settings.region, (key, secret))
        self._patience_s = settings.timeout_s * 0.8
        self.max_batch = settings.batch

    async def send(self, batch: Sequence[Message], now: datetime) -> list[Outcome]:
        outcomes: list[Outcome] = [ABROAD] * len(batch)
        async with asyncio.TaskGroup() as group:
            calls = {
                group.create_task(self._call([batch[at] for at in places], now)): places
                for places in aliyun.split(batch)
            }
        for task, places in calls.items():
            for at, outcome in zip(places, task.result(), strict=True):
                outcomes[at] = outcome
        return outcomes

    async def _call(self, messages: Sequence[Message], now: datetime) -> list[Outcome]:
        action, query, form = self._request(messages)
        answer = await self._account.call(action, query, form, now)
        outcome = aliyun.outcome(answer, now)
        if isinstance(outcome, Accepted):
            return [outcome] * len(messages)
        if len(messages) > 1 and outcome.code in aliyun.OF_ONE:
            half = len(messages) // 2
            first, second = await asyncio.gather(self._call(messages[:half], now), self._call(messages[half:], now))
            return aliyun.told_apart([*first, *second])
        blot = tuple([number for one in messages for number in (one.to, one.to[1:], aliyun.plain(one))])
        outcome = replace(outcome, code=blotted(outcome.code, blot), reason=blotted(outcome.reason, blot)[:240])
        said = answer if isinstance(answer, Answer) else None
        head = f"POST {action}，{query['OutId']}，{len(messages)} 条"
        return [replace(outcome, trace=trace(f"{head}\n{one.text}", said, blot)) for one in messages]

    def _request(self, messages: Sequence[Message]) -> tuple[str, dict[str, str], dict[str, str]]:
        """The action, and its parameters in the query and in the form, where each belongs."""
        query = {"TemplateCode": self._template, "OutId": aliyun.out_id(messages)}
        numbers = [aliyun.plain(one) for one in messages]
        texts = [{self._variable: unsigned(one.text)} for one in messages]
        if all(text == texts[0] for text in texts):
            query |= {"SignName": self._sign_name, "PhoneNumbers": ",".join(numbers), "TemplateParam": _json(texts[0])}
            return "SendSms", query, {}
        form = {"PhoneNumberJson": _json(numbers), "SignNameJson": _json([self._sign_name] * len(numbers))}
        return "SendBatchSms", query, {**form, "TemplateParamJson": _json(texts)}

    def read(self, callback: Callback, now: datetime) -> Reading:
        if not self._token or not hmac.compare_digest(self._token.encode(), callback.token.encode()):
            raise Forged("推送地址里的口令不符，或没有设置 callback_token")
        receipts, uplinks = aliyun.pushed(callback.body, self._token.encode())
        return Reading(receipts=receipts, uplinks=uplinks, reply=THANKS)

    async def ask(self, batch: Sequence[Message], now: datetime) -> list[Asked]:
        """Each by number and day. Whoever asks has a limit of his own: what is not answered by then must not cost the rest."""
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(self._account.look_up(message, now)) for message in batch]
            _, late = await asyncio.wait(asked, timeout=self._patience_s)
            for task in late:
                task.cancel()
        return [
            Asked(id=message.id, code="no_answer", reason=LATE) if task.cancelled() else task.result()
            for message, task in zip(batch, asked, strict=True)
        ]

    async def close(self) -> None:
        await self._account.close()


def _json(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))
