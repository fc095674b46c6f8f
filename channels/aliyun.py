"""What is Aliyun's own (阿里云): the account and its signature, its error codes, and what it pushes to us.

Aliyun answers most refusals with 200 and a code in the body. It must survive a code nobody has heard of, an answer that is
no answer, and a push with one strange item in it: the others are read all the same.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final
from urllib.parse import quote, urlsplit

from msgspec.structs import replace

from channels.blotting import blotted
from channels.contract import (
    Accepted,
    Asked,
    Blame,
    Malformed,
    Message,
    NotKnown,
    Outcome,
    Receipt,
    ReceiptState,
    Refused,
    TryAgain,
    Uplink,
)
from channels.text import unsigned
from channels.transport import Answer, Failure, Line, judge, retry_after

HOME: Final = "https://dysmsapi.aliyuncs.com"
VERSION: Final = "2017-05-25"
ALGORITHM: Final = "ACS3-HMAC-SHA256"
FORM: Final = "application/x-www-form-urlencoded"
BEIJING: Final = timezone(timedelta(hours=8))
"""Aliyun's dates and times say no zone: they are Beijing's."""

MAINLAND: Final = re.compile(r"\+861[3-9]\d{9}")
SAME: Final = 1000
MIXED: Final = 100
"""The most numbers a request takes with one text (SAME), and with a text for each (MIXED)."""
ASKING: Final = 32
"""Look-ups under way at once."""
PAGE: Final = 50
PAGES: Final = 4

NUMBER_LIMIT: Final = "isv.BUSINESS_LIMIT_CONTROL"
NUMBER_LIMIT_S: Final = 60.0
"""The shortest span one number's messages are counted over."""

AGAIN: Final = {
    NUMBER_LIMIT: "该号码短时间内收到的短信太多，被阿里云限流，稍后再发",
    "isp.SYSTEM_ERROR": "阿里云系统错误",
    "isp.GATEWAY_ERROR": "阿里云系统错误",
    "ServiceUnavailable": "阿里云暂时不可用",
    "InternalError": "阿里云系统错误",
}
"""It did not leave. The first counts against one number, not against us, so it costs a try and does not slow the others."""

THROTTLED: Final = ("Throttling", "isv.QPS_LIMIT_CONTROL")
"""Codes that begin so: too many requests of ours."""

REFUSED: Final[dict[str, tuple[Blame, str]]] = {
    "isv.MOBILE_NUMBER_ILLEGAL": (Blame.ADDRESS, "号码有误"),
    "isv.MOBILE_COUNT_OVER_LIMIT": (Blame.MESSAGE, "一次请求的号码太多"),
    "isv.SMS_CONTENT_ILLEGAL": (Blame.MESSAGE, "内容含禁止发送的文字，请改写"),
    "isv.BLACK_KEY_CONTROL_LIMIT": (Blame.MESSAGE, "内容含黑名单关键字，请改写"),
    "isv.PARAM_LENGTH_LIMIT": (Blame.MESSAGE, "内容超过模板变量的长度，请缩短，或向阿里云申请放宽"),
    "isv.PARAM_NOT_SUPPORT_URL": (Blame.MESSAGE, "模板变量里不能有网址，请删去"),
    "isv.TEMPLATE_PARAMS_ILLEGAL": (Blame.MESSAGE, "内容不合模板变量的规定，请改写"),
    "isv.SMS_CONTENT_MISMATCH_TEMPLATE_TYPE": (Blame.MESSAGE, "内容与模板类型不符，请改写"),
    "isv.INVALID_PARAMETERS": (Blame.ACCOUNT, "参数有误，请核对 sign_name、template_code 和 template_param"),
    "isv.INVALID_JSON_PARAM": (Blame.ACCOUNT, "模板变量有误，请核对 template_param"),
    "isv.TEMPLATE_MISSING_PARAMETERS": (Blame.ACCOUNT, "模板变量的名称不符，请核对 template_param"),
    "isv.SMS_TEMPLATE_ILLEGAL": (Blame.ACCOUNT, "模板不存在或未审核通过，请核对 template_code"),
    "isv.SMS_SIGNATURE_ILLEGAL": (Blame.ACCOUNT, "签名不存在或未审核通过，请核对 sign_name"),
    "isv.SMS_SIGN_ILLEGAL": (Blame.ACCOUNT, "签名已被禁用，请在阿里云控制台重新申请"),
    "isv.SIGN_STATE_ILLEGAL": (Blame.ACCOUNT, "签名不可用，请在阿里云控制台查看原因"),
    "isv.SMS_SIGNATURE_SCENE_ILLEGAL": (Blame.ACCOUNT, "签名与模板的类型不一致，请改用通用签名"),
    "isv.DOMESTIC_NUMBER_NOT_SUPPORTED": (Blame.ACCOUNT, "模板只能发往境外，请改用国内模板"),
    "isv.EXTEND_CODE_ERROR": (Blame.ACCOUNT, "扩展码已被别的签名使用"),
    "isv.AMOUNT_NOT_ENOUGH": (Blame.ACCOUNT, "余额不足，请立即充值"),
    "isv.OUT_OF_SERVICE": (Blame.ACCOUNT, "欠费停机，请立即充值"),
    "isv.DAY_LIMIT_CONTROL": (Blame.ACCOUNT, "达到控制台里设的日发送上限，请立即调高"),
    "isv.MONTH_LIMIT_CONTROL": (Blame.ACCOUNT, "达到控制台里设的月发送上限，请立即调高"),
    "isv.PRODUCT_UN_SUBSCRIPT": (Blame.ACCOUNT, "账户没有开通短信服务"),
    "isv.PRODUCT_UNSUBSCRIBE": (Blame.ACCOUNT, "账户没有开通短信服务"),
    "isv.ACCOUNT_NOT_EXISTS": (Blame.ACCOUNT, "账户不存在"),
    "isv.ACCOUNT_ABNORMAL": (Blame.ACCOUNT, "账户异常"),
    "isv.DENY_IP_RANGE": (Blame.ACCOUNT, "本机的公网地址不在中国内地，不许发送"),
    "isp.RAM_PERMISSION_DENY": (Blame.ACCOUNT, "密钥没有短信权限，请授权 AliyunDysmsFullAccess"),
    "InvalidAccessKeyId.NotFound": (Blame.ACCOUNT, "AccessKey 不存在，请核对"),
    "InvalidAccessKeyId.Inactive": (Blame.ACCOUNT, "AccessKey 已停用，请启用或更换"),
    "SignatureDoesNotMatch": (Blame.ACCOUNT, "请求签名不符，请核对 AccessKey 密钥"),
    "IncompleteSignature": (Blame.ACCOUNT, "请求签名不完整，请核对 AccessKey"),
    "InvalidTimeStamp.Expired": (Blame.ACCOUNT, "本机时钟不准，请校时"),
}

OF_ONE: Final = frozenset({NUMBER_LIMIT, "isv.INVALID_PARAMETERS", "http_413", "http_414"}) | {
    code for code, (blame, _) in REFUSED.items() if blame is not Blame.ACCOUNT
}
"""Codes that one number or text of a request brings down upon all the others in it; or there are too many of them."""

_ENDED: Final = {
    "DELIVERED": "已送达",
    "MOBILE_NOT_ON_SERVICE": "停机或空号",
    "MOBILE_TERMINAL_ERROR": "手机终端问题",
    "MOBILE_IN_BLACK": "号码在黑名单里",
    "MOBILE_ACCOUNT_ABNORMAL": "用户账户异常",
    "MOBILE_SEND_LIMIT": "该号码接收的短信太多，被限流",
    "IS_CLOSED": "关机或短信功能关闭",
    "SP_NOT_BY_SMS": "用户没有开通短信功能",
    "SP_UNKNOWN_ERROR": "运营商未说明原因",
    "USER_REJECT": "用户已退订",
    "CONTENT_KEYWORD": "内容被运营商拦截，请改写后再发",
    "CONTENT_ERROR": "内容不合运营商规定",
    "INVALID_NUMBER": "号码状态异常",
    "PARAMS_ILLEGAL": "参数有误",
}


_STATUS: Final = {"2": ReceiptState.UNDELIVERED, "3": ReceiptState.DELIVERED}


def explain(code: str) -> str:
    """The Chinese of a code in a receipt; '' for one we do not know: carriers have hundreds."""
    return _ENDED.get(code) or AGAIN.get(code) or REFUSED.get(code, (None, ""))[1]


class Account:
    """One Aliyun account. `lines`: one for sending, and one for look-ups, which must not stand in its way."""

    def __init__(self, lines: tuple[Line, Line], base_url: str, region: str, key: tuple[str, str]) -> None:
        self._lines = lines
        self._asking = asyncio.Semaphore(ASKING)
        self._base_url = base_url.rstrip("/") or HOME
        self._host = urlsplit(self._base_url).netloc
        self._region = region
        self._key = key

    async def call(
        self, action: str, query: Mapping[str, str], form: Mapping[str, str], now: datetime
    ) -> Answer | Failure:
        """`query` and `form`: the parameters where the interface's own description has them."""
        return await self._lines[0].request("POST", *self._signed(action, query, form, now))

    async def close(self) -> None:
        for line in self._lines:
            await line.close()

    def _signed(
        self, action: str, query: Mapping[str, str], form: Mapping[str, str], now: datetime
    ) -> tuple[str, bytes | None, dict[str, str]]:
        """URL, body and headers."""
        asked, body = encoded({"RegionId": self._region, **query}), encoded(form).encode("ascii")
        headers = {
            "host": self._host,
            "x-acs-action": action,
            "x-acs-content-sha256": hashlib.sha256(body).hexdigest(),
            "x-acs-date": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "x-acs-signature-nonce": secrets.token_hex(16),
            "x-acs-version": VERSION,
        }
        if body:
            headers["content-type"] = FORM
        headers["Authorization"] = authorization(self._key, "POST", asked, headers)
        return f"{self._base_url}/?{asked}", body or None, headers

    async def look_up(self, message: Message, now: datetime) -> Asked:
        """Looked up by number and day: what bears this warning's number, and this text, is it."""
        if not MAINLAND.fullmatch(message.to):
            return Asked(id=message.id)
        mark, text = f"{message.bulletin.warning_id}.", unsigned(message.text)
        first, last = (at.astimezone(BEIJING).date() for at in (message.bulletin.sent, now))
        for day in sorted({last, max(first, last - timedelta(days=1))}, reverse=True):
            async with self._asking:
                found = await self._sent_to(plain(message), f"{day:%Y%m%d}", now)
            if not isinstance(found, list):
                return Asked(id=message.id, code="no_answer", reason=found.reason)
            for item in found:
                if str(item.get("OutId", "")).startswith(mark) and text in str(item.get("Content") or text):
                    return Asked(id=message.id, receipt=replace(_detail(item), id=message.id))
        return Asked(id=message.id)

    async def _sent_to(self, number: str, day: str, now: datetime) -> list[dict[str, Any]] | Failure:
        """What this number was sent on that day (yyyyMMdd), the newest first; a few pages, because a look-up must end."""
        found: list[dict[str, Any]] = []
        query = {"PhoneNumber": number, "SendDate": day, "PageSize": str(PAGE)}
        for page in range(1, PAGES + 1):
            asked = {**query, "CurrentPage": str(page)}
            answer = await self._lines[1].request("POST", *self._signed("QuerySendDetails", asked, {}, now))
            if not isinstance(answer, Answer):
                return answer
            said = said_in(answer)
            if answer.status != 200 or said.get("Code") != "OK":
                code = f"HTTP {answer.status} {said.get('Code', '')}"
                return TryAgain(code="no_answer", reason=f"阿里云没有给出查询结果（{code.strip()}）")
            listed = said.get("SmsSendDetailDTOs")
            items = listed.get("SmsSendDetailDTO") or [] if isinstance(listed, dict) else []
            found += [item for item in items if isinstance(item, dict)]
            if len(items) < PAGE:
                break
        return found


def split(batch: Sequence[Message]) -> list[list[int]]:
    """Places of the messages of each request. Up to a hundred go as they come; of more, those with one text by the thousand."""
    calls: list[list[int]] = []
    kinds: dict[str, dict[str, list[int]]] = {}
    for at, one in enumerate(batch):
        if MAINLAND.fullmatch(one.to):
            kinds.setdefault(one.bulletin.warning_id, {}).setdefault(one.text, []).append(at)
    for by_text in kinds.values():
        many = [places for places in by_text.values() if len(places) > MIXED]
        few = sorted(at for places in by_text.values() if len(places) <= MIXED for at in places)
        calls += [places[at : at + SAME] for places in many for at in range(0, len(places), SAME)]
        calls += [few[at : at + MIXED] for at in range(0, len(few), MIXED)]
    return calls


def out_id(messages: Sequence[Message]) -> str:
    """The warning, by which a receipt finds its delivery with the number; and these very messages."""
    ids = "\n".join([one.id for one in messages])
    return f"{messages[0].bulletin.warning_id}.{hashlib.sha256(ids.encode()).hexdigest()[:16]}"


def plain(message: Message) -> str:
    """A mainland number as Aliyun writes it: eleven digits."""
    return message.to.removeprefix("+86")


def encoded(parameters: Mapping[str, str]) -> str:
    """Sorted, each byte but RFC 3986's unreserved ones as %XX: what is signed is what is sent."""
    return "&".join(f"{quote(name, safe='')}={quote(parameters[name], safe='')}" for name in sorted(parameters))


def authorization(key: tuple[str, str], method: str, query: str, headers: Mapping[str, str]) -> str:
    """Signature V3 over the query in its canonical form and all of `headers`, whose names are lower-case."""
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in sorted(headers))
    canonical = f"{method}\n/\n{query}\n{lines}\n{names}\n{headers['x-acs-content-sha256']}"
    signed = f"{ALGORITHM}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.digest(key[1].encode(), signed.encode(), "sha256").hex()
    return f"{ALGORITHM} Credential={key[0]},SignedHeaders={names},Signature={signature}"


def outcome(answer: Answer | Failure, now: datetime) -> Outcome:
    """What an answer to a sending means for everyone in it: Aliyun's own code first, then the HTTP state."""
    if not isinstance(answer, Answer):
        return answer
    said, by_state = said_in(answer), judge(answer, now, blame=Blame.ACCOUNT)
    code, ref = said.get("Code"), said.get("BizId")
    if isinstance(code, str) and code not in ("", "OK"):
        return _meaning(code, answer, now) or _unknown(code, str(said.get("Message", "")), by_state)
    if by_state is None and code == "OK" and isinstance(ref, str) and ref:
        return Accepted(ref=ref)
    if (
        isinstance(by_state, Refused) and by_state.code not in OF_ONE
    ):  # a page of some proxy: nobody's number is at fault
        return replace(by_state, blame=Blame.ACCOUNT)
    return by_state or NotKnown(code="garbage" if answer.whole else "cut", reason="应答无法读懂，可能已发出")


def _meaning(code: str, answer: Answer, now: datetime) -> Outcome | None:
    if code == "SignatureNonceUsed":  # somebody on the way sent our request twice: the first one counts
        return NotKnown(code=code, reason="阿里云说收到过这个请求，可能已发出")
    if code.startswith(THROTTLED):
        return TryAgain(code=code, reason="请求过于频繁", after_s=retry_after(answer, now), throttled=True)
    if code in AGAIN:
        return TryAgain(code=code, reason=AGAIN[code], after_s=NUMBER_LIMIT_S if code == NUMBER_LIMIT else None)
    if code in REFUSED:
        blame, meaning = REFUSED[code]
        return Refused(code=code, reason=meaning, blame=blame)
    return None


def _unknown(code: str, message: str, by_state: Failure | None) -> Outcome:
    """Nobody is given up for a code we do not know; somebody is woken."""
    if isinstance(by_state, TryAgain):
        return replace(by_state, code=code, reason=f"{by_state.reason}：{message}")
    return Refused(code=code, reason=f"阿里云拒绝：{message}", blame=Blame.ACCOUNT)


def told_apart(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Where others of a request were taken, what was refused is itself at fault, and not our account."""
    if not any(isinstance(one, Accepted) for one in outcomes):
        return list(outcomes)
    return [
        replace(one, blame=Blame.MESSAGE)
        if isinstance(one, Refused) and one.blame is Blame.ACCOUNT and one.code in OF_ONE
        else one
        for one in outcomes
    ]


def said_in(answer: Answer) -> dict[str, Any]:
    """The JSON object in a body, or an empty one."""
    try:
        data = json.loads(answer.body)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def pushed(body: bytes, name: bytes) -> tuple[tuple[Receipt, ...], tuple[Uplink, ...]]:
    """The items of a push: reports (SmsReport), replies (SmsUp), or both. Raises Malformed where none can be read.

    `name`: a key for the number of a reply that bears none, so that its repetition bears the same.
    """
    try:
        items = json.loads(body)
    except ValueError as error:
        raise Malformed("推送不是 JSON") from error
    found = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    receipts = tuple([_receipt(item) for item in found if item.get("biz_id") and "success" in item])
    uplinks = tuple([_uplink(item, name) for item in found if "content" in item and item.get("phone_number")])
    if not receipts and not uplinks:
        raise Malformed("推送里没有回执，也没有上行短信")
    return receipts, uplinks


def _detail(item: Mapping[str, Any]) -> Receipt:
    """What became of a message, as a look-up tells it (1 waits, 2 failed, 3 arrived)."""
    state = _STATUS.get(str(item.get("SendStatus")), ReceiptState.SENT)
    code = str(item.get("ErrCode") or "") if state is ReceiptState.UNDELIVERED else ""
    return Receipt(state=state, code=code, detail=explain(code))


def _receipt(item: Mapping[str, Any]) -> Receipt:
    phone, arrived = abroad(str(item.get("phone_number", ""))), item["success"] in (True, "true")
    blot = (phone, phone.removeprefix("+86"))
    code = "" if arrived else blotted(str(item.get("err_code") or ""), blot)
    words = blotted(str(item.get("err_msg") or ""), blot)[:200]
    return Receipt(
        state=ReceiptState.DELIVERED if arrived else ReceiptState.UNDELIVERED,
        ref=str(item["biz_id"]),
        warning_id=str(item.get("out_id") or "").partition(".")[0],
        to=phone,
        code=code,
        detail=explain(code) or words,
    )


def _uplink(item: Mapping[str, Any], name: bytes) -> Uplink:
    written = json.dumps(item, sort_keys=True).encode()
    return Uplink(
        number=str(item.get("sequence_id") or hmac.digest(name, written, "sha256").hex()[:32]),
        phone=abroad(str(item["phone_number"])),
        text=str(item["content"] or ""),
        sent=_time(str(item.get("send_time") or "")),
        dest_code=str(item.get("dest_code") or ""),
    )


def abroad(number: str) -> str:
    """A number as Aliyun writes it → E.164."""
    digits = number.removeprefix("+")
    return f"+86{digits}" if len(digits) == 11 and digits.startswith("1") else f"+{digits.removeprefix('00')}"


def _time(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING)
    except ValueError:
        return None
