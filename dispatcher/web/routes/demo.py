"""What the demo has besides: one-time links, and a button in the place of the code."""

from __future__ import annotations

from typing import Final

from dispatcher.web.console import demo
from dispatcher.web.route import Good, Route, Who

_FORM: Final = ("application/x-www-form-urlencoded",)
_PAGE: Final = Good(what="A page in Chinese", content_type="text/html")
_ONWARD: Final = Good(what="Onward", content_type="")

DEMO_ROUTES: Final = (
    Route(
        method="GET", path="/demo/{token}", handler=demo.enter_page, name="demoLink", who=Who.ENTERING,
        what="Demo alone: whom a one-time link belongs to; uses nothing up", good=((200, _PAGE),), fails=(401, 403, 503),
    ),
    Route(
        method="POST", path="/demo/{token}", handler=demo.enter, name="useDemoLink", who=Who.ENTERING, takes=_FORM,
        what="Demo alone: comes in by it, once", good=((303, _ONWARD),), fails=(401, 403, 408, 503),
    ),
    Route(
        method="POST", path="/sign-in/second/demo", handler=demo.show_again, name="showAgainInDemo", who=Who.ENTERING,
        takes=_FORM, what="Demo alone: instead of the code that a session is asked for once more",
        good=((303, _ONWARD),), fails=(403, 408, 503),
    ),
)  # fmt: skip
