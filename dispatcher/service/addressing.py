"""Where a target is reached, looked up at sending: a changed phone does not void an approval.

For a gateway, also what it was told before in this chain: whatever was handed to it until this instant is to be stopped.
"""

from __future__ import annotations

from collections.abc import Sequence

from dispatcher.model import TargetKind
from dispatcher.sending.opened import Address
from dispatcher.store import deliveries
from dispatcher.store.deliveries import Row
from dispatcher.store.engine import Store
from dispatcher.store.registry import opening
from dispatcher.store.sealed import Seal


class AddressBook:
    """`find` is the sender's Lookup: a target that is gone, or an endpoint switched off, is missing from the answer."""

    def __init__(self, store: Store, seal: Seal) -> None:
        self._store = store
        self._seal = seal

    async def find(self, rows: Sequence[Row]) -> dict[str, Address]:
        targets = [row.target for row in rows]
        gateways = _ids(targets, TargetKind.GATEWAY)
        endpoints = _ids(targets, TargetKind.ENDPOINT)
        async with self._store.at_once() as tx:
            phones = await opening.phones_of(tx, self._seal, targets)
            commands = await opening.gateway_addresses(tx, gateways) if gateways else {}
            platforms = await opening.endpoint_addresses(tx, self._seal, endpoints) if endpoints else {}
            told = await deliveries.told_before(tx, rows) if gateways else {}
        found = {target: Address(to=phone) for target, phone in phones.items()}
        for number, gateway in commands.items():
            name = f"{TargetKind.GATEWAY}-{number}"
            found[name] = Address(to=gateway.url, peer=gateway.ebrid, told=told.get(name, frozenset()))
        for number, platform in platforms.items():
            if not platform.disabled_reason:
                name = f"{TargetKind.ENDPOINT}-{number}"
                found[name] = Address(to=platform.url, peer=number, secrets=platform.secrets)
        return found


def _ids(targets: Sequence[str], kind: TargetKind) -> list[str]:
    prefix = f"{kind}-"
    return [target.removeprefix(prefix) for target in targets if target.startswith(prefix)]
