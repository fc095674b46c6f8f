"""Every route in one table, in the order of INTERFACES 5. What is not here does not exist."""

from __future__ import annotations

from dispatcher.accounts.authority import Action
from dispatcher.intake import native
from dispatcher.model import Level
from dispatcher.states import WarningState
from dispatcher.web import health, openapi, shapes
from dispatcher.web.answering import NDJSON
from dispatcher.web.api import callbacks, deliveries, feeds, lifecycle, log, machines, people, warnings
from dispatcher.web.api.streaming import live
from dispatcher.web.console import framing, pages
from dispatcher.web.console.lists import SHOWS
from dispatcher.web.openapi import AMP, CAP, NATIVE
from dispatcher.web.orders import NumberOut, Unmasked
from dispatcher.web.route import About, Good, Query, Route, Who
from dispatcher.web.routes.accounts import ACCOUNT_ROUTES
from dispatcher.web.routes.duty import DUTY_ROUTES
from dispatcher.web.routes.issuing import ISSUE_ROUTES
from dispatcher.web.routes.orders import LIFECYCLE_ROUTES
from dispatcher.web.routes.watching import WATCHING_ROUTES

_NUMBER: dict[str, object] = {"type": "integer", "minimum": 1}
_CURSOR = Query(name="cursor", what="X-Next-Cursor of the page before")
_LIMIT = Query(name="limit", what="Lines of this page; without it, all", schema=_NUMBER)
_BEFORE = Query(name="before", what="The last id of the page before")
_KEY = Query(name="Idempotency-Key", what="1 to 255 visible ASCII characters; one key speaks for one body")
_PAGE = Good(what="A page in Chinese", content_type="text/html")
_PART = Query(name="part", what="What moves alone", schema={"enum": ["live"]})
_JSON = Good(what="The document", content_type="application/json")


def _lines(what: str, model: type[shapes.Body], *headers: str) -> Good:
    return Good(what=what, body=model, content_type=NDJSON, headers=("X-Next-Cursor", *headers))


TRAINING_ROUTES = (
    Route(
        method="POST", path="/training/reset", handler=pages.reset, name="resetTraining", who=Action.TRAIN,
        what="Training alone: empties its database and loads the register again; takes the form of our own pages",
        takes=("application/x-www-form-urlencoded",), fails=(401, 403, 408),
        good=((303, Good(what="It restarts", content_type="")),),
    ),
)  # fmt: skip
"""What a training has besides."""

ROUTES = (
    Route(
        method="POST", path="/api/v1/warnings", handler=lifecycle.post_warning, name="postWarning", who=Action.ISSUE,
        what="A warning in; 202 only after the commit. The format is what the bytes are",
        takes=(CAP, NATIVE, AMP), headers=(_KEY,), fails=(400, 408, 409, 413, 415, 422, 503),
        good=((202, Good(what="Kept: accepted, or held for a person", body=shapes.Accepted, headers=("Location",))),),
    ),
    Route(
        method="GET", path="/api/v1/warnings", handler=warnings.list_warnings, name="listWarnings",
        who=Action.LOOK, about=About.OWN_PART,
        what="Newest first",
        query=(
            Query(name="state", what="Only these", schema={"enum": [str(one) for one in WarningState]}),
            Query(name="level", what="Only these", schema={"enum": [str(one) for one in Level]}),
            Query(name="limit", what="At most; 50 unless told", schema={**_NUMBER, "maximum": warnings.MOST_LISTED}),
            _BEFORE,
        ),
        good=((200, Good(what="A page of warnings", body=shapes.WarningPage)),), fails=(400, 503),
    ),
    Route(
        method="POST", path="/api/v1/warnings/preview", handler=warnings.preview_warning, name="previewWarning",
        who=Action.PREPARE, what="Who would be told, by which channel, when, and who not; writes nothing",
        takes=(CAP, NATIVE, AMP), fails=(400, 408, 413, 415, 503),
        query=(Query(name="at", what="Judge by the message's own time, or now", schema={"enum": ["sent", "now"]}),),
        good=((200, Good(what="Whatever the verdict", body=shapes.PreviewOut)),),
    ),
    Route(
        method="POST", path="/api/v1/warnings/lint", handler=warnings.lint_warning, name="lintWarning",
        who=Action.PREPARE,
        what="What its words leave to be wished for, and the texts people would get; holds and writes nothing",
        takes=(CAP, NATIVE, AMP), fails=(400, 408, 413, 415, 503),
        good=((200, Good(what="Remarks and texts", body=shapes.LintOut)),),
    ),
    Route(
        method="GET", path="/api/v1/warnings/{id}", handler=warnings.one_warning, name="getWarning",
        who=Action.LOOK, about=About.WARNING,
        what="One warning: chain, states, counts, times, what went wrong, who cannot be reached",
        good=((200, Good(what="The warning", body=shapes.WarningDetail)),), fails=(404, 503),
    ),
    Route(
        method="POST", path="/api/v1/warnings/{id}/cancel", handler=lifecycle.cancel, name="cancelWarning",
        who=Action.RETRACT, about=About.WARNING,
        what="Retract what was issued by mistake, in its prepared words: whoever may have heard is told, ahead of all else",
        fails=(404, 409, 422, 503),
        good=((202, Good(what="The Cancel is kept", body=shapes.Accepted, headers=("Location",))),),
    ),
    Route(
        method="POST", path="/api/v1/warnings/{id}/all-clear", handler=lifecycle.post_all_clear, name="allClear",
        who=Action.CALL_OFF, about=About.WARNING,
        what="It is over: whoever may have heard is told", fails=(404, 409, 422, 503),
        good=((202, Good(what="The Cancel is kept", body=shapes.Accepted, headers=("Location",))),),
    ),
    Route(
        method="GET", path="/api/v1/warnings/{id}/deliveries", handler=deliveries.deliveries, name="listDeliveries",
        who=Action.LEDGER, about=About.WARNING,
        what="The ledger, a line a delivery; X-Unplanned counts frozen rows not in it yet",
        query=(_CURSOR, _LIMIT), good=((200, _lines("The ledger", shapes.DeliveryLine, "X-Unplanned")),),
        fails=(400, 404, 503),
    ),
    Route(
        method="GET", path="/api/v1/warnings/{id}/townships", handler=warnings.townships, name="listTownships",
        who=Action.LOOK, about=About.WARNING, what="Reach by county and township",
        good=((200, Good(what="The table", body=shapes.TownshipTable)),), fails=(404, 503),
    ),
    Route(
        method="GET", path="/api/v1/warnings/{id}/why/{target}", handler=warnings.why, name="why",
        who=Action.LEDGER, about=About.WARNING,
        what="Told or not, by which rule, which attempts, which text",
        good=((200, Good(what="The story of one target", body=shapes.WhyOut)),), fails=(404, 503),
    ),
    Route(
        method="GET", path="/api/v1/gateways", handler=machines.gateways, name="listGateways",
        who=Action.GATEWAYS, about=About.OWN_PART,
        what="The broadcast gateways of the register",
        good=((200, Good(what="All of them", body=shapes.GatewayList)),), fails=(503,),
    ),
    Route(
        method="GET", path="/api/v1/gateways/{id}/commands", handler=machines.commands, name="listCommands",
        who=Action.GATEWAYS, about=About.GATEWAY, what="Every packet pushed to a gateway and its answer, oldest first",
        query=(_CURSOR, _LIMIT), good=((200, _lines("The packets", shapes.CommandLine)),), fails=(400, 404, 503),
    ),
    Route(
        method="GET", path="/api/v1/rejects", handler=machines.refused, name="listRejects",
        who=Action.REJECTS, about=About.CITY,
        what="What was refused, newest first, without its bytes", query=(_LIMIT, _BEFORE),
        good=((200, Good(what="A page", body=shapes.RejectPage)),), fails=(400, 503),
    ),
    Route(
        method="GET", path="/api/v1/audit", handler=log.entries, name="listAudit", who=Action.AUDIT, about=About.CITY,
        what="Who did what, newest first, each entry with its link of the chain",
        query=(_LIMIT, Query(name="before", what="The last number of the page before", schema=_NUMBER)),
        good=((200, Good(what="A page", body=log.LogPage)),), fails=(400, 503),
    ),
    Route(
        method="POST", path="/api/v1/people/{target}/number", handler=people.post_number, name="showNumber",
        who=Action.UNMASK, about=About.PERSON, what="One person's number; who looked, and why, is put on record",
        takes=("application/json",), order=Unmasked,
        good=((200, Good(what="The number", body=NumberOut)),), fails=(404, 408, 409, 413, 415, 422, 503),
    ),
    Route(
        method="GET", path="/api/v1/live", handler=live, name="live", who=Action.LOOK, about=About.OWN_PART,
        what="Server-sent events: `event` (LiveEvent, numbered), `counts` (LiveCounts), `beat` (LiveBeat), `trouble`",
        headers=(Query(name="Last-Event-ID", what="Resume behind this one"),), fails=(400, 503),
        good=((200, Good(what="A stream without end", content_type="text/event-stream")),),
    ),
    Route(
        method="POST", path="/api/v1/callbacks/{channel}/{provider}/{token:.*}", handler=callbacks.callback,
        name="callback", who=Who.PROVIDER, what="A provider's receipt, in its own format, signed its own way",
        takes=("*/*",), fails=(400, 401, 404, 408, 413, 415, 503),
        good=((200, Good(what="Committed; what the provider expects", content_type="")),
              (204, Good(what="Committed", content_type=""))),
    ),
    Route(
        method="GET", path="/feeds/cap.atom", handler=feeds.feed, name="capFeed", who=Who.ANYONE,
        what="What was issued to the public, newest first, as an Atom feed of CAP 1.2; answers If-None-Match",
        good=((200, Good(what="The feed", content_type="application/atom+xml")),
              (304, Good(what="Nothing new", content_type=""))), fails=(503,),
    ),
    Route(
        method="GET", path="/feeds/cap/{identifier:.+}.xml", handler=feeds.alert, name="capAlert", who=Who.ANYONE,
        what="The latest message under an identifier, as CAP 1.2",
        query=(Query(name="sender", what="Only of this sender, where two use one identifier"),),
        good=((200, Good(what="The alert", content_type=CAP)),
              (304, Good(what="Nothing new", content_type=""))), fails=(404, 503),
    ),
    Route(
        method="GET", path="/health/live", handler=health.live, name="alive", who=Who.ANYONE,
        what="The process answers", good=((200, Good(what="Alive", body=shapes.AliveOut)),),
    ),
    Route(
        method="GET", path="/health/ready", handler=health.ready, name="ready", who=Who.ANYONE,
        what="Each dependency by name, and the age of its canary",
        good=((200, Good(what="Ready", body=shapes.ReadyOut)), (503, Good(what="Not ready", body=shapes.ReadyOut))),
    ),
    Route(
        method="GET", path="/metrics", handler=health.numbers, name="metrics",
        who=Action.METRICS, about=About.CITY, what="Prometheus",
        good=((200, Good(what="The numbers", content_type="text/plain")),),
    ),
    Route(
        method="GET", path="/api/openapi.json", handler=openapi.document, name="openapi", who=Who.ANYONE,
        what="This document", good=((200, _JSON),),
    ),
    Route(
        method="GET", path="/api/asyncapi.json", handler=openapi.document, name="asyncapi", who=Who.ANYONE,
        what="What crosses RabbitMQ", good=((200, _JSON),),
    ),
    Route(
        method="GET", path=native.PLACE, handler=openapi.document, name="warningSchema", who=Who.ANYONE,
        what="JSON Schema 2020-12 of a warning as native JSON, described in Chinese field by field",
        good=((200, Good(what="The schema", content_type=openapi.JSON_SCHEMA)),),
    ),
    Route(
        method="GET", path="/", handler=pages.front, name="front",
        who=Action.LOOK, about=About.OWN_PART, what="What is in force now, and what waits", query=(_PART,),
        good=((200, _PAGE),), fails=(400, 503),
    ),
    Route(
        method="GET", path="/warnings", handler=pages.list_page, name="warningList",
        who=Action.LOOK, about=About.OWN_PART, what="Warnings, newest first, by what they are and by a search",
        query=(
            Query(name="show", what="Which", schema={"enum": [*SHOWS, "rejected"]}),
            Query(name="q", what="In headline, event, identifier, or the name of a place"),
            Query(name="level", what="Only these", schema={"enum": [str(one) for one in Level]}),
            Query(name="kind", what="Only these", schema={"enum": ["Alert", "Update", "Cancel"]}),
            Query(name="drill", what="Drills alone, or none", schema={"enum": ["yes", "no"]}),
            Query(name="county", what="Only what touches this county"),
            Query(name="since", what="A day in Beijing, it included"),
            Query(name="until", what="A day in Beijing, it included"),
            _BEFORE, _PART,
        ),
        good=((200, _PAGE), (303, Good(what="What was refused has a page of its own", content_type=""))), fails=(400, 503),
    ),
    Route(
        method="GET", path="/rejected", handler=pages.refused_page, name="refusedPage",
        who=Action.REJECTS, about=About.CITY, what="What was refused, newest first, with how it begins",
        query=(
            Query(name="q", what="In the reason, or its code"),
            Query(name="source", what="Only from this source"),
            Query(name="since", what="A day in Beijing, it included"),
            Query(name="until", what="A day in Beijing, it included"),
            _BEFORE, _PART,
        ),
        good=((200, _PAGE),), fails=(400, 503),
    ),
    Route(
        method="GET", path="/status", handler=framing.status_bar, name="statusBar", fragment=True,
        who=Action.LOOK, about=About.OWN_PART, what="The bar of every page: what is in force, what waits, what is broken",
        query=(Query(name="part", what="Asked by a page, not by a hand", schema={"enum": ["live"]}),),
        good=((200, _PAGE),), fails=(503,),
    ),
    *WATCHING_ROUTES,
    *LIFECYCLE_ROUTES,
    *DUTY_ROUTES,
    *ISSUE_ROUTES,
    *ACCOUNT_ROUTES,
)  # fmt: skip

OUTER_ROUTES = tuple(route for route in ROUTES if route.who is Who.PROVIDER or route.name == "alive")
"""What the outer zone has, and nothing besides."""
