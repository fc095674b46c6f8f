"""What a provider must be: Message in, one of four outcomes out, and a Receipt later.

It must survive a provider that hangs, lies, repeats itself or answers in the wrong order; so it has no database, no
clock, no retry and no log of its own. The caller hands in `now`, decides about retries, and states what the outcome
means.

A provider file holds: its settings, its error table, `send`, and where it can, `read` (a callback), `ask` and `close`.
What people write back (上行短信) comes in by `read` too: it is handed over whole, and nobody here says what it means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field


class ProviderSettings(BaseModel):
    """What every provider has in `config/channels.yaml`; a provider's own settings class adds to it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    base_url: str = ""
    rate: float = Field(default=100, gt=0, description="requests a second")
    in_flight: int = Field(default=32, ge=1, le=2000, description="requests under way at once")
    timeout_s: float = Field(default=10, gt=0, le=60)
    window: int = Field(default=256, ge=1, le=4096, description="W: rows opened and not settled")
    look_up: bool = Field(default=False, description="asked about what is in doubt before it is sent again")
    follow: bool = Field(default=False, description="asked about every message until it ends, not only the doubtful")
    follow_after_s: float = Field(
        default=0, ge=0, description="how long its own reports are waited for before it is asked"
    )
    drill: bool = Field(default=False, description="a drill's own adapter: its account, its number, nothing live by it")

    def variables(self, *names: str, between: str = "、") -> str:
        """What the environment has to set: a drill's account is another than the live one."""
        return between.join(f"MINGLUO_{'DRILL_' if self.drill else ''}{name}" for name in names)


class Bulletin(Struct, frozen=True, kw_only=True):
    """What all messages of one warning version share; built once a warning."""

    warning_id: str
    chain_id: str
    identifier: str
    kind: str
    drill: bool
    test: bool
    level: str
    rank: int
    event: str
    event_code: str
    headline: str
    sender: str
    sender_name: str
    sent: datetime
    starts: datetime
    expires: datetime
    broadcast_id: str = ""
    """EBMID, 35 digits; empty where no gateway is told."""
    earlier: tuple[str, ...] = ()
    """EBMIDs of the versions before it in its chain, oldest first. The n-th is called off under the n-th number behind
    `broadcast_id` (a Cancel, which plays nothing itself, begins with its own)."""


class Message(Struct, frozen=True, kw_only=True):
    """One thing to send. `id` is the delivery key: the same over all tries, the provider's idempotency key.

    `to`: an E.164 phone number, or the base URL of a gateway or endpoint. `peer`: its code (EBRID, endpoint id).
    `areas`: 12-digit codes it speaks for. `serial`: a number never used twice on this channel (EBDID sequence).
    `told`: of `bulletin.earlier`, what this very gateway was handed and may still be playing. `former`: it was told of an
    earlier version, and is outside the area of this one: what it was told ends there.
    """

    id: str
    to: str
    text: str
    bulletin: Bulletin
    peer: str = ""
    areas: tuple[str, ...] = ()
    serial: int = 0
    secrets: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    former: bool = False


class Accepted(Struct, frozen=True, kw_only=True):
    """The provider has it. `delivered`: its answer is already the proof (party: 2xx)."""

    ref: str = ""
    delivered: bool = False
    trace: str = ""
    """What went over the wire, secrets and phone numbers blotted; '' where nothing is kept."""


class TryAgain(Struct, frozen=True, kw_only=True):
    """It did not leave. `throttled` (429) costs no attempt; `after_s` is the provider's Retry-After."""

    code: str
    reason: str
    after_s: float | None = None
    throttled: bool = False
    trace: str = ""


STOOD_STILL = "stood_still"
"""The code of a TryAgain that is no fault of the peer's: our own machine was paused."""


class NotKnown(Struct, frozen=True, kw_only=True):
    """It may have left: time ran out, or the line was cut, after bytes were written."""

    code: str
    reason: str
    trace: str = ""


class Blame(StrEnum):
    """What is at fault in a refusal: this address, this text, or our account (wake the operator)."""

    ADDRESS = "address"
    MESSAGE = "message"
    ACCOUNT = "account"


class Refused(Struct, frozen=True, kw_only=True):
    """It never will leave."""

    code: str
    reason: str
    blame: Blame
    trace: str = ""


Outcome = Accepted | TryAgain | NotKnown | Refused

MIXED = "240"
"""The code of what was kept back because a drill and the real thing would have met."""


class ReceiptState(StrEnum):
    """What a provider may report later; words of the ledger (`sent` = on its way, `delivered` = proven)."""

    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"


class Receipt(Struct, frozen=True, kw_only=True):
    """What became of a message. `id` is the delivery key where the provider carries it; else `warning_id` and the number
    `to` (E.164) find it, or `ref` and `peer`."""

    state: ReceiptState
    id: str = ""
    ref: str = ""
    peer: str = ""
    warning_id: str = ""
    to: str = ""
    code: str = ""
    detail: str = ""


class Uplink(Struct, frozen=True, kw_only=True):
    """What a person wrote back (上行短信), as it came. `number` is the provider's own for it: a repetition bears the same."""

    number: str
    phone: str
    """E.164."""
    text: str
    sent: datetime | None
    """None where the provider's time cannot be read."""
    dest_code: str = ""
    """The code it was sent to, which tells apart several senders of one account."""


class Asked(Struct, frozen=True, kw_only=True):
    """A question about a message, and what came of it. `id` is the message's.

    `receipt` is None where nothing was learnt; `code` and `reason` then say why the peer was silent ('' where it knows
    nothing of the message). `trace`: what went over the wire, blotted; '' where nothing is kept.
    """

    id: str
    receipt: Receipt | None = None
    code: str = ""
    reason: str = ""
    trace: str = ""


class Callback(Struct, frozen=True, kw_only=True):
    """An HTTP request of a provider, untouched. `url` is the public one it signed; `headers` know lower-case names."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    token: str = ""
    """The rest of the path behind `/callbacks/{channel}/{provider}/`."""


class Reply(Struct, frozen=True, kw_only=True):
    """What to answer the provider, only after what it said is committed."""

    status: int = 204
    body: bytes = b""
    content_type: str = "text/plain"
    headers: tuple[tuple[str, str], ...] = ()


class Reading(Struct, frozen=True, kw_only=True):
    """What stood in a callback, and what to answer."""

    receipts: tuple[Receipt, ...] = ()
    uplinks: tuple[Uplink, ...] = ()
    reply: Reply = Reply()


class Forged(Exception):
    """A callback whose signature is missing or wrong: answered 401, counted, never believed."""


class Malformed(Exception):
    """A callback that cannot be read: answered 400."""


class NotConfigured(Exception):
    """A provider without its account or secret: it stays off, and this says in Chinese what to set."""


class Provider(Protocol):
    """A way out. `max_batch` messages at most go into one `send`."""

    max_batch: int

    async def send(self, batch: Sequence[Message], now: datetime) -> list[Outcome]:
        """One outcome per message, in order. An exception that escapes means NotKnown for all."""

    async def close(self) -> None: ...


@runtime_checkable
class Reads(Protocol):
    """A provider that reports by calling us."""

    def read(self, callback: Callback, now: datetime) -> Reading:
        """Raises Forged or Malformed; cannot raise rights: a receipt only ever names a delivery, an uplink only says."""


@runtime_checkable
class Asks(Protocol):
    """A provider that can be asked what became of messages it took."""

    async def ask(self, batch: Sequence[Message], now: datetime) -> list[Asked]:
        """One answer per message, in order; a peer that cannot be reached is an answer without a receipt."""
