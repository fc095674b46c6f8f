"""What a route is: the server is built from it, and the OpenAPI document too, so that neither knows more."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import BaseModel

from dispatcher.web.problems import Handler

_WITH_PATTERN = re.compile(r"\{(\w+):[^{}]*\}")


class Who(StrEnum):
    """Who may. A source and a provider are checked by the handler, which needs to know which one it is."""

    ANYONE = "anyone"
    READER = "reader"
    SOURCE = "source"
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A parameter of the query."""

    name: str
    what: str
    schema: dict[str, object] = field(default_factory=lambda: {"type": "string"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Good:
    """A good answer: its model, or none where the body is no JSON of ours."""

    what: str
    body: type[BaseModel] | None = None
    content_type: str = "application/json"
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """`takes`: content types of the body. `fails`: the statuses of its problems, besides those all share."""

    method: str
    path: str
    handler: Handler
    name: str
    what: str
    who: Who
    good: tuple[tuple[int, Good], ...]
    fails: tuple[int, ...] = ()
    query: tuple[Query, ...] = ()
    headers: tuple[Query, ...] = ()
    takes: tuple[str, ...] = ()

    @property
    def template(self) -> str:
        """The path as OpenAPI writes it."""
        return _WITH_PATTERN.sub(r"{\1}", self.path)
