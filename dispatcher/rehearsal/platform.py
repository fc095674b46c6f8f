"""All party-building platforms on one server, `/platforms/{id}`: they check the signature and answer 204.

Its log line: recipient (the endpoint's id), key (webhook-id, the delivery key), digest, type, drill, areas, repeat (this
id was here before), text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aiohttp import web
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook, WebhookVerificationError

from dispatcher.rehearsal.faults import Fate, Faults
from dispatcher.rehearsal.player import Player
from dispatcher.rehearsal.reports import Reports


class Platforms(Player):
    def __init__(self, log: Path, faults: Faults, reports: Reports, clock: Callable[[], float]) -> None:
        super().__init__(log, faults, reports, clock)
        self._webhooks: dict[str, list[Webhook]] = {}
        self._seen: set[tuple[str, str]] = set()

    def know(self, secrets: Mapping[str, list[str]]) -> None:
        """Endpoint → its secrets, two during a rotation. ValueError where one is no secret."""
        try:
            self._webhooks.update({name: [Webhook(one) for one in both] for name, both in secrets.items()})
        except EmptyWebhookSecretError as error:
            raise ValueError("密钥不能为空") from error

    async def direct(self, request: web.BaseRequest) -> web.StreamResponse:
        """POST secrets: `{endpoint: [secret, …]}`; the rest as every player."""
        if (request.method, request.path) != ("POST", "/_rehearsal/secrets"):
            return await super().direct(request)
        try:
            self.know(json.loads(await request.read()))
        except (ValueError, AttributeError, TypeError) as error:
            return web.Response(status=400, text=str(error))
        return web.Response(status=204)

    async def play(self, request: web.BaseRequest) -> web.StreamResponse:
        root, _, endpoint = request.path.strip("/").partition("/")
        if root != "platforms" or not endpoint or request.method != "POST":
            return web.Response(status=404)
        body = await request.read()
        event = self._genuine(endpoint, body, request.headers)
        if event is None:
            self.mischief.counts["forged"] += 1
            return web.Response(status=401, text="签名不符")
        key = request.headers["webhook-id"]
        fate = self.mischief.fate(endpoint, key)
        if fate.taken:
            self._take(endpoint, key, event)
        return await self.end(request, fate, web.Response(status=410 if fate is Fate.REFUSE else 204))

    def _genuine(self, endpoint: str, body: bytes, headers: Mapping[str, str]) -> dict[str, Any] | None:
        """The event, if one of the endpoint's secrets signed it within five minutes."""
        for webhook in self._webhooks.get(endpoint, []):
            try:
                event = webhook.verify(body, dict(headers))
            except (WebhookVerificationError, ValueError):
                continue
            return event if isinstance(event, dict) and isinstance(event.get("data"), dict) else None
        return None

    def _take(self, endpoint: str, key: str, event: dict[str, Any]) -> None:
        data = event["data"]
        self.log.write(
            recipient=endpoint,
            key=key,
            text=str(data.get("text", "")),
            type=event.get("type"),
            drill=data.get("drill"),
            areas=data.get("areas"),
            repeat=(endpoint, key) in self._seen,
        )
        self._seen.add((endpoint, key))
