"""What people write back by SMS (上行短信): kept as it came, once each, and never changed. Phones and words are sealed.

It must survive a provider that pushes the same thing again, alone or together with something new.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import RowMapping, func, select

from dispatcher.store.engine import Tx, storable, upsert
from dispatcher.store.sealed import Seal
from dispatcher.store.tables import uplinks


@dataclass(frozen=True, slots=True, kw_only=True)
class Uplink:
    """`number` is the provider's own for it; `phone` E.164; `sent_at` the provider's time, where it said one."""

    at: datetime
    channel: str
    provider: str
    number: str
    phone: str
    text: str
    sent_at: datetime | None
    dest_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """How many there are, and when the last one came."""

    count: int
    last_at: datetime | None


_NAMES = ("at", "channel", "provider", "number", "phone", "phone_index", "text", "words", "sent_at", "dest_code")


async def keep(tx: Tx, seal: Seal, heard: Sequence[Uplink]) -> int:
    """Appends those that are not there yet; returns how many that were."""
    numbers = {(one.provider, storable(one.number)[:128]) for one in heard}
    c = uplinks.c
    known = select(c.provider, c.number).where(c.number.in_([number for _, number in numbers]))
    new = numbers - {(row.provider, row.number) for row in await tx.execute(known)}
    if heard:
        rows = [dict(zip(_NAMES, _values(seal, one), strict=True)) for one in heard]
        await tx.execute(upsert(tx, uplinks).on_conflict_do_nothing(), rows)
    return len(new)


def _values(seal: Seal, one: Uplink) -> tuple[object, ...]:
    """In the order of `_NAMES`."""
    phone = storable(one.phone)
    return (
        one.at,
        one.channel,
        one.provider,
        storable(one.number)[:128],
        seal.seal(phone),
        seal.index(phone),
        "",
        seal.seal(storable(one.text)),
        one.sent_at,
        storable(one.dest_code)[:64],
    )


async def from_phone(tx: Tx, seal: Seal, phone: str) -> list[Uplink]:
    """Everything one phone (E.164) wrote, oldest first."""
    c = uplinks.c
    names = [c.at, c.channel, c.provider, c.number, c.text, c.words, c.sent_at, c.dest_code]
    found = await tx.execute(select(*names).where(c.phone_index == seal.index(phone)).order_by(c.id))
    return [_read(seal, phone, row) for row in found.mappings()]


def _read(seal: Seal, phone: str, row: RowMapping) -> Uplink:
    """What came before words were sealed stands in `text`."""
    said = row["text"] if row["words"] is None else seal.open(row["words"])
    plain = {name: row[name] for name in ("at", "channel", "provider", "number", "sent_at", "dest_code")}
    return Uplink(phone=phone, text=said, **plain)


async def heard(tx: Tx) -> Heard:
    count, last_at = (await tx.execute(select(func.count(), func.max(uplinks.c.at)))).one()
    return Heard(count=count, last_at=last_at)
