"""Aliyun's SMS interface as it is played here: signed requests in, pushed reports and replies out, and look-ups.

A request is taken or refused whole, as Aliyun does. Its log line, one a number: recipient (E.164), key (OutId and number),
digest, drill, biz_id, text as the phone shows it. It pushes nowhere until `POST /_rehearsal/callback {"url": …}` says
where, because Aliyun is told in its console; `POST /_rehearsal/replies [{"phone_number": …, "content": …}]` makes people
write back.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, quote

from aiohttp import web

from dispatcher.rehearsal.faults import Fate, Faults
from dispatcher.rehearsal.player import Player
from dispatcher.rehearsal.reports import Report, Reports

FINAL_AFTER_S: Final = 0.2
SAME: Final = 1000
MIXED: Final = 100
PUSHED: Final = 100
"""Items in one push."""
LATE_S: Final = 900
NOTHING: Final = hashlib.sha256(b"").hexdigest()
JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
BEIJING: Final = timezone(timedelta(hours=8))
_NUMBER = re.compile(r"(?:\+86|0086|86)?(1[3-9]\d{9})")
_SIGNED = re.compile(r"ACS3-HMAC-SHA256 Credential=([^,]+),SignedHeaders=([^,]+),Signature=([0-9a-f]{64})")


@dataclass(slots=True, kw_only=True)
class Sms:
    number: str
    content: str
    template: str
    out_id: str
    biz_id: str
    sent: float
    status: int = 1
    code: str = ""


class Wrong(Exception):
    """A request Aliyun refuses: HTTP state, code, message."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(code)
        self.status, self.code, self.message = status, code, message or code


class Aliyun(Player):
    """`account`: the AccessKey, id and secret."""

    def __init__(
        self, log: Path, faults: Faults, reports: Reports, clock: Callable[[], float], account: tuple[str, str]
    ) -> None:
        super().__init__(log, faults, reports, clock)
        self._account = account
        self._nonces: set[str] = set()
        self._by_number: dict[str, list[Sms]] = {}
        self._last = int(clock() * 1000)
        self._callback = ""

    async def play(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        query = dict(parse_qsl(request.rel_url.raw_query_string, keep_blank_values=True))
        try:
            self._check(request, query, body)
            form = dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True))
            match request.headers.get("x-acs-action"):
                case "SendSms":
                    return await self._send(request, query, _same(query))
                case "SendBatchSms":
                    return await self._send(request, query, _mixed(form))
                case "QuerySendDetails":
                    return _json(self._details(query))
                case _:
                    return _error(Wrong(404, "InvalidAction.NotFound", "Specified api is not found"))
        except Wrong as wrong:
            return _error(wrong)

    def _check(self, request: web.BaseRequest, query: Mapping[str, str], body: bytes) -> None:
        """The signature, written again here so that it proves the other one."""
        given = request.headers
        found = _SIGNED.fullmatch(given.get("Authorization", ""))
        if request.path != "/" or given.get("x-acs-version") != "2017-05-25":
            raise Wrong(404, "InvalidAction.NotFound")
        if found is None:
            raise Wrong(400, "IncompleteSignature")
        if found[1] != self._account[0]:
            raise Wrong(404, "InvalidAccessKeyId.NotFound")
        if given.get("x-acs-content-sha256") != hashlib.sha256(body).hexdigest():
            raise Wrong(400, "SignatureDoesNotMatch", "x-acs-content-sha256")
        names = found[2].split(";")
        needed = {"host", *[name.lower() for name in given if name.lower().startswith("x-acs-")]}
        if names != sorted(names) or not needed <= set(names):
            raise Wrong(400, "IncompleteSignature")
        signed = signature(self._account[1], request.method, query, {name: given.get(name, "") for name in names})
        if not hmac.compare_digest(signed, found[3]):
            raise Wrong(400, "SignatureDoesNotMatch")
        self._check_time(given.get("x-acs-date", ""), given.get("x-acs-signature-nonce", ""))

    def _check_time(self, date: str, nonce: str) -> None:
        try:
            at = datetime.strptime(date, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
        except ValueError:
            raise Wrong(400, "InvalidTimeStamp.Format") from None
        if abs(self.clock() - at) > LATE_S:
            raise Wrong(400, "InvalidTimeStamp.Expired")
        if not nonce or nonce in self._nonces:
            raise Wrong(400, "SignatureNonceUsed")
        self._nonces.add(nonce)

    async def _send(
        self, request: web.BaseRequest, query: Mapping[str, str], wanted: Sequence[tuple[str, str]]
    ) -> web.StreamResponse:
        """`wanted`: (number, what the phone shows)."""
        template, out_id = query.get("TemplateCode", ""), query.get("OutId", "")
        if not template:
            raise Wrong(200, "isv.SMS_TEMPLATE_ILLEGAL", "模板不合法")
        if len(out_id) >= 256:
            raise Wrong(200, "isv.INVALID_PARAMETERS", "OutId")
        bad = [number for number, _ in wanted if self.mischief.faults.hits("refuse", f"+86{number}")]
        fate = self.mischief.fate(f"+86{(bad or [wanted[0][0]])[0]}", out_id)
        if fate is Fate.THROTTLE:
            raise Wrong(400, "Throttling.User", "Request was denied due to user flow control.")
        answer = _error(Wrong(200, "isv.MOBILE_NUMBER_ILLEGAL", f"{bad[0]}invalid mobile number" if bad else ""))
        if fate.taken:
            taken = self._take(wanted, template, out_id)
            asyncio.get_running_loop().call_later(FINAL_AFTER_S, self._end, taken)
            biz_id = taken[0].biz_id
            answer = _json({"Code": "OK", "Message": "OK", "BizId": biz_id, "RequestId": _request_id(biz_id)})
        return await self.end(request, fate, answer)

    def _take(self, wanted: Sequence[tuple[str, str]], template: str, out_id: str) -> list[Sms]:
        self._last += 1
        now, biz_id, taken = self.clock(), f"{self._last:018d}^0", []
        for number, content in wanted:
            sms = Sms(number=number, content=content, template=template, out_id=out_id, biz_id=biz_id, sent=now)
            self._by_number.setdefault(number, []).append(sms)
            taken.append(sms)
            drill = content.partition("】")[2].startswith("【演练】")
            self.log.write(recipient=f"+86{number}", key=f"{out_id}.{number}", text=content, biz_id=biz_id, drill=drill)
        return taken

    def _end(self, taken: Sequence[Sms]) -> None:
        """Each arrives or does not; then it is pushed, by the hundred, some pushes twice."""
        for sms in taken:
            arrived = not self.mischief.faults.hits("undelivered", f"+86{sms.number}")
            sms.status, sms.code = (3, "DELIVERED") if arrived else (2, "MOBILE_NOT_ON_SERVICE")
        for start in range(0, len(taken), PUSHED):
            some = taken[start : start + PUSHED]
            self._push([_report(sms, self.clock()) for sms in some], f"{some[0].biz_id}.{start}")

    def _push(self, items: Sequence[Mapping[str, Any]], name: str) -> None:
        if not self._callback:
            return
        due, body = asyncio.get_running_loop().time(), json.dumps(items, ensure_ascii=False).encode()
        for _ in range(2 if self.mischief.faults.hits("repeat", name) else 1):
            self.reports.later(Report(url=self._callback, body=body, headers={"Content-Type": JSON}, due=due))

    def _details(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Newest first, by number and day."""
        number = _number(query.get("PhoneNumber", ""))
        size, page = int(query.get("PageSize", "0")), int(query.get("CurrentPage", "0"))
        if not 1 <= size <= 50 or page < 1:
            raise Wrong(200, "isv.INVALID_PARAMETERS", "PageSize")
        of_day = [
            sms
            for sms in reversed(self._by_number.get(number, []))
            if f"{_at(sms.sent):%Y%m%d}" == query.get("SendDate") and query.get("BizId", sms.biz_id) == sms.biz_id
        ]
        shown = [_detail(sms) for sms in of_day[(page - 1) * size : page * size]]
        found = {"TotalCount": str(len(of_day)), "SmsSendDetailDTOs": {"SmsSendDetailDTO": shown}}
        return {"Code": "OK", "Message": "OK", "RequestId": _request_id(number), **found}

    async def direct(self, request: web.BaseRequest) -> web.StreamResponse:
        """POST callback: where it pushes to. POST replies: what people write back."""
        match request.method, request.path:
            case "POST", "/_rehearsal/callback":
                self._callback = str((await request.json())["url"])
                return web.Response(status=204)
            case "POST", "/_rehearsal/replies":
                items = [self._reply(item) for item in await request.json()]
                self._push(items, str(items[0]["sequence_id"]))
                return web.Response(status=204)
            case _:
                return await super().direct(request)

    def _reply(self, said: Mapping[str, str]) -> dict[str, Any]:
        self._last += 1
        return {
            "phone_number": _number(said["phone_number"]),
            "content": said["content"],
            "send_time": f"{_at(self.clock()):%Y-%m-%d %H:%M:%S}",
            "dest_code": said.get("dest_code", "1234"),
            "sequence_id": said.get("sequence_id", str(self._last)),
        }


def signature(secret: str, method: str, query: Mapping[str, str], headers: Mapping[str, str]) -> str:
    """ACS3-HMAC-SHA256 over the request in its canonical form."""
    asked = "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in sorted(query.items()))
    lines = [f"{name}:{value.strip()}" for name, value in sorted(headers.items())]
    whole = [method, "/", asked, *lines, "", ";".join(sorted(headers)), headers.get("x-acs-content-sha256", NOTHING)]
    hashed = hashlib.sha256("\n".join(whole).encode()).hexdigest()
    return hmac.new(secret.encode(), f"ACS3-HMAC-SHA256\n{hashed}".encode(), hashlib.sha256).hexdigest()


def _same(query: Mapping[str, str]) -> list[tuple[str, str]]:
    numbers = query.get("PhoneNumbers", "").split(",")
    if len(numbers) > SAME:
        raise Wrong(200, "isv.MOBILE_COUNT_OVER_LIMIT", "号码数量超过限制")
    shown = _shown(query.get("SignName", ""), _object(query.get("TemplateParam", "")))
    return [(_number(number), shown) for number in numbers]


def _mixed(form: Mapping[str, str]) -> list[tuple[str, str]]:
    numbers, names, values = (
        _array(form.get(name, "")) for name in ("PhoneNumberJson", "SignNameJson", "TemplateParamJson")
    )
    if len(numbers) > MIXED:
        raise Wrong(200, "isv.MOBILE_COUNT_OVER_LIMIT", "号码数量超过限制")
    if not numbers or not len(numbers) == len(names) == len(values):
        raise Wrong(200, "isv.INVALID_PARAMETERS", "数组长度不一致")
    return [
        (_number(str(number)), _shown(str(name), value))
        for number, name, value in zip(numbers, names, values, strict=True)
    ]


def _shown(sign_name: str, values: object) -> str:
    """The template is `${content}`: the signature, and the one variable."""
    if not sign_name or sign_name.startswith("【"):
        raise Wrong(200, "isv.SMS_SIGNATURE_ILLEGAL", "短信签名不合法")
    if not isinstance(values, dict) or not isinstance(values.get("content"), str):
        raise Wrong(200, "isv.TEMPLATE_MISSING_PARAMETERS", "模板缺少变量")
    if "http" in values["content"]:
        raise Wrong(200, "isv.PARAM_NOT_SUPPORT_URL", "不支持URL")
    return f"【{sign_name}】{values['content']}"


def _number(text: str) -> str:
    if (found := _NUMBER.fullmatch(text)) is None:
        raise Wrong(200, "isv.MOBILE_NUMBER_ILLEGAL", f"{text}invalid mobile number")
    return found[1]


def _object(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        raise Wrong(200, "isv.INVALID_JSON_PARAM", "JSON参数不合法") from None


def _array(text: str) -> list[Any]:
    found = _object(text)
    if not isinstance(found, list):
        raise Wrong(200, "isv.INVALID_JSON_PARAM", "JSON参数不合法")
    return found


def _report(sms: Sms, now: float) -> dict[str, Any]:
    return {
        "phone_number": sms.number,
        "send_time": f"{_at(sms.sent):%Y-%m-%d %H:%M:%S}",
        "report_time": f"{_at(now):%Y-%m-%d %H:%M:%S}",
        "success": sms.status == 3,
        "err_code": sms.code,
        "err_msg": "用户接收成功" if sms.status == 3 else "停机或空号",
        "sms_size": "1",
        "biz_id": sms.biz_id,
        "out_id": sms.out_id,
    }


def _detail(sms: Sms) -> dict[str, Any]:
    return {
        "PhoneNum": sms.number,
        "SendStatus": sms.status,
        "ErrCode": sms.code,
        "TemplateCode": sms.template,
        "Content": sms.content,
        "SendDate": f"{_at(sms.sent):%Y-%m-%d %H:%M:%S}",
        "OutId": sms.out_id,
    }


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, BEIJING)


def _request_id(of: str) -> str:
    return hashlib.sha256(of.encode()).hexdigest()[:32].upper()


def _json(data: Mapping[str, Any], status: int = 200) -> web.Response:
    return web.Response(status=status, text=json.dumps(data, ensure_ascii=False), content_type=JSON)


def _error(wrong: Wrong) -> web.Response:
    said = {"Code": wrong.code, "Message": wrong.message, "RequestId": _request_id(wrong.code)}
    return _json(said, wrong.status)
