"""The log of what was done: chained, append-only."""

from __future__ import annotations

from sqlalchemy import Column, String, Table, Text

from dispatcher.store.tables.schema import Big, Instant, metadata

audit = Table(
    "audit",
    metadata,
    Column("no", Big, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", String(48), nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),  # the text that was hashed, to the byte
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)
