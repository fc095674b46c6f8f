"""The Twilio provider against a real server on loopback."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from multidict import MultiDict
from twilio.request_validator import RequestValidator

from channels.catalog import build
from channels.contract import (
    Accepted,
    Blame,
    Callback,
    Forged,
    Malformed,
    Message,
    NotConfigured,
    Outcome,
    ReceiptState,
    Refused,
    TryAgain,
)
from channels.transport import Transport
from channels.twilio import AGAIN, REFUSED, THROTTLED
from dispatcher.rehearsal.faults import Faults
from dispatcher.rehearsal.server import Options, playing
from dispatcher.rehearsal.sms import signature
from tests.channels.conformance import NOW, Fault, Subject, answer, bulletin, facing
from tests.channels.subjects import KEY, PHONE, PUBLIC, SUBJECTS, TEXT, TOKEN, twilio, twilio_callback

SUBJECT = SUBJECTS["sms", "twilio"]
MESSAGE = SUBJECT.message("")


async def posted(message: Message, **account: str) -> tuple[dict[str, list[str]], str]:
    """The form of one POST, and its request line."""

    def make(url: str, transport: Transport):  # type: ignore[no-untyped-def]
        given = {"base_url": url, "account_sid": "AC1", "auth_token": TOKEN, **account}
        return build("sms", "twilio", given, transport, PUBLIC)

    async with facing(replace(SUBJECT, make=make), Fault.NONE) as (paced, peer):
        await paced.send([message], NOW)
    return parse_qs(peer.bodies[0].decode()), peer.lines[0]


async def test_what_twilio_is_told() -> None:
    form, line = await posted(MESSAGE, sender="+15005550006")
    assert line == "POST /2010-04-01/Accounts/AC1/Messages.json HTTP/1.1"
    assert form == {
        "To": [PHONE],
        "From": ["+15005550006"],
        "StatusCallback": [f"{PUBLIC}/sms/twilio/{quote(KEY)}"],
        "ValidityPeriod": ["10800"],
        "Body": [TEXT],
    }


async def test_a_messaging_service_takes_the_place_of_a_number() -> None:
    form, _ = await posted(MESSAGE, sender="+15005550006", messaging_service_sid="MG1")
    assert form["MessagingServiceSid"] == ["MG1"]
    assert "From" not in form


@pytest.mark.parametrize(
    ("left", "validity"), [(timedelta(days=2), 36000), (timedelta(seconds=90), 90), (timedelta(0), 1)]
)
async def test_the_carrier_lets_it_lapse_with_the_warning(left: timedelta, validity: int) -> None:
    message = replace(MESSAGE, bulletin=bulletin(expires=NOW + left))
    form, _ = await posted(message, sender="+15005550006")
    assert form["ValidityPeriod"] == [str(validity)]


async def refused_with(code: int, status: int = 400) -> Outcome:
    body = json.dumps({"code": code, "message": f"about {PHONE}", "status": status}).encode()
    subject: Subject = replace(SUBJECT, refuses=lambda _: answer(status, body))
    async with facing(subject, Fault.REFUSES) as (paced, _):
        (outcome,) = await paced.send([MESSAGE], NOW)
    assert PHONE[1:] not in repr(outcome)
    return outcome


@pytest.mark.parametrize("code", sorted(AGAIN))
async def test_a_passing_trouble_is_tried_again(code: int) -> None:
    outcome = await refused_with(code)
    assert isinstance(outcome, TryAgain)
    assert outcome.throttled is (code in THROTTLED)


@pytest.mark.parametrize("code", sorted(REFUSED))
async def test_a_lasting_trouble_names_who_is_at_fault(code: int) -> None:
    outcome = await refused_with(code)
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.blame) == (str(code), REFUSED[code][0])


async def test_an_unknown_code_is_judged_by_its_state() -> None:
    outcome = await refused_with(99999, 403)
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.blame) == ("99999", Blame.ACCOUNT)
    assert isinstance(await refused_with(99998, 500), TryAgain)


def callback(form: dict[str, str], *, url: str = f"{PUBLIC}/sms/twilio/{KEY}", signed_as: str = "") -> Callback:
    headers = {"x-twilio-signature": signature(TOKEN, signed_as or url, form)}
    return Callback(method="POST", url=url, headers=headers, body=urlencode(form).encode(), token=KEY)


def read(request: Callback):  # type: ignore[no-untyped-def]
    return twilio("http://127.0.0.1:9", Transport(loopback_only=True)).provider.read(request, NOW)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("accepted", ReceiptState.SENT),
        ("sent", ReceiptState.SENT),
        ("delivered", ReceiptState.DELIVERED),
        ("undelivered", ReceiptState.UNDELIVERED),
        ("failed", ReceiptState.FAILED),
        ("canceled", ReceiptState.FAILED),
    ],
)
def test_a_status_becomes_a_receipt_for_the_delivery_in_the_url(word: str, state: ReceiptState) -> None:
    (receipt,) = read(callback({"MessageSid": "SM1", "MessageStatus": word, "ErrorCode": "30003"})).receipts
    assert (receipt.state, receipt.id, receipt.ref, receipt.code) == (state, KEY, "SM1", "30003")
    assert receipt.detail == AGAIN[30003]


def test_a_word_yet_to_be_invented_says_nothing() -> None:
    assert read(callback({"MessageSid": "SM1", "MessageStatus": "teleported"})).receipts == ()


def test_the_signature_holds_with_and_without_the_port() -> None:
    form = {"MessageSid": "SM1", "MessageStatus": "delivered"}
    plain, ported = "https://warn.example/x", "https://warn.example:443/x"
    assert read(callback(form, url=plain, signed_as=ported)).receipts
    assert read(callback(form, url=ported, signed_as=plain)).receipts


def test_a_callback_of_another_account_or_without_its_fields_is_not_believed() -> None:
    with pytest.raises(Forged):
        read(callback({"MessageSid": "SM1", "MessageStatus": "delivered", "AccountSid": "AC2"}))
    with pytest.raises(Malformed):
        read(callback({"MessageStatus": "delivered"}))


def test_an_added_field_breaks_the_signature_and_a_repeated_one_does_not() -> None:
    genuine = twilio_callback()
    with pytest.raises(Forged):
        read(replace(genuine, body=genuine.body + b"&MessageStatus=failed"))
    assert read(replace(genuine, body=genuine.body + b"&MessageStatus=delivered")).receipts


FIELDS = st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=6)
ADDRESSES = st.sampled_from(
    ["https://warn.example/x", "https://warn.example:443/x?a=1", "http://[::1]:8080/y", "http://h/"]
)


@given(fields=FIELDS, url=ADDRESSES, signed_as=ADDRESSES, spoilt=st.sampled_from(["", "&", "&x=1", "&MessageSid=SM1"]))
def test_a_signature_is_believed_exactly_where_the_sdk_believes_it(
    fields: list[tuple[str, str]], url: str, signed_as: str, spoilt: str
) -> None:
    """Blanks, repetitions, any script; with and without a port."""
    validator, needed = RequestValidator(TOKEN), [("MessageSid", "SM1"), ("MessageStatus", "delivered")]
    form = MultiDict([*fields, *needed])
    signed = validator.compute_signature(signed_as, form)
    body = urlencode([*fields, *needed]) + spoilt
    request = Callback(method="POST", url=url, headers={"x-twilio-signature": signed}, body=body.encode(), token=KEY)
    try:
        came = MultiDict(parse_qsl(body, keep_blank_values=True, strict_parsing=True))
    except ValueError:
        with pytest.raises(Malformed):
            read(request)
        return
    if validator.validate(url, came, signed) and came.getall("AccountSid", ["AC1"])[-1] == "AC1":
        assert read(request).receipts
    else:
        with pytest.raises(Forged):
            read(request)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({}, "ACCOUNT_SID"),
        ({"account_sid": "AC1"}, "AUTH_TOKEN"),
        ({"account_sid": "AC1", "auth_token": "t"}, "SENDER"),
    ],
)
def test_without_an_account_it_stays_off_and_says_what_to_set(settings: dict[str, str], name: str) -> None:
    with pytest.raises(NotConfigured, match=name):
        build("sms", "twilio", settings, Transport(), PUBLIC)


@pytest.mark.long
async def test_a_message_in_doubt_is_looked_up_before_it_is_sent_again(tmp_path: Path) -> None:
    options = Options(folder=tmp_path, account="AC1", token=TOKEN, faults={"sms": Faults(hang=1)})
    async with playing(options, clock=NOW.timestamp) as city:
        transport = Transport(loopback_only=True)
        paced = twilio(city.url("sms"), transport)
        (outcome,) = await paced.send([MESSAGE], NOW)
        assert not isinstance(outcome, Accepted)
        assert paced.asks is not None
        stranger = replace(MESSAGE, to="+8615400000002")
        other_text = replace(MESSAGE, text=TEXT + "第2次")
        found, *nothing = await paced.asks.ask([MESSAGE, stranger, other_text], NOW)
        await transport.close()
    assert found.receipt is not None
    assert (found.receipt.id, found.receipt.state) == (KEY, ReceiptState.DELIVERED)
    assert found.receipt.ref.startswith("SM")
    assert [(one.receipt, one.code) for one in nothing] == [(None, ""), (None, "")]


@pytest.mark.parametrize("fault", [Fault.NOBODY, Fault.THROTTLES, Fault.BROKEN_AFTER, Fault.GARBAGE, Fault.CUTS])
async def test_a_look_up_that_fails_says_so(fault: Fault) -> None:
    async with facing(SUBJECT, fault) as (paced, _):
        assert paced.asks is not None
        (asked,) = await paced.asks.ask([MESSAGE], NOW)
        assert (asked.receipt, asked.code) == (None, "no_answer")
        assert asked.reason
