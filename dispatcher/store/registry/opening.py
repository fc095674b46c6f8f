"""Where phones and secrets are opened: for those who are to be told now, for one person asked about, for an export.

It must survive a target that is gone since the plan was frozen: it is missing from the answer, and the sender says so;
and one field that cannot be opened.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any, Final

import structlog
from sqlalchemy import Row as SqlRow
from sqlalchemy import Select, String, Table, any_, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY

from dispatcher.model import Channel, Level, Post, Target, TargetKind
from dispatcher.states import GatewayState
from dispatcher.store import tables as t
from dispatcher.store.engine import Tx
from dispatcher.store.registry import homes
from dispatcher.store.registry.rows import TABLE_OF, OfficerRow, ResidentRow, Row
from dispatcher.store.sealed import Seal, WrongKey

log = structlog.get_logger()

Reader = Callable[[Any, Seal], object]
_BATCH = 1_000
_PAGE = 20_000
_WITH_PHONE: Final = {TargetKind.OFFICER: t.officers, TargetKind.OFFICE: t.offices, TargetKind.RESIDENT: t.residents}
_HOME: Final = {
    TargetKind.OFFICER: t.officers.c.home_code,
    TargetKind.OFFICE: t.offices.c.area_code,
    TargetKind.RESIDENT: t.residents.c.village_code,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayAddress:
    url: str
    ebrid: str
    protocol: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointAddress:
    url: str
    secrets: tuple[str, ...]
    """`whsec_…`, the newest first: two while one replaces the other."""
    disabled_reason: str
    """Empty where the endpoint is in use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    target: Target
    name: str
    area_code: str


async def phones_of(tx: Tx, seal: Seal, targets: Iterable[str]) -> dict[str, str]:
    """Target (`officer-JA00001`) → E.164 phone. Gateways, endpoints and whoever is not in the register (any more) are
    missing."""
    ids: dict[str, list[str]] = {str(kind): [] for kind in _WITH_PHONE}
    for target in targets:
        kind, _, number = target.partition("-")
        if kind in ids:
            ids[kind].append(number)
    phones: dict[str, str] = {}
    for of, wanted in ids.items():
        for batch in _batches(_keys(TargetKind(of), wanted)):
            for number, phone in await _sealed(tx, TargetKind(of), batch):
                target = f"{of}-{number}"
                try:
                    phones[target] = seal.open(phone)
                except WrongKey:
                    _tell_unreadable(target)
    return phones


async def _sealed(tx: Tx, kind: TargetKind, ids: list[Any]) -> Iterable[tuple[Any, bytes]]:
    """A thousand rows of SQLite's come as one: beside the sending, its thread would ask for the interpreter at each."""
    if tx.dialect.name == "postgresql":
        return [(number, phone) for number, phone in await tx.execute(_phones(kind), {"ids": ids})]
    found = (await tx.execute(_phones_as_json(kind), {"ids": json.dumps(ids)})).scalar_one()
    return [(number, bytes.fromhex(phone)) for number, phone in json.loads(found)]


@cache
def _phones(kind: TargetKind) -> Select[Any]:
    """One statement for any number of ids, which the server prepares once."""
    table = _WITH_PHONE[kind]
    wanted = table.c.id == any_(bindparam("ids", type_=ARRAY(table.c.id.type)))
    return select(table.c.id, table.c.phone).where(wanted)


@cache
def _phones_as_json(kind: TargetKind) -> Select[Any]:
    table = _WITH_PHONE[kind]
    ids = func.json_each(bindparam("ids", type_=String())).table_valued("value").c.value
    found = func.json_group_array(func.json_array(table.c.id, func.hex(table.c.phone)), type_=String())
    return select(found).where(table.c.id.in_(select(ids)))


async def gateway_addresses(tx: Tx, ids: Iterable[str]) -> dict[str, GatewayAddress]:
    c = t.gateways.c
    found: dict[str, GatewayAddress] = {}
    for batch in _batches(ids):
        for row in await tx.execute(select(c.id, c.url, c.ebrid, c.protocol).where(c.id.in_(batch))):
            found[row.id] = GatewayAddress(url=row.url, ebrid=row.ebrid, protocol=row.protocol)
    return found


async def endpoint_addresses(tx: Tx, seal: Seal, ids: Iterable[str]) -> dict[str, EndpointAddress]:
    c = t.endpoints.c
    found: dict[str, EndpointAddress] = {}
    for batch in _batches(ids):
        for row in await tx.execute(select(c.id, c.url, c.secrets, c.disabled_reason).where(c.id.in_(batch))):
            with _readable(f"{TargetKind.ENDPOINT}-{row.id}"):
                secrets = _read_secrets(row.secrets, seal)
                found[row.id] = EndpointAddress(url=row.url, secrets=secrets, disabled_reason=row.disabled_reason)
    return found


async def people_named(tx: Tx, text: str) -> list[Person]:
    """Officers, offices and residents whose name is `text`, or whose id or target (`officer-JA00001`) it is."""
    kind_of, dash, rest = text.partition("-")
    people: list[Person] = []
    for kind, table in _WITH_PHONE.items():
        ids = _keys(kind, [text, rest] if dash and kind_of == kind else [text])
        match = (table.c.name == text) | table.c.id.in_(ids) if ids else table.c.name == text
        people += await _people(tx, kind, table, _select_people(kind, table).where(match))
    return people


async def people_with_phone(tx: Tx, seal: Seal, phone: str) -> list[Person]:
    """Whose phone it is (E.164), found by the blind index: nothing is opened."""
    index = seal.index(phone)
    people: list[Person] = []
    for kind, table in _WITH_PHONE.items():
        people += await _people(tx, kind, table, _select_people(kind, table).where(table.c.phone_index == index))
    return people


async def targets_with(tx: Tx, seal: Seal, phones: Iterable[str]) -> dict[str, list[str]]:
    """Phone (E.164) → `str(target)` of everybody whose it is, found by the blind index: nothing is opened."""
    phone_of = {seal.index(phone): phone for phone in phones}
    found: dict[str, list[str]] = {}
    for kind, table in _WITH_PHONE.items():
        for batch in _batches(phone_of):
            owners = select(table.c.id, table.c.phone_index).where(table.c.phone_index.in_(batch))
            for number, index in await tx.execute(owners):
                found.setdefault(phone_of[index], []).append(f"{kind}-{number}")
    return found


async def exported(tx: Tx, seal: Seal, kind: type[Row]) -> list[Row]:
    """Every row of one small table, by key, phones and secrets opened."""
    table = TABLE_OF[kind]
    columns = [table.c[name] for name in kind._fields]
    if kind is OfficerRow:
        columns.append(table.c.position)
    found = await tx.execute(select(*columns).order_by(*table.primary_key.columns))
    readers = [_READERS.get(name) for name in kind._fields]
    return [_read(seal, kind, readers, row) for row in found]


def _read(seal: Seal, kind: type[Row], readers: Sequence[Reader | None], found: SqlRow[Any]) -> Row:
    values = found[: len(readers)]
    row = kind._make(read(value, seal) if read else value for read, value in zip(readers, values, strict=True))
    if not isinstance(row, OfficerRow):
        return row
    lat, lon = homes.opened(seal, row.lat, row.lon, found.position)
    return row._replace(lat=lat, lon=lon)


async def resident_rows(tx: Tx, seal: Seal) -> AsyncIterator[list[ResidentRow]]:
    """Everybody, by id, phones and homes opened, a page at a time."""
    c = t.residents.c
    columns = [*(c[name] for name in ResidentRow._fields), c.position]
    last = -1
    while rows := (await tx.execute(select(*columns).where(c.id > last).order_by(c.id).limit(_PAGE))).all():
        yield [_resident(seal, row) for row in rows]
        last = rows[-1].id


def _resident(seal: Seal, row: SqlRow[Any]) -> ResidentRow:
    lat, lon = homes.opened(seal, row.lat, row.lon, row.position)
    return ResidentRow._make(row[:-1])._replace(phone=seal.open(row.phone), lat=lat, lon=lon)


@contextmanager
def _readable(target: str) -> Iterator[None]:
    """One damaged field is one missing address, said aloud: it must not keep the others from being told."""
    try:
        yield
    except WrongKey:
        _tell_unreadable(target)


def _tell_unreadable(target: str) -> None:
    log.error("一个对象的号码或密钥打不开，按没有地址处理，请核对登记册", target=target)


def _select_people(kind: TargetKind, table: Table) -> Select[Any]:
    return select(table.c.id, table.c.name, _HOME[kind].label("home")).order_by(table.c.id).limit(_BATCH)


async def _people(tx: Tx, kind: TargetKind, table: Table, wanted: Select[Any]) -> list[Person]:
    return [
        Person(target=Target(kind=kind, id=str(row.id)), name=row.name, area_code=row.home)
        for row in await tx.execute(wanted)
    ]


def _keys(kind: TargetKind, ids: Sequence[str]) -> list[Any]:
    """Ids as their column has them; what cannot be a resident's number is no resident."""
    if kind is not TargetKind.RESIDENT:
        return list(ids)
    return [int(number) for number in ids if number.isascii() and number.isdigit() and len(number) < 19]


def _batches(ids: Iterable[Any]) -> Iterable[list[Any]]:
    left = iter(ids)
    while batch := list(islice(left, _BATCH)):
        yield batch


def _read_secrets(sealed: Any, seal: Seal) -> tuple[str, ...]:
    return tuple(seal.open(sealed).split("\n"))


_READERS: Final[dict[str, Reader]] = {
    "phone": lambda value, seal: seal.open(value),
    "secrets": _read_secrets,
    "post": lambda value, _seal: Post(value),
    "state": lambda value, _seal: GatewayState(value),
    "least_level": lambda value, _seal: Level(value),
    "area_codes": lambda value, _seal: tuple(value),
    "hazards": lambda value, _seal: tuple(value),
    "channels": lambda value, _seal: tuple(map(Channel, value)),
}
