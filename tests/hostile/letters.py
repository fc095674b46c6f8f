"""Warnings as an attacker writes them: an honest one in native JSON to be changed, and what the doors say of it."""

from __future__ import annotations

import io
import json
from typing import Any

from dispatcher.intake.native import CONTENT_TYPE
from tests.browser.standing import HELD_TOKEN, SENT, House

WARNINGS = "/api/v1/warnings"
LINT = "/api/v1/warnings/lint"


def native(identifier: str, **changes: Any) -> dict[str, Any]:
    """A red rainstorm warning for one township."""
    return {
        "sender": "36080041600000",
        "identifier": identifier,
        "sent": SENT.isoformat(),
        "status": "Actual",
        "kind": "Alert",
        "event": "暴雨",
        "level": "red",
        "sender_name": "吉安市气象台",
        "headline": "吉安市气象台发布暴雨红色预警",
        "description": "碧洲镇三小时内有大暴雨。",
        "areas": [{"description": "碧洲镇", "geocodes": ["360827102"]}],
        **changes,
    }


TEXTS = (
    "sender_name",
    "event",
    "headline",
    "description",
    "instruction",
    "contact",
    "note",
    "restriction",
    "area",
    "reason",
)
"""Every field in which words may stand."""


def saying(identifier: str, field: str, words: str) -> dict[str, Any]:
    """The warning with `words` in that field."""
    match field:
        case "area":
            return native(identifier, areas=[{"description": words, "geocodes": ["360827102"]}])
        case "reason":
            return native(identifier, narrowing={"groups": ["独居老人"], "reason": words})
        case _:
            return native(identifier, **{field: words})


def found(message: dict[str, Any], field: str) -> str:
    """What stands in that field of a kept warning."""
    match field:
        case "area":
            return str(message["areas"][0]["description"])
        case "reason":
            return str(message["narrowing"]["reason"])
        case _:
            return str(message[field])


def written(said: dict[str, Any]) -> bytes:
    return json.dumps(said, ensure_ascii=False).encode("utf-8", "surrogatepass")


async def handed_in(house: House, body: bytes, content_type: str = CONTENT_TYPE) -> tuple[int, dict[str, Any]]:
    """By a source that is not trusted: what is not refused is kept for a person and sent to nobody."""
    headers = {"Content-Type": content_type, "Authorization": f"Bearer {HELD_TOKEN}"}
    async with house.http.post(house.url + WARNINGS, data=io.BytesIO(body), headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


async def kept(house: House, said: dict[str, Any]) -> dict[str, Any]:
    """The message as it is stored and shown."""
    status, answer, _ = await house.get(f"{WARNINGS}/{said['warning_id']}")
    assert status == 200
    return dict(answer["message"])


async def told(house: House, said: dict[str, Any]) -> dict[str, Any]:
    """What the lint says: the texts as people would get them, and its remarks."""
    status, answer, _ = await house.post(written(said), path=LINT, **{"Content-Type": CONTENT_TYPE})
    assert status == 200, answer
    return dict(answer)
