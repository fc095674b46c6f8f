"""The routes by which people come in, and by which accounts are kept."""

from __future__ import annotations

from typing import Final

from dispatcher.accounts.authority import Action
from dispatcher.web.console import entrance, framing, keeping
from dispatcher.web.problems import Handler
from dispatcher.web.route import About, Good, Query, Route, Who

_FORM: Final = "application/x-www-form-urlencoded"
_PAGE: Final = Good(what="A page in Chinese", content_type="text/html")
_ONWARD: Final = Good(what="Onward", content_type="")
_NEXT: Final = Query(name="next", what="Where to go on to: one of our own pages")


def _page(path: str, handler: Handler, name: str, what: str, who: Who | Action) -> Route:
    return Route(
        method="GET", path=path, handler=handler, name=name, what=what, who=who, fails=(503,),
        about=About.CITY if who is Action.ADMINISTER else About.NOTHING,
        query=(_NEXT,) if path.startswith("/sign-in") else (), good=((200, _PAGE), (303, _ONWARD)),
    )  # fmt: skip


def _form(path: str, handler: Handler, name: str, what: str, who: Who | Action) -> Route:
    return Route(
        method="POST", path=path, handler=handler, name=name, what=what, who=who, takes=(_FORM,),
        about=About.CITY if who is Action.ADMINISTER else About.NOTHING,
        fails=(401, 403, 404, 408, 422, 429, 503), good=((200, _PAGE), (303, _ONWARD)),
    )  # fmt: skip


ACCOUNT_ROUTES: Final = (
    _page("/sign-in", entrance.sign_in_page, "signInPage", "Name and password", Who.ENTERING),
    _form("/sign-in", entrance.sign_in, "signIn", "Shows name and password", Who.ENTERING),
    _page("/sign-in/second", entrance.second_page, "secondPage", "The second factor", Who.ENTERING),
    _form("/sign-in/second", entrance.show_second, "showSecond", "Shows the second factor: at signing in, to wake a "
          "session, before what a session alone is not enough for", Who.ENTERING),
    _form("/sign-in/second/text", entrance.ask_code, "askCode", "A code by SMS, for whoever has shown the password and whose "
          "second factor that is; one a minute, ten an hour", Who.ENTERING),
    _page("/first", entrance.first_page, "firstPage", "The first account, while there is none", Who.ENTERING),
    _form("/first", entrance.first, "makeFirst", "Makes the first account by the code printed at the start", Who.ENTERING),
    _page("/enrol", entrance.enrol_page, "enrolPage", "Coming to one's account by a code", Who.ENTERING),
    _form("/enrol", entrance.enrol, "enrol", "Sets the first password by a code", Who.ENTERING),
    _page("/enrol/second", entrance.enrol_second_page, "enrolSecondPage", "The app's secret, as a picture", Who.ENTERING),
    _form("/enrol/second", entrance.enrol_second, "enrolSecond", "Proves that the app has it", Who.ENTERING),
    _form("/enrol/second/text", entrance.ask_enrol_code, "askEnrolCode", "A code by SMS instead of the app", Who.ENTERING),
    _page("/enrol/text", entrance.enrol_text_page, "enrolTextPage", "Where the code of the SMS is typed", Who.ENTERING),
    _form("/enrol/text", entrance.enrol_text, "enrolText", "Proves that the phone is at hand", Who.ENTERING),
    _form("/preferences", framing.choose, "choosePreferences", "Language and light, kept by the browser", Who.ENTERING),
    _form("/sign-out", entrance.sign_out, "signOut", "Ends this session", Action.LEAVE),
    _page("/account", entrance.own_page, "ownAccount", "One's own account", Action.OWN_ACCOUNT),
    _form("/account/duty", entrance.set_duty, "setDuty", "On duty, or off", Action.OWN_ACCOUNT),
    _form("/account/end-others", entrance.end_others, "endOthers", "Ends one's sessions elsewhere", Action.OWN_ACCOUNT),
    _form("/account/password", entrance.change_password, "changePassword", "A new password", Action.OWN_KEYS),
    _form("/account/papers", entrance.new_papers, "newPapers", "Ten new codes on paper", Action.OWN_KEYS),
    _page("/accounts", keeping.accounts_page, "accountsPage", "Accounts and tokens", Action.ADMINISTER),
    _form("/accounts", keeping.add_account, "addAccount", "A new account, and its code", Action.ADMINISTER),
    _form("/accounts/{account}", keeping.change_account, "changeAccount", "Name, role, area", Action.ADMINISTER),
    _form("/accounts/{account}/reset", keeping.reset_account, "resetAccount", "A new code", Action.ADMINISTER),
    _form("/accounts/{account}/disable", keeping.disable_account, "disableAccount", "Ends or revives one", Action.ADMINISTER),
    _form("/tokens", keeping.add_token, "addToken", "A token for a system, shown once", Action.ADMINISTER),
    _form("/tokens/{account}/revoke", keeping.revoke_token, "revokeToken", "Ends a token", Action.ADMINISTER),
)  # fmt: skip
