"""What the codes of a gateway mean."""

from __future__ import annotations

from dataclasses import replace

import pytest

from channels.broadcast import ebm, tarball
from channels.broadcast.meaning import as_ebm, legible, outcome
from channels.contract import Accepted, Blame, NotKnown, Refused, TryAgain
from channels.transport import Answer
from tests.channels.conformance import NOW, bulletin
from tests.channels.subjects import gateway_message, pushed

MESSAGE = gateway_message("")
VICTIM = "33608000000000101010101202606170009"


def said(body: ebm.Body, related: str = "") -> Answer:
    return Answer(status=200, headers={}, body=pushed(body, related=related))


@pytest.mark.parametrize(
    ("result", "expected", "blame"),
    [
        (ebm.Result.NOT_PROCESSED, TryAgain, None),
        (ebm.Result.OK, Accepted, None),
        (ebm.Result.PARSE_FAILED, Refused, Blame.MESSAGE),
        (ebm.Result.CONTENT_MISSING, Refused, Blame.MESSAGE),
        (ebm.Result.SIGNATURE_FAILED, Refused, Blame.ACCOUNT),
        (ebm.Result.OTHER_ERROR, Refused, Blame.ADDRESS),
    ],
)
def test_a_result_code_has_one_outcome(result: ebm.Result, expected: type, blame: Blame | None) -> None:
    found = outcome(said(ebm.Response(result=result, text="说明")), "1" * 41, NOW)
    assert isinstance(found, expected)
    assert getattr(found, "blame", None) == blame
    if isinstance(found, Accepted):
        assert found.ref == "1" * 41


def test_an_answer_to_another_packet_is_no_answer() -> None:
    found = outcome(said(ebm.Response(result=ebm.Result.OK), related="2" * 41), "1" * 41, NOW)
    assert isinstance(found, NotKnown)
    assert isinstance(outcome(said(ebm.ConnectionCheck()), "1" * 41, NOW), NotKnown)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, ebm.MsgType.REAL),
        ({"drill": True}, ebm.MsgType.PLATFORM_DRILL),
        ({"test": True}, ebm.MsgType.PLATFORM_DRILL),
        ({"kind": "Update"}, ebm.MsgType.REAL),
        ({"kind": "Cancel", "cancels_broadcast_id": VICTIM}, ebm.MsgType.CANCEL),
    ],
)
def test_what_kind_of_packet_a_message_becomes(changes: dict[str, object], kind: ebm.MsgType) -> None:
    made = as_ebm(replace(MESSAGE, bulletin=bulletin(**changes)), "36080041700000")
    assert made.type is kind
    assert made.cancels == (VICTIM if kind is ebm.MsgType.CANCEL else "")
    assert (made.severity, made.areas, made.text) == (1, MESSAGE.areas, MESSAGE.text)


@pytest.mark.parametrize(
    "changes", [{"broadcast_id": ""}, {"broadcast_id": "1" * 34}, {"kind": "Cancel", "cancels_broadcast_id": ""}]
)
def test_a_message_without_the_standards_codes_is_not_sent(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="EBMID"):
        as_ebm(replace(MESSAGE, bulletin=bulletin(**changes)), "36080041700000")
    with pytest.raises(ValueError, match="区域"):
        as_ebm(replace(MESSAGE, areas=()), "36080041700000")


def test_the_ledger_keeps_the_words_of_the_answer() -> None:
    kept = legible(said(ebm.Response(result=ebm.Result.OK, text="已接收")))
    assert "已接收" in kept.text
    assert kept.body == tarball.only_xml(pushed(ebm.Response(result=ebm.Result.OK, text="已接收")))
    nonsense = Answer(status=200, headers={}, body=b"?")
    assert legible(nonsense) == nonsense
