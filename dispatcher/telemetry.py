"""Logs, metrics and the masking of phone numbers: what a night shift needs, and nothing that may not leave the house.

A log line is a constant sentence plus fields. Whatever field looks like a phone number is masked on its way out, so that a
careless line cannot leak one; line breaks inside a field cannot forge a second line.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_PHONE = re.compile(
    r"(?:(?<!\d)|(?<=%[0-9A-Fa-f]{2}))((?:\+|00)?86[ .\-]?)?([1１][3-9３-９]\d)[ \u00a0.\-]?(\d{4})[ \u00a0.\-]?(\d{4})(?!\d)"
)
"""However it is spelt that people write; behind an escape of percent-encoding too."""
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")

REGISTRY = CollectorRegistry()
ACCEPTED = Counter("mingluo_warnings_total", "Warnings by verdict", ["door", "verdict"], registry=REGISTRY)
REJECTED = Counter("mingluo_rejects_total", "Rejected messages by code", ["code"], registry=REGISTRY)
RECEIPTS = Counter("mingluo_receipts_total", "Receipts by channel", ["channel", "known"], registry=REGISTRY)
UPLINKS = Counter("mingluo_uplinks_total", "What people wrote back", ["provider"], registry=REGISTRY)
FORGED = Counter("mingluo_callbacks_forged_total", "Callbacks with a wrong signature", ["provider"], registry=REGISTRY)
UNSETTLED = Gauge("mingluo_rows_unsettled", "Rows opened whose result is not durable yet", registry=REGISTRY)
BACKLOG = Gauge(
    "mingluo_backlog_rows", "Rows in memory that wait to be opened", ["channel", "drill"], registry=REGISTRY
)
PROVIDER_UP = Gauge(
    "mingluo_provider_up", "0 while a provider rests or refuses our account", ["channel", "provider"], registry=REGISTRY
)
CALLS = Counter("mingluo_sends_total", "Messages by outcome", ["channel", "provider", "outcome"], registry=REGISTRY)
LEFT_BEHIND = Gauge("mingluo_left_behind", "Work past its deadline nobody took up", ["kind"], registry=REGISTRY)
CANARY_AGE = Gauge("mingluo_canary_age_seconds", "Since a canary last came through", ["name"], registry=REGISTRY)
FEED_READS = Counter("mingluo_feed_reads_total", "Tries to read a feed", ["source", "outcome"], registry=REGISTRY)
FEED_ENTRIES = Counter("mingluo_feed_entries_total", "Entries of feeds", ["source", "outcome"], registry=REGISTRY)
FEED_AGE = Gauge("mingluo_feed_age_seconds", "Since a feed was last read", ["source"], registry=REGISTRY)
FEED_UNFETCHED = Gauge("mingluo_feed_unfetched", "Entries tried in vain, to try again", ["source"], registry=REGISTRY)
ACCEPT_SECONDS = Histogram("mingluo_accept_seconds", "From bytes to commit", registry=REGISTRY)


def mask(phone: str) -> str:
    """+8613812345678 → 138****5678."""
    return _PHONE.sub(lambda found: f"{found[2]}****{found[4]}", phone)


def metrics() -> bytes:
    """The Prometheus text of everything above."""
    return generate_latest(REGISTRY)


def set_up_logging(level: str, form: str) -> None:
    """`form`: json (a line an event) or console (for a person). Goes to standard error; the libraries' own logs too."""
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=False),
            structlog.processors.format_exc_info,
            _one_line,
            _masked(renderer),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Masking("%(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


class _Masking(logging.Formatter):
    """The libraries' own lines know nothing of our mask."""

    def format(self, record: logging.LogRecord) -> str:
        return mask(super().format(record))


def _one_line(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Line breaks and terminal controls inside a field are shown, not carried out; a traceback keeps its lines."""
    for key, value in event.items():
        if isinstance(value, str) and key != "exception":
            event[key] = _CONTROL.sub(lambda found: repr(found[0])[1:-1], value)
        elif not isinstance(value, str | int | float | None):
            event[key] = _CONTROL.sub(lambda found: repr(found[0])[1:-1], repr(value))
    return event


def _masked(renderer: structlog.types.Processor) -> structlog.types.Processor:
    """Masks the finished line, so that no nesting, number or object carries a phone past it."""
    return lambda logger, name, event: mask(str(renderer(logger, name, event)))
