"""What SMS and voice by Twilio share: the account, its error codes, its signature.

The SDK is used where it helps (look-ups: `twilio_sdk.py`); a message goes out by our own request, because the SDK doubles
its cost, ignores time limits and loses Retry-After. A receipt's signature is checked by our own code, which a test holds to
the SDK's. Twilio reports by callbacks that may come late, twice, or forged.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Awaitable
from datetime import datetime
from typing import Any, Final
from urllib.parse import unquote_plus, urlsplit

import msgspec
from aiohttp import encode_basic_auth
from msgspec.structs import replace
from twilio.request_validator import add_port, remove_port

from channels.blotting import blotted
from channels.contract import Accepted, Blame, Callback, Forged, Malformed, NotKnown, Outcome, Refused, TryAgain
from channels.transport import Answer, Failure, Line, judge

HOME: Final = "https://api.twilio.com"

AGAIN: Final = {
    20429: "请求过于频繁",
    21611: "该发送号码的队列已满",
    30001: "队列已满",
    30003: "对方手机关机或不在服务区",
    30008: "运营商未说明原因",
    30017: "运营商拥塞",
}
THROTTLED: Final = frozenset({20429, 21611, 30001})
"""Of these the provider is only busy: they cost no attempt."""

REFUSED: Final[dict[int, tuple[Blame, str]]] = {
    21211: (Blame.ADDRESS, "号码有误"),
    21408: (Blame.ADDRESS, "账户未开通该地区"),
    21610: (Blame.ADDRESS, "对方已退订"),
    21612: (Blame.ADDRESS, "没有到该号码的路由"),
    21614: (Blame.ADDRESS, "不是手机号码"),
    21635: (Blame.ADDRESS, "是固定电话"),
    30004: (Blame.ADDRESS, "对方拒收"),
    30005: (Blame.ADDRESS, "空号"),
    30006: (Blame.ADDRESS, "固定电话或运营商不通"),
    21602: (Blame.MESSAGE, "内容为空"),
    21617: (Blame.MESSAGE, "内容超过 1600 字"),
    30007: (Blame.MESSAGE, "内容被拦截，请改写后再发"),
    20003: (Blame.ACCOUNT, "账户或密钥有误"),
    20404: (Blame.ACCOUNT, "账户不存在，请核对 account_sid 和 base_url"),
    21606: (Blame.ACCOUNT, "发送号码不能发短信"),
    30002: (Blame.ACCOUNT, "账户已停用"),
}


def explain(code: str) -> str:
    """The Chinese of an error code in a receipt; '' for one we do not know."""
    number = int(code) if code.isdigit() else 0
    return AGAIN.get(number) or REFUSED.get(number, (None, ""))[1]


class Account:
    """One Twilio account reached over one line."""

    def __init__(self, line: Line, base_url: str, sid: str, token: str) -> None:
        self.line = line
        self.base_url = base_url.rstrip("/") or HOME
        self.token = token
        self._mac = hmac.new(token.encode(), digestmod="sha1")
        self._root = f"{self.base_url}/2010-04-01/Accounts/{sid}"
        self.headers = {
            "Authorization": encode_basic_auth(sid, token),
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        self.sid = sid

    def post(self, resource: str, form: bytes) -> Awaitable[Answer | Failure]:
        return self.line.post(f"{self._root}/{resource}.json", form, self.headers)

    def outcome(self, answer: Answer, now: datetime, to: str) -> Outcome:
        """What Twilio's answer to a POST means: its own error code first, then the HTTP state."""
        data = _read(answer.body)
        by_state = judge(answer, now, blame=Blame.ACCOUNT)
        if by_state is None:
            if isinstance(data.sid, str) and data.sid:
                return Accepted(ref=data.sid)
            return NotKnown(code="garbage" if answer.whole else "cut", reason="应答无法读懂，可能已发出")
        code = data.code
        if not isinstance(code, int):
            return by_state
        said = blotted(str(data.message), (to, to.removeprefix("+")))[:200]
        if code in AGAIN:
            after_s = by_state.after_s if isinstance(by_state, TryAgain) else None
            return TryAgain(code=str(code), reason=AGAIN[code], after_s=after_s, throttled=code in THROTTLED)
        if code in REFUSED:
            blame, meaning = REFUSED[code]
            return Refused(code=str(code), reason=meaning, blame=blame)
        return replace(by_state, code=str(code), reason=f"{by_state.reason}：{said}")

    def genuine(self, callback: Callback) -> dict[str, str]:
        """The form of a callback Twilio signed; raises Forged or Malformed. Times and order are not ours to trust."""
        try:
            pairs = _pairs(callback.body.decode("utf-8"))
        except ValueError as error:
            raise Malformed("回执不是表单") from error
        given = callback.headers.get("x-twilio-signature", "").encode("utf-8", "surrogateescape")
        signed = "".join([name + value for name, value in sorted(set(pairs))])
        if not (self._signed(callback.url, signed, given) or self._signed_otherwise(callback.url, signed, given)):
            raise Forged("回执签名缺失或不符")
        fields = dict(pairs)
        if fields.get("AccountSid", self.sid) != self.sid:
            raise Forged("回执来自别的账户")
        return fields

    def _signed(self, url: str, signed: str, given: bytes) -> bool:
        """As the SDK's RequestValidator finds it, without its detours: a receipt was half of its cost."""
        mac = self._mac.copy()
        mac.update(f"{url}{signed}".encode("utf-8", "surrogateescape"))
        return hmac.compare_digest(b64encode(mac.digest()), given)

    def _signed_otherwise(self, url: str, signed: str, given: bytes) -> bool:
        """Twilio is of two minds about ports; the address as it stands is mostly the one."""
        parts = urlsplit(url)
        return any(self._signed(one, signed, given) for one in {remove_port(parts), add_port(parts)} - {url})


def _pairs(text: str) -> list[tuple[str, str]]:
    """Names and values of a form, as `parse_qsl` reads them strictly; ValueError where it is none. Most need no decoding."""
    pairs = []
    for part in text.split("&") if text else ():
        name, equals, value = part.partition("=")
        if not equals:
            raise ValueError("not a form")
        pairs.append((_decoded(name), _decoded(value)) if "%" in part or "+" in part else (name, value))
    return pairs


def _decoded(said: str) -> str:
    if said[:3] == "%2B" and said.isascii() and said[3:].isdigit():  # a number is its own code but for the plus
        return f"+{said[3:]}"
    return unquote_plus(said)


class _Said(msgspec.Struct, frozen=True):
    """What is read of an answer, of whatever type; the rest of it is passed over."""

    sid: Any = None
    code: Any = None
    message: Any = ""


_NOTHING: Final = _Said()
_ANSWER: Final = msgspec.json.Decoder(_Said)


def _read(body: bytes) -> _Said:
    """Nothing where it is no JSON object: a provider that talks nonsense is judged by its state."""
    try:
        return _ANSWER.decode(body)
    except (ValueError, RecursionError):
        return _NOTHING
