"""The schema, once: Alembic's migrations are compared with it on SQLite and PostgreSQL.

`audit`, `events`, `attempts`, `questions`, `receipts`, `scans`, `shift_log`, `signatures` and `uplinks` are append-only
(triggers in the migrations; on PostgreSQL the service's own role may only add to them; what may leave all the same stands in
`ledger.py`), and so is what a delivery says of the try that was taken. Phones, homes, what people write back, scans and
secrets are sealed columns (`store/sealed.py`): bytes to the database, text to us. Times are UTC; the database never sees a
naive one.
"""

from dispatcher.store.tables.accounts import accounts, code_texts, codes, pages, sessions, signatures, throttles, tokens
from dispatcher.store.tables.border import (
    canaries,
    feed_entries,
    feeds,
    inbox,
    nodes,
    outbox,
    rejected,
    sequences,
)
from dispatcher.store.tables.duty import scans, shift_log
from dispatcher.store.tables.ledger import attempts, chunks, deliveries, events, questions, receipts, uplinks
from dispatcher.store.tables.record import audit
from dispatcher.store.tables.register import (
    areas,
    branches,
    endpoints,
    erasures,
    facts,
    gateways,
    officers,
    offices,
    posts,
    residents,
    subscriptions,
    terminals,
)
from dispatcher.store.tables.schema import PUSHED, Instant, metadata
from dispatcher.store.tables.warnings import kin, rejects, texts, warning_references, warnings

__all__ = [
    "PUSHED",
    "Instant",
    "accounts",
    "areas",
    "attempts",
    "audit",
    "branches",
    "canaries",
    "chunks",
    "code_texts",
    "codes",
    "deliveries",
    "endpoints",
    "erasures",
    "events",
    "facts",
    "feed_entries",
    "feeds",
    "gateways",
    "inbox",
    "kin",
    "metadata",
    "nodes",
    "officers",
    "offices",
    "outbox",
    "pages",
    "posts",
    "questions",
    "receipts",
    "rejected",
    "rejects",
    "residents",
    "scans",
    "sequences",
    "sessions",
    "shift_log",
    "signatures",
    "subscriptions",
    "terminals",
    "texts",
    "throttles",
    "tokens",
    "uplinks",
    "warning_references",
    "warnings",
]
