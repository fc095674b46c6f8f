"""The schema, once: Alembic's migrations are compared with it on SQLite and PostgreSQL.

`events`, `attempts` and `receipts` are append-only (triggers in the first migration). Phones and secrets are sealed
columns (`store/sealed.py`): bytes to the database, text to us. Times are UTC; the database never sees a naive one.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import JSON

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Big = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts up by itself only in an INTEGER primary key."""

_DUE = text("due_at IS NOT NULL")
_WAITING = text("relayed_at IS NULL")


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


# ── the register: who and what is where ─────────────────────────────────────────────────────────────────────────────

areas = Table(
    "areas",
    metadata,
    Column("code", String(12), primary_key=True),  # 6, 9 or 12 digits
    Column("name", Text, nullable=False),
    Column("short_name", Text, nullable=False),
    Column("level", String(10), nullable=False),  # city, county, township, village
    Column("kind", Text, nullable=False),
    Column("parent", String(12), nullable=False),
    Column("lat", Float, nullable=False),
    Column("lon", Float, nullable=False),
    Column("population", Integer, nullable=False),
    Column("boundary", JSON),  # GeoJSON geometry, longitude first; None where none is known
    Column("synthetic", Boolean, nullable=False),
)

officers = Table(
    "officers",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", Text, nullable=False),
    Column("phone", LargeBinary, nullable=False),  # sealed
    Column("phone_index", Big, nullable=False),  # blind index: keyed hash, 63 bits
    Column("home_code", String(12), nullable=False),
    Column("lat", Float, nullable=False),
    Column("lon", Float, nullable=False),
    Column("roles", Integer, nullable=False),  # bits in the order of model.ROLES
    Column("party_member", Boolean, nullable=False),
    Column("synthetic", Boolean, nullable=False),
    Index("ix_officers_phone_index", "phone_index"),
)

posts = Table(
    "posts",
    metadata,
    Column("area_code", String(12), primary_key=True),
    Column("post", String(10), primary_key=True),  # model.Post
    Column("officer_id", String(32), primary_key=True),
)

residents = Table(
    "residents",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("phone", LargeBinary, nullable=False),  # sealed
    Column("phone_index", Big, nullable=False),
    Column("village_code", String(12), nullable=False),
    Column("lat", Float, nullable=False),
    Column("lon", Float, nullable=False),
    Column("household", Big, nullable=False),
    Column("groups", SmallInteger, nullable=False),  # bits in the order of model.GROUPS
    Column("risk_tags", SmallInteger, nullable=False),  # bits in the order of model.RISK_TAGS
    Column("opt_in", Boolean, nullable=False),
    Column("synthetic", Boolean, nullable=False),
    Index("ix_residents_phone_index", "phone_index"),
)

offices = Table(
    "offices",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("area_code", String(12), nullable=False),
    Column("name", Text, nullable=False),
    Column("phone", LargeBinary, nullable=False),  # sealed
    Column("phone_index", Big, nullable=False),
    Column("synthetic", Boolean, nullable=False),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("office_id", String(32), nullable=False, index=True),
    Column("area_codes", JSON, nullable=False),  # 6, 9 or 12 digits each
    Column("hazards", JSON, nullable=False),  # names; empty = all
    Column("least_level", String(8), nullable=False),
    Column("channels", JSON, nullable=False),
)

gateways = Table(
    "gateways",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("ebrid", String(23), nullable=False, unique=True),
    Column("area_code", String(12), nullable=False),
    Column("name", Text, nullable=False),
    Column("level", String(10), nullable=False),
    Column("parent", String(32), nullable=False),  # '' at the top
    Column("lat", Float, nullable=False),
    Column("lon", Float, nullable=False),
    Column("protocol", String(8), nullable=False),
    Column("url", Text, nullable=False),
    Column("state", String(10), nullable=False),  # states.GatewayState
    Column("proven_at", Instant),
    Column("synthetic", Boolean, nullable=False),
)

terminals = Table(
    "terminals",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("gateway_id", String(32), nullable=False, index=True),
    Column("village_code", String(12), nullable=False),
    Column("lat", Float, nullable=False),
    Column("lon", Float, nullable=False),
    Column("kind", Text, nullable=False),
    Column("watt", Integer, nullable=False),
    Column("online", Boolean, nullable=False),
    Column("synthetic", Boolean, nullable=False),
)

endpoints = Table(
    "endpoints",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("area_code", String(12), nullable=False),
    Column("name", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("secrets", LargeBinary, nullable=False),  # sealed, newline-separated: two during a rotation
    Column("disabled_reason", Text, nullable=False),  # '' = in use
    Column("synthetic", Boolean, nullable=False),
)

branches = Table(
    "branches",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("endpoint_id", String(32), nullable=False, index=True),
    Column("village_code", String(12), nullable=False),
    Column("name", Text, nullable=False),
    Column("members", Integer, nullable=False),
)

facts = Table(
    "facts",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
    comment="Small truths of this database: register_version, city, …",
)

# ── warnings ────────────────────────────────────────────────────────────────────────────────────────────────────────

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
    UniqueConstraint("sender", "identifier", "sent"),
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

# ── the ledger ──────────────────────────────────────────────────────────────────────────────────────────────────────

chunks = Table(
    "chunks",
    metadata,
    Column("id", Big, primary_key=True),
    Column("warning_id", String(32), nullable=False, index=True),
    Column("channel", String(10), nullable=False),
    Column("lane", SmallInteger, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("size", Integer, nullable=False),
    Column("packed", LargeBinary, nullable=False),  # the frozen rows; empty for a chunk of retries
    Column("hash", String(64), nullable=False),
    Column("state", SmallInteger, nullable=False),  # store.chunks.ChunkState
    Column("owner", String(64)),
    Column("epoch", Integer, nullable=False),
    Column("lease_until", Instant),
    Column("opened_to", Integer, nullable=False),
    Index("ix_chunks_work", "state", "lane", "id"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("warning_id", String(32), primary_key=True),
    Column("channel", String(10), primary_key=True),
    Column("target", String(48), primary_key=True),  # kind-id
    Column("round", SmallInteger, primary_key=True, autoincrement=False),
    Column("why", SmallInteger, nullable=False),  # model.Why
    Column("text_no", SmallInteger, nullable=False),
    Column("township", String(9), nullable=False),  # where the row counts in reports
    Column("areas", Text, nullable=False),  # gateways and endpoints: 12-digit codes, comma-separated; '' for people
    Column("state", SmallInteger, nullable=False),  # states.DeliveryState
    Column("state_code", String(32), nullable=False),  # provider's or our code for the state; '' = none
    Column("chunk_id", Big),  # None: waits for a retry, or ended
    Column("pos", Integer, nullable=False),
    Column("serial", Big, nullable=False),  # EBDID sequence; 0 where unused
    Column("calls", SmallInteger, nullable=False),  # all tries, those a crash interrupted included
    Column("tries", SmallInteger, nullable=False),  # those that count against the retry plan
    Column("due_at", Instant),  # of the next try
    Column("provider", String(32), nullable=False),
    Column("provider_ref", Text, nullable=False),
    Column("possible_duplicate", Boolean, nullable=False),
    Column("sent_at", Instant),
    Column("ended_at", Instant),
    Index("ix_deliveries_chunk", "chunk_id", "pos"),
    Index("ix_deliveries_due", "due_at", sqlite_where=_DUE, postgresql_where=_DUE),
)

attempts = Table(
    "attempts",
    metadata,
    Column("warning_id", String(32), primary_key=True),
    Column("target", String(48), primary_key=True),
    Column("channel", String(10), primary_key=True),
    Column("round", SmallInteger, primary_key=True, autoincrement=False),
    Column("no", SmallInteger, primary_key=True, autoincrement=False),
    Column("provider", String(32), nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant, nullable=False),
    Column("outcome", String(12), nullable=False),  # accepted, try_again, not_known, refused, in_doubt
    Column("code", String(32), nullable=False),
    Column("reason", Text, nullable=False),
    Column("provider_ref", Text, nullable=False),
    Column("possible_duplicate", Boolean, nullable=False),
    Column("trace", Text, nullable=False),  # what went over the wire, secrets blotted; '' where nothing was kept
    Index("ix_attempts_target", "target", "started_at"),
)

receipts = Table(
    "receipts",
    metadata,
    Column("id", Big, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("warning_id", String(32), nullable=False),
    Column("channel", String(10), nullable=False),
    Column("target", String(48), nullable=False),
    Column("round", SmallInteger, nullable=False),
    Column("state", String(12), nullable=False),
    Column("code", String(32), nullable=False),
    Column("detail", Text, nullable=False),
    Index("ix_receipts_delivery", "warning_id", "target", "channel"),
)

events = Table(
    "events",
    metadata,
    Column("id", Big, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("kind", String(48), nullable=False),
    Column("warning_id", String(32), index=True),
    Column("subject", Text, nullable=False),
    Column("detail", JSON, nullable=False),
)

# ── what crosses the border, and who runs ───────────────────────────────────────────────────────────────────────────

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
    Index("ix_outbox_waiting", "id", sqlite_where=_WAITING, postgresql_where=_WAITING),
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
