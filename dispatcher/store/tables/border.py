"""What crosses the border (inbox, rejected, outbox), and who runs (nodes, sequences, canaries)."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
)
from sqlalchemy.types import JSON

from dispatcher.store.tables.schema import WAITING, Big, Instant, metadata

inbox = Table(
    "inbox",
    metadata,
    Column("id", Big, primary_key=True),
    Column("routing_key", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("headers", JSON, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("enqueued_at", Instant, nullable=False),
    Column("tries", SmallInteger, nullable=False),
    comment="The embedded broker's warnings.inbound",
)

rejected = Table(
    "rejected",
    metadata,
    Column("id", Big, primary_key=True),
    Column("content_type", Text, nullable=False),
    Column("headers", JSON, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("at", Instant, nullable=False),
    comment="The embedded broker's warnings.rejected",
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Big, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("kind", String(48), nullable=False),  # routing key: warning.accepted, …
    Column("subject", Text, nullable=False),
    Column("data", JSON, nullable=False),
    Column("relayed_at", Instant),
    Index("ix_outbox_waiting", "id", sqlite_where=WAITING, postgresql_where=WAITING),
)

nodes = Table(
    "nodes",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("seen_at", Instant, nullable=False),
)

sequences = Table(
    "sequences",
    metadata,
    Column("name", String(64), primary_key=True),  # ebd, ebm-20261123, …
    Column("value", Big, nullable=False),
)

canaries = Table(
    "canaries",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("seen_at", Instant, nullable=False),
)
