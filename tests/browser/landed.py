"""A warning for the whole city of which nine in ten are told: what the pages show most."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dispatcher.states import DeliveryState
from dispatcher.store.deliveries import Row
from tests.browser.standing import House, cap, take_in_hand

Founded = Callable[[Path], str]
"""Gives a test a database of its own in a folder, by its URL."""


def nine_in_ten(row: Row) -> tuple[DeliveryState, str]:
    return (DeliveryState.FAILED, "30005") if row.pos % 10 == 0 else (DeliveryState.DELIVERED, "")


async def city_wide(house: House) -> str:
    """Its id; the first chunk of each channel is done, and the party's rows are still to come."""
    _, said, _ = await house.post(cap())
    await take_in_hand(house, "sms", nine_in_ten)
    await take_in_hand(house, "broadcast", nine_in_ten)
    return str(said["warning_id"])
