"""The routes of the duty room: the shift and its hand-over, tonight's page, the paper to sign and its scans."""

from __future__ import annotations

from typing import Final

from dispatcher.accounts.authority import Action
from dispatcher.pipeline.attach import MOST_BYTES
from dispatcher.web.console.duty import form, shift, tonight
from dispatcher.web.problems import Handler
from dispatcher.web.route import About, Good, Query, Route
from dispatcher.web.uploading import FORM

_FIELDS: Final = "application/x-www-form-urlencoded"
_PAGE: Final = Good(what="A page in Chinese", content_type="text/html")
_ONWARD: Final = Good(what="Back to the page", content_type="")
_BEFORE: Final = Query(name="before", what="The number of the last hand-over of the page before")


def _form(path: str, handler: Handler, name: str, what: str) -> Route:
    return Route(
        method="POST", path=path, handler=handler, name=name, what=what, who=Action.HAND_OVER, about=About.OWN_PART,
        takes=(_FIELDS,), fails=(401, 404, 408, 409, 422, 503), good=((303, _ONWARD),),
    )  # fmt: skip


def _of_warning(method: str, path: str, handler: Handler, what: tuple[str, str], who: Action) -> Route:
    """`what`: its name, and what it is."""
    takes = () if method == "GET" else (FORM,) if who is Action.ATTACH else (_FIELDS,)
    failing = (404, 503) if method == "GET" else (400, 401, 404, 408, 409, 413, 415, 422, 503)
    good = (200, _PAGE) if method == "GET" else (303, _ONWARD)
    return Route(
        method=method, path=path, handler=handler, name=what[0], what=what[1], who=who, about=About.WARNING,
        takes=takes, fails=failing, good=(good,), upload=MOST_BYTES if FORM in takes else 0,
    )  # fmt: skip


DUTY_ROUTES: Final = (
    Route(
        method="GET", path="/shift", handler=shift.page, name="shiftPage", who=Action.SHIFT, about=About.OWN_PART,
        what="The duty log since the last hand-over, what is open, and handing over; `before`: older hand-overs",
        query=(_BEFORE,), good=((200, _PAGE),), fails=(503,),
    ),
    Route(
        method="GET", path="/shift/{handover:[0-9]+}", handler=shift.one_page, name="handoverPage", who=Action.SHIFT,
        about=About.OWN_PART, what="One hand-over, as it was frozen", good=((200, _PAGE),), fails=(404, 503),
    ),
    _form("/shift/note", shift.add_note, "addNote", "A note in the duty log"),
    _form("/shift/offer", shift.hand_over, "offerShift", "Whoever goes off duty hands over"),
    _form("/shift/withdraw", shift.withdraw, "withdrawShift", "He takes that back"),
    _form("/shift/take", shift.take, "takeShift", "Whoever comes on duty takes over, by himself"),
    Route(
        method="GET", path="/tonight", handler=tonight.page, name="tonightPage", who=Action.TONIGHT,
        about=About.OWN_PART, what="Whom a red would not reach tonight, who can sign, what is silent or not ready",
        good=((200, _PAGE),), fails=(503,),
    ),
    _of_warning("GET", "/warnings/{id}/form", form.page,
                ("approvalForm", "A warning as a paper to sign, and the scans of it"), Action.PAPER),
    _of_warning("POST", "/warnings/{id}/form/scans", form.add_scan, ("addScan", "A scan of what was signed in ink"),
                Action.ATTACH),
    _of_warning("POST", "/warnings/{id}/form/slip", form.add_slip,
                ("addSlip", "The number of the paper of a sign-off by telephone"), Action.RECORD_CALL),
    Route(
        method="GET", path="/warnings/{id}/form/scans/{scan}", handler=form.one_scan, name="oneScan", who=Action.PAPER,
        about=About.WARNING, what="A scan, as a file to keep", fails=(404, 503),
        good=((200, Good(what="The file: PDF, JPEG or PNG", content_type="*/*")),),
    ),
)  # fmt: skip
