"""Somebody who follows the live stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.browser.standing import House


@dataclass
class Viewer:
    answer: aiohttp.ClientResponse

    async def next(self, name: str) -> tuple[str, Any]:
        """The id and data of the next event of that name; others are passed by."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(15):
            while line := await self.answer.content.readline():
                text = line.decode().rstrip("\r\n")
                if text:
                    field, _, value = text.partition(": ")
                    fields[field] = value
                elif fields.get("event") == name:
                    data = fields.get("data", "")
                    return fields.get("id", ""), json.loads(data) if data.startswith("{") else data
                else:
                    fields = {}
        raise AssertionError("the stream ended")

    async def told_delivered(self, channel: str) -> None:
        """Until the stream has said that something of this channel was delivered."""
        while not (await self.next("counts"))[1]["channels"][channel]["delivered"]:
            continue


@asynccontextmanager
async def watching(house: House, **headers: str) -> AsyncIterator[Viewer]:
    async with house.http.get(f"{house.url}/api/v1/live", headers=headers) as answer:
        assert (answer.status, answer.content_type) == (200, "text/event-stream")
        viewer = Viewer(answer)
        await viewer.next("hello")
        yield viewer
