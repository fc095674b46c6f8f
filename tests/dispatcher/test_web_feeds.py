"""Our own warnings, for whoever reads CAP: what went to the public for real, and nothing else."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from lxml import etree

from dispatcher.intake.canonical import from_json
from dispatcher.intake.decode import decode
from dispatcher.intake.native import CONTENT_TYPE
from dispatcher.intake.native.schema import LEAK
from dispatcher.model import BEIJING
from dispatcher.store import warnings
from tests.browser.standing import DRILL_TOKEN, HELD_TOKEN, SENT, House, cap, code, standing
from tests.cap.corpus import HAZARDS, OURS
from tests.cap.independent import areas_by_capparser, areas_of

SCHEMA = etree.XMLSchema(etree.parse(OURS / "CAP-v1.2.xsd"))
NAMES = {"a": "http://www.w3.org/2005/Atom"}


@pytest.fixture
async def house(jian_sqlite_url: str) -> AsyncIterator[House]:
    async with standing(jian_sqlite_url) as opened:
        yield opened


async def hrefs(house: House) -> list[str]:
    status, text, _ = await house.text("/feeds/cap.atom")
    assert status == 200, text
    links = etree.fromstring(text.encode()).findall("a:entry/a:link", NAMES)
    return [str(link.get("href")) for link in links]


async def test_a_warning_that_was_issued_is_in_the_feed_and_its_cap_says_the_same(house: House) -> None:
    _, said, _ = await house.post(cap())
    (href,) = await hrefs(house)
    status, text, headers = await house.text(href.removeprefix(house.url))
    assert (status, headers["Content-Type"]) == (200, "application/cap+xml; charset=utf-8")
    assert SCHEMA.validate(etree.fromstring(text.encode())), SCHEMA.error_log
    async with house.context.store.read() as tx:
        row = await warnings.one(tx, str(said["warning_id"]))
    assert row is not None
    kept, read = from_json(row.message), decode(text.encode(), "", HAZARDS).message
    assert read is not None
    assert (read.identifier, read.level, read.areas, read.expires) == (
        kept.identifier, kept.level, kept.areas, kept.expires,
    )  # fmt: skip


async def test_an_independent_library_follows_the_feed_and_finds_the_same_areas(house: House) -> None:
    square = "26.30,114.40 26.40,114.40 26.40,114.60 26.30,114.40"
    shapes = f"<polygon>{square}</polygon><circle>26.35,114.50 2.5</circle>{code('360827102000')}"
    await house.post(cap(identifier="drawn", where=shapes, place="遂川县碧洲镇一带"))
    await house.post(cap(identifier="coded"))
    found = {}
    for href in await hrefs(house):
        _, text, _ = await house.text(href.removeprefix(house.url))
        found[href.rpartition("/")[2].partition(".xml")[0]] = areas_by_capparser(text.encode())
    sent = {name: decode(cap(identifier=name, **more), "", HAZARDS).message for name, more in (
        ("drawn", {"where": shapes, "place": "遂川县碧洲镇一带"}), ("coded", {}),
    )}  # fmt: skip
    assert found == {name: areas_of(message) for name, message in sent.items() if message}


async def test_a_downwind_sector_is_a_polygon_to_whoever_reads_cap_and_the_category_is_the_hazard_s(
    house: House,
) -> None:
    times = {"sent": SENT.isoformat(), "expires": (SENT + timedelta(hours=6)).isoformat()}
    await house.post(json.dumps(LEAK | times).encode(), **{"Content-Type": CONTENT_TYPE})
    (href,) = await hrefs(house)
    _, text, _ = await house.text(href.removeprefix(house.url))
    assert SCHEMA.validate(etree.fromstring(text.encode())), SCHEMA.error_log
    read = decode(text.encode(), "", HAZARDS).message
    assert read is not None
    assert read.categories == ("CBRNE",)
    (area,) = read.areas
    assert [(len(ring), circle.radius_km) for ring, circle in zip(area.polygons, area.circles, strict=True)] == [
        (15, 0.5)
    ]


async def test_a_call_off_names_every_version_and_what_is_called_off_does_not_come_back(house: House) -> None:
    """Whoever reads CAP knows only what is named; and an alert that was to hold for a month is over."""
    sent = SENT.astimezone(BEIJING).isoformat()
    far = (SENT + timedelta(days=30)).astimezone(BEIJING).isoformat()
    first, second = (f"<references>36080041600000,{name},{sent}</references>" for name in ("1", "2"))
    await house.post(cap(identifier="1", expires=far))
    await house.post(cap(identifier="2", kind="Update", references=first, expires=far))
    await house.post(cap(identifier="3", kind="Cancel", references=second))
    _, text, _ = await house.text("/feeds/cap/3.xml")
    called_off = decode(text.encode(), "", HAZARDS).message
    assert called_off is not None
    assert {one.identifier for one in called_off.references} == {"1", "2"}
    async with house.context.store.read() as tx:
        later = datetime.now(UTC) + timedelta(days=10)
        rows = await warnings.published(tx, since=later - timedelta(days=7), now=later, limit=10)
    assert [row.identifier for row in rows] == []


async def test_what_was_said_to_offices_alone_is_not_published(house: House) -> None:
    quiet = "<parameter><valueName>mingluo:reason</valueName><value>只通知内部</value></parameter>"
    await house.post(cap().replace(b"<area>", quiet.encode() + b"<area>"))
    (href,) = await hrefs(house)
    _, text, _ = await house.text(href.removeprefix(house.url))
    assert "只通知内部" not in text


async def test_who_has_it_already_is_told_so(house: House) -> None:
    await house.post(cap())
    _, _, headers = await house.text("/feeds/cap.atom")
    status, text, again = await house.text("/feeds/cap.atom", **{"If-None-Match": headers["ETag"]})
    assert (status, text, again["ETag"]) == (304, "", headers["ETag"])
    assert again["Cache-Control"] == "public, max-age=15"


async def test_what_is_a_drill_internal_or_waits_is_not_in_it(house: House) -> None:
    await house.post(cap(status="Exercise", identifier="drill"), token=DRILL_TOKEN)
    await house.post(cap(status="Test", identifier="test"))
    await house.post(cap(identifier="waits"), token=HELD_TOKEN)
    assert await hrefs(house) == []
    for identifier in ("drill", "test", "waits", "nobody"):
        status, _, _ = await house.text(f"/feeds/cap/{identifier}.xml")
        assert status == 404
