"""What a scan is, is judged by its bytes; it is kept sealed, once, with who and when, and put on record."""

from __future__ import annotations

import hashlib

import pytest

from dispatcher.pipeline.attach import MOST_BYTES, MOST_SCANS, Kind, attach, kind_of, plain_name
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.persons import Hindrance, NotDone
from dispatcher.store import events, scans
from tests.dispatcher.desk import leader, officer, submitted

PDF = b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"
JPEG = b"\xff\xd8\xff\xe0" + bytes(64) + b"\xff\xd9"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64) + b"IEND\xaeB`\x82"


@pytest.mark.parametrize(("body", "kind"), [(PDF, Kind.PDF), (JPEG, Kind.JPEG), (PNG, Kind.PNG)])
def test_a_whole_file_is_known_by_its_bytes(body: bytes, kind: Kind) -> None:
    assert kind_of(body) is kind


@pytest.mark.parametrize(
    "body", [b"", b"<html><script>alert(1)</script>%PDF-%%EOF", PDF[:-6], JPEG[:-2], PNG[:-8], b"GIF89a", b"MZ" + PDF]
)
def test_what_pretends_or_was_cut_off_is_none(body: bytes) -> None:
    assert kind_of(body) is None


def test_a_file_is_called_by_the_last_part_of_its_name() -> None:
    assert plain_name("C:\\桌面\\签批单 3.pdf", Kind.PDF) == "签批单 3.pdf"
    assert plain_name('../../etc/"><b>\r\n.png', Kind.PNG) == "b.png"
    assert plain_name(" .. ", Kind.JPEG) == "签批单.jpeg"
    assert len(plain_name("名" * 500, Kind.PDF)) == 120


async def test_it_is_kept_sealed_with_its_hash_and_put_on_record(jian: Context) -> None:
    one = await officer(jian)
    put = await submitted(jian, one)
    scan = await attach(jian, one, put.warning_id, name="签批单.pdf", body=PDF)
    async with jian.store.read() as tx:
        found = await scans.one(tx, put.warning_id, scan.id)
        other = await scans.one(tx, "0" * 32, scan.id)
        told = [each for each in await events.of_warning(tx, put.warning_id) if each.kind == "approval.scanned"]
    assert found is not None
    assert other is None
    kept, body = found
    assert PDF not in body
    assert jian.seal.open_bytes(body) == PDF
    assert (kept.sha256, kept.size, kept.kind, kept.account_id, kept.plan_hash, kept.name) == (
        hashlib.sha256(PDF).hexdigest(), len(PDF), "pdf", one.id, put.plan_hash, "签批单.pdf",
    )  # fmt: skip
    assert [each.detail["sha256"] for each in told] == [kept.sha256]
    assert "签批单" not in str(told[0].detail)


async def test_the_same_file_is_kept_once_and_no_more_than_a_few(jian: Context) -> None:
    one = await officer(jian)
    put = await submitted(jian, one)
    await attach(jian, one, put.warning_id, name="a.pdf", body=PDF)
    with pytest.raises(NotDone) as again:
        await attach(jian, one, put.warning_id, name="b.pdf", body=PDF)
    for number in range(MOST_SCANS - 1):
        await attach(jian, one, put.warning_id, name="c.pdf", body=PDF.replace(b"1 0", b"%d 1" % number))
    with pytest.raises(NotDone) as many:
        await attach(jian, one, put.warning_id, name="d.jpg", body=JPEG)
    assert (again.value.hindrance, many.value.hindrance) == (Hindrance.STATE, Hindrance.STATE)


async def test_what_is_too_large_or_from_outside_the_area_or_no_officers_is_not_kept(jian: Context) -> None:
    one, other, chief = await officer(jian), await officer(jian, 2, scope=("360826",)), await leader(jian)
    put = await submitted(jian, one)
    for who, body, why in (
        (one, JPEG[:-2] + bytes(MOST_BYTES) + b"\xff\xd9", Hindrance.REASON),
        (other, PDF, Hindrance.AREA),
        (chief, PDF, Hindrance.ROLE),
    ):
        with pytest.raises(NotDone) as stopped:
            await attach(jian, who, put.warning_id, name="x", body=body)
        assert stopped.value.hindrance is why
    with pytest.raises(NotDone) as nowhere:
        await attach(jian, one, "0" * 32, name="x", body=PDF)
    assert nowhere.value.hindrance is Hindrance.NOT_THERE
