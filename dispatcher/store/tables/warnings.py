"""Warnings, what they refer to, their texts; and what was refused."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
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

from dispatcher.store.tables.schema import KEPT, Instant, metadata

warnings = Table(
    "warnings",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("chain_id", String(32), nullable=False, index=True),
    Column("source", String(64), nullable=False),
    Column("door", String(16), nullable=False),
    Column("source_format", String(16), nullable=False),
    Column("content_type", Text, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("sender", Text, nullable=False),
    Column("identifier", Text, nullable=False),
    Column("sent", Instant, nullable=False),
    Column("kind", String(8), nullable=False),
    Column("status", String(10), nullable=False),
    Column("scope", String(12), nullable=False),
    Column("drill", Boolean, nullable=False),
    Column("trusted", Boolean, nullable=False),
    Column("event", Text, nullable=False),
    Column("level", String(8)),
    Column("headline", Text, nullable=False),
    Column("expires", Instant),
    Column("message", JSON, nullable=False),  # the whole WarningMessage
    Column("findings", JSON, nullable=False),
    Column("state", String(12), nullable=False),
    Column("area", JSON, nullable=False),  # villages, touched, home_villages
    Column("plan", JSON, nullable=False),  # counts by channel and why, narrowed_out, unreachable
    Column("plan_hash", String(64), nullable=False),
    Column("header_hash", String(64), nullable=False),
    Column("rows_planned", Integer, nullable=False),
    Column("broadcast_id", String(35), nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("released_at", Instant),
    Column("dispatched_at", Instant),
    Column("completed_at", Instant),
    Column("ended_at", Instant),
    Column("ended_by", String(32)),
    # What was rejected holds no identity: the genuine message may still come.
    Index(
        "uq_warnings_identity",
        "sender",
        "identifier",
        "sent",
        unique=True,
        sqlite_where=KEPT,
        postgresql_where=KEPT,
    ),
    Index("ix_warnings_identifier", "identifier"),
    Index("ix_warnings_state", "state"),
    Index("ix_warnings_broadcast_id", "broadcast_id"),
)

warning_references = Table(
    "warning_references",
    metadata,
    Column("warning_id", String(32), primary_key=True),
    Column("sender", Text, primary_key=True),
    Column("identifier", Text, primary_key=True),
    Column("sent", Instant, primary_key=True),
    Index("ix_warning_references_identifier", "identifier"),
)

kin = Table(
    "kin",
    metadata,
    Column("warning_id", String(32), primary_key=True),
    Column("kin_id", String(32), primary_key=True),  # another source's, of the same event
    Index("ix_kin_kin_id", "kin_id"),
)

rejects = Table(
    "rejects",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("at", Instant, nullable=False, index=True),
    Column("source", String(64), nullable=False),
    Column("door", String(16), nullable=False),
    Column("content_type", Text, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("code", SmallInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("findings", JSON, nullable=False),
)

texts = Table(
    "texts",
    metadata,
    Column("warning_id", String(32), primary_key=True),
    Column("no", SmallInteger, primary_key=True),
    Column("channel", String(10), nullable=False),
    Column("body", Text, nullable=False),
    Column("segments", SmallInteger, nullable=False),  # 0 where segments mean nothing
)
