"""Writing an answer: one model as JSON, many as NDJSON, page by page as they are read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

from aiohttp import web
from pydantic import BaseModel

NDJSON = "application/x-ndjson"


def as_json(body: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        status=status,
        body=body.model_dump_json().encode(),
        content_type="application/json",
        charset="utf-8",
        headers=headers,
    )


async def as_lines(
    request: web.Request, pages: AsyncIterator[Sequence[BaseModel]], headers: Mapping[str, str]
) -> web.StreamResponse:
    """A line a model. Each page is read after the one before was taken by the client, so a slow one costs no memory."""
    response = web.StreamResponse(headers={"Content-Type": f"{NDJSON}; charset=utf-8", **headers})
    await response.prepare(request)
    async for page in pages:
        await response.write(b"".join(model.model_dump_json().encode() + b"\n" for model in page))
    await response.write_eof()
    return response
