"""The metadata, and the column types all tables share."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    Integer,
    MetaData,
    SmallInteger,
    TypeDecorator,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Big = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts up by itself only in an INTEGER primary key."""

Count = Integer().with_variant(SmallInteger, "sqlite")
"""Tries. In SQLite a column's name of type bounds nothing, so there it kept its first."""

DUE = text("due_at IS NOT NULL")
HELD = text("chunk_id IS NOT NULL")
KEPT = text("state <> 'rejected'")
PUSHED = text("channel = 'broadcast'")
WAITING = text("relayed_at IS NULL")


class Instant(TypeDecorator[datetime]):
    """An aware time, stored as UTC. SQLite has no zones, so they are put on again when read."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive time came to the database")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value

    @staticmethod
    def in_sqlite(value: datetime | None) -> str | None:
        """The text that SQLite keeps of it, in a fraction of the time it takes by way of the two types above: four in a row."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive time came to the database")
        at = value if value.tzinfo is UTC else value.astimezone(UTC)
        return f"{_second(at.year, at.month, at.day, at.hour, at.minute, at.second)}.{at.microsecond:06}"


@lru_cache(maxsize=64)
def _second(*of: int) -> str:
    """Without what is below: many results are of one second, and to write each out whole takes twice as long."""
    return "{:04}-{:02}-{:02} {:02}:{:02}:{:02}".format(*of)
