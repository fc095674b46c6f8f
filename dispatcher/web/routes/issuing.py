"""The routes of the page on which a warning is drawn, worded and put forward."""

from __future__ import annotations

from typing import Final

from dispatcher.accounts.authority import Action
from dispatcher.model import Level
from dispatcher.web.console.issuing import pages
from dispatcher.web.problems import Handler
from dispatcher.web.route import About, Good, Query, Route

_PAGE: Final = Good(what="A page in Chinese", content_type="text/html")
_PART: Final = Good(what="A part of the page", content_type="text/html")
_FORM: Final = "application/x-www-form-urlencoded"
_MOST: Final = 1024 * 1024
"""Bytes: eight thousand characters are seventy thousand in a form, and a boundary has thousands of points."""
_SAVED: Final = (303, Good(what="The draft, or the warning put forward", content_type=""))
_NEW: Final = (
    Query(name="drill", what="A drill", schema={"enum": ["1"]}),
    Query(name="hazard", what="Its template is filled in"),
    Query(name="level", what="Its template is filled in", schema={"enum": [str(one) for one in Level]}),
)


def _page(path: str, handler: Handler, name: str, what: str, who: Action) -> Route:
    about = About.WARNING if "{id}" in path else About.NOTHING
    return Route(
        method="GET", path=path, handler=handler, name=name, what=what, who=who, about=about, good=((200, _PAGE),),
        query=() if "{id}" in path else _NEW, fails=(400, 404, 409, 422, 503),
    )  # fmt: skip


def _save(path: str, name: str, what: str, who: Action) -> Route:
    return Route(
        method="POST", path=path, handler=pages.save, name=name, what=what, who=who, takes=(_FORM,),
        form=_MOST,
        about=About.WARNING if "{id}" in path else About.NOTHING, good=(_SAVED, (200, _PAGE)),
        fails=(404, 408, 409, 413, 422, 503),
    )  # fmt: skip


def _asked(path: str, handler: Handler, name: str, what: str, good: Good) -> Route:
    return Route(
        method="POST", path=path, handler=handler, name=name, what=what, who=Action.PREPARE, takes=(_FORM,),
        about=About.WARNING if "{id}" in path else About.NOTHING, fragment=True, form=_MOST,
        good=((200, good),), fails=(404, 408, 409, 413, 422, 503),
    )  # fmt: skip


def _counted(path: str, name: str) -> Route:
    return _asked(f"{path}/audience", pages.audience, f"count{name}", "Who gets what is drawn, and who will not", _PART)


def _read_back(path: str, name: str) -> Route:
    return _asked(f"{path}/words", pages.words, f"readBack{name}", "How it reads and sounds, and the forecast", _PART)


_PLACES: Final = (("/issue", "Issue"), ("/warnings/{id}/edit", "Edit"), ("/warnings/{id}/update", "Update"))
ISSUE_ROUTES: Final = (
    _page("/issue", pages.new, "issuePage", "An empty page, or a template's", Action.ISSUE),
    _save("/issue", "saveIssue", "A new draft", Action.ISSUE),
    _page("/warnings/{id}/edit", pages.change, "editPage", "A draft on the page", Action.EDIT),
    _save("/warnings/{id}/edit", "saveEdit", "Another content for a draft", Action.EDIT),
    _page("/warnings/{id}/update", pages.update, "updatePage", "An update begins with what is in force", Action.ISSUE),
    _save("/warnings/{id}/update", "saveUpdate", "A draft that updates it", Action.ISSUE),
    *(_counted(*place) for place in _PLACES),
    *(_read_back(*place) for place in _PLACES),
    _asked("/issue/names", pages.names, "readNames", "What a pasted list of places means",
           Good(what="Codes and what was not read", body=pages.NamesOut)),
    _asked("/issue/template", pages.template, "fillTemplate", "The words of a hazard and level",
           Good(what="Words", body=pages.TemplateOut)),
    Route(
        method="GET", path="/map/ground.json", handler=pages.ground, name="mapGround", who=Action.LOOK,
        what="The units, villages and layers under the map",
        good=((200, Good(what="GeoJSON", content_type="application/geo+json")),
              (304, Good(what="As before", content_type=""))), fails=(503,),
    ),
)  # fmt: skip
