"""The OpenAPI 3.1 and AsyncAPI 3 documents, made from the route table, the models and the broker's names; and the JSON
Schema of native warnings, to which both refer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from typing import Any, assert_never

from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from dispatcher import __version__
from dispatcher.accounts.authority import BY_A_PERSON, Action
from dispatcher.broker.contract import EXCHANGE_IN, EXCHANGE_OUT, QUEUE_IN, QUEUE_REJECTED
from dispatcher.intake import native
from dispatcher.model import CODE_CHINESE
from dispatcher.web import shapes
from dispatcher.web.problems import CONTENT_TYPE
from dispatcher.web.route import Good, Query, Route, Who

DOCUMENTS = web.AppKey("documents", Mapping[str, Callable[[], bytes]])
CAP, NATIVE, AMP = "application/cap+xml", native.CONTENT_TYPE, "application/xml"
JSON, JSON_SCHEMA = "application/json", "application/schema+json"
DIALECT = f"{JSON_SCHEMA};version=draft-2020-12"
BODIES = {NATIVE: {"$ref": native.PLACE}}
"""Of the bodies we take, those with a JSON Schema. It is published once, and referred to by its address."""
OUTWARD = (
    "warning.accepted", "warning.held", "warning.rejected", "warning.approved", "warning.dispatched",
    "warning.completed", "warning.superseded", "warning.cancelled", "warning.expired",
    "warning.plan_changed", "warning.row_refused", "warning.unsigned", "warning.drill_mixed", "audit.anchor",
)  # fmt: skip

_PLACE = re.compile(r"\{(\w+)\}")
_REFERENCE = "#/components/schemas/{model}"
_REASONS = {
    400: "A parameter, cursor or body that cannot be read",
    401: "No valid token, or a forged signature",
    403: "In clear from another machine, or a form that is not ours",
    404: "Nothing there",
    405: "Another method",
    408: "The body did not come in time",
    409: "The same identity or Idempotency-Key with another body",
    413: "Too large",
    415: "No Content-Type, or a compressed body",
    422: "Refused: `code` is a number of the table of codes",
    429: "Too many requests from one address: come again after Retry-After",
    431: "Headers too large",
    503: "The database is away: come again after Retry-After",
}
_SHARED = (403, 405, 429, 431, 500)


async def document(request: web.Request) -> web.Response:
    """One of the documents, made when it is first asked for."""
    kind = JSON_SCHEMA if request.path == native.PLACE else JSON
    return web.Response(body=request.app[DOCUMENTS][request.path](), content_type=kind, charset="utf-8")


def documents(routes: Iterable[Route], public_url: str) -> dict[str, Callable[[], bytes]]:
    """By path. What they are made of leaves three megabytes of holes, and most services are never asked for one."""
    make: dict[str, Callable[[], dict[str, Any]]] = {
        "/api/openapi.json": partial(openapi, list(routes), public_url),
        "/api/asyncapi.json": asyncapi,
        native.PLACE: native.json_schema,
    }
    return {path: cache(partial(_written, one)) for path, one in make.items()}


def _written(make: Callable[[], dict[str, Any]]) -> bytes:
    return json.dumps(make(), ensure_ascii=False).encode()


def openapi(routes: list[Route], public_url: str) -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.template, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Mingluo 鸣锣",
            "version": __version__,
            "description": "Disaster-warning dispatch. Errors are RFC 9457 problems with a stable `code`. "
            "Codes: " + "; ".join(f"{int(code)} {words}" for code, words in CODE_CHINESE.items()) + ".",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": public_url}],
        "paths": paths,
        "components": {
            "schemas": _schemas(routes),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A source's token (sources.yaml), or one that an administrator made for a system",
                },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "__Host-mingluo",
                    "description": "A person's, from signing in; whatever changes something also carries the key of a page",
                },
            },
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    answers = {str(status): _good(good) for status, good in route.good}
    fails = {*route.fails, *_SHARED} | ({401, 403} if isinstance(route.who, Action) else set())
    for status in sorted(fails - {status for status, _ in route.good}):
        answers[str(status)] = _problem(status)
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.what,
        "security": _security(route.who),
        "parameters": _parameters(route),
        "responses": answers,
    }
    if route.takes:
        own = {"$ref": _REFERENCE.format(model=route.order.__name__)} if route.order else {}
        content = {kind: {"schema": BODIES.get(kind, own)} for kind in route.takes}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _security(who: Who | Action) -> list[dict[str, list[str]]]:
    match who:
        case Who.ANYONE | Who.ENTERING | Who.PROVIDER:
            return []
        case Action() if who in BY_A_PERSON:
            return [{"session": []}]
        case Action():
            return [{"token": []}, {"session": []}]
        case _:
            assert_never(who)


def _parameters(route: Route) -> list[dict[str, Any]]:
    path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PLACE.findall(route.template)
    ]
    given = [_parameter(one, "query") for one in route.query] + [_parameter(one, "header") for one in route.headers]
    return path + given


def _parameter(given: Query, where: str) -> dict[str, Any]:
    return {"name": given.name, "in": where, "description": given.what, "schema": given.schema}


def _good(good: Good) -> dict[str, Any]:
    shown: dict[str, Any] = {"description": good.what}
    if good.body is not None:
        shown["content"] = {good.content_type: {"schema": {"$ref": _REFERENCE.format(model=good.body.__name__)}}}
    elif good.content_type:
        shown["content"] = {good.content_type: {"schema": {"type": "string"}}}
    if good.headers:
        shown["headers"] = {name: {"schema": {"type": "string"}} for name in good.headers}
    return shown


def _problem(status: int) -> dict[str, Any]:
    return {
        "description": _REASONS.get(status, "Something went wrong"),
        "content": {CONTENT_TYPE: {"schema": {"$ref": _REFERENCE.format(model="Problem")}}},
    }


def _schemas(routes: list[Route]) -> dict[str, Any]:
    used: dict[str, type[BaseModel]] = {"Problem": shapes.Problem, "LiveEvent": shapes.LiveEvent}
    used |= {"LiveCounts": shapes.LiveCounts, "LiveBeat": shapes.LiveBeat}
    for route in routes:
        used.update({good.body.__name__: good.body for _, good in route.good if good.body is not None})
        if route.order is not None:
            used[route.order.__name__] = route.order
    return _schemas_of(tuple(used.values()))


@cache
def _schemas_of(models: tuple[type[BaseModel], ...]) -> dict[str, Any]:
    _, schema = models_json_schema([(model, "serialization") for model in models], ref_template=_REFERENCE)
    found: dict[str, Any] = schema["$defs"]
    return found


def asyncapi() -> dict[str, Any]:
    """What crosses RabbitMQ: warnings in, refusals aside, events out."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Mingluo 鸣锣",
            "version": __version__,
            "description": "Warnings in, events out, by RabbitMQ.",
        },
        "defaultContentType": CAP,
        "channels": {
            "warnings": {
                "address": EXCHANGE_IN,
                "description": f"Topic exchange; routing key = source id. Bound to the quorum queue {QUEUE_IN}.",
                "messages": {kind: {"$ref": f"#/components/messages/{kind}"} for kind in ("cap", "native", "amp")},
                "bindings": {"amqp": {"is": "routingKey", "exchange": _topic(EXCHANGE_IN)}},
            },
            "rejected": {
                "address": QUEUE_REJECTED,
                "description": "Quorum queue: the original bytes, with why they were refused.",
                "messages": {"rejected": {"$ref": "#/components/messages/rejected"}},
                "bindings": {"amqp": {"is": "queue", "queue": {"name": QUEUE_REJECTED, "durable": True}}},
            },
            "events": {
                "address": EXCHANGE_OUT,
                "description": "Topic exchange; routing key = the event's type.",
                "messages": {"event": {"$ref": "#/components/messages/event"}},
                "bindings": {"amqp": {"is": "routingKey", "exchange": _topic(EXCHANGE_OUT)}},
            },
        },
        "operations": {
            "receiveWarning": {"action": "receive", "channel": {"$ref": "#/channels/warnings"}},
            "sendRejected": {"action": "send", "channel": {"$ref": "#/channels/rejected"}},
            "sendEvent": {"action": "send", "channel": {"$ref": "#/channels/events"}},
        },
        "components": {"messages": _messages()},
    }


def _topic(name: str) -> dict[str, Any]:
    return {"name": name, "type": "topic", "durable": True}


def _messages() -> dict[str, Any]:
    signature = {
        name: {"type": "string"} for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
    }  # Standard Webhooks, by the source's own secret; required for a source marked `signed`
    headers = {"type": "object", "properties": signature}
    why = {"code": {"type": "integer"}, "reason": {"type": "string"}, "source": {"type": "string"}}
    return {
        "cap": {"title": "CAP 1.2", "contentType": CAP, "headers": headers},
        "native": {
            "title": "Native JSON",
            "contentType": NATIVE,
            "headers": headers,
            "payload": {"schemaFormat": DIALECT, "schema": BODIES[NATIVE]},
        },
        "amp": {"title": "National AMP XML", "contentType": AMP, "headers": headers},
        "rejected": {"title": "The original bytes", "headers": {"type": "object", "properties": why}},
        "event": {
            "title": "CloudEvents 1.0",
            "contentType": "application/cloudevents+json",
            "payload": {
                "type": "object",
                "required": ["specversion", "id", "source", "type", "time", "subject", "data"],
                "properties": {
                    "specversion": {"const": "1.0"},
                    "id": {"type": "string"},
                    "source": {"type": "string"},
                    "type": {"type": "string", "examples": list(OUTWARD)},
                    "time": {"type": "string", "format": "date-time"},
                    "subject": {"type": "string", "description": "warning id, or the refused message's"},
                    "data": {"type": "object"},
                },
            },
        },
    }
