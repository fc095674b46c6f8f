"""Atom (RFC 4287) and RSS 2.0 → entries, each with where its CAP lies, or with the CAP that stands in it.

It must survive entries without id, date or link, two that claim one id or lead to one document, links relative to anything,
dates of any kind: what cannot be read of one entry never costs another. The tree comes from the hardened parser of intake.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urljoin, urlsplit

from lxml import etree

from dispatcher.model import BEIJING

ATOM: Final = "{http://www.w3.org/2005/Atom}"
CAP: Final = "urn:oasis:names:tc:emergency:cap:"
LONGEST_ID: Final = 400
LONGEST_HREF: Final = 2000
_ALERT: Final = re.compile(r"\s*(?:<\?xml[^>]{0,200}\?>\s*)?(?=<(?:\w{1,20}:)?alert[\s>])")
"""What a CAP that was written as text begins with: its declaration speaks of bytes that are gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An area as the feed names it. `drawn`: it has a shape, which is not looked at here."""

    codes: tuple[str, ...]
    names: tuple[str, ...]
    drawn: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One alert that a feed lists. Its CAP is `body`, or lies at `href`; where both are empty it has none.

    `key` tells it from every other; `version` changes where the same one is published again. Several entries that lead to
    one document (some feeds have one for each area) are one.
    """

    key: str
    id: str
    version: str
    updated: datetime | None
    expires: datetime | None
    href: str
    body: bytes
    places: tuple[Place, ...]


class NotAFeed(Exception):
    """The document is something else; says what."""


def read(root: etree._Element, url: str) -> list[Entry]:
    """Every entry, as listed. `url` is where the feed lay; raises NotAFeed."""
    if root.tag == f"{ATOM}feed":
        found = [_atom(element, url) for element in root.iterchildren(f"{ATOM}entry")]
    elif root.tag == "rss":
        found = [_rss(element, url) for element in root.iterfind("channel/item")]
    else:
        raise NotAFeed(f"根元素是 {str(root.tag)[:100]}，不是 Atom 或 RSS 2.0 目录，请核对网址")
    alike: dict[str, list[Entry]] = {}
    for head in found:
        for entry in _entries(head, url):
            alike.setdefault(entry.key, []).append(entry)
    return [_as_one(entries) for entries in alike.values()]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    """What the two formats say alike."""

    element: etree._Element
    id: str
    updated: str
    href: str


def _entries(head: _Head, url: str) -> Iterator[Entry]:
    """One; or as many as there are alerts standing in it. What leads to the feed itself says that there is nothing."""
    alerts = [_bytes(alert) for alert in _of_cap(head.element, "alert")] or list(_written_out(head.element))
    href = "" if alerts or head.href == url else head.href
    for body in alerts or [b""]:
        yield Entry(
            key=_digest(body or (f"href {href}" if href else f"id {head.id}").encode()),
            id=head.id,
            version=_digest(f"{head.id}\n{head.updated}".encode()) if href else "",
            updated=_moment(head.updated or _first(head.element, "sent")),
            expires=max((at for text in _texts(head.element, "expires") if (at := _moment(text))), default=None),
            href=href,
            body=body,
            places=tuple(_places(head.element)),
        )


def _as_one(alike: Sequence[Entry]) -> Entry:
    """What one of them does not say, the others do not say for it."""
    first = alike[0]
    if len(alike) == 1:
        return first
    ends = [entry.expires for entry in alike if entry.expires]
    return replace(
        first,
        version=_digest("".join(sorted(entry.version for entry in alike)).encode()),
        updated=max((entry.updated for entry in alike if entry.updated), default=None),
        expires=max(ends) if len(ends) == len(alike) else None,
        places=tuple(place for entry in alike for place in entry.places) if all(e.places for e in alike) else (),
    )


def _atom(element: etree._Element, url: str) -> _Head:
    base = _joined(url, element.base or "") or url
    links = [_Link.of(link, "href", base) for link in element.iterchildren(f"{ATOM}link")]
    links += [_Link.of(link, "src", base) for link in element.iterchildren(f"{ATOM}content")]
    href = _best(links)
    return _Head(
        element=element,
        id=_id(_child(element, f"{ATOM}id"), href),
        updated=_child(element, f"{ATOM}updated") or _child(element, f"{ATOM}published"),
        href=href,
    )


def _rss(element: etree._Element, url: str) -> _Head:
    links = [_Link.of(link, "url", url) for link in element.iterchildren("enclosure")]
    links += [_Link.of(link, "href", url) for link in element.iterchildren(f"{ATOM}link")]
    links.append(_Link(rel="", type="", href=_joined(url, _child(element, "link"))))
    guid = element.find("guid")
    said = _child(element, "guid")
    if guid is not None and guid.get("isPermaLink", "true") != "false" and said.startswith(("http://", "https://")):
        links.append(_Link(rel="", type="", href=_joined(url, said)))
    href = _best(links)
    return _Head(element=element, id=_id(said, href), updated=_child(element, "pubDate"), href=href)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Link:
    rel: str
    type: str
    href: str

    @staticmethod
    def of(element: etree._Element, name: str, base: str) -> _Link:
        href = _joined(base, element.get(name) or "")
        return _Link(rel=element.get("rel") or "", type=(element.get("type") or "").lower(), href=href)

    @property
    def rank(self) -> int | None:
        """How plainly it leads to CAP, the plainest first; None where it does not."""
        if self.href and ("cap+" in self.type or "common-alerting" in self.type):
            return 0
        if not self.href or self.rel == "self" or "html" in self.type or "atom" in self.type or "rss" in self.type:
            return None
        if "xml" in self.type:
            return 1
        if urlsplit(self.href).path.lower().endswith((".xml", ".cap")):
            return 2
        return 3 if self.rel in ("", "alternate") and not self.type else None


def _best(links: list[_Link]) -> str:
    ranked = [(rank, link.href) for link in links if (rank := link.rank) is not None]
    return min(ranked, key=lambda one: one[0])[1] if ranked else ""


def _joined(base: str, said: str) -> str:
    """'' where it leads nowhere that HTTP could go."""
    try:
        href = urljoin(base, said.strip()) if said.strip() else ""
        fits = urlsplit(href).scheme in ("http", "https") and len(href) <= LONGEST_HREF
    except ValueError:
        return ""
    return href if fits else ""


def _id(said: str, href: str) -> str:
    """As it is, unless it is longer than an index takes."""
    found = said or href
    return found if len(found) <= LONGEST_ID else f"sha256:{_digest(found.encode())}"


def _digest(said: bytes) -> str:
    return hashlib.sha256(said).hexdigest()


# ── what stands in an entry ─────────────────────────────────────────────────────────────────────────────────────────


def _of_cap(element: etree._Element, name: str) -> Iterator[etree._Element]:
    """Elements of CAP, of whatever version: what is too old is refused on record, not passed over."""
    for found in element.iter(f"{{*}}{name}"):
        if str(found.tag).startswith(f"{{{CAP}"):
            yield found


def _texts(element: etree._Element, name: str) -> list[str]:
    return [text for found in _of_cap(element, name) if (text := (found.text or "").strip())]


def _first(element: etree._Element, name: str) -> str:
    return next(iter(_texts(element, name)), "")


def _bytes(alert: etree._Element) -> bytes:
    return etree.tostring(alert, encoding="UTF-8", xml_declaration=True, with_tail=False)


def _written_out(element: etree._Element) -> Iterator[bytes]:
    """CAP that stands as text in the content, escaped or as CDATA."""
    for name in (f"{ATOM}content", f"{ATOM}summary", "description"):
        text = element.findtext(name) or ""
        if CAP in text and (found := _ALERT.match(text)):
            yield text[found.end() :].strip().encode()
            return


def _places(element: etree._Element) -> Iterator[Place]:
    """Each area of CAP by itself; where the feed only hints at CAP, everything it says together."""
    for area in list(_of_cap(element, "area")) or [element]:
        values = [value.text or "" for code in _of_cap(area, "geocode") for value in code.iter("{*}value")]
        codes = [code for value in values for code in value.split()]
        names = _texts(area, "areaDesc")
        drawn = any(_texts(area, name) for name in ("polygon", "circle"))
        if codes or names or drawn:
            yield Place(codes=tuple(codes), names=tuple(names), drawn=drawn)


def _child(element: etree._Element, name: str) -> str:
    return (element.findtext(name) or "").strip()


def _moment(text: str) -> datetime | None:
    """RFC 3339 or RFC 822; Beijing time where no zone is said. None where it is neither."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        try:
            at = parsedate_to_datetime(text)
        except ValueError:
            return None
    try:
        return (at if at.tzinfo else at.replace(tzinfo=BEIJING)).astimezone(UTC)
    except OverflowError:
        return None
