"""Drill and live at the last door: in every combination of what a message says of itself, and whatever its address is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from channels.apart import at_home, shared, stopped
from channels.catalog import BadSettings, build
from channels.contract import (
    MIXED,
    Accepted,
    Asked,
    Message,
    NotConfigured,
    Outcome,
    ProviderSettings,
    Refused,
)
from channels.pacing import Paced
from channels.text import DRILL
from channels.transport import Transport
from tests.channels.conformance import NOW, bulletin, saying
from tests.channels.subjects import ALIYUN_SECRET, KEY, OURS, PHONE, PUBLIC, TEXT, WHSEC_DRILL, aliyun, webhook

LIVE = Message(id=KEY, to=PHONE, text=TEXT, bulletin=bulletin())
MESSAGES = st.builds(
    saying,
    st.builds(lambda text: replace(LIVE, text=text), st.text(max_size=40)),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)


class Notes:
    """A provider that writes down whatever comes to it, and can be asked."""

    def __init__(self) -> None:
        self.max_batch = 100
        self.got: list[Message] = []

    async def send(self, batch: Sequence[Message], now: datetime) -> list[Outcome]:
        self.got += batch
        return [Accepted(ref=str(number)) for number, _ in enumerate(batch)]

    async def ask(self, batch: Sequence[Message], now: datetime) -> list[Asked]:
        self.got += batch
        return [Asked(id=one.id) for one in batch]

    async def close(self) -> None:
        return None


@given(batch=st.lists(MESSAGES, max_size=8), drill=st.booleans())
async def test_of_any_batch_only_what_is_wholly_of_its_side_reaches_a_provider(
    batch: list[Message], drill: bool
) -> None:
    provider = Notes()
    door = Paced(provider, ProviderSettings(kind="x", rate=1e6, drill=drill))
    outcomes = await door.send(batch, NOW)
    assert door.asks is not None
    answers = await door.asks.ask(batch, NOW)
    fits = [_is_wholly(one, drill) for one in batch]
    assert [isinstance(one, Accepted) for one in outcomes] == fits
    assert [one.code for one in outcomes if isinstance(one, Refused)] == [MIXED] * fits.count(False)
    assert [one.id for one in answers] == [one.id for one in batch]
    assert [not one.code for one in answers] == fits
    assert provider.got == [one for one, fit in zip(batch, fits, strict=True) if fit] * 2


def _is_wholly(message: Message, drill: bool) -> bool:
    """Said again in other words than the code's."""
    text, headline = message.text, message.bulletin.headline
    if drill:
        framed = text.startswith(DRILL) and text[len(DRILL) :].endswith(DRILL)
        return message.bulletin.drill and framed and DRILL in headline
    return not message.bulletin.drill and DRILL not in text + headline


def test_why_it_was_stopped_is_said_in_words() -> None:
    drill = saying(LIVE, True, True, True)
    unmarked = saying(LIVE, True, False, True)
    for message, side, words in ((drill, False, "实战接口"), (LIVE, True, "演练专用"), (unmarked, True, "标记")):
        refused = stopped(message, drill=side)
        assert refused is not None
        assert words in refused.reason
    assert stopped(drill, drill=True) is stopped(LIVE, drill=False) is None


@pytest.mark.parametrize(
    ("to", "home"),
    [
        ("+8615400000001", "+8615400000001"),
        ("/gateways/1", "/gateways/1"),
        ("https://gw.jian.example:8443/ebd/in?x=1", "/ebd/in?x=1"),
        ("http://10.0.0.1", "/"),
    ],
)
def test_of_an_address_in_the_register_a_drill_takes_the_path_alone(to: str, home: str) -> None:
    assert at_home(replace(LIVE, to=to)).to == home


def test_a_drill_by_the_live_account_is_found_out() -> None:
    transport = Transport()
    live = aliyun("http://127.0.0.1:9", transport)
    same = aliyun("http://127.0.0.1:9", transport, drill=True, callback_token="another-0123456789")
    other = aliyun(
        "http://127.0.0.1:9", transport, drill=True, access_key_secret="x" * 20, callback_token="another-0123456789"
    )
    assert list(shared(same.settings, live.settings)) == ["access_key_secret"]
    assert list(shared(other.settings, live.settings)) == []
    assert ALIYUN_SECRET not in repr(same.settings)


@pytest.mark.parametrize(
    ("channel", "kind", "settings", "wanted"),
    [
        ("sms", "twilio", {}, "MINGLUO_DRILL_TWILIO_ACCOUNT_SID 和 MINGLUO_DRILL_TWILIO_AUTH_TOKEN"),
        ("sms", "twilio", {"account_sid": "AC1", "auth_token": "t"}, "MINGLUO_DRILL_TWILIO_SENDER 或 MINGLUO_DRILL_TW"),
        ("sms", "aliyun", {}, "MINGLUO_DRILL_ALIYUN_ACCESS_KEY_ID、MINGLUO_DRILL_ALIYUN_ACCESS_KEY_SECRET"),
        ("broadcast", "ebm", {"ebrid": OURS, "sender_code": "1"}, "MINGLUO_DRILL_EBM_BASE_URL"),
        ("party", "webhook", {"secret": WHSEC_DRILL}, "MINGLUO_DRILL_WEBHOOK_BASE_URL"),
        ("party", "webhook", {"base_url": "http://127.0.0.1:9"}, "MINGLUO_DRILL_WEBHOOK_SECRET"),
    ],
)
def test_a_drills_provider_without_what_is_its_own_stays_off_and_says_what_to_set(
    channel: str, kind: str, settings: dict[str, str], wanted: str
) -> None:
    with pytest.raises(NotConfigured, match=wanted):
        build(channel, f"{kind}_drill", {"kind": kind, "drill": True, **settings}, Transport(), PUBLIC)


def test_a_secret_of_its_own_is_for_drills_alone() -> None:
    with pytest.raises(BadSettings, match=r"party\.webhook.*只用于演练接口"):
        webhook("", Transport(), secret=WHSEC_DRILL)
