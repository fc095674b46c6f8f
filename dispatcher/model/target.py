"""Who or what is told, the delivery that tells it, and the area codes both stand in."""

from __future__ import annotations

from msgspec import Struct

from dispatcher.model.words import Channel, TargetKind


class Target(Struct, frozen=True, kw_only=True):
    """Who or what is told, never a phone number. Sortable and printable as `kind-id`."""

    kind: TargetKind
    id: str

    def __str__(self) -> str:
        return self.kind + "-" + self.id  # half of what an f-string takes, where the kind is an enum's

    @staticmethod
    def parse(text: str) -> Target:
        """`officer-JA00001` → Target; ValueError where it is not one."""
        kind, dash, rest = text.partition("-")
        if not dash or not rest:
            raise ValueError(f"not a target: {text!r}")
        return Target(kind=TargetKind(kind), id=rest)


class DeliveryKey(Struct, frozen=True, kw_only=True):
    """What makes a delivery one and the same over all tries and restarts: the provider's idempotency key."""

    warning_id: str
    target: Target
    channel: Channel
    round: int = 0

    def __str__(self) -> str:
        return f"{self.warning_id}.{self.target}.{self.channel}.{self.round}"

    @staticmethod
    def parse(text: str) -> DeliveryKey:
        """The inverse of `str()`; ValueError where it is not a key."""
        warning_id, target, channel, number = text.split(".")
        return DeliveryKey(
            warning_id=warning_id, target=Target.parse(target), channel=Channel(channel), round=int(number)
        )


def city_of(code: str) -> str:
    """Area codes are cut in groups, never by stripping zeros (31 township codes would widen)."""
    return code[:4] + "00"


def county_of(code: str) -> str:
    return code[:6]


def township_of(code: str) -> str:
    return code[:9]


def code12(code: str) -> str:
    """The 12-digit form of a 6-, 9- or 12-digit code."""
    return code.ljust(12, "0")


def short_code(code: str) -> str:
    """12 digits → 6 (city or county), 9 (township) or 12 (village); shorter codes stand as they are.

    >>> short_code("360802100000"), short_code("360802000000"), short_code("360800000000")
    ('360802100', '360802', '360800')
    """
    if len(code) != 12:
        return code
    if not code.endswith("000"):
        return code
    return code[:6] if code[6:9] == "000" else code[:9]
