"""Warnings: kept once, moved only as `states.py` allows, and what they refer to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Select, Table, and_, insert, or_, select, update

from dispatcher.model import Kind, Reference, Scope, Status
from dispatcher.states import ENDED, SENDING, WarningState, warning_may_become
from dispatcher.store.engine import Tx, upsert
from dispatcher.store.many import Inserted
from dispatcher.store.tables import facts, texts, warning_references, warnings


@dataclass(frozen=True, slots=True, kw_only=True)
class WarningRow:
    """A warning as the database holds it; JSON columns as plain data."""

    id: str
    chain_id: str
    source: str
    door: str
    source_format: str
    content_type: str
    raw: bytes
    digest: str
    sender: str
    identifier: str
    sent: datetime
    kind: str
    status: str
    scope: str
    drill: bool
    trusted: bool
    event: str
    level: str | None
    headline: str
    expires: datetime | None
    message: Mapping[str, Any]
    findings: Sequence[Mapping[str, Any]]
    state: str
    area: Mapping[str, Any]
    plan: Mapping[str, Any]
    plan_hash: str
    header_hash: str
    rows_planned: int
    broadcast_id: str
    received_at: datetime
    released_at: datetime | None = None
    dispatched_at: datetime | None = None
    completed_at: datetime | None = None
    ended_at: datetime | None = None
    ended_by: str | None = None


class TextRow(NamedTuple):
    """One wording of a warning; deliveries name it by `no`."""

    no: int
    channel: str
    body: str
    segments: int


async def keep(tx: Tx, row: WarningRow, references: Sequence[Reference]) -> None:
    """Inserts a warning; IntegrityError where its identity is already there."""
    values = {field.name: getattr(row, field.name) for field in fields(row)}
    values["message"], values["area"], values["plan"] = dict(row.message), dict(row.area), dict(row.plan)
    values["findings"] = list(row.findings)
    await tx.execute(insert(warnings).values(**values))
    if references:
        await tx.execute(
            insert(warning_references),
            [
                {"warning_id": row.id, "sender": ref.sender, "identifier": ref.identifier, "sent": ref.sent}
                for ref in dict.fromkeys(references)
            ],
        )


async def keep_texts(tx: Tx, warning_id: str, rows: Sequence[TextRow]) -> None:
    """A city's warning has a thousand and more: one for each place and each kind of officer."""
    await _TEXTS.run(tx, [(warning_id, row.no, row.channel, row.body, row.segments) for row in rows])


_TEXTS = Inserted(texts, ("warning_id", "no", "channel", "body", "segments"))


async def texts_of(tx: Tx, warning_id: str) -> dict[int, TextRow]:
    wanted = select(texts.c.no, texts.c.channel, texts.c.body, texts.c.segments)
    rows = await tx.execute(wanted.where(texts.c.warning_id == warning_id).order_by(texts.c.no))
    return {row[0]: TextRow._make(row) for row in rows}


async def one(tx: Tx, warning_id: str, *, held: bool = False) -> WarningRow | None:
    """`held`: nobody changes it until this transaction ends; its chunks are held first."""
    wanted = select(warnings).where(warnings.c.id == warning_id)
    return await _one(tx, wanted.with_for_update() if held else wanted)


async def by_identity(tx: Tx, reference: Reference) -> WarningRow | None:
    """What was rejected holds no identity."""
    kept = warnings.c.state != WarningState.REJECTED.value
    return await _one(tx, select(warnings).where(is_named(warnings, reference), kept))


async def by_number(tx: Tx, sender: str, identifier: str) -> WarningRow | None:
    """The first that was kept under it, whatever its time."""
    named = (warnings.c.sender == sender, warnings.c.identifier == identifier)
    kept = select(warnings).where(*named, warnings.c.state != WarningState.REJECTED.value)
    return await _one(tx, kept.order_by(warnings.c.received_at).limit(1))


def is_named(table: Table, reference: Reference) -> ColumnElement[bool]:
    """Of a table that names warnings."""
    return and_(
        table.c.sender == reference.sender,
        table.c.identifier == reference.identifier,
        table.c.sent == reference.sent,
    )


async def move(tx: Tx, warning_id: str, state: WarningState, *, frozen_as: str = "", **values: object) -> bool:
    """Moves a warning to `state` if `states.py` lets it; False where it was not in a state that may become it, or its plan is
    not the one whose hash `frozen_as` is."""
    moved = (
        update(warnings)
        .where(warnings.c.id == warning_id, warnings.c.state.in_([s.value for s in warning_may_become(state)]))
        .values(state=state.value, **values)
    )
    if frozen_as:
        moved = moved.where(warnings.c.plan_hash == frozen_as)
    return (await tx.execute(moved)).rowcount == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is looked at anew before each chunk: how it stands, and whether it is a drill. Its area may be 100 KB."""

    id: str
    state: str
    drill: bool
    status: str
    message: Mapping[str, Any]


_STANDING = [warnings.c[name] for name in Standing.__dataclass_fields__]


async def standing(tx: Tx, warning_id: str) -> Standing | None:
    row = (await tx.execute(select(*_STANDING).where(warnings.c.id == warning_id))).mappings().one_or_none()
    return Standing(**row) if row else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Underway:
    """What is looked at twice a second of a warning whose rows are not all over: without its bytes, area and texts."""

    id: str
    state: str
    level: str | None
    drill: bool
    received_at: datetime
    channels: tuple[str, ...]


async def unfinished(tx: Tx) -> list[Underway]:
    """Under way, or ended with rows that may still wait for a receipt."""
    sending, ended = [state.value for state in SENDING], [state.value for state in ENDED]
    c = warnings.c
    rows = await tx.execute(
        select(c.id, c.state, c.level, c.drill, c.received_at, c.plan["channels"].label("channels"))
        .where(or_(c.state.in_(sending), and_(c.state.in_(ended), c.completed_at.is_(None))))
        .order_by(c.received_at)
    )
    return [Underway(**{**row, "channels": tuple(row["channels"] or ())}) for row in rows.mappings()]


async def note_finished(tx: Tx, warning_id: str, now: datetime) -> None:
    """An ended warning's last row is terminal; its state stays."""
    await tx.execute(
        update(warnings).where(warnings.c.id == warning_id, warnings.c.completed_at.is_(None)).values(completed_at=now)
    )


async def share(tx: Tx, warning_ids: Sequence[str]) -> None:
    """Whoever ends one of these waits for this transaction. Whoever also locks deliveries locks the warning first."""
    await tx.execute(select(warnings.c.id).where(warnings.c.id.in_(warning_ids)).with_for_update(read=True))


async def overdue(tx: Tx, states: Sequence[WarningState], now: datetime) -> list[str]:
    """Ids of warnings in `states` whose time has run out."""
    rows = await tx.execute(
        select(warnings.c.id).where(
            warnings.c.state.in_([state.value for state in states]),
            warnings.c.expires.is_not(None),
            warnings.c.expires <= now,
        )
    )
    return [row.id for row in rows]


async def latest(tx: Tx, *, limit: int = 50, state: str = "", level: str = "", before: str = "") -> list[WarningRow]:
    """Newest first; `before` is the id of the last row of the page before."""
    statement = select(warnings).order_by(warnings.c.id.desc()).limit(limit)
    if state:
        statement = statement.where(warnings.c.state == state)
    if level:
        statement = statement.where(warnings.c.level == level)
    if before:
        statement = statement.where(warnings.c.id < before)
    rows = await tx.execute(statement)
    return [WarningRow(**row) for row in rows.mappings()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A warning that went to the public for real, without its bytes and its plan."""

    id: str
    chain_id: str
    sender: str
    identifier: str
    sent: datetime
    kind: str
    event: str
    headline: str
    message: Mapping[str, Any]


_PUBLISHED = [warnings.c[name] for name in Published.__dataclass_fields__]
_PUBLIC: Final = and_(
    warnings.c.released_at.is_not(None),
    warnings.c.status == Status.ACTUAL.value,
    warnings.c.scope == Scope.PUBLIC.value,
    warnings.c.drill.is_(False),
)


async def published(tx: Tx, *, since: datetime, now: datetime, limit: int) -> list[Published]:
    """What went to the public since then, or is still in force; newest first. What was ended by something that the public
    does not get is left out: it would look as if it held."""
    successor = warnings.alias("successor")
    public = select(successor.c.id).where(
        successor.c.scope == Scope.PUBLIC.value, successor.c.status == Status.ACTUAL.value
    )
    in_force = and_(warnings.c.expires > now, warnings.c.state.not_in([state.value for state in ENDED]))
    rows = await tx.execute(
        select(*_PUBLISHED)
        .where(
            _PUBLIC,
            or_(warnings.c.released_at >= since, in_force),
            or_(warnings.c.ended_by.is_(None), warnings.c.ended_by.in_(public)),
        )
        .order_by(warnings.c.sent.desc())
        .limit(limit)
    )
    return [Published(**row) for row in rows.mappings()]


async def published_as(tx: Tx, identifier: str, sender: str = "") -> Published | None:
    """The latest that went to the public under this identifier; `sender`: of that one alone."""
    wanted = select(*_PUBLISHED).where(_PUBLIC, warnings.c.identifier == identifier)
    if sender:
        wanted = wanted.where(warnings.c.sender == sender)
    row = (await tx.execute(wanted.order_by(warnings.c.sent.desc()).limit(1))).mappings().one_or_none()
    return Published(**row) if row else None


async def published_before(tx: Tx, one: Published) -> list[Reference]:
    """The public versions of its chain before it, oldest first: whoever reads CAP knows only those that are named."""
    rows = await tx.execute(
        select(warnings.c.sender, warnings.c.identifier, warnings.c.sent)
        .where(
            _PUBLIC, warnings.c.chain_id == one.chain_id, warnings.c.kind != Kind.CANCEL.value, warnings.c.id != one.id
        )
        .where(warnings.c.sent <= one.sent)
        .order_by(warnings.c.sent)
    )
    return [Reference(sender=sender, identifier=identifier, sent=sent) for sender, identifier, sent in rows]


async def by_broadcast(tx: Tx, broadcast_id: str) -> str | None:
    """The warning an EBMID was given to."""
    if not broadcast_id:
        return None
    found = await tx.execute(select(warnings.c.id).where(warnings.c.broadcast_id == broadcast_id))
    warning_id: str | None = found.scalar_one_or_none()
    return warning_id


async def chain(tx: Tx, chain_id: str) -> list[WarningRow]:
    rows = await tx.execute(select(warnings).where(warnings.c.chain_id == chain_id).order_by(warnings.c.received_at))
    return [WarningRow(**row) for row in rows.mappings()]


async def _one(tx: Tx, statement: Select[Any]) -> WarningRow | None:
    row = (await tx.execute(statement)).mappings().one_or_none()
    return WarningRow(**row) if row else None


async def claim_key(tx: Tx, key: str, digest: str) -> str:
    """An Idempotency-Key is bound to the first body that came with it; returns the digest it is bound to."""
    await tx.execute(upsert(tx, facts).values(name=key, value=digest).on_conflict_do_nothing())
    bound: str = (await tx.execute(select(facts.c.value).where(facts.c.name == key))).scalar_one()
    return bound


async def exists(tx: Tx, warning_id: str) -> bool:
    return (await tx.execute(select(warnings.c.id).where(warnings.c.id == warning_id))).first() is not None


async def states_of(tx: Tx, warning_ids: Sequence[str]) -> dict[str, str]:
    rows = await tx.execute(select(warnings.c.id, warnings.c.state).where(warnings.c.id.in_(warning_ids)))
    return {row.id: row.state for row in rows}


async def broadcast_ids(tx: Tx, warning_ids: Sequence[str]) -> dict[str, str]:
    rows = await tx.execute(select(warnings.c.id, warnings.c.broadcast_id).where(warnings.c.id.in_(warning_ids)))
    return {row.id: row.broadcast_id for row in rows}


async def called(tx: Tx, name: str) -> list[WarningRow]:
    """Whose id or identifier it is, newest first; `latest` is the newest of all."""
    statement = select(warnings).order_by(warnings.c.id.desc()).limit(10)
    if name != "latest":
        statement = statement.where(or_(warnings.c.id == name, warnings.c.identifier == name))
    return [WarningRow(**row) for row in (await tx.execute(statement)).mappings()]
