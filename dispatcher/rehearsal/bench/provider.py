"""Two providers of the benchmark's own: one plain POST a message, and one that takes 100 numbers a request.

They do the least a provider can do through the house's own line, so that what is measured is the engine and not somebody's
interface. The path names the level, so that the sink can tell a red from the blue it overtakes, and a call-off from what it
calls off.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

from pydantic import ConfigDict

from channels.catalog import PROVIDERS, ProviderKind
from channels.contract import Accepted, Blame, Message, Outcome, ProviderSettings
from channels.transport import Answer, Transport, judge
from dispatcher.model import Kind
from dispatcher.rehearsal.bench.wire import CALL_OFF, FORM, head_of, tail_of

JSON: Final = {"Content-Type": "application/json"}
NUMBERS: Final = 100


@lru_cache(maxsize=512)
def _quoted(text: str) -> str:
    return json.dumps(text)


class BenchSettings(ProviderSettings):
    """Takes the place of any provider of channels.yaml, whatever that one has besides."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Plain:
    """One message a request, encoded once a text; its 2xx is the proof."""

    max_batch = 1

    def __init__(self, settings: ProviderSettings, transport: Transport, callback_url: str) -> None:
        self._base = settings.base_url
        self._line = transport.line(in_flight=settings.in_flight, timeout_s=settings.timeout_s)
        self._urls: dict[tuple[int, str], str] = {}

    async def send(self, batch: Sequence[Message], now: datetime) -> list[Outcome]:
        return [await self._send(message, now) for message in batch]

    async def _send(self, message: Message, now: datetime) -> Outcome:
        about = message.bulletin.rank, message.bulletin.kind
        url = self._urls.get(about)
        if url is None:
            url = self._urls[about] = f"{self._base}/{about[0]}/{CALL_OFF if about[1] == Kind.CANCEL else 'plain'}"
        answer = await self._line.post(url, head_of(message.to, message.id) + tail_of(message.text), FORM)
        if not isinstance(answer, Answer):
            return answer
        return judge(answer, now, blame=Blame.ACCOUNT) or Accepted(delivered=True)

    async def close(self) -> None:
        await self._line.close()


class Batch:
    """100 numbers a request, each text once a request."""

    max_batch = NUMBERS

    def __init__(self, settings: ProviderSettings, transport: Transport, callback_url: str) -> None:
        self._url = f"{settings.base_url}/batch"
        self._line = transport.line(in_flight=settings.in_flight, timeout_s=settings.timeout_s)

    async def send(self, batch: Sequence[Message], now: datetime) -> list[Outcome]:
        by_text: dict[str, list[str]] = {}
        for message in batch:
            by_text.setdefault(message.text, []).append(message.to)
        groups = (f'{{"text":{_quoted(text)},"to":["{_LIST.join(to)}"]}}' for text, to in by_text.items())
        answer = await self._line.post(self._url, f"[{','.join(groups)}]".encode(), JSON)
        if not isinstance(answer, Answer):
            return [answer] * len(batch)
        return [judge(answer, now, blame=Blame.ACCOUNT) or Accepted(delivered=True)] * len(batch)

    async def close(self) -> None:
        await self._line.close()


_LIST: Final = '","'


def register() -> None:
    """Their rows in the catalog, for this process alone."""
    for channel in PROVIDERS.values():
        channel["plain"] = ProviderKind(BenchSettings, Plain)
    PROVIDERS["sms"]["batch"] = ProviderKind(BenchSettings, Batch)
