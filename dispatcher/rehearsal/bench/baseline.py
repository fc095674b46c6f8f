"""What users build today: a Celery task a message, prefork, the Twilio SDK, a row each. A program of the benchmark alone.

It is as lean as such programs come (one INSERT a message, connections kept, no result backend), with Celery's defaults.
`python -m dispatcher.rehearsal.bench.baseline` enqueues; `celery -A dispatcher.rehearsal.bench.baseline worker` sends. It
needs Celery and a driver, which stand in the dev group: the service itself never sees them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import psycopg
from celery import Celery
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from dispatcher.rehearsal.bench.orders import live, now_s, obey

BROKER: Final = "BENCH_CELERY_BROKER"
DATABASE: Final = "BENCH_CELERY_DATABASE"
SINK: Final = "BENCH_CELERY_SINK"
ACCOUNT: Final = "AC00000000000000000000000000000001"
SENDER: Final = "+15005550006"
TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS sent (id bigserial PRIMARY KEY, recipient text, sid text, status text, at timestamptz)"
)
INSERT: Final = "INSERT INTO sent (recipient, sid, status, at) VALUES (%s, %s, %s, now())"
COUNT: Final = "SELECT count(*) FROM sent"
EMPTY: Final = "TRUNCATE sent"

app = Celery("baseline", broker=os.environ.get(BROKER, ""))
app.conf.broker_connection_retry_on_startup = True


class _ToTheSink(TwilioHttpClient):
    """The SDK's own synchronous client, pooled as it is by default, at another address."""

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        return super().request(method, url.replace("https://api.twilio.com", os.environ[SINK], 1), *args, **kwargs)


@cache
def _client() -> Client:
    return Client(ACCOUNT, "token", http_client=_ToTheSink())


@cache
def _rows() -> psycopg.Connection[Any]:
    return psycopg.connect(os.environ[DATABASE], autocommit=True)


@app.task(name="bench.send", ignore_result=True)  # type: ignore[untyped-decorator]  # Celery has no types
def send(to: str, text: str) -> None:
    """One message and its row."""
    message = _client().messages.create(to=to, from_=SENDER, body=text)
    _rows().execute(INSERT, (to, message.sid, message.status))


async def prepare(_order: Mapping[str, Any]) -> Mapping[str, Any]:
    _rows().execute(TABLE)
    return {}


async def enqueue(order: Mapping[str, Any]) -> Mapping[str, Any]:
    """Tasks one after the other, as a view or a command does it."""
    _rows().execute(EMPTY)
    began = now_s()
    await asyncio.to_thread(_enqueue, int(order["count"]), order["text"])
    return {"began": began, "enqueued": now_s()}


def _enqueue(count: int, text: str) -> None:
    for number in range(count):
        send.delay(f"+86{15_400_000_000 + number}", text)


async def landed(order: Mapping[str, Any]) -> Mapping[str, Any]:
    """When the last row was there."""
    while True:
        (count,) = _rows().execute(COUNT).fetchone() or (0,)
        if count >= order["count"]:
            return {"settled": now_s()}
        await asyncio.sleep(0.02)


if __name__ == "__main__":
    live(obey({"prepare": prepare, "enqueue": enqueue, "landed": landed}, {}))
