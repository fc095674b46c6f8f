"""The Aliyun provider: its signature against the published example, its batches against a server on loopback."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from msgspec.structs import replace

from channels.aliyun import AGAIN, OF_ONE, REFUSED, authorization, encoded, split
from channels.catalog import build, check
from channels.contract import (
    Accepted,
    Blame,
    Forged,
    Malformed,
    Message,
    NotConfigured,
    NotKnown,
    Outcome,
    ReceiptState,
    Refused,
    TryAgain,
)
from channels.pacing import Paced
from channels.transport import Transport
from dispatcher.rehearsal.faults import Faults
from dispatcher.rehearsal.server import City, Options, playing
from tests.channels.conformance import NOW, Fault, Peer, answer, bulletin, facing
from tests.channels.subjects import (
    ALIYUN_SECRET,
    ALIYUN_TOKEN,
    KEY,
    PHONE,
    PUBLIC,
    SUBJECTS,
    TEXT,
    aliyun,
    aliyun_callback,
)

SUBJECT = SUBJECTS["sms", "aliyun"]
MESSAGE = SUBJECT.message("")
BARE = TEXT.removeprefix("【吉安应急】")


def message(number: int, text: str = TEXT, **changes: Any) -> Message:
    given = replace(MESSAGE, id=f"{KEY}{number}", to=f"+86154{number:08d}", text=text)
    return replace(given, **changes)


async def asked(*messages: Message, **settings: Any) -> tuple[str, dict[str, str], dict[str, str]]:
    """The path, query and form of the one request that carried these."""
    subject = replace(SUBJECT, make=lambda url, transport: aliyun(url, transport, **settings))
    async with facing(subject, Fault.NONE) as (paced, peer):
        outcomes = await paced.send(messages, NOW)
    assert outcomes == [Accepted(ref="9^0")] * len(messages)
    (line,), (body,) = peer.lines, peer.bodies
    url = urlsplit(line.split()[1])
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    return url.path, query, {name: values[0] for name, values in parse_qs(body.decode()).items()}


# ── the signature ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_signature_is_the_one_of_aliyuns_own_example() -> None:
    headers = {
        "host": "ecs.cn-shanghai.aliyuncs.com",
        "x-acs-action": "RunInstances",
        "x-acs-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "x-acs-date": "2023-10-26T10:22:32Z",
        "x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d",
        "x-acs-version": "2014-05-26",
    }
    query = encoded({"RegionId": "cn-shanghai", "ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"})
    assert authorization(("YourAccessKeyId", "YourAccessKeySecret"), "POST", query, headers) == (
        "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,"
        "SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,"
        "Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
    )


def test_every_byte_that_is_not_unreserved_is_written_with_a_percent() -> None:
    assert encoded({"b": "a b*c~d/e+雨", "a": ""}) == "a=&b=a%20b%2Ac~d%2Fe%2B%E9%9B%A8"


# ── what is asked for ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_one_text_for_all_goes_as_send_sms_without_our_signature_in_front() -> None:
    path, query, form = await asked(message(1), message(2))
    out_id = query.pop("OutId")
    assert (path, form) == ("/", {})
    assert query == {
        "PhoneNumbers": "15400000001,15400000002",
        "SignName": "吉安应急",
        "TemplateCode": "SMS_1",
        "TemplateParam": json.dumps({"content": BARE}, ensure_ascii=False, separators=(",", ":")),
        "RegionId": "cn-hangzhou",
    }
    assert out_id.startswith(f"{MESSAGE.bulletin.warning_id}.")
    assert len(out_id) < 256


async def test_a_text_for_each_goes_as_send_batch_sms_with_the_arrays_in_the_form() -> None:
    _, query, form = await asked(message(1), message(2, TEXT + "第2村"))
    assert query.keys() == {"TemplateCode", "OutId", "RegionId"}
    assert {name: json.loads(value) for name, value in form.items()} == {
        "PhoneNumberJson": ["15400000001", "15400000002"],
        "SignNameJson": ["吉安应急", "吉安应急"],
        "TemplateParamJson": [{"content": BARE}, {"content": BARE + "第2村"}],
    }


async def test_a_drill_goes_by_an_account_of_its_own_and_keeps_its_marks() -> None:
    drill = message(1, f"【演练】{TEXT}【演练】", bulletin=bulletin(drill=True))
    _, query, _ = await asked(drill, drill=True, template_code="SMS_2", template_param="text")
    assert query["TemplateCode"] == "SMS_2"
    assert json.loads(query["TemplateParam"]) == {"text": f"【演练】{BARE}【演练】"}


@pytest.mark.parametrize("to", ["+85254000001", "+15005550006", "+8679612345", "15400000001"])
async def test_a_number_that_is_not_on_the_mainland_is_refused_and_the_others_go(to: str) -> None:
    async with facing(SUBJECT, Fault.NONE) as (paced, peer):
        outcomes = await paced.send([message(1), message(2, to=to), message(3)], NOW)
    assert [type(one) for one in outcomes] == [Accepted, Refused, Accepted]
    assert isinstance(outcomes[1], Refused)
    assert outcomes[1].blame is Blame.ADDRESS
    assert "15400000001%2C15400000003" in peer.lines[0] or "15400000001,15400000003" in peer.lines[0]


def sizes(batch: Sequence[Message]) -> list[tuple[int, int]]:
    """(messages, different texts) of each request; every place of the batch is in one of them, once."""
    calls = split(batch)
    assert sorted(at for call in calls for at in call) == list(range(len(batch)))
    return [(len(call), len({batch[at].text for at in call})) for call in calls]


def test_more_than_a_hundred_are_cut_as_aliyun_takes_them() -> None:
    assert sizes([message(n, f"{TEXT}{n}") for n in range(100)]) == [(100, 100)]
    assert sizes([message(n, f"{TEXT}{n}") for n in range(230)]) == [(100, 100), (100, 100), (30, 30)]
    assert sizes([message(n) for n in range(1000)]) == [(1000, 1)]
    assert sizes([message(n) for n in range(1001)]) == [(1000, 1), (1, 1)]
    assert sizes([message(n, f"{TEXT}{n % 2 and n}") for n in range(400)]) == [(200, 1), (100, 100), (100, 100)]
    two = [message(n, bulletin=bulletin(warning_id=f"{n % 2:032x}")) for n in range(4)]
    assert sizes(two) == [(2, 1), (2, 1)]
    assert split([]) == []


# ── what the answer means ───────────────────────────────────────────────────────────────────────────────────────────


async def said(code: str, status: int = 200, **more: str) -> Outcome:
    body = json.dumps({"Code": code, "Message": f"about {PHONE[3:]}", **more}).encode()
    async with facing(replace(SUBJECT, refuses=lambda _: answer(status, body)), Fault.REFUSES) as (paced, _):
        (outcome,) = await paced.send([MESSAGE], NOW)
    assert PHONE[3:] not in repr(outcome)
    return outcome


@pytest.mark.parametrize("code", sorted(AGAIN))
async def test_a_passing_trouble_is_tried_again(code: str) -> None:
    outcome = await said(code)
    assert isinstance(outcome, TryAgain)
    assert (outcome.code, outcome.throttled, outcome.reason) == (code, False, AGAIN[code])


@pytest.mark.parametrize(
    ("code", "status"),
    [("Throttling", 400), ("Throttling.User", 400), ("Throttling.Api", 503), ("isv.QPS_LIMIT_CONTROL", 200)],
)
async def test_too_many_requests_cost_no_try(code: str, status: int) -> None:
    outcome = await said(code, status)
    assert isinstance(outcome, TryAgain)
    assert outcome.throttled


async def test_a_number_that_had_too_many_waits_a_minute_and_does_not_slow_the_others() -> None:
    outcome = await said("isv.BUSINESS_LIMIT_CONTROL")
    assert isinstance(outcome, TryAgain)
    assert (outcome.after_s, outcome.throttled) == (60, False)


@pytest.mark.parametrize("code", sorted(REFUSED))
async def test_a_lasting_trouble_names_who_is_at_fault(code: str) -> None:
    outcome = await said(code, 404 if "AccessKey" in code else 400 if "Signature" in code else 200)
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.blame, outcome.reason) == (code, *REFUSED[code])


async def test_nobody_is_given_up_for_a_code_that_nobody_knows() -> None:
    for code, status in (("isv.INVENTED_TOMORROW", 200), ("MissingSomething", 400), ("", 400), ("", 403)):
        outcome = await said(code, status)
        assert isinstance(outcome, Refused)
        assert (outcome.code, outcome.blame) == (code or f"http_{status}", Blame.ACCOUNT)
    assert isinstance(await said("Whatever", 500), TryAgain)


async def test_a_request_that_arrived_before_may_have_left() -> None:
    assert isinstance(await said("SignatureNonceUsed", 400), NotKnown)


async def test_an_ok_without_a_number_to_find_it_by_is_not_known() -> None:
    assert isinstance(await said("OK"), NotKnown)
    assert isinstance(await said("OK", BizId=""), NotKnown)
    assert isinstance(await said("OK", 500, BizId="1^0"), TryAgain)


# ── batches against the rehearsal's Aliyun ──────────────────────────────────────────────────────────────────────────


def account(**settings: Any) -> dict[str, Any]:
    return {"access_key_id": "AC1", "access_key_secret": ALIYUN_SECRET, **settings}


def options(folder: Path, **faults: float) -> Options:
    return Options(folder=folder, account="AC1", token=ALIYUN_SECRET, faults={"aliyun": Faults(**faults)})  # type: ignore[arg-type]


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "aliyun.jsonl").read_text("utf-8").splitlines()]


def made(city: City, transport: Transport, **settings: Any) -> Paced:
    return aliyun(city.url("aliyun"), transport, **account(**settings))


async def test_a_batch_gets_one_outcome_a_message_in_order_and_a_bad_number_spoils_no_other(tmp_path: Path) -> None:
    bad = Faults(refuse=0.05)
    batch = [message(n, f"{TEXT}{n % 7}") for n in range(100)]
    expected = [Refused if bad.hits("refuse", one.to) else Accepted for one in batch]
    assert 0 < expected.count(Refused) < 20
    async with playing(options(tmp_path, refuse=0.05), clock=NOW.timestamp) as city:
        transport = Transport(loopback_only=True)
        outcomes = await made(city, transport).send(batch, NOW)
        await transport.close()
    assert [type(one) for one in outcomes] == expected
    refused = [one for one in outcomes if isinstance(one, Refused)]
    assert {(one.code, one.blame) for one in refused} == {("isv.MOBILE_NUMBER_ILLEGAL", Blame.ADDRESS)}
    taken = [(one.to, one.text) for one, kind in zip(batch, expected, strict=True) if kind is Accepted]
    assert sorted((line["recipient"], line["text"]) for line in lines(tmp_path)) == sorted(taken), "each of them once"


async def test_a_thousand_with_one_text_are_one_request_and_the_mixed_ones_go_beside_it(tmp_path: Path) -> None:
    batch = [message(n, TEXT if n < 1000 else f"{TEXT}{n}") for n in range(1050)]
    async with playing(options(tmp_path), clock=NOW.timestamp) as city:
        transport = Transport(loopback_only=True)
        outcomes = await made(city, transport, batch=1000).send(batch, NOW)
        await transport.close()
    assert all(isinstance(one, Accepted) for one in outcomes)
    assert len({one.ref for one in outcomes if isinstance(one, Accepted)}) == 2
    assert [(line["recipient"], line["text"]) for line in lines(tmp_path)] == [(one.to, one.text) for one in batch]


async def test_a_line_too_long_for_aliyun_is_halved_until_it_is_not(tmp_path: Path) -> None:
    too_long = answer(414, b"Request-URI Too Large")

    def short(_: bytes) -> bytes:
        return too_long if peers[0].lines[-1].count("154") > 30 else SUBJECT.works(b"")

    peers: list[Peer] = []
    async with facing(replace(SUBJECT, works=short), Fault.NONE) as (paced, peer):
        peers.append(peer)
        outcomes = await paced.send([message(n) for n in range(100)], NOW)
    assert outcomes == [Accepted(ref="9^0")] * 100
    assert len(peer.lines) == 7


@pytest.mark.parametrize(("strange", "blames"), [({3}, [Blame.MESSAGE]), (set(range(8)), [Blame.ACCOUNT] * 8)])
async def test_parameters_that_only_one_message_makes_wrong_are_no_fault_of_our_account(
    strange: set[int], blames: list[Blame]
) -> None:
    """Else one strange text would have the provider rest, again and again, before everybody."""
    refused = answer(200, json.dumps({"Code": "isv.INVALID_PARAMETERS"}).encode())

    def works(_: bytes) -> bytes:
        line = peers[0].lines[-1]
        return refused if any(f"{number:08d}" in line for number in strange) else SUBJECT.works(b"")

    peers: list[Peer] = []
    async with facing(replace(SUBJECT, works=works), Fault.NONE) as (paced, peer):
        peers.append(peer)
        outcomes = await paced.provider.send([message(n) for n in range(8)], NOW)
    assert [one.blame for one in outcomes if isinstance(one, Refused)] == blames


async def test_a_request_that_fails_does_not_spoil_the_one_beside_it(tmp_path: Path) -> None:
    url = "见http://example.invalid"
    batch = [message(n, TEXT if n % 2 else f"{TEXT}{url}") for n in range(300)]
    async with playing(options(tmp_path), clock=NOW.timestamp) as city:
        transport = Transport(loopback_only=True)
        outcomes = await made(city, transport, batch=1000).send(batch, NOW)
        await transport.close()
    assert [isinstance(one, Accepted) for one in outcomes] == [n % 2 == 1 for n in range(300)]


async def test_the_signature_holds_for_every_character(tmp_path: Path) -> None:
    text = "【吉安应急】a b+c&d=e%f*g~h/i?j#k\"l'm\\n；𠮷👨‍👩‍👧\n第二行"
    async with playing(options(tmp_path), clock=NOW.timestamp) as city:
        transport = Transport(loopback_only=True)
        outcomes = await made(city, transport).send([message(1, text), message(2, text), message(3)], NOW)
        outcomes += await made(city, transport).send([message(4, text)], NOW)
        (wrong,) = await made(city, transport, access_key_secret="another").send([message(5)], NOW)
        await transport.close()
    assert all(isinstance(one, Accepted) for one in outcomes)
    assert [line["text"] for line in lines(tmp_path)] == [text, text, TEXT, text]
    assert isinstance(wrong, Refused)
    assert (wrong.code, wrong.blame) == ("SignatureDoesNotMatch", Blame.ACCOUNT)


@pytest.mark.long
@pytest.mark.parametrize("fault", ["hang", "cut", "lie"])
async def test_what_is_in_doubt_is_found_by_number_and_warning_in_any_other_batch(tmp_path: Path, fault: str) -> None:
    batch = [message(n, f"{TEXT}{n}") for n in range(3)]
    stranger, other_text = message(9), replace(batch[0], text=TEXT + "第2次")
    other_warning = replace(batch[0], bulletin=bulletin(warning_id="f" * 32))
    days = [NOW]

    def clock() -> float:
        return days[-1].timestamp()

    async with playing(options(tmp_path, **{fault: 1}), clock=clock) as city:
        transport = Transport(loopback_only=True)
        paced = made(city, transport)
        assert {type(one) for one in await paced.send(batch, NOW)} == {NotKnown}
        assert paced.asks is not None
        found = await paced.asks.ask([batch[2], batch[0], stranger, other_text, other_warning], NOW)
        days.append(NOW + timedelta(days=1))
        later = await paced.asks.ask([batch[1]], days[-1])
        await transport.close()
    assert [one.receipt and one.receipt.id for one in found] == [batch[2].id, batch[0].id, None, None, None]
    assert {one.code for one in found} == {""}
    assert later[0].receipt is not None, "yesterday is looked up too"


@pytest.mark.parametrize(
    "fault", [Fault.NOBODY, Fault.THROTTLES, Fault.BROKEN_AFTER, Fault.GARBAGE, Fault.CUTS, Fault.HANGS, Fault.TRICKLES]
)
async def test_a_look_up_that_fails_says_so(fault: Fault) -> None:
    async with facing(SUBJECT, fault) as (paced, _):
        assert paced.asks is not None
        (one,) = await paced.asks.ask([MESSAGE], NOW)
    assert (one.receipt, one.code) == (None, "no_answer")
    assert one.reason


@pytest.mark.parametrize(
    ("status", "state"), [(1, ReceiptState.SENT), (2, ReceiptState.UNDELIVERED), (3, ReceiptState.DELIVERED)]
)
async def test_a_look_up_says_what_became_of_it(status: int, state: ReceiptState) -> None:
    item = {"OutId": f"{MESSAGE.bulletin.warning_id}.1", "Content": TEXT, "SendStatus": status, "ErrCode": "IS_CLOSED"}
    found = {"Code": "OK", "SmsSendDetailDTOs": {"SmsSendDetailDTO": [{"OutId": 7}, "?", item]}}
    subject = replace(SUBJECT, works=lambda _: answer(200, json.dumps(found).encode()))
    async with facing(subject, Fault.NONE) as (paced, peer):
        assert paced.asks is not None
        (one,) = await paced.asks.ask([MESSAGE], NOW)
    assert one.receipt is not None
    assert (one.receipt.state, one.receipt.id) == (state, KEY)
    assert one.receipt.detail == ("关机或短信功能关闭" if state is ReceiptState.UNDELIVERED else "")
    assert "PhoneNumber=15400000001&" in peer.lines[0]
    assert "SendDate=20260618" in peer.lines[0], "the day in Beijing"


# ── what is pushed ──────────────────────────────────────────────────────────────────────────────────────────────────

REPORT = {
    "phone_number": PHONE[3:],
    "send_time": "2026-06-18 22:30:00",
    "report_time": "2026-06-18 22:30:04",
    "success": True,
    "err_code": "DELIVERED",
    "err_msg": "用户接收成功",
    "sms_size": "2",
    "biz_id": "9^0",
    "out_id": "0197f0c0.0123456789abcdef",
}
REPLY = {
    "phone_number": PHONE[3:],
    "send_time": "2026-06-18 22:31:00",
    "content": "收到，已到岗",
    "sign_name": "吉安应急",
    "dest_code": "1234",
    "sequence_id": 1234567890,
}


def read(*items: Any):  # type: ignore[no-untyped-def]
    reader = aliyun("http://127.0.0.1:9", Transport(loopback_only=True)).reads
    assert reader is not None
    return reader.read(aliyun_callback(*items), NOW)


def test_a_report_becomes_a_receipt_for_the_warning_and_the_number() -> None:
    reading = read(REPORT, {**REPORT, "success": False, "err_code": "MOBILE_NOT_ON_SERVICE"})
    first, second = reading.receipts
    assert (first.state, first.warning_id, first.to, first.ref) == (ReceiptState.DELIVERED, "0197f0c0", PHONE, "9^0")
    assert (first.id, first.code) == ("", "")
    assert (second.state, second.code, second.detail) == (
        ReceiptState.UNDELIVERED,
        "MOBILE_NOT_ON_SERVICE",
        "停机或空号",
    )
    assert (reading.reply.status, json.loads(reading.reply.body)["code"]) == (200, 0)


def test_a_code_of_a_carrier_keeps_the_words_that_came_with_it_but_no_number() -> None:
    (receipt,) = read({**REPORT, "success": False, "err_code": "CL:105", "err_msg": f"{PHONE[3:]} 暂停服务"}).receipts
    assert receipt.detail.endswith(" 暂停服务")
    assert PHONE[3:] not in receipt.detail


def test_a_reply_is_handed_over_as_it_came() -> None:
    reading = read(REPLY)
    (uplink,) = reading.uplinks
    assert reading.receipts == ()
    assert (uplink.number, uplink.phone, uplink.text, uplink.dest_code) == ("1234567890", PHONE, "收到，已到岗", "1234")
    assert uplink.sent == datetime(2026, 6, 18, 14, 31, tzinfo=UTC)


def test_a_reply_without_a_number_of_its_own_or_a_time_is_kept_under_the_same_name_again() -> None:
    bare = {"phone_number": PHONE[3:], "content": "收到", "send_time": "gestern"}
    (first,), (again,), (other,) = (read(item).uplinks for item in (bare, bare, {**bare, "content": "没收到"}))
    assert first == again
    assert first.number != other.number
    assert first.sent is None
    assert PHONE[3:] not in first.number


def test_a_strange_item_does_not_keep_the_others_from_being_read() -> None:
    reading = read(7, {"later": "something new"}, REPORT, REPLY)
    assert (len(reading.receipts), len(reading.uplinks)) == (1, 1)
    for nothing in ([7], [{}], [{"content": "wer?"}]):
        with pytest.raises(Malformed):
            read(*nothing)


def test_without_a_token_nothing_pushed_is_believed_and_it_is_asked_at_once() -> None:
    given = {"access_key_id": "1", "access_key_secret": "2", "sign_name": "吉安应急", "template_code": "SMS_1"}
    reader = build("sms", "aliyun", given, Transport(), PUBLIC).reads
    assert reader is not None
    for token in ("", ALIYUN_TOKEN):
        with pytest.raises(Forged):
            reader.read(replace(aliyun_callback(), token=token), NOW)
    assert check("sms", "aliyun", {"follow_after_s": 300})[1].follow_after_s == 0
    assert check("sms", "aliyun", {"callback_token": ALIYUN_TOKEN})[1].follow_after_s == 300


@pytest.mark.parametrize("missing", ["access_key_id", "access_key_secret", "sign_name", "template_code"])
def test_without_an_account_it_stays_off_and_says_what_to_set(missing: str) -> None:
    given = {"access_key_id": "1", "access_key_secret": "2", "sign_name": "吉安应急", "template_code": "SMS_1"}
    del given[missing]
    with pytest.raises(NotConfigured, match=f"请设置环境变量 MINGLUO_ALIYUN_{missing.upper()}$"):
        build("sms", "aliyun", given, Transport(), PUBLIC)


def test_the_window_that_is_shipped_holds_two_batches() -> None:
    _, settings = check("sms", "aliyun", {})
    assert settings.window >= 2 * settings.batch  # type: ignore[attr-defined]


def test_what_one_message_brings_down_upon_the_others_is_no_fault_of_our_account_alone() -> None:
    assert {code for code in OF_ONE if code in REFUSED and REFUSED[code][0] is Blame.ACCOUNT} == {
        "isv.INVALID_PARAMETERS"
    }
