"""The ledger: chunks, deliveries, and the append-only record of tries, questions, receipts, uplinks and events.

A try that a provider took and that left no trace stands in its delivery's row (`answered_at`), where a trigger keeps it as it
is; any other, and whatever is pushed to a gateway, has a row of its own. As rows of their own those were 17 of the 40 µs that
PostgreSQL took for a message of a batch.

Two things may go out of that record, by triggers' doors: a trace is emptied, an uplink is deleted (`store/retaining.py`).
"""

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

from dispatcher.store.tables.schema import DUE, HELD, PUSHED, Big, Count, Instant, metadata

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
    Column("chunk_id", Big),  # sends it, or sent it last; None: due again, not to be sent, or older than 0016
    Column("pos", Integer, nullable=False),
    Column("serial", Big, nullable=False),  # EBDID sequence; 0 where unused
    Column("calls", Count, nullable=False),  # all tries, those a crash interrupted included
    Column("tries", Count, nullable=False),  # those that count against the retry plan
    Column("due_at", Instant),  # of the next try
    Column("provider", String(32), nullable=False),
    Column("provider_ref", Text, nullable=False),
    Column("possible_duplicate", Boolean, nullable=False),
    Column("sent_at", Instant),
    Column("ended_at", Instant),
    Column("answered_at", Instant),  # when a provider took it; what the row says of that try stands from then on
    Column("took_us", Integer),  # so long before that the call began
    Index("ix_deliveries_chunk", "chunk_id", "pos", sqlite_where=HELD, postgresql_where=HELD),
    Index("ix_deliveries_due", "due_at", sqlite_where=DUE, postgresql_where=DUE),
    # room beside each row for its next version: with a result no index of it changes, and the row stays on its page
    postgresql_with={"fillfactor": 50},
)

attempts = Table(
    "attempts",
    metadata,
    Column("warning_id", String(32), primary_key=True),
    Column("target", String(48), primary_key=True),
    Column("channel", String(10), primary_key=True),
    Column("round", SmallInteger, primary_key=True, autoincrement=False),
    Column("no", Count, primary_key=True, autoincrement=False),
    Column("provider", String(32), nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant, nullable=False),
    Column("outcome", String(12), nullable=False),  # accepted, try_again, not_known, refused, in_doubt, looked_up
    Column("code", String(32), nullable=False),
    Column("reason", Text, nullable=False),
    Column("provider_ref", Text, nullable=False),
    Column("possible_duplicate", Boolean, nullable=False),
    Column(
        "trace", Text, nullable=False
    ),  # what went over the wire, secrets blotted; '' where nothing was, or is any more
    Index("ix_attempts_pushes", "target", "started_at", sqlite_where=PUSHED, postgresql_where=PUSHED),
)

questions = Table(
    "questions",
    metadata,
    Column("id", Big, primary_key=True),
    Column("warning_id", String(32), nullable=False),
    Column("channel", String(10), nullable=False),
    Column("target", String(48), nullable=False),
    Column("round", SmallInteger, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant, nullable=False),
    Column("code", String(32), nullable=False),  # why no answer came; '' where one did
    Column("reason", Text, nullable=False),
    Column("trace", Text, nullable=False),  # the packets, secrets blotted
    Index("ix_questions_target", "target", "started_at"),
    Index("ix_questions_warning_id", "warning_id"),
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

uplinks = Table(
    "uplinks",
    metadata,
    Column("id", Big, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("channel", String(10), nullable=False),
    Column("provider", String(32), nullable=False),
    Column("number", String(128), nullable=False),  # the provider's own for it
    Column("phone", LargeBinary, nullable=False),  # sealed
    Column("phone_index", Big, nullable=False),  # blind index, as in the register
    Column("text", Text, nullable=False),  # '' where it is sealed in `words`; only rows from before stand open
    Column("sent_at", Instant),  # as the provider says; None where it cannot be read
    Column("dest_code", String(64), nullable=False),
    Column("words", LargeBinary),  # sealed
    Index("uq_uplinks_number", "provider", "number", unique=True),
    Index("ix_uplinks_phone_index", "phone_index"),
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
