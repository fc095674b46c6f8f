"""A provider as a newcomer writes it: a township's own text gateway that speaks JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace
from pydantic import SecretStr

from channels.contract import Accepted, Blame, Message, NotConfigured, NotKnown, Outcome, ProviderSettings, Refused
from channels.transport import Answer, Transport, judge, trace


class TownSettings(ProviderSettings):
    token: SecretStr | None = None


ERRORS = {
    101: (Blame.ADDRESS, "号码有误"),
    102: (Blame.MESSAGE, "内容含敏感词"),
    103: (Blame.ACCOUNT, "余额不足"),
}


class TownSms:
    max_batch = 100

    def __init__(self, settings: TownSettings, transport: Transport, callback_url: str) -> None:
        if settings.token is None:
            raise NotConfigured("乡镇短信未启用：请设置环境变量 MINGLUO_TOWN_TOKEN")
        self._url = f"{settings.base_url}/send"
        self._headers = {"Authorization": settings.token.get_secret_value(), "Content-Type": "application/json"}
        self._line = transport.line(in_flight=settings.in_flight, timeout_s=settings.timeout_s)

    async def send(self, batch: Sequence[Message], now: datetime) -> list[Outcome]:
        items = [{"id": one.id, "to": one.to, "text": one.text} for one in batch]
        answer = await self._line.post(self._url, json.dumps(items).encode(), self._headers)
        if not isinstance(answer, Answer):
            return [answer] * len(batch)
        failure = judge(answer, now, blame=Blame.ACCOUNT)
        if failure is not None:
            return [failure] * len(batch)
        return [replace(one, trace=trace("POST /send", answer)) for one in _outcomes(answer, len(batch))]

    async def close(self) -> None:
        await self._line.close()


def _outcomes(answer: Answer, size: int) -> list[Outcome]:
    """`[{"ref": …} or {"error": 101}, …]`, one per item in order; anything else is no answer."""
    try:
        rows = json.loads(answer.body)
        return [_outcome(rows[at]) for at in range(size)]
    except (ValueError, KeyError, IndexError, TypeError):
        return [NotKnown(code="garbage", reason="应答无法读懂，可能已发出")] * size


def _outcome(row: dict[str, int]) -> Outcome:
    if "error" in row:
        blame, meaning = ERRORS[row["error"]]
        return Refused(code=str(row["error"]), reason=meaning, blame=blame)
    return Accepted(ref=str(row["ref"]))
