"""What was approved, byte for byte: rows come back as they went in, and any change changes the hash."""

from __future__ import annotations

import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.store.packing import FrozenRow, Header, digest, header_hash, pack, plan_hash, stamp, unpack

plain = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=40)
codes = st.text("0123456789", min_size=12, max_size=12)
rows = st.builds(
    FrozenRow,
    target=plain,
    why=st.integers(0, 255),
    text_no=st.integers(0, 32767),
    township=st.text("0123456789", max_size=9),
    areas=st.lists(codes, max_size=5).map(",".join),
    suppressed=st.sampled_from(["", "quiet_hours", "channel_not_in_policy"]),
)
HEADER = Header(
    kind="Alert",
    status="Actual",
    level="red",
    drill=False,
    villages=["360827102200"],
    channels=["party", "sms"],
    expires="2026-04-03T00:39:00+00:00",
    broadcast_id="",
    earlier=[],
    texts=["一", "二"],
    said={"headline": "红色预警"},
)


@pytest.mark.long
@given(st.lists(rows, min_size=1, max_size=50))
def test_rows_come_back_as_they_went_in_and_in_order(frozen: list[FrozenRow]) -> None:
    assert unpack(pack(frozen)) == frozen


@given(st.lists(rows, min_size=1, max_size=20), st.data())
def test_any_change_of_any_row_changes_the_hash(frozen: list[FrozenRow], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(frozen) - 1))
    other = data.draw(rows)
    changed = [*frozen[:at], other, *frozen[at + 1 :]]
    assert (digest(pack(changed)) == digest(pack(frozen))) == (other == frozen[at])


@given(st.lists(rows, min_size=2, max_size=20))
def test_the_order_is_part_of_what_was_approved(frozen: list[FrozenRow]) -> None:
    turned = frozen[::-1]
    assert (digest(pack(turned)) == digest(pack(frozen))) == (turned == frozen)


def test_the_hash_is_of_the_rows_and_not_of_how_they_were_compressed() -> None:
    blob = pack([FrozenRow("officer-JA00001", 1, 0, "360827102")])
    again = zlib.compress(zlib.decompress(blob), 9)
    assert again != blob
    assert digest(again) == digest(blob)


@pytest.mark.parametrize("character", ["\t", "\n"])
def test_a_name_that_would_break_the_lines_is_refused_and_not_frozen_wrongly(character: str) -> None:
    """What comes back must be what went in, or an error; never another row."""
    row = FrozenRow(f"officer-JA{character}1", 1, 0, "360827102")
    with pytest.raises(ValueError, match=r".+"):
        unpack(pack([row]))


def test_a_changed_byte_is_noticed() -> None:
    blob = pack([FrozenRow(f"officer-JA{no:05d}", 1, 0, "360827102") for no in range(50)])
    for at in range(len(blob)):
        bent = blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :]
        try:
            assert at < 2 or digest(bent) != digest(blob)  # the first two bytes only say how it was compressed
        except zlib.error:
            continue


@given(st.lists(rows, min_size=1, max_size=1000).map(lambda some: (some * 20)[:1000]))
def test_a_thousand_rows_stay_small(frozen: list[FrozenRow]) -> None:
    lines = sum(len(row.target.encode()) + len(row.areas) + len(row.suppressed) + 24 for row in frozen)
    assert len(pack(frozen)) <= lines + 1000


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "Update"},
        {"status": "Exercise"},
        {"level": "orange"},
        {"drill": True},
        {"villages": ["360827102201"]},
        {"villages": []},
        {"channels": ["sms"]},
        {"expires": ""},
        {"broadcast_id": "1"},
        {"texts": ["一", "二。"]},
        {"texts": ["二", "一"]},
    ],
)
def test_any_change_of_the_header_changes_its_hash(change: dict[str, object]) -> None:
    assert header_hash(replace(HEADER, **change)) != header_hash(HEADER)  # type: ignore[arg-type]


def test_the_header_is_the_same_whether_its_lists_are_lists_or_tuples() -> None:
    assert header_hash(replace(HEADER, villages=("360827102200",))) == header_hash(HEADER)


@given(st.text(max_size=64), st.lists(st.text("0123456789abcdef", min_size=64, max_size=64), max_size=5), st.data())
def test_the_plan_is_signed_with_every_chunk_in_its_place(head: str, hashes: list[str], data: st.DataObject) -> None:
    signed = plan_hash(head, hashes)
    assert plan_hash(head, [*hashes, "0" * 64]) != signed
    if len(set(hashes)) > 1:
        turned = data.draw(st.permutations(hashes))
        assert (plan_hash(head, turned) == signed) == (turned == hashes)


def test_a_time_is_stamped_alike_whatever_zone_it_comes_in() -> None:
    at = datetime(2026, 4, 2, 18, 39, tzinfo=UTC)
    assert stamp(at) == stamp(at.astimezone(timezone(timedelta(hours=8)))) == "2026-04-02T18:39:00+00:00"
    assert stamp(None) == ""
