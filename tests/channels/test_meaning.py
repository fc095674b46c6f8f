"""What the codes of a gateway mean."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from channels.broadcast import ebm, tarball
from channels.broadcast.meaning import as_ebms, legible, outcome, together
from channels.contract import Accepted, Blame, NotKnown, Refused, TryAgain
from channels.transport import Answer
from tests.channels.conformance import NOW, bulletin
from tests.channels.subjects import gateway_message, pushed

MESSAGE = gateway_message("")
CODE = "36080041700000"
EARLIER = tuple(f"3360800000000010101010120260617000{number}" for number in (7, 8, 9))


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
    ],
)
def test_what_kind_of_packet_a_message_becomes(changes: dict[str, object], kind: ebm.MsgType) -> None:
    (made,) = as_ebms(replace(MESSAGE, bulletin=bulletin(**changes)), CODE).values()
    assert (made.id, made.type, made.cancels) == (bulletin().broadcast_id, kind, "")
    assert (made.severity, made.areas, made.text) == (1, MESSAGE.areas, MESSAGE.text)


def test_a_cancel_becomes_a_stop_for_every_version_the_gateway_was_told() -> None:
    cancel = replace(MESSAGE, bulletin=bulletin(kind="Cancel", earlier=EARLIER), told=(EARLIER[0], EARLIER[2]))
    made = as_ebms(cancel, CODE)
    first = bulletin().broadcast_id
    assert [(no, one.id, one.type, one.cancels) for no, one in made.items()] == [
        (0, first, ebm.MsgType.CANCEL, EARLIER[0]),
        (2, ebm.numbered(first, 2), ebm.MsgType.CANCEL, EARLIER[2]),
    ]


def test_a_cancel_to_a_gateway_of_which_nothing_is_known_stops_every_version() -> None:
    made = as_ebms(replace(MESSAGE, bulletin=bulletin(kind="Cancel", earlier=EARLIER)), CODE)
    assert tuple(one.cancels for one in made.values()) == EARLIER


def test_an_update_is_heard_before_what_it_replaces_falls_silent() -> None:
    made = as_ebms(replace(MESSAGE, bulletin=bulletin(kind="Update", earlier=EARLIER), told=EARLIER[1:2]), CODE)
    assert [(no, one.type, one.cancels) for no, one in made.items()] == [
        (0, ebm.MsgType.REAL, ""),
        (2, ebm.MsgType.CANCEL, EARLIER[1]),
    ]
    assert len({one.id for one in made.values()}) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"broadcast_id": ""},
        {"broadcast_id": "1" * 34},
        {"kind": "Cancel"},
        {"kind": "Cancel", "earlier": ("1" * 34,)},
        {"kind": "Cancel", "earlier": EARLIER, "broadcast_id": EARLIER[0][:-4] + "9998"},
    ],
)
def test_a_message_without_the_standards_codes_is_not_sent(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="EBMID"):
        as_ebms(replace(MESSAGE, bulletin=bulletin(**changes)), CODE)
    with pytest.raises(ValueError, match="区域"):
        as_ebms(replace(MESSAGE, areas=()), CODE)


def test_of_several_packets_the_one_that_did_not_get_through_decides() -> None:
    taken, refused = Accepted(ref="1", trace="a"), Refused(code="ebd_5", reason="没有", blame=Blame.ADDRESS, trace="b")
    lost, down = NotKnown(code="cut", reason="断"), TryAgain(code="503", reason="忙")
    assert together([taken, refused]) == replace(taken, trace="a\n\nb")
    assert isinstance(together([taken, down, refused]), TryAgain)
    assert isinstance(together([taken, down, lost]), NotKnown)
    assert together([refused, refused]).trace == "b\n\nb"


def test_the_ledger_keeps_the_words_of_the_answer() -> None:
    kept = legible(said(ebm.Response(result=ebm.Result.OK, text="已接收")))
    assert "已接收" in kept.text
    assert kept.body == tarball.only_xml(pushed(ebm.Response(result=ebm.Result.OK, text="已接收")))
    nonsense = Answer(status=200, headers={}, body=b"?")
    assert legible(nonsense) == nonsense
