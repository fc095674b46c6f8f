"""Twilio's SDK on our own line, for look-ups. It brings sixteen megabytes along, so it is loaded with the first of them."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec
from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from channels.contract import NotKnown
from channels.transport import Answer
from channels.twilio import Account


def client(account: Account) -> Client:
    return Client(account.sid, account.token, http_client=OnOurLine(account))


class OnOurLine(AsyncHttpClient):
    """The SDK's requests go through our connections, limits and guard, to the base URL we were given."""

    def __init__(self, account: Account) -> None:
        super().__init__(logging.getLogger("twilio"), True)
        self._account = account

    async def request(  # type: ignore[override]  # as the SDK's own asynchronous client does
        self, method: str, uri: str, params: Any = None, data: Any = None, *_: Any, **__: Any
    ) -> Response:
        """Raises TimeoutError or OSError where there is no answer that can be read."""
        asked = urlsplit(uri)
        query = urlencode(params or {}) or asked.query
        url = f"{self._account.base_url}{asked.path}" + (f"?{query}" if query else "")
        body = urlencode(data).encode() if data else None
        answer = await self._account.line.request(method, url, body, self._account.headers)
        if isinstance(answer, NotKnown):
            raise TimeoutError(answer.reason)
        if not isinstance(answer, Answer):
            raise OSError(answer.reason)
        if answer.status >= 400 or not _says_something(answer.body):
            raise OSError(f"查询失败（HTTP {answer.status}）")
        return Response(answer.status, answer.text, answer.headers)


def _says_something(body: bytes) -> bool:
    """A JSON object that is not empty; else the SDK would raise what is not ours."""
    try:
        return bool(msgspec.json.decode(body, type=dict))
    except (ValueError, RecursionError):
        return False
