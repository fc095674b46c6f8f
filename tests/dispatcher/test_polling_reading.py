"""Feeds of all kinds: each alert is found once, wherever it lies, and one entry's faults cost no other."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from dispatcher.intake import hardened
from dispatcher.intake.decode import decode
from dispatcher.polling.reading import LONGEST_ID, Entry, NotAFeed, Place, read
from tests.cap.corpus import HAZARDS
from tests.city import cap
from tests.dispatcher.upstream import atom, entry, item, rss

URL = "https://up.example/feeds/cap.atom"
MARKUP = cap().decode().partition("?>")[2].strip()


def listed(body: bytes, url: str = URL) -> list[Entry]:
    return read(hardened.parse(body), url)


def only(body: bytes) -> Entry:
    (found,) = listed(body)
    return found


def identifier(body: bytes) -> str:
    message = decode(body, "", HAZARDS).message
    assert message is not None
    return message.identifier


# ── where the CAP lies ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("base", "href", "expected"),
    [
        ("", "https://up.example/a.xml", "https://up.example/a.xml"),
        ("", "cap/a.xml", "https://up.example/feeds/cap/a.xml"),
        ("", "/a.xml?x=1&y=2", "https://up.example/a.xml?x=1&y=2"),
        ("", "//other.example/a.xml", "https://other.example/a.xml"),
        ("https://base.example/x/", "a.xml", "https://base.example/x/a.xml"),
        ("../y/", "a.xml", "https://up.example/y/a.xml"),
        ("", "ftp://up.example/a.xml", ""),
        ("", "file:///etc/passwd", ""),
        ("", "http://[", ""),
        ("http://[", "a.xml", "https://up.example/feeds/a.xml"),
        ("", "https://up.example/" + "a" * 3000, ""),
    ],
)
def test_a_link_is_relative_to_what_stands_round_it(base: str, href: str, expected: str) -> None:
    feed = atom(entry("1", href)).replace(b"<entry>", f'<entry xml:base="{base}">'.encode() if base else b"<entry>")
    assert only(feed).href == expected


@pytest.mark.parametrize(
    "links",
    [
        '<link href="/p.html" type="text/html"/><link rel="related" type="application/cap+xml" href="/a"/>',
        '<link rel="self" type="application/atom+xml" href="/e"/><link rel="alternate" type="text/xml" href="/a"/>',
        '<link rel="edit" href="/edit"/><link href="/a"/>',
        '<link rel="self" href="/e.xml"/><content type="application/cap+xml" src="/a"/>',
        '<link rel="alternate" href="/page"/><link rel="enclosure" href="/a" type="application/common-alerting-protocol"/>',
    ],
)
def test_of_several_links_the_one_to_cap_is_taken(links: str) -> None:
    assert only(atom(entry("1", inside=links))).href == "https://up.example/a"


def test_an_entry_that_leads_to_no_cap_is_listed_without_one() -> None:
    found = only(atom(entry("1", inside='<link type="text/html" href="/page.html"/>')))
    assert (found.href, found.body) == ("", b"")


@pytest.mark.parametrize(
    "one",
    [
        item(guid="g", inside='<link>https://up.example/p</link><enclosure type="application/cap+xml" url="/a"/>'),
        item(guid="g", link="https://up.example/a"),
        item(guid="https://up.example/a"),
        item(inside='<guid isPermaLink="false">https://up.example/g</guid><link> /a </link>'),
        item(guid="g", inside='<atom:link rel="alternate" href="/a"/>'),
    ],
)
def test_an_item_of_rss_leads_to_its_cap(one: str) -> None:
    assert only(rss(one)).href == "https://up.example/a"


# ── CAP that stands in the feed ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "feed",
    [
        atom(entry("1", "/a.xml", inside=f'<content type="application/cap+xml">{MARKUP}</content>')),
        atom(entry("1", inside=MARKUP)),
        atom(entry("1", inside=f"<content><![CDATA[{MARKUP}]]></content>")),
        rss(item(guid="1", inside=MARKUP)),
        rss(item(guid="1", description=MARKUP)),
        rss(item(guid="1", description='\n<?xml version="1.0" encoding="GB2312"?>\n' + MARKUP)),
    ],
)
def test_cap_in_the_feed_itself_is_taken_from_there(feed: bytes) -> None:
    found = only(feed)
    assert identifier(found.body) == identifier(cap())
    assert found.href == ""


def test_text_that_only_speaks_of_cap_is_none() -> None:
    text = "请阅读 urn:oasis:names:tc:emergency:cap:1.2 的 <alert>"
    assert only(rss(item(guid="1", description=text))).body == b""


def test_two_alerts_in_one_entry_are_two() -> None:
    second = cap("second").decode().partition("?>")[2]
    found = listed(atom(entry("1", inside=f"<content>{MARKUP}{second}</content>")))
    assert [identifier(one.body) for one in found] == [identifier(cap()), "second"]
    assert len({one.key for one in found}) == 2


# ── which one it is ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_entries_that_claim_one_id_are_told_apart_by_where_they_lead() -> None:
    found = listed(atom(entry("1", "/a.xml"), entry("1", "/b.xml")))
    assert len({one.key for one in found}) == 2


def test_an_entry_published_again_is_the_same_in_another_version() -> None:
    first = only(atom(entry("1", "/a.xml")))
    again = only(atom(entry("1", "/a.xml", updated="2026-04-02T18:40:00Z")))
    assert (first.key, first.version == again.version) == (again.key, False)


def test_entries_that_lead_to_one_document_are_one_and_say_together_where_it_is() -> None:
    """As some feeds do it: one entry for each area of an alert."""
    areas = [f"<cap:areaDesc>{name}</cap:areaDesc><cap:expires>{end}</cap:expires>" for name, end in (
        ("赣州市", "2026-04-02T20:00:00Z"), ("吉安市", "2026-04-02T21:00:00Z"),
    )]  # fmt: skip
    entries = [entry(f"/a.xml?area={no}", "/a.xml", inside=area) for no, area in enumerate(areas)]
    found = only(atom(*entries))
    assert [place.names for place in found.places] == [("赣州市",), ("吉安市",)]
    assert found.expires == datetime(2026, 4, 2, 21, tzinfo=UTC)
    assert only(atom(*reversed(entries))).version == found.version
    assert only(atom(*entries, entry("3", "/a.xml"))).places == (), "where one says nothing, nothing is said"
    assert only(atom(*entries, entry("3", "/a.xml"))).version != found.version


def test_an_entry_that_leads_back_to_the_feed_says_that_there_is_nothing() -> None:
    assert only(atom(entry("none", URL))).href == ""


def test_an_entry_without_cap_does_not_hide_one_whose_address_is_its_id() -> None:
    nothing = entry("https://up.example/a.xml", inside='<link type="text/html" href="/page.html"/>')
    assert [one.href for one in listed(atom(nothing, entry("1", "/a.xml")))] == ["", "https://up.example/a.xml"]


def test_without_an_id_the_link_stands_for_it_and_an_endless_one_is_cut() -> None:
    nameless = only(atom(entry("", "/a.xml")))
    assert nameless.id == "https://up.example/a.xml"
    assert len(only(atom(entry("x" * 5000, "/a.xml"))).id) < LONGEST_ID


# ── what it says of itself ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("2026-04-02T18:39:00Z", datetime(2026, 4, 2, 18, 39, tzinfo=UTC)),
        ("2026-04-03T02:39:00+08:00", datetime(2026, 4, 2, 18, 39, tzinfo=UTC)),
        ("2026-04-03 02:39:00", datetime(2026, 4, 2, 18, 39, tzinfo=UTC)),
        ("Thu, 02 Apr 2026 18:39:00 GMT", datetime(2026, 4, 2, 18, 39, tzinfo=UTC)),
        ("Thu, 02 Apr 2026 18:39:00 +9999", None),
        ("0001-01-01T00:00:00+08:00", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_a_date_is_read_in_either_format_and_in_beijing_time_without_a_zone(
    said: str, expected: datetime | None
) -> None:
    assert only(atom(entry("1", "/a.xml", updated=said))).updated == expected
    assert only(rss(item(guid="1", link="/a.xml", pubDate=said))).updated == expected


def test_areas_and_the_end_are_read_where_the_feed_says_them() -> None:
    hints = """<cap:expires>2026-04-03T02:00:00+08:00</cap:expires><cap:expires>2026-04-03T03:00:00+08:00</cap:expires>
<cap:areaDesc>遂川县</cap:areaDesc><cap:polygon></cap:polygon>
<cap:geocode><valueName>x</valueName><value> 360827 360828 </value><cap:value>36</cap:value></cap:geocode>"""
    found = only(atom(entry("1", "/a.xml", inside=hints)))
    assert found.expires == datetime(2026, 4, 2, 19, 0, tzinfo=UTC)
    assert found.places == (Place(codes=("360827", "360828", "36"), names=("遂川县",), drawn=False),)
    drawn = hints.replace("<cap:polygon>", "<cap:polygon>26,114 26,115 27,115 26,114")
    assert only(atom(entry("1", "/a.xml", inside=drawn))).places[0].drawn


def test_each_area_of_a_cap_in_the_feed_is_one() -> None:
    two = MARKUP.replace("</area>", "</area><area><areaDesc>全省</areaDesc><circle>26,114 5</circle></area>")
    assert only(atom(entry("1", inside=two))).places == (
        Place(codes=("360827102000",), names=("碧洲镇",), drawn=False),
        Place(codes=(), names=("全省",), drawn=True),
    )


# ── what is no feed, and what is a broken one ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("body", [cap(), b"<html><body/></html>", b"<feed><entry/></feed>"])
def test_what_is_no_feed_is_called_so(body: bytes) -> None:
    with pytest.raises(NotAFeed, match="请核对网址"):
        listed(body)


def test_a_broken_entry_costs_no_other() -> None:
    feed = atom("<entry/>", entry("1", "http://["), entry("2", "/b.xml", updated="?"))
    assert [one.href for one in listed(feed)] == ["", "", "https://up.example/b.xml"]


_NAMES = st.sampled_from(
    [f"{{http://www.w3.org/2005/Atom}}{name}" for name in ("entry", "id", "link", "updated", "content")]
    + [
        f"{{urn:oasis:names:tc:emergency:cap:1.2}}{name}"
        for name in ("alert", "area", "geocode", "expires", "areaDesc")
    ]
    + ["channel", "item", "guid", "link", "enclosure", "pubDate", "description", "value"]
)
_TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Co")), max_size=12
) | st.sampled_from(
    ["https://a/b.xml", "//", "http://[::1", "2026-04-02T18:39:00Z", "9999-12-31T23:59:59-08:00", "<alert "]
)
_TREE = st.recursive(
    st.tuples(_NAMES, _TEXT, _TEXT, st.just(())),
    lambda inner: st.tuples(_NAMES, _TEXT, _TEXT, st.lists(inner, max_size=4).map(tuple)),
    max_leaves=12,
)


def _grown(parent: etree._Element, tree: tuple[str, str, str, tuple[object, ...]]) -> None:
    name, text, value, children = tree
    element = etree.SubElement(parent, name, href=value, url=value, rel=value, type=value)
    element.text = text
    element.set("{http://www.w3.org/XML/1998/namespace}base", value)
    for child in children:
        _grown(element, child)  # type: ignore[arg-type]


@given(root=st.sampled_from(["{http://www.w3.org/2005/Atom}feed", "rss"]), trees=st.lists(_TREE, max_size=5))
def test_whatever_stands_in_a_feed_is_read_without_a_fault(
    root: str, trees: list[tuple[str, str, str, tuple[object, ...]]]
) -> None:
    feed = etree.Element(root)
    channel = etree.SubElement(feed, "channel") if root == "rss" else feed
    for tree in trees:
        _grown(channel, tree)
    for one in listed(etree.tostring(feed)):
        assert len(one.key) == 64
        assert not (one.href and one.body)
