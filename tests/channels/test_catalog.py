"""The table of providers, and what is said of wrong settings."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from channels.catalog import PROVIDERS, BadSettings, build, check
from channels.contract import NotConfigured
from channels.transport import Transport
from tests.channels.subjects import OURS, PUBLIC

GIVEN = yaml.safe_load((Path(__file__).parents[2] / "config/channels.yaml").read_text("utf-8"))["channels"]
EACH = [(channel, name) for channel, providers in GIVEN.items() for name in providers]


def unset(settings: dict[str, object]) -> dict[str, object]:
    return {key: None if str(value).startswith("${") else value for key, value in settings.items()}


SAID_BY_THE_SERVICE = {"broadcast": {"ebrid": OURS, "sender_code": "36080041700000"}}
"""Our own codes stand once, in service.yaml; the service adds them."""


@pytest.mark.parametrize(("channel", "name"), EACH)
def test_the_configuration_that_is_shipped_is_right(channel: str, name: str) -> None:
    _, settings = check(channel, name, {**SAID_BY_THE_SERVICE.get(channel, {}), **unset(GIVEN[channel][name])})
    assert settings.kind in PROVIDERS[channel]


def test_what_is_shipped_calls_nobody_until_somebody_sets_an_account() -> None:
    with pytest.raises(NotConfigured, match="MINGLUO_TWILIO_ACCOUNT_SID"):
        build("sms", "twilio", unset(GIVEN["sms"]["twilio"]), Transport(), PUBLIC)
    with pytest.raises(NotConfigured, match=r"MINGLUO_ALIYUN_ACCESS_KEY_ID.*SECRET.*SIGN_NAME.*TEMPLATE_CODE"):
        build("sms", "aliyun", unset(GIVEN["sms"]["aliyun"]), Transport(), PUBLIC)
    live = [one for providers in GIVEN.values() for one in providers.values() if not one.get("drill")]
    assert {one["base_url"] for one in live if one["kind"] in ("ebm", "webhook")} == {""}


@pytest.mark.parametrize(
    ("channel", "name"), [(channel, name) for channel, name in EACH if GIVEN[channel][name].get("drill")]
)
def test_what_is_shipped_for_drills_is_off_and_shares_no_variable_with_what_is_real(channel: str, name: str) -> None:
    given = GIVEN[channel][name]
    named = {value for value in given.values() if str(value).startswith("${")}
    assert named
    assert all(value.startswith("${MINGLUO_DRILL_") for value in named)
    with pytest.raises(NotConfigured, match="MINGLUO_DRILL_"):
        build(channel, name, {**SAID_BY_THE_SERVICE.get(channel, {}), **unset(given)}, Transport(), PUBLIC)


@pytest.mark.parametrize(
    ("channel", "name", "settings", "fault"),
    [
        ("sms", "twilio", {"base_ulr": "x"}, r"sms\.twilio\.base_ulr: 没有这个设置项"),
        ("broadcast", "ebm", {"ebrid": OURS}, r"broadcast\.ebm\.sender_code: 缺少这一项"),
        ("broadcast", "ebm", {"ebrid": "3", "sender_code": "1"}, r"broadcast\.ebm\.ebrid"),
        ("sms", "twilio", {"rate": 0}, r"sms\.twilio\.rate"),
        ("sms", "aliyun", {"callback_token": "short"}, r"sms\.aliyun\.callback_token"),
        ("sms", "aliyun", {"batch": 1001}, r"sms\.aliyun\.batch"),
        ("sms", "carrier-pigeon", {}, r"没有这种服务商.*twilio"),
        ("pigeon", "twilio", {}, "没有这种服务商"),
    ],
)
def test_a_misspelt_setting_stops_the_start_and_is_named(
    channel: str, name: str, settings: dict[str, object], fault: str
) -> None:
    with pytest.raises(BadSettings, match=fault):
        build(channel, name, settings, Transport(), PUBLIC)


def test_one_kind_may_serve_under_two_names() -> None:
    paced = build("party", "county-13", {"kind": "webhook", "rate": "5"}, Transport(), PUBLIC)
    assert paced.settings.rate == 5
