"""Twilio's REST API as it is played here: messages in, signed status callbacks out, and the list for look-ups.

Its log line: recipient (To), key (the delivery key, from the StatusCallback), digest, drill, sid, text.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Final
from urllib.parse import unquote, unquote_plus, urlsplit

from aiohttp import encode_basic_auth, web

from dispatcher.rehearsal.faults import Faults
from dispatcher.rehearsal.player import Player
from dispatcher.rehearsal.reports import Report, Reports

SENT_AFTER_S: Final = 0.05
FINAL_AFTER_S: Final = 0.2
JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"


@dataclass(slots=True)
class Sms:
    sid: str
    to: str
    sender: str
    text: str
    created: float
    status: str = "queued"
    error: int | None = None


class Twilio(Player):
    def __init__(
        self, log: Path, faults: Faults, reports: Reports, clock: Callable[[], float], account: tuple[str, str]
    ) -> None:
        super().__init__(log, faults, reports, clock)
        self._sid, self._token = account
        self._authorization = encode_basic_auth(*account)
        self._path = f"/2010-04-01/Accounts/{self._sid}/Messages.json"
        self._by_number: dict[str, list[Sms]] = {}
        self._last = int(clock() * 1000) << 20

    async def play(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path != self._path:
            return _error(404, 20404, "The requested resource was not found")
        if request.headers.get("Authorization") != self._authorization:
            return _error(401, 20003, "Authenticate")
        if request.method == "GET":
            return self._list(request)
        form = dict(field.partition("=")[::2] for field in (await request.read()).decode("ascii", "replace").split("&"))
        to, callback = unquote_plus(form.get("To", "")), unquote_plus(form.get("StatusCallback", ""))
        text = _decoded(form.get("Body", ""))
        if (wrong := _wrong(to, text)) is not None:
            return wrong
        key = unquote(urlsplit(callback).path.rpartition("/")[2])
        fate = self.mischief.fate(to, key or to)
        answer = _bad_number(to)
        if fate.taken:
            sms = self._take(to, unquote_plus(form.get("From", form.get("MessagingServiceSid", ""))), text)
            self.log.write(recipient=to, key=key, text=text, sid=sms.sid, drill=text.startswith("【演练】"))
            if callback:
                self._report(sms, callback)
            body = f'{{"sid": "{sms.sid}", "status": "queued", "error_code": null}}'
            answer = web.Response(status=201, text=body, content_type=JSON)
        return await self.end(request, fate, answer)

    def _take(self, to: str, sender: str, text: str) -> Sms:
        self._last += 1
        sms = Sms(f"SM{self._last:032x}", to, sender, text, self.clock())
        self._by_number.setdefault(to, []).append(sms)
        return sms

    def _report(self, sms: Sms, callback: str) -> None:
        """`sent`, and a little later how it ended; some twice, some badly, as the faults say."""
        start = asyncio.get_running_loop().time()
        ended = "undelivered" if self.mischief.faults.hits("undelivered", sms.to) else "delivered"
        for status, after in (("sent", SENT_AFTER_S), (ended, FINAL_AFTER_S)):
            error = 30003 if status == "undelivered" else None
            for _ in range(2 if self.mischief.faults.hits("repeat", sms.sid + status) else 1):
                asyncio.get_running_loop().call_at(start + after, partial(self._tell, sms, callback, status, error))

    def _tell(self, sms: Sms, callback: str, status: str, error: int | None) -> None:
        sms.status, sms.error = status, error
        form = {
            "MessageSid": sms.sid,
            "SmsSid": sms.sid,
            "MessageStatus": status,
            "SmsStatus": status,
            "To": sms.to,
            "From": sms.sender,
            "AccountSid": self._sid,
            "ApiVersion": "2010-04-01",
        }
        if error:
            form["ErrorCode"] = str(error)
        headers = {"Content-Type": FORM, "X-Twilio-Signature": signature(self._token, callback, form)}
        body = "&".join(f"{name}={value.replace('+', '%2B')}" for name, value in form.items())  # no other needs quoting
        due = asyncio.get_running_loop().time()
        self.reports.later(Report(url=callback, body=body.encode(), headers=headers, due=due))

    def _list(self, request: web.BaseRequest) -> web.Response:
        """Newest first; filtered by To, as a look-up asks."""
        found = self._by_number.get(request.query.get("To", ""), [])
        rows = [
            {
                "sid": sms.sid,
                "to": sms.to,
                "from": sms.sender,
                "body": sms.text,
                "status": sms.status,
                "error_code": sms.error,
                "date_created": format_datetime(datetime.fromtimestamp(sms.created, UTC)),
            }
            for sms in reversed(found)
        ]
        page = {"messages": rows[:50], "page": 0, "page_size": 50, "next_page_uri": None}
        return web.Response(text=json.dumps(page), content_type=JSON)


def signature(token: str, url: str, form: dict[str, str]) -> str:
    """Twilio's: base64 of HMAC-SHA1 over the URL and the sorted form. Written again here, so that it proves the SDK's."""
    signed = url + "".join(name + form[name] for name in sorted(form))
    return base64.b64encode(hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest()).decode()


@lru_cache(maxsize=1024)
def _decoded(text: str) -> str:
    """One text comes for many numbers: it is decoded, and kept, once."""
    return unquote_plus(text)


def _wrong(to: str, text: str) -> web.Response | None:
    if not to.startswith("+"):
        return _bad_number(to)
    if not text:
        return _error(400, 21602, "Message body is required")
    if len(text) > 1600:
        return _error(400, 21617, "The concatenated message body exceeds the 1600 character limit")
    return None


def _bad_number(to: str) -> web.Response:
    return _error(400, 21211, f"The 'To' number {to} is not a valid phone number.")


def _error(status: int, code: int, message: str) -> web.Response:
    body = json.dumps({"code": code, "message": message, "more_info": "", "status": status})
    return web.Response(status=status, text=body, content_type=JSON)
