"""The one door of intake: bytes of any kind → a message, or none, and what speaks against it.

It never raises, whatever the bytes. The content type is a hint that only colours the sentence of a refusal; the format is
what the bytes are.
"""

from __future__ import annotations

from dataclasses import replace

from dispatcher.intake import amp, cap, hardened, hazard, native
from dispatcher.intake.findings import Decoded, Unreadable, refuse
from dispatcher.model import Code, Finding
from dispatcher.settings import Hazards

MOST_XML = 4 * 1024 * 1024
MOST_JSON = 256 * 1024
_BLANK = b"\xef\xbb\xbf\xff\xfe \t\r\n\0"
_OTHERS = {
    "urn:oasis:names:tc:emergency:cap:1.1": "不接收 CAP 1.1，请改发 CAP 1.2",
    "http://www.incident.com/cap/1.0": "不接收 CAP 1.0，请改发 CAP 1.2",
    "http://www.w3.org/2005/Atom": "这是 Atom 目录，不是预警，请发送其中的 CAP 1.2 报文",
}


def decode(body: bytes, content_type: str, hazards: Hazards) -> Decoded:
    """See Decoded: whether the message may go further is said by the findings alone."""
    try:
        found = _read(body, content_type.lower(), hazards)
    except Unreadable as error:
        return Decoded(message=None, findings=error.findings)
    unusual = hazard.colour_note(hazards, found.message) if found.message else None
    return replace(found, findings=(*found.findings, unusual)) if unusual else found


def _read(body: bytes, content_type: str, hazards: Hazards) -> Decoded:
    if len(body) > MOST_XML:
        raise Unreadable(refuse(Code.SIZE, f"报文 {len(body)} 字节，最多 {MOST_XML} 字节"))
    start = body[:64].lstrip(_BLANK)[:1]
    if start in (b"{", b"["):
        if len(body) > MOST_JSON:
            raise Unreadable(refuse(Code.SIZE, f"JSON 报文 {len(body)} 字节，最多 {MOST_JSON} 字节"))
        return native.read(body, hazards)
    if start != b"<" and ("xml" not in content_type or not body.strip()):
        raise Unreadable(_unknown(body, content_type))
    root = hardened.parse(body)
    if str(root.tag).startswith(f"{{{amp.AMP}}}"):
        return amp.read(root, hazards)
    if root.tag != f"{{{hardened.CAP}}}alert":
        raise Unreadable(refuse(Code.FORMAT, _other_format(str(root.tag))))
    return cap.read(root, hazards)


def _unknown(body: bytes, content_type: str) -> Finding:
    if not body.strip():
        return refuse(Code.SCHEMA, "报文是空的")
    if "json" in content_type:
        return refuse(Code.SCHEMA, "不是完整的 JSON，请发送一个 JSON 对象")
    return refuse(Code.FORMAT, "不认识的报文格式，请发送 CAP 1.2、国家预警 XML（12379）或本系统的 JSON")


def _other_format(tag: str) -> str:
    namespace, _, name = tag.rpartition("}")
    if sentence := _OTHERS.get(namespace.removeprefix("{")):
        return sentence
    return f"不认识根元素 {name[:60]}（命名空间 {namespace.removeprefix('{')[:100] or '无'}），请发送 CAP 1.2"
