"""The duty room: who handed over to whom, with what; and the scans of papers that were signed in ink."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table, Text
from sqlalchemy.types import JSON

from dispatcher.store.tables.schema import Big, Instant, metadata

shift_log = Table(
    "shift_log",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("at", Instant, nullable=False),
    Column("account_id", String(32), nullable=False),
    Column("name", Text, nullable=False),  # as it was on that day
    Column("step", String(10), nullable=False),  # pipeline.shift.Step
    Column("scope", JSON, nullable=False),  # area codes of the duty room
    Column("offer_id", Big),  # the offer that this step ends
    Column("text", Text, nullable=False),
    Column("detail", JSON, nullable=False),
    # an offer is taken or withdrawn, and once
    Index("ux_shift_log_offer_id", "offer_id", unique=True),
)
"""Notes, offers to hand over, and how each ended. Append-only."""

scans = Table(
    "scans",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("warning_id", String(32), nullable=False),
    Column("at", Instant, nullable=False),
    Column("account_id", String(32), nullable=False),
    Column("name", Text, nullable=False),  # of the file, as it came
    Column("kind", String(8), nullable=False),  # pipeline.attach.Kind, by its first bytes
    Column("size", Integer, nullable=False),
    Column("sha256", String(64), nullable=False),  # of the file as it came
    Column("plan_hash", String(64), nullable=False),  # of what was on the paper when it came
    Column("body", LargeBinary, nullable=False),  # sealed: names, hands and numbers stand on it
    Index("ux_scans_warning_id", "warning_id", "sha256", unique=True),
)
"""Papers signed in ink, as pictures. Append-only."""
