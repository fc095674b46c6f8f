"""One person's number, opened because somebody has to ring him: who looked, and why, stands in the log before it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dispatcher.store import audit
from dispatcher.store.audit import Act
from dispatcher.store.engine import Store, Tx
from dispatcher.store.registry import opening
from dispatcher.store.registry.opening import Person
from dispatcher.store.sealed import Seal


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """`actor` as the log has it, at whose number, and why, in his own words."""

    actor: str
    target: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """`phone`: E.164; '' where it cannot be opened."""

    person: Person
    phone: str


async def person_of(tx: Tx, target: str) -> Person | None:
    """`officer-JA00001`; None where nobody of the register is called so, or whatever it is has no phone."""
    return next((one for one in await opening.people_named(tx, target) if str(one.target) == target), None)


async def unmask(store: Store, seal: Seal, now: datetime, look: Look) -> Number | None:
    """None where nobody is called so; then nothing was shown and nothing is put down."""
    async with store.begin() as tx:
        person = await person_of(tx, look.target)
        if person is None:
            return None
        phones = await opening.phones_of(tx, seal, [look.target])
        detail = {"reason": look.reason}
        audit.append(tx, now, Act(actor=look.actor, action="person.unmasked", subject=look.target, detail=detail))
    return Number(person=person, phone=phones.get(look.target, ""))
