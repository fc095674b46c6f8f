"""What a route is: the server is built from it, and the OpenAPI document too, so that neither knows more."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import BaseModel

from dispatcher.accounts.authority import Action
from dispatcher.web.problems import Handler

HTML = "text/html"
FORM = "application/x-www-form-urlencoded"
_NAMED = re.compile(r"\{\w+\}")
_WITH_PATTERN = re.compile(r"\{(\w+):([^{}]*)\}")


class Who(StrEnum):
    """Who may, where it is no matter of authority. A provider is checked by the handler, which needs to know which one it is;
    so is somebody on his way in."""

    ANYONE = "anyone"
    ENTERING = "entering"
    PROVIDER = "provider"


class About(StrEnum):
    """What area a route is about. `OWN_PART`: the handler shows no more than lies in the area of whoever asks."""

    NOTHING = "nothing"
    CITY = "city"
    WARNING = "warning"
    GATEWAY = "gateway"
    PERSON = "person"
    OWN_PART = "own_part"


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
    """`who`: an action that `accounts/authority.py` has a rule for, or one of those it is no matter for. `takes`: content
    types of the body; `form`: the most bytes of a form, 0 for what is usual; `upload`: those of the file in it, 0 where
    there is none. `fails`: the statuses of its problems, besides those all share."""

    method: str
    path: str
    handler: Handler
    name: str
    what: str
    who: Who | Action
    good: tuple[tuple[int, Good], ...]
    fails: tuple[int, ...] = ()
    query: tuple[Query, ...] = ()
    headers: tuple[Query, ...] = ()
    takes: tuple[str, ...] = ()
    about: About = About.NOTHING
    order: type[BaseModel] | None = None
    form: int = 0
    upload: int = 0
    fragment: bool = False
    """A part of pages that a script asks for, and nobody opens."""

    @property
    def template(self) -> str:
        """The path as OpenAPI writes it."""
        return _WITH_PATTERN.sub(r"{\1}", self.path)

    @property
    def is_page(self) -> bool:
        """What a person opens in a browser."""
        return self.method == "GET" and self._shows and not self.fragment

    @property
    def shows_frame(self) -> bool:
        """What is answered stands in the frame of our pages, or may do so: a form that is shown again."""
        return not self.asked_alone and (self._shows or FORM in self.takes or bool(self.upload))

    @property
    def asked_alone(self) -> bool:
        """A part that a script asks for again and again by a form: it must not look round each time."""
        return self.fragment and self.method != "GET"

    @property
    def _shows(self) -> bool:
        return any(good.content_type == HTML for _, good in self.good)

    @property
    def place(self) -> re.Pattern[str]:
        """The paths it stands for, as they are written in an address."""
        return re.compile(_NAMED.sub(r"[0-9A-Za-z-]+", _WITH_PATTERN.sub(r"\2", self.path)))
