"""The routes by which persons take a warning from draft to release, and back."""

from __future__ import annotations

from typing import Final

from dispatcher.accounts.authority import Action
from dispatcher.web import orders
from dispatcher.web.api import lifecycle
from dispatcher.web.console.acting import pressed
from dispatcher.web.console.buttons import BUTTONS, Button
from dispatcher.web.openapi import NATIVE
from dispatcher.web.orders import Order
from dispatcher.web.problems import Handler
from dispatcher.web.route import About, Good, Route
from dispatcher.web.shapes import Body

_JSON: Final = "application/json"
_KEPT: Final = (202, Good(what="A draft", body=orders.DraftOut, headers=("Location",)))
_PUT: Final = (202, Good(what="Put forward", body=orders.SubmittedOut, headers=("Location",)))
_GONE: Final = (200, Good(what="Released", body=orders.ReleasedOut))
_DONE: Final = (200, Good(what="Done", body=orders.DoneOut))


def _verb(
    verb: str, handler: Handler, action: Action, what: str, answer: tuple[tuple[int, Good], type[Body] | str | None]
) -> Route:
    """`answer`: what is answered, and what is taken: an order, native JSON, or nothing."""
    good, takes = answer
    name = "".join(part.title() for part in verb.split("-"))
    order = takes if isinstance(takes, type) and issubclass(takes, Order) else None
    return Route(
        method="POST", path=f"/api/v1/warnings/{{id}}/{verb}", handler=handler, name=f"warning{name}", who=action,
        about=About.WARNING, what=what, good=(good,), fails=(404, 408, 409, 413, 415, 422, 503),
        takes=(_JSON,) if order else (NATIVE,) if takes else (), order=order,
    )  # fmt: skip


def _pressed(button: Button) -> Route:
    return Route(
        method="POST", path=f"/warnings/{{id}}/{button.verb}", handler=pressed(button), who=button.action,
        name=f"press{''.join(part.title() for part in button.verb.split('-'))}", about=About.WARNING,
        what=f"{button.label}: a button of the page", takes=("application/x-www-form-urlencoded",),
        fails=(404, 408, 409, 422, 503), good=((303, Good(what="The page of what came of it", content_type="")),),
    )  # fmt: skip


LIFECYCLE_ROUTES: Final = (
    _verb("take-up", lifecycle.post_take_up, Action.ISSUE, "What was held becomes this officer's draft", (_KEPT, None)),
    _verb("edit", lifecycle.post_edit, Action.EDIT, "Another content; whatever was signed is void", (_KEPT, NATIVE)),
    _verb("submit", lifecycle.post_submit, Action.SUBMIT, "Frozen, hashed, and put before a second person", (_PUT, None)),
    _verb("approve", lifecycle.post_approve, Action.APPROVE, "The second person signs that hash; it is released",
          (_GONE, orders.Signed)),
    _verb("return", lifecycle.post_return, Action.RETURN, "Back to whoever wrote it, with the reason",
          (_DONE, orders.Explained)),
    _verb("release", lifecycle.post_release, Action.RELEASE, "A red whose signers were all paged in vain: by two on duty",
          (_GONE, orders.Signed)),
    _verb("review", lifecycle.post_review, Action.APPROVE, "A leader has looked at what was released over his head",
          (_DONE, orders.Said)),
    _verb("telephone", lifecycle.post_telephone, Action.RECORD_CALL, "A leader's sign-off by telephone, put down by a second "
          "officer", (_GONE, orders.Telephoned)),
    _verb("object", lifecycle.post_object, Action.OBJECT, "The leader never said so", (_DONE, orders.Said)),
    _verb("ink-slip", lifecycle.post_ink_slip, Action.RECORD_CALL, "The paper of a sign-off by telephone has come",
          (_DONE, orders.Slip)),
    _verb("discard", lifecycle.post_discard, Action.EDIT, "What nobody wants is put away", (_DONE, orders.Explained)),
    _verb("reissue", lifecycle.post_reissue, Action.ISSUE, "What the sender refused is drafted anew as it was signed",
          (_KEPT, None)),
    *map(_pressed, BUTTONS),
)  # fmt: skip
