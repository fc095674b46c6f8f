"""Hostile XML by the name of the attack, at every door where XML comes in: warnings, a feed and what it lists, packets of
gateways. Each is refused by its code and sentence; no file is read, nobody is called, the next honest one is taken."""

from __future__ import annotations

import codecs
import gzip
import io
import json
import tarfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from channels.broadcast import ebm
from channels.broadcast.tarball import XML_LIMIT, only_xml, pack
from dispatcher.intake.decode import MOST_XML
from dispatcher.model import Channel
from dispatcher.pipeline.context import Context
from dispatcher.store.engine import Store
from tests.browser.standing import House, cap
from tests.channels.subjects import GATEWAY, pushed
from tests.city import Clock, settings
from tests.city import cap as listed_cap
from tests.dispatcher.conftest import SEAL
from tests.dispatcher.test_poll import Reader, reading
from tests.dispatcher.upstream import atom, entry
from tests.hostile.canary import canary
from tests.hostile.letters import handed_in

SECRET = "the-words-of-a-file-of-this-machine"
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
DOCTYPE = "含 DOCTYPE 或实体声明，一律不接收"
DEEP = "元素嵌套过深，最多 64 层"
MANY = "元素过多："
INCLUDE = 'xmlns:xi="http://www.w3.org/2001/XInclude"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Bait:
    """What an attack points to: a file of ours, and a listener of ours that nobody may call."""

    file: str
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/evil"


@pytest.fixture
async def bait(tmp_path: Path) -> AsyncIterator[Bait]:
    """At the end: nobody called."""
    (tmp_path / "secret.txt").write_text(SECRET, encoding="utf-8")
    async with canary() as bird:
        yield Bait(file=f"file://{tmp_path}/secret.txt", port=bird.port)
        assert bird.calls == 0


def laughs(_bait: Bait) -> str:
    """A billion of them."""
    more = "".join(f'<!ENTITY l{n} "' + f"&l{n - 1};" * 10 + '">' for n in range(1, 10))
    return f'<!DOCTYPE alert [<!ENTITY l0 "lol">{more}]>'


DOCTYPES: dict[str, Callable[[Bait], str]] = {
    "billion-laughs": laughs,
    "quadratic-blow-up": lambda _: f'<!DOCTYPE alert [<!ENTITY l9 "{"a" * 50_000}">]>',
    "entity-of-itself": lambda _: '<!DOCTYPE alert [<!ENTITY l9 "&l8;"><!ENTITY l8 "&l9;">]>',
    "entity-of-a-file": lambda bait: f'<!DOCTYPE alert [<!ENTITY l9 SYSTEM "{bait.file}">]>',
    "entity-over-http": lambda bait: f'<!DOCTYPE alert [<!ENTITY l9 SYSTEM "{bait.url}">]>',
    "entity-over-ftp": lambda bait: f'<!DOCTYPE alert [<!ENTITY l9 SYSTEM "ftp://127.0.0.1:{bait.port}/">]>',
    "parameter-entity": lambda bait: f'<!DOCTYPE alert [<!ENTITY % p SYSTEM "{bait.url}"> %p;]>',
    "parameter-entity-of-a-file": lambda bait: f'<!DOCTYPE alert [<!ENTITY % p SYSTEM "{bait.file}"> %p;]>',
    "external-dtd": lambda bait: f'<!DOCTYPE alert SYSTEM "{bait.url}">',
    "external-dtd-by-public-name": lambda bait: f'<!DOCTYPE alert PUBLIC "-//X//Y" "{bait.url}">',
    "attribute-default": lambda _: '<!DOCTYPE alert [<!ATTLIST alert a CDATA "b">]>',
    "unparsed-entity": lambda bait: (
        f'<!DOCTYPE alert [<!NOTATION n SYSTEM "n"><!ENTITY e SYSTEM "{bait.url}" NDATA n>]>'
    ),
    "empty": lambda _: "<!DOCTYPE alert>",
    "behind-a-comment": lambda _: '<!-- harmless --><?pi?>\n<!DOCTYPE alert [<!ENTITY l9 "x">]>',
}
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16")
ALERT = cap("xml-attack", description="雨&l9;雨").decode().removeprefix(DECLARATION)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("attack", DOCTYPES.values(), ids=DOCTYPES)
async def test_a_doctype_is_refused_at_the_door(
    house: House, bait: Bait, attack: Callable[[Bait], str], encoding: str
) -> None:
    status, said = await handed_in(house, (attack(bait) + ALERT).encode(encoding), "application/cap+xml")
    assert (status, said["code"], said["findings"][0]["reason"]) == (422, "220", DOCTYPE)
    assert SECRET not in str(said)


def within(attack: str, at: str = "<description>") -> bytes:
    """The honest alert with something inside, or instead of its declaration."""
    return cap("xml-attack").decode().replace(at, at + attack, 1).encode()


def headed(declaration: str, encoding: str) -> bytes:
    return cap("xml-attack").decode().replace(DECLARATION, declaration).encode(encoding, "replace")


ATTRIBUTES = " ".join(f"a{n}='' " for n in range(50_000))
SHAPES: dict[str, tuple[Callable[[Bait], bytes], int, str]] = {
    "utf-7": (lambda _: headed('<?xml version="1.0" encoding="UTF-7"?>', "utf-7"), 220, ""),
    "utf-7-declared": (
        lambda _: headed('<?xml version="1.0" encoding="UTF-7"?>', "utf-8"), 220, "不接受编码 utf-7，请改用 UTF-8 重发"
    ),
    "utf-7-that-hides-a-doctype": (
        lambda _: b'<?xml version="1.0" encoding="UTF-7"?>' + ('<!DOCTYPE alert [<!ENTITY l9 "x">]>' + ALERT).encode("utf-7"),
        220, "不接受编码 utf-7，请改用 UTF-8 重发",
    ),
    "utf-16-declared-and-not-so": (
        lambda _: headed('<?xml version="1.0" encoding="UTF-16"?>', "utf-8"), 220, "不接受编码 utf-16，请改用 UTF-8 重发"
    ),
    "utf-16-without-mark": (lambda _: cap("xml-attack").decode().encode("utf-16-le"), 220, ""),
    "utf-16-big-without-mark": (lambda _: cap("xml-attack").decode().encode("utf-16-be"), 220, ""),
    "utf-16-mark-on-utf-8": (lambda _: codecs.BOM_UTF16_LE + cap("xml-attack"), 220, ""),
    "utf-32": (lambda _: cap("xml-attack").decode().encode("utf-32"), 220, ""),
    "ebcdic": (lambda _: headed('<?xml version="1.0" encoding="cp037"?>', "cp037"), 220, "第 "),
    "gbk-as-utf-8": (lambda _: headed(DECLARATION, "gbk"), 220, "第 "),
    "utf-8-too-long": (lambda _: within("").replace("预".encode(), b"\xc0\xbc", 1), 220, "第 "),
    "nul": (lambda _: within("\x00"), 220, "含控制字符 U+0000，请去掉后重发"),
    "nul-as-a-number": (lambda _: within("&#0;"), 220, "不是完整的 XML："),
    "surrogate-as-a-number": (lambda _: within("&#xD800;"), 220, "不是完整的 XML："),
    "entity-never-declared": (lambda _: within("&lol;"), 220, "不是完整的 XML："),
    "doctype-inside": (lambda _: within('<!DOCTYPE a [<!ENTITY l9 "x">]>'), 220, "不是完整的 XML："),
    "doctype-in-small-letters": (lambda _: b"<!doctype alert>" + ALERT.encode(), 220, DOCTYPE),
    "entity-behind-the-end": (lambda _: cap("xml-attack") + b'<!DOCTYPE a [<!ENTITY l9 "x">]>', 220, "不是完整的 XML："),
    "second-root": (lambda _: cap("xml-attack") + b"<alert/>", 220, "不是完整的 XML："),
    "left-open": (lambda _: cap("xml-attack")[:-9], 220, "不是完整的 XML："),
    "depth-65": (lambda _: b"<a>" * 65 + b"</a>" * 65, 221, DEEP),
    "depth-100000": (lambda _: b"<a>" * 100_000 + b"</a>" * 100_000, 221, DEEP),
    "depth-100000-in-an-alert": (lambda _: within("<a>" * 100_000 + "</a>" * 100_000), 221, DEEP),
    "depth-100000-left-open": (lambda _: b"<a>" * 100_000, 221, DEEP),
    "attributes-50000": (
        lambda _: ALERT.replace("&l9;", "").replace("<alert ", "<alert " + ATTRIBUTES, 1).encode(), 221, MANY
    ),
    "attribute-twice": (lambda _: b'<alert a="1" a="2"/>', 220, "不是完整的 XML："),
    "attribute-of-2-megabytes": (lambda _: within("").replace(b"<info>", b'<info a="' + b"x" * 2_000_000 + b'">'), 220, ""),
    "text-of-3-megabytes": (lambda _: within("雨" * 1_000_000), 222, "description 有 10000"),
    "siblings-100000": (lambda _: within("<a/>" * 100_000), 221, MANY),
    "elements-30000": (lambda _: within(("<a>" + "<b/>" * 100 + "</a>") * 300), 221, MANY),
    "name-of-one-megabyte": (lambda _: b"<" + b"x" * 1_000_000 + b"/>", 220, "不是完整的 XML："),
    "xinclude-of-a-file": (lambda bait: within(f'<xi:include {INCLUDE} href="{bait.file}" parse="text"/>'), 220, "第 "),
    "xinclude-over-http": (lambda bait: within(f'<xi:include {INCLUDE} href="{bait.url}"/>'), 220, "第 "),
    "xslt": (
        lambda bait: f'<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:import href="{bait.url}"/>'
        "</xsl:stylesheet>".encode(),
        260, "不认识根元素 stylesheet",
    ),
    "soap": (lambda _: b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"/>', 260, "不认识根元素 Envelope"),
}  # fmt: skip


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("make", "code", "why"), SHAPES.values(), ids=SHAPES)
async def test_hostile_xml_is_refused_by_its_code(
    house: House, bait: Bait, make: Callable[[Bait], bytes], code: int, why: str
) -> None:
    status, said = await handed_in(house, make(bait), "application/cap+xml")
    assert (status, said["code"], said["verdict"]) == (422, str(code), "reject"), said["detail"]
    assert said["findings"][0]["reason"].startswith(why), said["detail"]
    assert SECRET not in str(said)


@pytest.mark.long
@pytest.mark.asyncio(loop_scope="module")
async def test_a_body_beyond_4_mib_is_not_even_read(house: House) -> None:
    status, said, _ = await house.post(io.BytesIO(b"<alert>".ljust(MOST_XML + 1)))  # type: ignore[arg-type]
    assert (status, said["code"]) == (413, "221")


HARMLESS: dict[str, Callable[[Bait], str]] = {
    "stylesheet": lambda bait: f'<?xml-stylesheet type="text/xsl" href="{bait.url}"?>',
    "processing-instruction": lambda _: "<?php system('id') ?>",
    "comment-with-a-doctype": lambda bait: f'<!-- <!DOCTYPE alert SYSTEM "{bait.url}"> -->',
}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("attack", HARMLESS.values(), ids=HARMLESS)
async def test_what_only_a_browser_would_obey_is_taken_out(
    house: House, bait: Bait, attack: Callable[[Bait], str], request: pytest.FixtureRequest
) -> None:
    """It is not published again either."""
    name = request.node.callspec.id
    said = attack(bait)
    body = cap(name).decode().replace("<alert", f"{said}<alert", 1).replace("<description>", f"<description>{said}", 1)
    status, answer, _ = await house.post(body.encode())
    assert (status, answer["verdict"]) == (202, "accept")
    status, published, _ = await house.text(f"/feeds/cap/{name}.xml")
    assert (status, "<?xml-stylesheet" in published, "<?php" in published, "DOCTYPE" in published) == (
        200, False, False, False,
    )  # fmt: skip


@pytest.mark.asyncio(loop_scope="module")
async def test_a_schema_that_the_alert_names_is_not_fetched(house: House, bait: Bait) -> None:
    where = f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="urn:x {bait.url}"'
    body = cap("schema-location").decode().replace("<alert ", f"<alert {where} ", 1)
    status, said = await handed_in(house, body.encode(), "application/cap+xml")
    assert (status, said["verdict"]) == (202, "hold")


# ── feeds ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def reader(sqlite_store: Store) -> AsyncIterator[Reader]:
    clock = Clock()
    async with reading(Context(settings=settings(), store=sqlite_store, seal=SEAL, now=clock), clock) as opened:
        yield opened


FEED = atom(entry("urn:a", "a.xml")).decode().removeprefix(DECLARATION)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("attack", DOCTYPES.values(), ids=DOCTYPES)
async def test_a_feed_with_a_doctype_is_not_read(
    reader: Reader, bait: Bait, attack: Callable[[Bait], str], encoding: str
) -> None:
    reader.up.serve("/cap.atom", (attack(bait) + FEED).encode(encoding))
    assert await reader.look() == ["/cap.atom"]
    row = await reader.row()
    assert (row.failures, DOCTYPE in row.last_error) == (1, True), row.last_error


@pytest.mark.parametrize("attack", DOCTYPES.values(), ids=DOCTYPES)
async def test_an_alert_with_a_doctype_that_a_feed_lists_is_refused_on_record(
    reader: Reader, bait: Bait, attack: Callable[[Bait], str]
) -> None:
    reader.up.serve("/cap.atom", atom(entry("urn:a", "a.xml"), entry("urn:b", "b.xml")))
    reader.up.serve("/a.xml", attack(bait).encode() + listed_cap("a").removeprefix(DECLARATION.encode()))
    reader.up.serve("/b.xml", listed_cap("b"))
    await reader.look()
    assert (await reader.refused(), await reader.outcomes()) == ([("feed", 220)], {"urn:a": "reject", "urn:b": "hold"})


IN_FEEDS: dict[str, tuple[bytes, str]] = {
    "depth-100000": (b"<feed>" + b"<a>" * 100_000 + b"</a>" * 100_000 + b"</feed>", DEEP),
    "attributes-50000": (b"<feed " + b" ".join(b'a%d=""' % n for n in range(50_000)) + b"/>", MANY),
    "entries-100000": (atom("<entry/>" * 100_000), MANY),
    "utf-7": (b'<?xml version="1.0" encoding="UTF-7"?>' + FEED.encode("utf-7"), "不接受编码 utf-7，请改用 UTF-8 重发"),
    "left-open": (b"<feed>", "不是完整的 XML"),
    "beyond-16-mib": (atom().ljust(17 * 1024 * 1024), "没有读完"),
}


@pytest.mark.parametrize(("body", "why"), IN_FEEDS.values(), ids=IN_FEEDS)
async def test_a_hostile_feed_is_not_read(reader: Reader, body: bytes, why: str) -> None:
    reader.up.serve("/cap.atom", body)
    await reader.look()
    row = await reader.row()
    assert (row.failures, why in row.last_error) == (1, True), row.last_error


@pytest.mark.parametrize(
    "href", ["file:///etc/passwd", "gopher://127.0.0.1/", "http://localhost:9/a.xml", "//[::1]/a.xml"]
)
async def test_an_entry_that_leads_elsewhere_is_not_fetched(reader: Reader, href: str) -> None:
    reader.up.serve("/cap.atom", atom(entry("urn:a", href)))
    assert await reader.look() == ["/cap.atom"]
    assert await reader.kept() == {}


# ── packets of gateways ─────────────────────────────────────────────────────────────────────────────────────────────

HONEST = only_xml(pushed(ebm.StateResponse(ebm_id="3" * 35, state=ebm.State.SUCCESS)))
BARE = HONEST.decode().partition("?>")[2]


async def pushed_in(house: House, tar: bytes) -> tuple[int, Any]:
    """By the gateway itself, to the address that we gave it."""
    provider = house.service.parts.providers.on[Channel.BROADCAST, "ebm"].provider
    token = f"{GATEWAY}.{provider._seal(GATEWAY)}"  # type: ignore[attr-defined]
    headers = {"Content-Type": "application/x-tar"}
    url = f"{house.url}/api/v1/callbacks/broadcast/ebm/{token}"
    async with house.http.post(url, data=tar, headers=headers) as answer:
        body = await answer.read()
        return answer.status, json.loads(body) if "json" in answer.content_type else body


@pytest.mark.asyncio(loop_scope="module")
async def test_an_honest_packet_is_taken(house: House) -> None:
    status, answer = await pushed_in(house, pack("EBDB_1.xml", HONEST))
    assert (status, ebm.read(answer).body) == (200, ebm.Response(result=ebm.Result.OK, text="已接收"))


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("attack", DOCTYPES.values(), ids=DOCTYPES)
async def test_a_packet_with_a_doctype_is_not_believed(
    house: House, bait: Bait, attack: Callable[[Bait], str], encoding: str
) -> None:
    body = attack(bait).replace("alert", "EBD") + BARE.replace(
        "</EBDID>", "&l9;</EBDID>" if "l9" in attack(bait) else "</EBDID>"
    )
    status, said = await pushed_in(house, pack("EBDB_1.xml", body.encode(encoding)))
    assert (status, said["code"]) == (400, "malformed")
    assert said["detail"] in ("EBDB 不许带 DOCTYPE", "EBDB 不是合法的 XML")
    assert SECRET not in str(said)


def archive(*members: tuple[str, bytes, bytes], **claims: Any) -> bytes:
    """A tar of what it says: name, bytes, kind."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=claims.pop("mode", "w"), **claims) as tar:
        for name, data, kind in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, "/etc/passwd", len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def lying(size: bytes) -> bytes:
    """An archive whose head claims another size, with a sum that is right for it."""
    made = bytearray(archive(("EBDB_1.xml", HONEST, tarfile.REGTYPE)))
    made[124:136] = size.ljust(12, b"\x00")
    made[148:156] = b" " * 8
    made[148:156] = b"%06o\x00 " % sum(made[:512])
    return bytes(made)


ONE = ("EBDB_1.xml", HONEST, tarfile.REGTYPE)
NO_TAR, ONE_ONLY, PLAIN = "数据包不是 tar 文件", "数据包里应有且只有一个 EBDB 文件", "数据包里只能有普通文件"
TARS: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", NO_TAR),
    "garbage": (b"\x1f\x8b" + b"x" * 600, NO_TAR),
    "gzip": (archive(ONE, mode="w:gz"), NO_TAR),
    "gzip-bomb": (gzip.compress(pack("EBDB_1.xml", b"\x00" * 50_000_000)), NO_TAR),
    "xz": (archive(ONE, mode="w:xz"), NO_TAR),
    "bzip2": (archive(ONE, mode="w:bz2"), NO_TAR),
    "zip": (b"PK\x03\x04" + b"\x00" * 600, NO_TAR),
    "cut-short": (archive(ONE)[:600], NO_TAR),
    "symbolic-link": (archive(("EBDB_1.xml", b"", tarfile.SYMTYPE)), PLAIN),
    "hard-link": (archive(("EBDB_1.xml", b"", tarfile.LNKTYPE)), PLAIN),
    "character-device": (archive(("EBDB_1.xml", b"", tarfile.CHRTYPE)), PLAIN),
    "block-device": (archive(("EBDB_1.xml", b"", tarfile.BLKTYPE)), PLAIN),
    "pipe": (archive(("EBDB_1.xml", b"", tarfile.FIFOTYPE)), PLAIN),
    "folder": (archive(("EBDB_1.xml", b"", tarfile.DIRTYPE), ONE), PLAIN),
    "sparse": (archive(("EBDB_1.xml", b"", tarfile.GNUTYPE_SPARSE)), PLAIN),
    "sixteen-and-more": (archive(*[(f"EBDR_{n}", b"", tarfile.REGTYPE) for n in range(20)], ONE), "数据包里文件过多"),
    "two-packets": (archive(ONE, ONE), ONE_ONLY),
    "no-packet": (archive(("a.xml", HONEST, tarfile.REGTYPE)), ONE_ONLY),
    "program": (archive(("EBDB_1.exe", HONEST, tarfile.REGTYPE)), ONE_ONLY),
    "packet-too-large": (archive(("EBDB_1.xml", b"x" * (XML_LIMIT + 1), tarfile.REGTYPE)), ONE_ONLY),
    "claims-a-terabyte": (lying(b"\x80" + (1 << 40).to_bytes(11, "big")), NO_TAR),
    "claims-less-than-nothing": (lying(b"\xff" * 12), ""),
    "claims-a-little-more": (lying(b"%011o" % (len(HONEST) + 5_000)), "EBDB 不是合法的 XML"),
    "name-of-a-megabyte-claimed": (archive(("x" * 200_000, HONEST, tarfile.REGTYPE), format=tarfile.GNU_FORMAT), ONE_ONLY),
    "pax-that-claims-a-terabyte": (
        archive(ONE, format=tarfile.PAX_FORMAT, pax_headers={"GNU.sparse.realsize": str(1 << 40)}), ""
    ),
    "pax-sparse-map": (
        archive(ONE, format=tarfile.PAX_FORMAT, pax_headers={"GNU.sparse.map": ",".join(["0,1"] * 10_000)}), ""
    ),
}  # fmt: skip


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("tar", "why"), TARS.values(), ids=TARS)
async def test_a_hostile_archive_is_not_opened(house: House, tar: bytes, why: str) -> None:
    status, said = await pushed_in(house, tar)
    assert (status, said["code"]) == (400, "malformed"), said
    assert said["detail"].startswith(why)


@pytest.mark.asyncio(loop_scope="module")
async def test_an_archive_beyond_a_megabyte_is_not_even_read(house: House) -> None:
    url = f"{house.url}/api/v1/callbacks/broadcast/ebm/x.y"
    async with house.http.post(url, data=io.BytesIO(b"x" * (1024 * 1024 + 1))) as answer:
        assert (answer.status, (await answer.json(content_type=None))["code"]) == (413, "221")


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", ["../../EBDB_1.xml", "/tmp/EBDB_1.xml", "a/../../EBDB_1.xml"])
async def test_a_path_in_an_archive_leads_nowhere(
    house: House, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is ever unpacked: it is read where it lies."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    status, _ = await pushed_in(house, archive((name, HONEST, tarfile.REGTYPE)))
    assert status == 200
    assert not Path("/tmp/EBDB_1.xml").exists()
    assert [path.name for path in tmp_path.rglob("EBDB*")] == []


IN_PACKETS: dict[str, bytes] = {
    "depth-100000": b"<EBD>" + b"<a>" * 70_000 + b"</a>" * 70_000 + b"</EBD>",
    "attributes-30000": b"<EBD " + b" ".join(b'a%d=""' % n for n in range(30_000)) + b"/>",
    "utf-7": b'<?xml version="1.0" encoding="UTF-7"?>' + BARE.encode("utf-7"),
    "utf-16-without-mark": BARE.encode("utf-16-be"),
    "nul": HONEST.replace(b"<EBDID>", b"<EBDID>\x00"),
    "entity-never-declared": HONEST.replace(b"<EBDID>", b"<EBDID>&lol;"),
    "xinclude": HONEST.replace(b"<EBDID>", f'<EBDID><xi:include {INCLUDE} href="file:///etc/passwd"/>'.encode()),
    "left-open": HONEST[:-3],
}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("xml", IN_PACKETS.values(), ids=IN_PACKETS)
async def test_a_hostile_packet_is_not_believed(house: House, xml: bytes) -> None:
    status, said = await pushed_in(house, pack("EBDB_1.xml", xml))
    assert (status, said["code"]) == (400, "malformed"), said
