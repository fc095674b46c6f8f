"""Lost and doubled, counted by a process apart: the frozen audience against what the providers wrote before they answered.

`python -m dispatcher.rehearsal.audit DIR DATABASE` prints one JSON object and changes nothing. It believes the service in
two things only: what was approved (the packed chunks) and which rows were refused for good and by what code.

lost        planned, not terminally refused, in no log
duplicates  one (recipient, channel, content) logged more often than it was planned; each further line counts
unplanned   logged, and nobody had planned it
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from channels.text import unsigned
from dispatcher.model import Channel, Target, TargetKind
from dispatcher.states import DeliveryState
from dispatcher.store import ledger, warnings
from dispatcher.store.engine import Store, Tx, open_store
from dispatcher.store.headlines import Wanted, headlines
from dispatcher.store.packing import unpack
from dispatcher.store.registry import opening
from dispatcher.store.sealed import Seal, WrongKey

LOGS = tuple(
    (channel, f"{player}{side}.jsonl")
    for side in ("", "_drill")
    for channel, player in (
        (Channel.SMS, "aliyun"),
        (Channel.SMS, "sms"),
        (Channel.BROADCAST, "gateway"),
        (Channel.PARTY, "platform"),
    )
)
EXCUSED = frozenset(
    {DeliveryState.FAILED, DeliveryState.SUPPRESSED, DeliveryState.EXPIRED, DeliveryState.WITHDRAWN}
)  # fmt: skip
"""Terminally refused: by the provider, by a rule, or because the warning was over."""
SHOWN = 20
PAGE = 5_000

Sending = tuple[str, str, str]
"""(recipient, channel, content)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What came of the comparison; the examples name targets, never a phone."""

    warnings: int
    planned: int
    refused: int
    logged: int
    lost: int
    duplicates: int
    flagged_duplicates: int
    """Of `duplicates`, those whose row the ledger flags as possibly doubled."""
    unplanned: int
    lost_targets: tuple[str, ...]
    duplicate_targets: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One frozen row. `sending` is None where the target has no address any more."""

    name: str
    """channel/target of a warning, for people."""
    sending: Sending | None
    refused: bool
    flagged: bool


async def audit(folder: Path, store: Store, seal: Seal) -> Finding:
    """Every warning that has a plan, against every line in `folder`."""
    async with store.read() as tx:
        known = [row.id for row in await headlines(tx, Wanted(limit=1_000_000)) if row.rows_planned]
        planned = [row for warning_id in known for row in await _planned(tx, seal, warning_id)]
    logged = Counter(read_logs(folder))
    return _compare(planned, logged, len(known))


def read_logs(folder: Path) -> Iterator[Sending]:
    """Every line of the players; a last line cut by a kill is not one.

    A message to a gateway takes a packet more for each version it silences: those count once with it, unless one of them
    came twice.
    """
    for channel, name in LOGS:
        path = folder / name
        if not path.exists():
            continue
        packets: set[tuple[str, str]] = set()
        known: set[Sending] = set()
        with open(path, encoding="utf-8") as lines:
            for said in (json.loads(line) for line in lines if line.endswith("\n")):
                sending = (said["recipient"], channel, content(channel, said["text"]))
                packet = (said["recipient"], said["key"])
                if said.get("kind") != "cancel" or sending not in known or packet in packets:
                    yield sending
                known.add(sending)
                packets.add(packet)


def content(channel: Channel, text: str) -> str:
    """What is compared of a text. Who puts the 【signature】 in front of an SMS, we or the provider, makes no other text."""
    return unsigned(text) if channel is Channel.SMS else text


def _compare(planned: Sequence[Planned], logged: Counter[Sending], known: int) -> Finding:
    """Two warnings may say the same to somebody within a minute: what was planned twice may arrive twice, and has to."""
    wanted: dict[Sending, list[Planned]] = {}
    for row in planned:
        if row.sending is not None:
            wanted.setdefault(row.sending, []).append(row)
    lost = [row.name for row in planned if row.sending is None and not row.refused]
    for sending, rows in wanted.items():
        due = [row.name for row in rows if not row.refused]
        lost += due[logged[sending] :]
    doubled = {one: more for one, times in logged.items() if (more := times - max(1, len(wanted.get(one, ())))) > 0}
    flagged = sum(more for one, more in doubled.items() if any(row.flagged for row in wanted.get(one, ())))
    return Finding(
        warnings=known,
        planned=len(planned),
        refused=sum(row.refused for row in planned),
        logged=logged.total(),
        lost=len(lost),
        duplicates=sum(doubled.values()),
        flagged_duplicates=flagged,
        unplanned=sum(times for one, times in logged.items() if one not in wanted),
        lost_targets=tuple(lost[:SHOWN]),
        duplicate_targets=tuple([wanted[one][0].name for one in doubled if one in wanted][:SHOWN]),
    )


async def _planned(tx: Tx, seal: Seal, warning_id: str) -> list[Planned]:
    texts = await warnings.texts_of(tx, warning_id)
    states = await _states(tx, warning_id)
    found = []
    for channel, blob in await ledger.frozen(tx, warning_id):
        rows = unpack(blob)
        addresses = await _addresses(tx, seal, [row.target for row in rows])
        for row in rows:
            state, flagged = states.get((channel, row.target), (DeliveryState.PLANNED, False))
            to = addresses.get(row.target)
            found.append(
                Planned(
                    name=f"{channel}/{row.target}",
                    sending=(to, channel, content(Channel(channel), texts[row.text_no].body)) if to else None,
                    refused=bool(row.suppressed) or state in EXCUSED,
                    flagged=flagged,
                )
            )
    return found


async def _states(tx: Tx, warning_id: str) -> dict[tuple[str, str], tuple[DeliveryState, bool]]:
    found: dict[tuple[str, str], tuple[DeliveryState, bool]] = {}
    after: tuple[str, str, int] | None = None
    while page := await ledger.page(tx, warning_id, after, PAGE):
        for entry in page:
            if entry.round == 0:
                found[entry.channel, entry.target] = entry.state, entry.possible_duplicate
        after = (page[-1].channel, page[-1].target, page[-1].round)
    return found


async def _addresses(tx: Tx, seal: Seal, targets: Sequence[str]) -> dict[str, str]:
    """Target → what the players call it: the phone, the gateway's resource code, the endpoint's id."""
    parsed = [Target.parse(target) for target in targets]
    found = await opening.phones_of(tx, seal, targets)
    gateways = [target.id for target in parsed if target.kind is TargetKind.GATEWAY]
    for number, gateway in (await opening.gateway_addresses(tx, gateways)).items():
        found[f"{TargetKind.GATEWAY}-{number}"] = gateway.ebrid
    found |= {str(target): target.id for target in parsed if target.kind is TargetKind.ENDPOINT}
    return found


def seal_beside(database: Path, key_file: Path | None) -> Seal:
    """The key of the environment, of `key_file`, or the one the test profile keeps beside an SQLite database."""
    given = os.environ.get("MINGLUO_SEAL_KEY") if key_file is None else None
    text = given or (key_file or database.with_suffix(".key")).read_text(encoding="ascii").strip()
    try:
        return Seal(bytes.fromhex(text))
    except ValueError as error:
        raise WrongKey("密封密钥应为 64 位十六进制") from error


async def _run(folder: Path, url: str, seal: Seal) -> Finding:
    store = open_store(url)
    try:
        return await audit(folder, store, seal)
    finally:
        await store.close()


def main(arguments: Sequence[str]) -> int:
    """0 where nothing was lost and nothing came twice, 1 where something was, 2 where it cannot be told."""
    parser = argparse.ArgumentParser(
        prog="python -m dispatcher.rehearsal.audit", description="独立核对：冻结的名单与发送对象自己的记录是否一致"
    )
    parser.add_argument("folder", type=Path, help="aliyun.jsonl、sms.jsonl、gateway.jsonl、platform.jsonl 所在的文件夹")
    parser.add_argument("database", help="SQLite 文件，或 postgresql+asyncpg://…")
    parser.add_argument("--key", type=Path, help="密钥文件；默认用 MINGLUO_SEAL_KEY，或数据库旁的 .key")
    given = parser.parse_args(arguments)
    try:
        url = given.database if "://" in given.database else f"sqlite+aiosqlite:///{Path(given.database).resolve()}"
        finding = asyncio.run(_run(given.folder, url, seal_beside(Path(url.partition(":///")[2]), given.key)))
    except (OSError, WrongKey, ValueError) as error:
        print(f"无法核对：{error}", file=sys.stderr)
        return 2
    print(json.dumps(asdict(finding), ensure_ascii=False))
    return 1 if finding.lost or finding.duplicates else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
