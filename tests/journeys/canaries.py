"""What must lie nowhere, in every form in which it might be written; and everything a service leaves behind, as bytes.

Raw bytes are searched, not columns: a copy that nobody thought of is found too.
"""

from __future__ import annotations

import asyncio
import base64
import io
import shutil
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import asyncpg
from sqlalchemy import make_url, text

from dispatcher.store.engine import Store
from dispatcher.store.tables import metadata

RAW = {"warnings": ("raw", "message"), "rejects": ("raw",), "rejected": ("body",), "inbox": ("body",)}
"""Where what a sender wrote stays as he wrote it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """`name` is what a failing test shows: never the thing itself."""

    name: str
    forms: tuple[bytes, ...]


def phone(name: str, e164: str) -> Canary:
    bare = e164.removeprefix("+86")
    parts = (bare[:3], bare[3:7], bare[7:])
    written = {
        bare,
        *(mark.join(parts) for mark in (" ", "-", ".", "\u00a0")),
        " ".join((bare[:3], bare[3:6], bare[6:])),
    }
    written |= {bare.translate({48 + digit: 0xFF10 + digit for digit in range(10)})}
    forms = {one for spelt in written for one in _encoded(spelt)}
    forms |= {one for spelt in (f"+86{bare}", f"86{bare}", bare) for one in _in_base64(spelt.encode())}
    return Canary(name=name, forms=tuple(sorted(forms)))


def home(name: str, lat: float, lon: float) -> Canary:
    """Seven decimals are a centimetre; and one less, in case it was rounded."""
    forms: set[bytes] = set()
    for degrees in (lat, lon):
        forms |= {struct.pack(">d", degrees), struct.pack("<d", degrees)}
        forms |= {struct.pack(order + "d", degrees).hex().encode() for order in "<>"}
        forms |= {struct.pack(order + "i", round(degrees * 1e7)) for order in "<>"}
        for spelt in (f"{degrees:.7f}", f"{degrees:.6f}", f"{degrees:.7f}".replace(".", "")):
            forms |= set(_encoded(spelt))
    return Canary(name=name, forms=tuple(sorted(forms)))


def secret(name: str, value: str) -> Canary:
    """Also what `whsec_` and hexadecimal stand for."""
    plain = {value.encode()}
    if value.startswith("whsec_"):
        plain |= {base64.b64decode(value[6:]), value[6:].encode()}
    elif len(value) == 64:
        plain |= {bytes.fromhex(value), value.upper().encode()}
    forms = {one for bare in plain for one in (bare, bare.hex().encode(), *_in_base64(bare))}
    return Canary(name=name, forms=tuple(sorted(forms | set(_encoded(value)))))


def _encoded(spelt: str) -> Iterable[bytes]:
    plain = spelt.encode()
    yield plain
    yield plain.hex().encode()
    yield plain.hex().upper().encode()
    yield spelt.encode("utf-16-le")
    yield spelt.encode("utf-16-be")
    yield quote(spelt, safe="").encode()
    yield "".join(f"%{byte:02X}" for byte in plain).encode()
    yield spelt.encode("ascii", "backslashreplace")


def _in_base64(plain: bytes) -> Iterable[bytes]:
    """Wherever it stands in a longer text: the letters that depend on its neighbours are left out."""
    for shift in range(3):
        coded = base64.b64encode(bytes(shift) + plain)
        yield coded[(0, 2, 3)[shift] : len(coded) - (0 if (shift + len(plain)) % 3 == 0 else 4)]
    yield base64.b64encode(plain).rstrip(b"=")


def found(places: Mapping[str, bytes], canaries: Iterable[Canary]) -> list[str]:
    """Where which canary lies, and in which form (as a number)."""
    return [
        f"{place}: {canary.name} (form {number})"
        for place, content in places.items()
        for canary in canaries
        for number, form in enumerate(canary.forms)
        if form in content
    ]


# ── what a service leaves behind ────────────────────────────────────────────────────────────────────────────────────


async def dumped(database_url: str, folder: Path) -> dict[str, bytes]:
    """SQLite: the file and its log as they lie on the disk. PostgreSQL: COPY of every table, and pg_dump where there is one."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        path = Path(str(url.database))
        return {one.name: one.read_bytes() for one in path.parent.glob(f"{path.name}*")}
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(plain)
    try:
        tables = {table.name: await _copied(connection, table.name) for table in metadata.sorted_tables}
    finally:
        await connection.close()
    assert any(tables.values())
    return tables | await _pg_dump(plain, folder)


async def _copied(connection: asyncpg.Connection, table: str) -> bytes:
    into = io.BytesIO()
    await connection.copy_from_table(table, output=into)
    return into.getvalue()


async def _pg_dump(url: str, folder: Path) -> dict[str, bytes]:
    if shutil.which("pg_dump") is None:
        return {}
    target = folder / "dump.sql"
    process = await asyncio.create_subprocess_exec(
        "pg_dump", "--file", target, "--dbname", url, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    if process.returncode and b"server version mismatch" in said:
        return {}
    assert process.returncode == 0, said.decode()
    return {"pg_dump": target.read_bytes()}


async def columns_with(store: Store, canary: Canary) -> set[str]:
    """`table.column` of whatever holds it."""
    holding = set()
    for table in metadata.sorted_tables:
        async with store.read() as tx:
            rows = (await tx.execute(text(f"SELECT * FROM {table.name}"))).mappings().all()
        for row in rows:  # searched with no transaction open: it may take longer than one may stand idle
            for column, value in row.items():
                content = bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
                if any(form in content for form in canary.forms):
                    holding.add(f"{table.name}.{column}")
    return holding
