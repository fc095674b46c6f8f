"""A feed that any reader of Atom can read, whatever the headlines are."""

from __future__ import annotations

from datetime import UTC, datetime

from lxml import etree

from dispatcher.publishing.atom import About, Entry, write

BEGAN = datetime(2026, 6, 1, tzinfo=UTC)
ABOUT = About(title="吉安应急 预警", href="https://a.b/feeds/cap.atom", author="吉安应急", began=BEGAN)
NAMES = {"a": "http://www.w3.org/2005/Atom"}


def entry(title: str) -> Entry:
    return Entry(
        id="0197f0c0a1b27c3d8e4f5a6b7c8d9e0f",
        href="https://a.b/feeds/cap/1.xml",
        title=title,
        updated=datetime(2026, 6, 12, 12, tzinfo=UTC),
        author="吉安市气象台",
        category="暴雨",
    )


def test_an_entry_links_to_its_cap_and_says_who_and_when() -> None:
    feed = etree.fromstring(write(ABOUT, [entry("暴雨 <红色> & 预警")]))
    (found,) = feed.findall("a:entry", NAMES)
    assert found.findtext("a:title", None, NAMES) == "暴雨 <红色> & 预警"
    assert found.findtext("a:id", None, NAMES) == "urn:uuid:0197f0c0-a1b2-7c3d-8e4f-5a6b7c8d9e0f"
    link = found.find("a:link", NAMES)
    assert link is not None
    assert (link.get("type"), link.get("href")) == ("application/cap+xml", "https://a.b/feeds/cap/1.xml")
    assert found.findtext("a:author/a:name", None, NAMES) == "吉安市气象台"
    assert feed.findtext("a:updated", None, NAMES) == "2026-06-12T12:00:00+00:00"


def test_an_empty_feed_is_a_feed() -> None:
    feed = etree.fromstring(write(ABOUT, []))
    assert feed.findtext("a:id", None, NAMES) == ABOUT.href
    assert feed.findtext("a:updated", None, NAMES) == "2026-06-01T00:00:00+00:00"
    assert feed.findall("a:entry", NAMES) == []
