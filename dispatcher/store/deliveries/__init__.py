"""The ledger: one row a delivery key. Only this room writes a delivery's state, and only as `states.py` allows.

A row belongs to the chunk that is sending it (`chunk_id`, `pos`), and stays there with a result that ends it or waits for a
receipt; one that is due again (`due_at`) leaves it. So in a chunk, planned rows below `opened_to` are under way or in doubt,
and those above were never touched.
"""

from dispatcher.store.deliveries.commit import group_commit
from dispatcher.store.deliveries.queue import (
    Planned,
    awaiting_receipt,
    due,
    due_warnings,
    give_up_waiting,
    heard,
    in_chunk,
    laid_out,
    next_due,
    overdue,
    plan,
    reached,
    regroup,
    taken,
    told,
    told_before,
    withdraw,
)
from dispatcher.store.deliveries.receipts import enter_receipts
from dispatcher.store.deliveries.results import mark_doubt, settle
from dispatcher.store.deliveries.rows import Attempt, Due, Heard, Report, Row, Settled

__all__ = [
    "Attempt",
    "Due",
    "Heard",
    "Planned",
    "Report",
    "Row",
    "Settled",
    "awaiting_receipt",
    "due",
    "due_warnings",
    "enter_receipts",
    "give_up_waiting",
    "group_commit",
    "heard",
    "in_chunk",
    "laid_out",
    "mark_doubt",
    "next_due",
    "overdue",
    "plan",
    "reached",
    "regroup",
    "settle",
    "taken",
    "told",
    "told_before",
    "withdraw",
]
