"""What crosses the border (inbox, rejected, outbox, upstream feeds), and who runs (nodes, sequences, canaries)."""

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

from dispatcher.store.tables.schema import DUE, WAITING, Big, Instant, metadata

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

feeds = Table(
    "feeds",
    metadata,
    Column("source", String(64), primary_key=True),  # as in sources.yaml
    Column("url", Text, nullable=False),
    Column("asked", String(64), nullable=False),  # digest of how it is to be read: where that changes, it is read whole
    Column("etag", Text, nullable=False),
    Column("last_modified", Text, nullable=False),
    Column("failures", Integer, nullable=False),  # in a row
    Column("next_at", Instant, nullable=False),
    Column("began_at", Instant, nullable=False),  # since when it is to be read so
    Column("last_ok_at", Instant),
    Column("last_error", Text, nullable=False),  # '' after a success
)

feed_entries = Table(
    "feed_entries",
    metadata,
    Column("source", String(64), primary_key=True),
    Column("key", String(64), primary_key=True),  # of its id and where its CAP is
    Column("entry_id", Text, nullable=False),
    Column("version", String(64), nullable=False),  # changes where the feed publishes it again
    Column("updated", Instant, nullable=False),  # as the feed says; else when it was first seen
    Column("href", Text, nullable=False),
    Column("body", LargeBinary),  # CAP that stands in the feed itself, until it was handed over
    Column("outcome", String(12), nullable=False),  # store.feeds.Outcome
    Column("reason", Text, nullable=False),
    Column("warning_id", String(32), nullable=False),  # '' = none
    Column("tries", Integer, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("due_at", Instant),  # of the next try; None where nothing more is to be done
    Column("fetched_at", Instant),  # handed over, and the hand-over committed
    Index("ix_feed_entries_due", "source", "due_at", sqlite_where=DUE, postgresql_where=DUE),
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
