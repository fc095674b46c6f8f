"""Accounts, their sessions and codes, and tokens of systems. What opens a door is kept as a hash."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, SmallInteger, String, Table, Text
from sqlalchemy.types import JSON

from dispatcher.store.tables.schema import Big, Instant, metadata

accounts = Table(
    "accounts",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("login", String(64), nullable=False),  # lower case
    Column("name", Text, nullable=False),
    Column("role", String(20), nullable=False),
    Column("scope", JSON, nullable=False),  # area codes
    Column("phone", LargeBinary, nullable=False),  # sealed; of an empty text where none is known
    Column("password", Text, nullable=False),  # argon2id; '' until the person has set one
    Column("password_at", Instant),
    Column("totp", LargeBinary),  # sealed
    Column("totp_step", Big, nullable=False),  # the last one used: none is good twice
    Column("sms_at", Instant),  # since when codes by SMS are the second factor; None: they are not
    Column("on_duty", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("disabled_at", Instant),
    Index("ux_accounts_login", "login", unique=True),
)

sessions = Table(
    "sessions",
    metadata,
    Column("digest", String(64), primary_key=True),  # SHA-256 of what the cookie holds
    Column("account_id", String(32), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("proven_at", Instant),  # the second factor; None: half a session, good for nothing else
    Column("address", String(45), nullable=False),
    Index("ix_sessions_account_id", "account_id"),
)

codes = Table(
    "codes",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("purpose", String(10), nullable=False),  # first, enrol, paper, sms, link
    Column("account_id", String(32), nullable=False),  # '' for the first account of all
    Column("ends_at", Instant),
    Index("ix_codes_account_id", "account_id"),
)

code_texts = Table(
    "code_texts",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("account_id", String(32), nullable=False),
    Column("words", LargeBinary),  # sealed; None: it has left, or will not
    Column("at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("due_at", Instant),  # None: it has left, or will not
    Column("tries", SmallInteger, nullable=False),
    Column("sent_at", Instant),
    Index("ix_code_texts_account_id", "account_id"),
    Index("ix_code_texts_due_at", "due_at"),
)
"""Codes by SMS, asked for by one process and sent by another. A row stays for an hour, to be counted."""

tokens = Table(
    "tokens",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("role", String(20), nullable=False),
    Column("scope", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", String(32), nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    Index("ux_tokens_digest", "digest", unique=True),
)

throttles = Table(
    "throttles",
    metadata,
    Column("key", String(64), primary_key=True),  # hash of a login or of an address
    Column("failures", Integer, nullable=False),
    Column("last_at", Instant, nullable=False),
)

signatures = Table(
    "signatures",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("warning_id", String(32), nullable=False),
    Column("at", Instant, nullable=False),
    Column("account_id", String(32), nullable=False),
    Column("act", String(16), nullable=False),  # signing.Act
    Column("plan_hash", String(64), nullable=False),  # of what was before his eyes; '' where nothing was frozen yet
    Column("detail", JSON, nullable=False),
    Index("ix_signatures_warning_id", "warning_id"),
)
"""Who did what to a warning on its way to release. Append-only."""

pages = Table(
    "pages",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("warning_id", String(32), nullable=False),
    Column("account_id", String(32), nullable=False),
    Column("purpose", String(16), nullable=False),  # pipeline.page.Purpose
    Column("about", String(64), nullable=False),  # the plan's hash, or what else makes it another page
    Column("drill", Boolean, nullable=False),
    Column("text", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("due_at", Instant),  # None: sent, or given up
    Column("tries", SmallInteger, nullable=False),
    Column("sent_at", Instant),
    Column("outcome", Text, nullable=False),
    Index("ux_pages_once", "warning_id", "account_id", "purpose", "about", unique=True),
    Index("ix_pages_due_at", "due_at"),
)
"""What somebody at the console has to be told at once, wherever he is. His number is looked up when it is sent."""
