"""The routes by which one warning is watched, signed and taken back: pages. What is pressed there stands in orders.py."""

from __future__ import annotations

from typing import Final

from dispatcher.accounts.authority import Action
from dispatcher.model import Channel
from dispatcher.web.console import planned, recalling, signer, trace, watching
from dispatcher.web.problems import Handler
from dispatcher.web.route import About, Good, Query, Route

_PAGE: Final = Good(what="A page in Chinese", content_type="text/html")
_ONWARD: Final = Good(what="Onward", content_type="")
_PART: Final = Query(name="part", what="What moves alone", schema={"enum": ["live"]})
_COUNTY: Final = Query(name="county", what="Only this county")


def _page(path: str, handler: Handler, name: str, about: tuple[Action, str], *query: Query) -> Route:
    """`about`: what it asks for, and what it shows."""
    who, what = about
    return Route(
        method="GET", path=f"/warnings/{{id}}{path}", handler=handler, name=name, who=who, about=About.WARNING, what=what,
        query=query, good=((200, _PAGE), (303, _ONWARD)) if name in ("signWarning", "telephonePage") else ((200, _PAGE),),
        fails=(400, 404, 503) if query else (404, 503),
    )  # fmt: skip


WATCHING_ROUTES: Final = (
    _page("", watching.warning, "landing", (Action.LOOK, "A warning landing"), _COUNTY, _PART,
          Query(name="view", what="All of it, also where a signature is waited for", schema={"enum": ["whole"]})),
    _page("/sign", signer.sign, "signWarning", (Action.LOOK, "What a leader reads before he signs"), _PART),
    _page("/telephone", signer.telephone, "telephonePage",
          (Action.LOOK, "What is read out to a leader by telephone, and where his answer is put down"), _PART),
    _page("/cancel", recalling.recalled("cancel"), "cancelPage",
          (Action.RETRACT, "What whoever heard of it will hear, should it be taken back")),
    _page("/all-clear", recalling.recalled("all-clear"), "allClearPage",
          (Action.CALL_OFF, "What whoever heard of it will hear when it is over")),
    _page("/correct", recalling.recalled("correct"), "correctPage",
          (Action.ISSUE, "What whoever heard of it will hear, should it be corrected")),
    _page("/planned", planned.planned, "planned", (Action.LEDGER, "Who is on its list, and why; before it is signed, too"),
          Query(name="channel", what="Only this channel", schema={"enum": [str(one) for one in Channel]}),
          Query(name="place", what="Only this county or township"),
          Query(name="after", what="How many stand on the pages before")),
    _page("/deliveries", trace.rows, "rows", (Action.LEDGER, "The rows of its ledger"), _COUNTY,
          Query(name="cursor", what="Where this page begins")),
    _page("/deliveries/{target}", trace.one_row, "oneRow", (Action.LEDGER, "One of them, opened")),
    Route(
        method="POST", path="/warnings/{id}/deliveries/{target}/number", handler=trace.number, name="showNumberPage",
        who=Action.UNMASK, about=About.PERSON, what="His number, on that page; who looked, and why, is put on record",
        takes=("application/x-www-form-urlencoded",), good=((200, _PAGE),), fails=(404, 408, 409, 422, 503),
    ),
)  # fmt: skip
