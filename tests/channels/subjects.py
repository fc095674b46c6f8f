"""The providers of the catalog as subjects of the conformance suite."""

from __future__ import annotations

import json
from functools import partial
from typing import Any
from urllib.parse import urlencode

from channels.broadcast import ebm, tarball
from channels.catalog import build
from channels.contract import Callback, Message
from channels.pacing import Paced
from channels.transport import Transport
from dispatcher.rehearsal.sms import signature
from tests.channels.conformance import NOW, PATIENT_S, Subject, answer, bulletin

PUBLIC = "https://warn.jian.example/api/v1/callbacks"
PHONE = "+8615400000001"
TOKEN = "twilio-secret-token"
KEY = "0197f0c0a1b27000800000000000abcd.officer-JA00001.sms.0"
TEXT = "【吉安应急】暴雨红色预警（Ⅰ级）：遂川县。请立即到岗，叫醒危险区群众。"
OURS = "33608000000000101010101"
GATEWAY = "43608270000000103140101"
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
WHSEC_DRILL = "whsec_ZHJpbGwtZHJpbGwtZHJpbGwtZHJpbGw="
EBM_SECRET = "our-ebm-secret"


def made(channel: str, name: str, transport: Transport, **settings: Any) -> Paced:
    return build(channel, name, {"timeout_s": PATIENT_S, "rate": 10_000, **settings}, transport, PUBLIC)


def twilio(base_url: str, transport: Transport, **more: Any) -> Paced:
    account = {"account_sid": "AC1", "auth_token": TOKEN, "sender": "+15005550006"}
    return made("sms", "twilio", transport, base_url=base_url, **account, **more)


def twilio_callback() -> Callback:
    form = {"MessageSid": "SM1", "MessageStatus": "delivered", "To": PHONE, "AccountSid": "AC1", "Später": "neu"}
    url = f"{PUBLIC}/sms/twilio/{KEY}"
    headers = {"x-twilio-signature": signature(TOKEN, url, form)}
    return Callback(method="POST", url=url, headers=headers, body=urlencode(form).encode(), token=KEY)


def gateway(_peer: str, transport: Transport, **more: Any) -> Paced:
    return made("broadcast", "ebm", transport, ebrid=OURS, sender_code="36080041700000", secret=EBM_SECRET, **more)


def gateway_message(base_url: str) -> Message:
    return Message(
        id=KEY.replace("sms", "broadcast"),
        to=f"{base_url}/gateways/g1",
        peer=GATEWAY,
        text="紧急通知。请立即转移。",
        areas=("360827100201", "360827100202"),
        serial=7,
        bulletin=bulletin(),
    )


def gateway_says(body: bytes, said: ebm.Body) -> bytes:
    boundary = body[2 : body.index(b"\r\n")].decode()
    packet = ebm.read(tarball.from_form(f"multipart/form-data; boundary={boundary}", body))
    return answer(200, pushed(said, related=packet.id), "Content-Type: application/x-tar")


def pushed(said: ebm.Body, *, source: str = GATEWAY, related: str = "") -> bytes:
    packet = ebm.Ebd(id=ebm.ebd_id(GATEWAY, 3), source=source, target=OURS, body=said, time=NOW, related=related)
    return ebm.write(packet)[0]


def gateway_callback() -> Callback:
    """To the address that the gateway found in our packet."""
    provider = gateway("", Transport(loopback_only=True)).provider
    token = f"{GATEWAY}.{provider._seal(GATEWAY)}"  # type: ignore[attr-defined]
    state = ebm.StateResponse(ebm_id=bulletin().broadcast_id, state=ebm.State.SUCCESS, text="播发成功")
    content_type, body = tarball.form(ebm.ebd_id(GATEWAY, 3), pushed(state))
    url = f"{PUBLIC}/broadcast/ebm/{token}"
    return Callback(method="POST", url=url, headers={"content-type": content_type}, body=body, token=token)


def webhook(_peer: str, transport: Transport, **more: Any) -> Paced:
    return made("party", "webhook", transport, **more)


def webhook_message(base_url: str) -> Message:
    return Message(
        id=KEY.replace("sms", "party"),
        to=f"{base_url}/platforms/p1",
        peer="p1",
        text="各党支部请立即组织党员到岗。",
        areas=("360827100201",),
        secrets=(WHSEC,),
        bulletin=bulletin(),
    )


ALIYUN_SECRET = "aliyun-access-key-secret"
ALIYUN_TOKEN = "unguessable-0123456789"


def aliyun(base_url: str, transport: Transport, **more: Any) -> Paced:
    account = {"access_key_id": "LTAI1", "access_key_secret": ALIYUN_SECRET, "callback_token": ALIYUN_TOKEN}
    template = {"sign_name": "吉安应急", "template_code": "SMS_1"}
    return made("sms", "aliyun", transport, base_url=base_url, **{**account, **template, **more})


def aliyun_callback(*items: dict[str, Any]) -> Callback:
    report = {"phone_number": PHONE[3:], "success": True, "err_code": "DELIVERED", "biz_id": "9^0", "out_id": "0197.1"}
    body = json.dumps(items or [report], ensure_ascii=False).encode()
    url = f"{PUBLIC}/sms/aliyun/{ALIYUN_TOKEN}"
    return Callback(method="POST", url=url, headers={}, body=body, token=ALIYUN_TOKEN)


SUBJECTS = {
    ("sms", "aliyun"): Subject(
        name="aliyun",
        make=aliyun,
        make_drill=partial(aliyun, drill=True),
        message=lambda _: Message(id=KEY, to=PHONE, text=TEXT, bulletin=bulletin()),
        works=lambda _: answer(200, json.dumps({"Code": "OK", "Message": "OK", "BizId": "9^0"}).encode()),
        refuses=lambda _: answer(
            200, json.dumps({"Code": "isv.MOBILE_NUMBER_ILLEGAL", "Message": f"{PHONE[3:]}invalid"}).encode()
        ),
        secrets=(PHONE, PHONE[1:], PHONE[3:], ALIYUN_SECRET, ALIYUN_TOKEN),
        callback=aliyun_callback,
    ),
    ("sms", "twilio"): Subject(
        name="twilio",
        make=twilio,
        make_drill=partial(twilio, drill=True),
        message=lambda _: Message(id=KEY, to=PHONE, text=TEXT, bulletin=bulletin()),
        works=lambda _: answer(201, json.dumps({"sid": "SM1", "status": "queued"}).encode()),
        refuses=lambda _: answer(400, json.dumps({"code": 21211, "message": f"{PHONE} is not valid"}).encode()),
        secrets=(PHONE, PHONE[1:], TOKEN),
        callback=twilio_callback,
    ),
    ("broadcast", "ebm"): Subject(
        name="ebm",
        make=gateway,
        make_drill=lambda url, transport: gateway(url, transport, base_url=url, drill=True),
        message=gateway_message,
        works=lambda body: gateway_says(body, ebm.Response(result=ebm.Result.OK, text="已接收")),
        refuses=lambda body: gateway_says(body, ebm.Response(result=ebm.Result.CONTENT_MISSING, text="缺 AreaCode")),
        secrets=(EBM_SECRET,),
        callback=gateway_callback,
    ),
    ("party", "webhook"): Subject(
        name="webhook",
        make=webhook,
        make_drill=lambda url, transport: webhook(url, transport, base_url=url, drill=True, secret=WHSEC_DRILL),
        message=webhook_message,
        works=lambda _: answer(204, b""),
        refuses=lambda _: answer(410, b"gone"),
        state_is_proof=True,
        secrets=(WHSEC, WHSEC_DRILL),
    ),
}
