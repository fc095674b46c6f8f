"""The event's own signature over the raw bytes."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import SecretStr
from standardwebhooks.webhooks import Webhook

from dispatcher.intake.signature import check
from dispatcher.model import Code, Verdict
from dispatcher.settings import Source

SECRET = "whsec_" + base64.b64encode(b"gong" * 8).decode()
NOW = datetime(2026, 6, 12, 12, 0, tzinfo=UTC)
BODY = "<alert>暴雨</alert>".encode()
SIGNED = Source(name="市气象台", area_prefixes=("3608",), signed=True, secret=SecretStr(SECRET))
FREE = SIGNED.model_copy(update={"signed": False})


def headers(body: bytes = BODY, at: datetime = NOW, secret: str = SECRET) -> dict[str, str]:
    signature = Webhook(secret).sign("msg_1", at.astimezone(UTC), body.decode())
    written = str(int(at.timestamp()))
    return {"Webhook-Id": "msg_1", "webhook-timestamp": written, "webhook-signature": signature}


def refused(given: dict[str, str], body: bytes = BODY, source: Source = SIGNED) -> bool:
    finding = check(body, given, source, NOW)
    if finding is None:
        return False
    assert (finding.code, finding.verdict) == (Code.SIGNATURE, Verdict.REJECT)
    return True


def test_a_right_signature_is_silent_whatever_the_zone_of_the_clock() -> None:
    assert not refused(headers())
    beijing = NOW.astimezone(timezone(timedelta(hours=8)))
    assert check(BODY, headers(at=beijing), SIGNED, beijing) is None


def test_one_right_signature_of_two_is_enough_so_that_a_secret_can_be_rotated() -> None:
    other = "whsec_" + base64.b64encode(b"bell" * 8).decode()
    given = headers()
    given["webhook-signature"] = f"{headers(secret=other)['webhook-signature']} {given['webhook-signature']}"
    assert not refused(given)


@pytest.mark.parametrize(
    "given",
    [
        {},
        headers(body=BODY + b" "),
        headers(at=NOW - timedelta(seconds=301)),
        headers(at=NOW + timedelta(seconds=301)),
        headers(secret="whsec_" + base64.b64encode(b"bell" * 8).decode()),
        headers() | {"webhook-timestamp": "nan"},
        headers() | {"webhook-timestamp": "99999999999"},
        headers() | {"webhook-timestamp": "1" * 40},
        headers() | {"webhook-timestamp": f"{int(NOW.timestamp())}.5"},
        headers() | {"webhook-signature": "v1"},
        headers() | {"webhook-signature": "v1,鸣锣"},
        headers() | {"webhook-signature": "v1,\ud800"},
        headers() | {"Webhook-Id": "msg_2"},
    ],
)
def test_anything_else_is_refused_and_nothing_raises(given: dict[str, str]) -> None:
    assert refused(given)


def test_who_need_not_sign_may_leave_it_out_but_not_forge_it() -> None:
    assert not refused({}, source=FREE)
    assert refused(headers(body=b"<other/>"), source=FREE)
    assert not refused({"webhook-signature": "v1,x"}, source=FREE.model_copy(update={"secret": None}))


def test_a_body_that_is_no_utf8_and_a_secret_that_is_none_are_refused_in_words() -> None:
    assert refused(headers(), body=b"\xff\xfe")
    for secret in ("whsec_", "whsec_é"):
        assert refused(headers(), source=SIGNED.model_copy(update={"secret": SecretStr(secret)}))
