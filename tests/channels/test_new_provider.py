"""CONTRIBUTING's four steps, done: a provider from one file of at most 80 lines passes the whole suite."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from channels.catalog import PROVIDERS, ProviderKind, build
from channels.contract import Accepted, Message, NotConfigured
from channels.transport import Transport
from tests.channels import conformance, new_provider
from tests.channels.conformance import NOW, Fault, Subject, answer, bulletin
from tests.channels.subjects import KEY, PHONE, TEXT, made

SUBJECT = Subject(
    name="town",
    make=lambda url, transport: made("sms", "town", transport, base_url=url, token="town-token"),
    make_drill=lambda url, transport: made("sms", "town", transport, base_url=url, token="drill-token", drill=True),
    message=lambda _: Message(id=KEY, to=PHONE, text=TEXT, bulletin=bulletin()),
    works=lambda body: answer(200, json.dumps([{"ref": n + 1} for n in range(len(json.loads(body)))]).encode()),
    refuses=lambda body: answer(200, json.dumps([{"error": 101} for _ in json.loads(body)]).encode()),
    secrets=(PHONE, "town-token"),
)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Step three: its row in the catalog."""
    monkeypatch.setitem(PROVIDERS["sms"], "town", ProviderKind(new_provider.TownSettings, new_provider.TownSms))


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.value.replace(" ", "_"))
async def test_it_has_the_right_outcome_for_every_fault(fault: Fault) -> None:
    await conformance.check_fault(SUBJECT, fault)


async def test_it_keeps_the_other_promises() -> None:
    await conformance.check_same_id(SUBJECT)
    await conformance.check_drill_gate(SUBJECT)
    await conformance.check_callbacks(SUBJECT)
    conformance.check_file(SUBJECT.make("http://127.0.0.1:9", Transport(loopback_only=True)).provider)


async def test_a_batch_has_one_outcome_for_each_in_order() -> None:
    async with conformance.facing(SUBJECT, Fault.NONE) as (paced, peer):
        batch = [replace(SUBJECT.message(peer.url), id=f"{KEY}{n}") for n in range(3)]
        outcomes = await paced.send(batch, NOW)
    assert [one.ref for one in outcomes if isinstance(one, Accepted)] == ["1", "2", "3"]


def test_without_its_account_it_stays_off_and_says_what_to_set() -> None:
    with pytest.raises(NotConfigured, match="MINGLUO_TOWN_TOKEN"):
        build("sms", "town", {"token": None}, Transport(), "http://127.0.0.1:8080")


def test_it_is_at_most_80_lines() -> None:
    assert len(Path(new_provider.__file__).read_text("utf-8").splitlines()) <= 80
