"""Bytes → an XML tree that is safe to read, and the schema of CAP 1.2.

It must survive what XML can do to a reader: entities and DTDs in any encoding that hides them, bombs, depth, bytes that
belie their declaration. The text is decoded here, strictly and from a short list of encodings, so that what is searched
for a DOCTYPE is exactly what the parser sees.
"""

from __future__ import annotations

import codecs
import re
import threading
from itertools import islice
from pathlib import Path
from typing import Any

from lxml import etree

from dispatcher.intake.findings import Unreadable, refuse
from dispatcher.model import Code, Finding

DEEPEST = 64
SCHEMA = Path(__file__).with_name("CAP-v1.2.xsd")
CAP = "urn:oasis:names:tc:emergency:cap:1.2"
MOST_ELEMENTS = 20_000
MOST_SIBLINGS = 2_000
_MOST_FAULTS = 10

_ENCODINGS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "ascii": "ascii",
    "iso-8859-1": "iso-8859-1",
    "latin1": "iso-8859-1",
    "windows-1252": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "gb18030": "gb18030",
}
_DECLARED = re.compile(rb"""<\?xml\s[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_DECLARATION = re.compile(
    r"""<\?xml\s+version\s*=\s*["']1\.\d["'](?:\s+encoding\s*=\s*["'][A-Za-z0-9._-]+["'])?"""
    r"""(?:\s+standalone\s*=\s*["'](?:yes|no)["'])?\s*\?>"""
)
_PROLOG = re.compile(r"(?:\s+|<\?.*?\?>|<!--.*?-->)", re.DOTALL)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def parse(body: bytes, *, elements: int = MOST_ELEMENTS) -> etree._Element:
    """The root element. Raises Unreadable with 220 or 221. `elements`: how many it may have; what no schema looks at, more."""
    text = _decoded(body)
    if found := _CONTROL.search(text):
        sentence = f"含控制字符 U+{ord(found[0]):04X}，请去掉后重发"
        raise Unreadable(refuse(Code.SCHEMA, sentence), refuse(Code.TEXT, sentence))
    text = _DECLARATION.sub("", text, count=1) if _DECLARATION.match(text) else text
    _refuse_doctype(text)
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        recover=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(text.encode("utf-8"), parser)
    except etree.XMLSyntaxError as error:
        raise Unreadable(_syntax_fault(str(error.msg))) from error
    _refuse_absurd_shape(root, elements)
    return root


def cap_faults(root: etree._Element) -> tuple[Finding, ...]:
    """What the CAP 1.2 schema has against the tree, the first ten."""
    schema = _SCHEMAS.schema
    if schema.validate(root):
        return ()
    entries: Any = schema.error_log  # lxml's stubs do not know that it is a list
    faults = [
        f"第 {entry.line} 行不符合 CAP 1.2：{_in_chinese(entry.message)}" for entry in islice(entries, _MOST_FAULTS)
    ]
    return tuple(refuse(Code.SCHEMA, fault) for fault in faults or ["不符合 CAP 1.2"])


_SENTENCES = (
    (
        r"Element '(.*?)': This element is not expected\. Expected is(?: one of)? \( (.*) \)",
        "{0} 不该在这里，此处应为 {1}",
    ),
    (r"Element '(.*?)': This element is not expected", "{0} 不该在这里"),
    (r"Element '(.*?)': Missing child element\(s\)\. Expected is(?: one of)? \( (.*) \)", "{0} 里缺少 {1}"),
    (r"Element '(.*?)': \[facet 'enumeration'\] The value '(.*)' is not .*\{(.*)\}", "{0} 不能是“{1}”，只能是 {2}"),
    (r"Element '(.*?)': (?:\[facet .*\] The value )?'(.*)' is not ", "{0} 的值“{1}”写法不对"),
    (r"Element '(.*?)', attribute '(.*?)'", "{0} 不能有属性 {1}"),
)
"""What the schema's messages say, in the words of whoever has to mend the alert; the others stay as they are."""


def _in_chinese(message: str) -> str:
    message = _short(message)
    for pattern, sentence in _SENTENCES:
        if found := re.match(pattern, message):
            return sentence.format(*(part.replace("'", "") for part in found.groups()))
    return message


class _Schemas(threading.local):
    """One compiled schema per thread: its error log is its own."""

    def __init__(self) -> None:
        self.schema = etree.XMLSchema(etree.parse(SCHEMA))


_SCHEMAS = _Schemas()


def _decoded(body: bytes) -> str:
    encoding = _encoding(body)
    try:
        return body.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise Unreadable(
            refuse(Code.SCHEMA, f"第 {error.start + 1} 个字节不是 {encoding}，请按声明的编码重发")
        ) from error


def _encoding(body: bytes) -> str:
    if body.startswith(codecs.BOM_UTF8):
        return "utf-8"
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and body[2:4] != b"\0\0":
        return "utf-16"
    declared = _DECLARED.match(body)
    name = declared[1].decode("ascii").lower() if declared else "utf-8"
    if name not in _ENCODINGS:
        raise Unreadable(refuse(Code.SCHEMA, f"不接受编码 {name}，请改用 UTF-8 重发"))
    return _ENCODINGS[name]


def _refuse_doctype(text: str) -> None:
    """A DOCTYPE can only stand before the root element; anything of its kind after that is malformed anyway."""
    at = 0
    while found := _PROLOG.match(text, at):
        at = found.end()
    if text.startswith("<!", at) and not text.startswith("<!--", at):
        raise Unreadable(refuse(Code.SCHEMA, "含 DOCTYPE 或实体声明，一律不接收"))


def _syntax_fault(message: str) -> Finding:
    if "depth" in message.lower():
        return refuse(Code.SIZE, f"元素嵌套过深，最多 {DEEPEST} 层")
    return refuse(Code.SCHEMA, f"不是完整的 XML：{_short(message)}")


def _refuse_absurd_shape(root: etree._Element, most: int) -> None:
    """The schema's error log looks up the place of every fault among its siblings: without limits that takes hours."""
    deep, number, row = 0, 0, [root]
    while row:
        deep, number = deep + 1, number + len(row)
        widest = max(max(len(element), len(element.attrib)) for element in row)
        if deep > DEEPEST:
            raise Unreadable(refuse(Code.SIZE, f"元素嵌套过深，最多 {DEEPEST} 层"))
        if number > most or widest > MOST_SIBLINGS:
            limits = f"整篇最多 {most} 个、同一元素之下（含属性）最多 {MOST_SIBLINGS} 个"
            raise Unreadable(refuse(Code.SIZE, f"元素过多：{limits}，请拆分后重发"))
        row = [child for element in row for child in element]


def _short(message: str) -> str:
    return message.replace(f"{{{CAP}}}", "")[:300]
