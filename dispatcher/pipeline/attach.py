"""The scan of a paper that was signed in ink is kept with its warning: sealed, known by its hash, and never changed.

What it is is judged by its first bytes, never by its name. It must survive a file that only pretends, and one sent twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from uuid_utils import compat as uuid

from dispatcher.accounts.authority import Action, Principal
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.persons import Hindrance, NotDone, note, person
from dispatcher.store import scans, warnings
from dispatcher.store.engine import AlreadyThere, storable, unique
from dispatcher.store.scans import Scan

MOST_BYTES: Final = 5 * 1024 * 1024
MOST_SCANS: Final = 20
"""Of one warning."""
_LONGEST_NAME: Final = 120


class Kind(StrEnum):
    """What a paper may come as."""

    PDF = "pdf"
    JPEG = "jpeg"
    PNG = "png"

    @property
    def content_type(self) -> str:
        return {"pdf": "application/pdf", "jpeg": "image/jpeg", "png": "image/png"}[self.value]


_BEGINS: Final[Mapping[bytes, Kind]] = {b"%PDF-": Kind.PDF, b"\xff\xd8\xff": Kind.JPEG, b"\x89PNG\r\n\x1a\n": Kind.PNG}
_ENDS: Final[Mapping[Kind, bytes]] = {Kind.PDF: b"%%EOF", Kind.JPEG: b"\xff\xd9", Kind.PNG: b"IEND\xaeB`\x82"}
_TAIL: Final = 2048
"""Within so many bytes of the end it must end as its kind does: a file that was cut off is of no use to a court."""


def kind_of(body: bytes) -> Kind | None:
    """None where it is none of these, or not whole."""
    found = next((kind for begin, kind in _BEGINS.items() if body.startswith(begin)), None)
    return found if found is not None and _ENDS[found] in body[-_TAIL:] else None


async def attach(context: Context, principal: Principal, warning_id: str, *, name: str, body: bytes) -> Scan:
    """Nobody who sends is kept waiting: the warning is not held. NotDone: NOT_THERE, ROLE, AREA, PERSON, ACCOUNT; REASON where
    it is no such file; STATE where it is there already, or there are too many."""
    kind = kind_of(body) if len(body) <= MOST_BYTES else None
    if kind is None:
        raise NotDone(Hindrance.REASON, "请选一个完整的 PDF、JPEG 或 PNG 文件，不超过 5 MB")
    sealed, digest = context.seal.seal_bytes(body), hashlib.sha256(body).hexdigest()
    async with context.persons, context.store.begin() as tx:
        row, now = await warnings.one(tx, warning_id), context.now()
        if row is None:
            raise NotDone(Hindrance.NOT_THERE, "没有这条预警")
        whose = await person(tx, principal, Action.ATTACH, list(row.area["villages"]) or principal.scope)
        if len(await scans.of(tx, warning_id)) >= MOST_SCANS:
            raise NotDone(Hindrance.STATE, f"这条预警已存了 {MOST_SCANS} 份扫描件，不能再存")
        scan = Scan(
            id=uuid.uuid7().hex,
            warning_id=warning_id,
            at=now,
            account_id=whose.id,
            name=plain_name(name, kind),
            kind=kind,
            size=len(body),
            sha256=digest,
            plan_hash=row.plan_hash,
        )
        try:
            async with unique():
                await scans.add(tx, scan, sealed)
        except AlreadyThere as error:
            raise NotDone(Hindrance.STATE, "同一个文件已经存过了") from error
        detail = {"scan": scan.id, "kind": kind, "size": len(body), "sha256": digest, "plan_hash": row.plan_hash}
        await note(tx, whose, row, ("approval.scanned", now, detail))
    return scan


def plain_name(name: str, kind: Kind) -> str:
    """What a file is called, without a path and without what no file system takes."""
    last = storable(name).replace("\\", "/").rpartition("/")[2]
    said = "".join(one for one in last if one.isprintable() and one not in '<>:"|?*').strip(" .")
    return said[:_LONGEST_NAME] or f"签批单.{kind}"
