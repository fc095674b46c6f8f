"""Our own warnings as an Atom feed (RFC 4287): one entry a message, each with a link to its CAP 1.2.

It must survive a feed without any entry, and headlines that are missing or look like markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from lxml import etree

ATOM: Final = "http://www.w3.org/2005/Atom"
CAP_TYPE: Final = "application/cap+xml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One message. `id` is a UUID in hexadecimal, `href` where its CAP lies."""

    id: str
    href: str
    title: str
    updated: datetime
    author: str
    summary: str = ""
    category: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """The feed itself. `href` is its own address, and its id; `began` the time it bears while it is empty."""

    title: str
    href: str
    author: str
    began: datetime


def write(about: About, entries: Sequence[Entry]) -> bytes:
    """Newest first, as given."""
    feed = etree.Element(f"{{{ATOM}}}feed", nsmap={None: ATOM})  # type: ignore[dict-item]  # the default namespace
    _add(feed, "id", about.href)
    _add(feed, "title", about.title)
    _add(feed, "updated", max((entry.updated for entry in entries), default=about.began).isoformat())
    _author(feed, about.author)
    _add(feed, "link", rel="self", type="application/atom+xml", href=about.href)
    for entry in entries:
        _entry(etree.SubElement(feed, f"{{{ATOM}}}entry"), entry)
    return etree.tostring(feed, encoding="UTF-8", xml_declaration=True, pretty_print=True)


def _entry(found: etree._Element, entry: Entry) -> None:
    _add(found, "id", UUID(entry.id).urn)
    _add(found, "title", entry.title)
    _add(found, "updated", entry.updated.isoformat())
    _author(found, entry.author)
    _add(found, "link", rel="alternate", type=CAP_TYPE, href=entry.href)
    if entry.category:
        _add(found, "category", term=entry.category)
    _add(found, "summary", entry.summary or entry.title)


def _author(parent: etree._Element, name: str) -> None:
    _add(etree.SubElement(parent, f"{{{ATOM}}}author"), "name", name)


def _add(parent: etree._Element, tag: str, text: str | None = None, **attributes: str) -> None:
    etree.SubElement(parent, f"{{{ATOM}}}{tag}", attributes).text = text
