"""Reads what there is to know of a run: the providers' files and the database, past everything the service says of itself."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from sqlalchemy import text

from channels.broadcast.gateway import EBDIDS
from dispatcher.model import BEIJING, Target, TargetKind
from dispatcher.states import TERMINAL, DeliveryState
from dispatcher.store import ledger, warnings
from dispatcher.store.engine import Store, Tx
from dispatcher.store.packing import unpack
from dispatcher.store.registry import opening
from dispatcher.store.sealed import Seal
from dispatcher.store.warnings import WarningRow
from tests.crashes.facts import Counted, Line, Planned, Row, Warned
from tests.crashes.judge import DRILL_MARK

DRILL = "_drill"
PLAYERS = {
    f"{player}{side}": channel
    for side in ("", DRILL)
    for player, channel in (("sms", "sms"), ("gateway", "broadcast"), ("platform", "party"))
}
_KEY = "warning_id || '.' || target || '.' || channel || '.' || round"
_TAKEN = f"SELECT {_KEY}, 'accepted', 1 FROM deliveries WHERE answered_at IS NOT NULL"


def lines_in(folder: Path, by_serial: Mapping[int, str]) -> Iterator[Line]:
    """Every line of the players. A gateway knows a packet's own number only; it is translated."""
    for player, channel in PLAYERS.items():
        path = folder / f"{player}.jsonl"
        if not path.exists():
            continue
        with path.open(encoding="utf-8") as file:
            for said in map(json.loads, file):
                packet = str(said["key"])
                serial = int(packet[-16:]) // EBDIDS if channel == "broadcast" else 0
                key = by_serial.get(serial, f"packet {packet}") if channel == "broadcast" else packet
                marked = DRILL_MARK in said["text"]
                drill = (
                    said.get("drill") if said.get("kind") != "cancel" else marked
                )  # a packet's kind is one of the two
                yield Line(
                    channel=channel,
                    key=key,
                    packet=f"{said['recipient']} {packet}",
                    recipient=said["recipient"],
                    text=said["text"],
                    drill=bool(drill),
                    sink_drill=player.endswith(DRILL),
                    at=datetime.fromisoformat(said["at"]),
                )


async def serials(store: Store) -> dict[int, str]:
    async with store.read() as tx:
        found = await tx.execute(text(f"SELECT serial, {_KEY} FROM deliveries WHERE serial > 0"))
        return {int(serial): str(key) for serial, key in found}


async def rows_of(store: Store) -> tuple[Row, ...]:
    tries: dict[str, dict[str, int]] = defaultdict(dict)
    async with store.read() as tx:
        for key, outcome, number in await tx.execute(
            text(f"SELECT {_KEY}, outcome, count(*) FROM attempts GROUP BY 1, 2 UNION ALL {_TAKEN}")
        ):
            tries[key][outcome] = tries[key].get(outcome, 0) + number
        found = await tx.execute(
            text(f"SELECT {_KEY}, warning_id, channel, state, state_code, possible_duplicate FROM deliveries")
        )
        return tuple(
            Row(
                key=key,
                warning_id=warning_id,
                channel=channel,
                state=DeliveryState(state),
                code=code,
                flagged=bool(flagged),
                tries=tries.get(key, {}),
            )
            for key, warning_id, channel, state, code, flagged in found
        )


async def kept(store: Store) -> list[WarningRow]:
    async with store.read() as tx:
        return await warnings.latest(tx, limit=1_000_000)


def warned(row: WarningRow) -> Warned:
    return Warned(
        id=row.id,
        chain_id=row.chain_id,
        identity=(row.sender, row.identifier, row.sent.astimezone(BEIJING)),
        kind=row.kind,
        drill=row.drill,
        state=row.state,
        expires=row.expires,
        rows_planned=row.rows_planned,
    )


async def digests(store: Store, rows: list[WarningRow]) -> frozenset[str]:
    async with store.read() as tx:
        refused = {row[0] for row in await tx.execute(text("SELECT digest FROM rejects"))}
    return frozenset(refused | {hashlib.sha256(row.raw).hexdigest() for row in rows})


async def plan_of(store: Store, seal: Seal, rows: list[WarningRow]) -> tuple[Planned, ...]:
    """The frozen chunks: whom the approved hash names."""
    addresses: dict[str, str] = {}
    found: list[Planned] = []
    async with store.read() as tx:
        for row in rows:
            texts = await warnings.texts_of(tx, row.id)
            for channel, blob in await ledger.frozen(tx, row.id):
                frozen = unpack(blob)
                unknown = [one.target for one in frozen if one.target not in addresses]
                addresses |= await _addresses(tx, seal, unknown)
                found += [
                    Planned(
                        key=f"{row.id}.{one.target}.{channel}.0",
                        warning_id=row.id,
                        channel=channel,
                        to=addresses.get(one.target, ""),
                        text=texts[one.text_no].body,
                        suppressed=bool(one.suppressed),
                    )
                    for one in frozen
                ]
    return tuple(found)


async def _addresses(tx: Tx, seal: Seal, targets: list[str]) -> dict[str, str]:
    parsed = [Target.parse(target) for target in targets]
    found = await opening.phones_of(tx, seal, map(str, parsed))
    gateways = [target.id for target in parsed if target.kind is TargetKind.GATEWAY]
    for number, gateway in (await opening.gateway_addresses(tx, gateways)).items():
        found[f"{TargetKind.GATEWAY}-{number}"] = gateway.ebrid
    return found | {str(target): target.id for target in parsed if target.kind is TargetKind.ENDPOINT}


async def books(store: Store) -> tuple[Counted, ...]:
    """At one instant: what was planned, what stands in the ledger, what still waits in frozen chunks."""
    async with store.read() as tx:
        found = await tx.execute(
            text(
                "SELECT w.id, w.rows_planned, (SELECT count(*) FROM deliveries d WHERE d.warning_id = w.id),"
                " (SELECT coalesce(sum(c.size), 0) FROM chunks c"
                "  WHERE c.warning_id = w.id AND c.seq >= 0 AND c.state IN (0, 1))"
                " FROM warnings w WHERE w.rows_planned > 0"
            )
        )
        return tuple(
            Counted(warning_id=name, planned=planned, rows=rows, waiting=int(waiting))
            for name, planned, rows, waiting in found
        )


async def snapshot(store: Store) -> dict[str, DeliveryState]:
    """Every row that is terminal just now."""
    async with store.read() as tx:
        found = await tx.execute(text(f"SELECT {_KEY}, state FROM deliveries WHERE state > 1"))
        return {key: DeliveryState(state) for key, state in found}


async def at_rest(store: Store) -> bool:
    """Whether every row of every plan is terminal."""
    async with store.read() as tx:
        waiting = ", ".join(str(int(state)) for state in DeliveryState if state not in TERMINAL)
        open_rows = await tx.execute(text(f"SELECT 1 FROM deliveries WHERE state IN ({waiting}) LIMIT 1"))
        open_chunks = await tx.execute(text("SELECT 1 FROM chunks WHERE state IN (0, 1) LIMIT 1"))
        return open_rows.first() is None and open_chunks.first() is None
