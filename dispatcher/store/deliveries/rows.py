"""What a delivery is in memory: a row in the sender's hands, a try, a result, a receipt."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct
from sqlalchemy import RowMapping

from dispatcher.model import Channel, DeliveryKey, Target
from dispatcher.states import DeliveryState


class Row(Struct):
    """A ledger row in the sender's hands. Mutable on purpose: it lives in memory from planning to its result. What a plan
    says of it stands first, because a thousand are made at once, in a third of the time by place; elsewhere, name them."""

    warning_id: str
    channel: str
    target: str
    why: int
    text_no: int
    township: str
    areas: str
    pos: int
    serial: int
    round: int = 0
    calls: int = 0
    tries: int = 0
    possible_duplicate: bool = False
    in_doubt: bool = False

    @property
    def name(self) -> str:
        """The delivery key as text, which providers are given: `str(row.key)` without the detour."""
        return f"{self.warning_id}.{self.target}.{self.channel}.{self.round}"

    @property
    def key(self) -> DeliveryKey:
        return DeliveryKey(
            warning_id=self.warning_id,
            target=Target.parse(self.target),
            channel=Channel(self.channel),
            round=self.round,
        )


class Attempt(Struct, frozen=True, kw_only=True):
    """One try, for the append-only record."""

    no: int
    provider: str
    started_at: datetime
    ended_at: datetime
    outcome: str
    code: str = ""
    reason: str = ""
    provider_ref: str = ""
    trace: str = ""


class Settled(Struct, frozen=True, kw_only=True):
    """What a try (or the decision not to try) came to. `state` PLANNED with `due_at` = try again then."""

    chunk_id: int
    row: Row
    state: DeliveryState
    code: str = ""
    due_at: datetime | None = None
    at: datetime
    attempt: Attempt | None = None


class Heard(Struct, frozen=True, kw_only=True):
    """Who may have heard of a warning; `former`: what was heard is that it holds there no more."""

    target: str
    channel: str
    township: str
    areas: str
    former: bool


class Due(Struct, frozen=True, kw_only=True):
    """Rows of one warning and channel that may be tried again."""

    warning_id: str
    channel: str
    targets: tuple[tuple[str, int], ...]
    """(target, round), longest due first."""


class Report(Struct, frozen=True, kw_only=True):
    """A receipt for a delivery we know the key of."""

    key: DeliveryKey
    state: DeliveryState
    code: str
    detail: str


def row_of(row: RowMapping) -> Row:
    return Row(
        warning_id=row["warning_id"],
        channel=row["channel"],
        target=row["target"],
        round=row["round"],
        pos=row["pos"],
        text_no=row["text_no"],
        areas=row["areas"],
        serial=row["serial"],
        calls=row["calls"],
        tries=row["tries"],
        township=row["township"],
        possible_duplicate=row["possible_duplicate"],
        why=row["why"],
    )
