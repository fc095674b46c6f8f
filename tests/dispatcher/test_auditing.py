"""The log of what was done: whatever is changed in it is found, whoever writes at the same time."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from dispatcher.auditing import Anchor, BadAnchor, Finding, anchors_in, signed, verify
from dispatcher.pipeline.accept import Incoming, accept
from dispatcher.pipeline.anchor import anchor, anchor_due
from dispatcher.pipeline.context import Context
from dispatcher.store import audit, events
from dispatcher.store.audit import START, Act, Head, link
from dispatcher.store.engine import Store, open_store
from dispatcher.store.sealed import Seal
from tests.city import NOW, Clock, cap, settings

SEAL = Seal(bytes(32))
ENTRIES = 150
PLACES = 100


async def _done(store: Store, acts: int, actor: str = "system") -> None:
    for number in range(acts):
        async with store.begin() as tx:
            act = Act(
                actor=actor, action="account.signed_in", subject=f"account:{number}", detail={"n": number, "谁": "甲"}
            )
            audit.append(tx, NOW + timedelta(seconds=number), act)


async def _failing(store: Store) -> None:
    async with store.begin() as tx:
        audit.append(tx, NOW, Act(actor="system", action="never", subject="x", detail={}))
        raise ZeroDivisionError


async def _verified(store: Store, anchors: list[Anchor] | None = None) -> Finding:
    async with store.read() as tx:
        return await verify(audit.entries(tx), anchors or [])


async def _anchored(store: Store) -> list[Anchor]:
    async with store.read() as tx:
        return anchors_in([json.dumps(signed(await audit.head(tx), NOW, SEAL))], SEAL)


# ── what is written ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_untouched_log_is_whole_and_each_entry_follows_the_one_before(store: Store) -> None:
    await _done(store, 5)
    found = await _verified(store, await _anchored(store))
    assert (found.whole, found.entries, found.anchors, found.faults) == (True, 5, 1, [])
    async with store.read() as tx:
        entries = [entry async for entry in audit.entries(tx)]
        assert [entry.no for entry in await audit.newest(tx, 2)] == [5, 4]
    assert [entry.no for entry in entries] == [1, 2, 3, 4, 5]
    assert [entry.previous for entry in entries] == [START, *(entry.hash for entry in entries[:-1])]
    assert json.loads(entries[0].detail) == {"n": 0, "谁": "甲"}


async def test_it_is_read_a_page_at_a_time_to_its_end(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "PAGE", 3)
    await _done(store, 6)
    assert (await _verified(store)).entries == 6


async def test_an_entry_stands_or_falls_with_what_it_records(store: Store) -> None:
    await _done(store, 1)
    with pytest.raises(ZeroDivisionError):
        await _failing(store)
    await _done(store, 1)
    found = await _verified(store)
    assert (found.whole, found.entries) == (True, 2)


async def test_several_acts_of_one_transaction_stand_in_their_order(store: Store) -> None:
    async with store.begin() as tx:
        for action in ("first", "second", "third"):
            audit.append(tx, NOW, Act(actor="system", action=action, subject="x", detail={}))
    async with store.read() as tx:
        assert [entry.action async for entry in audit.entries(tx)] == ["first", "second", "third"]
    assert (await _verified(store)).whole


async def test_nothing_is_added_where_nothing_would_be_kept(store: Store) -> None:
    async with store.read() as tx:
        with pytest.raises(KeyError):
            audit.append(tx, NOW, Act(actor="system", action="never", subject="x", detail={}))


@pytest.mark.timeout(120)
async def test_fifty_who_write_at_once_never_fork_the_chain(database_url: str) -> None:
    """On PostgreSQL over connections of two processes' pools; on SQLite through its one writer."""
    stores = [open_store(database_url) for _ in range(1 if database_url.startswith("sqlite") else 2)]
    async with asyncio.TaskGroup() as tasks:
        for writer in range(50):
            tasks.create_task(_done(stores[writer % len(stores)], 6, f"account:{writer}"))
    found = await _verified(stores[0])
    assert (found.whole, found.entries, found.faults) == (True, 300, [])
    for store in stores:
        await store.close()


async def test_what_becomes_of_a_warning_stands_in_it_with_who_did_it(jian: Context) -> None:
    body = cap()
    await accept(jian, Incoming(door="amqp", source="city-weather", content_type="application/cap+xml", body=body))
    await accept(jian, Incoming(door="amqp", source="city-weather", content_type="application/cap+xml", body=b"<"))
    async with jian.store.read() as tx:
        told = [(entry.actor, entry.action) async for entry in audit.entries(tx)]
    source = "source:city-weather"
    assert told == [(source, "warning.accepted"), (source, "warning.approved"), (source, "warning.rejected")]
    assert (await _verified(jian.store)).whole


# ── what is found ───────────────────────────────────────────────────────────────────────────────────────────────────

Tamper = Callable[[sqlite3.Connection, int, random.Random], None]


def _edit(line: sqlite3.Connection, no: int, chance: random.Random) -> None:
    column = chance.choice(["at", "actor", "action", "subject", "detail", "previous", "hash"])
    forged = {"at": "2020-01-01 00:00:00.000000", "previous": "1" * 64, "hash": "1" * 64}.get(column, "forged")
    line.execute(f"UPDATE audit SET {column} = ? WHERE no = ?", (forged, no))


def _delete(line: sqlite3.Connection, no: int, _: random.Random) -> None:
    line.execute("DELETE FROM audit WHERE no = ?", (no,))
    line.execute("UPDATE audit SET no = -no WHERE no > ?", (no,))  # and close the gap, as somebody clever would
    line.execute("UPDATE audit SET no = -no - 1 WHERE no < 0")


def _insert(line: sqlite3.Connection, no: int, _: random.Random) -> None:
    """One that fits what stands before it."""
    line.execute("UPDATE audit SET no = -no WHERE no >= ?", (no,))
    line.execute("UPDATE audit SET no = -no + 1 WHERE no < 0")
    before = line.execute("SELECT hash FROM audit WHERE no = ?", (no - 1,)).fetchone()
    previous = before[0] if before else START
    told = ("account:forged", "account.signed_in", "account:1", "{}")
    digest = link(no, NOW, told, previous)
    at = NOW.strftime("%Y-%m-%d %H:%M:%S.%f")
    line.execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (no, at, *told, previous, digest))


def _reorder(line: sqlite3.Connection, no: int, chance: random.Random) -> None:
    other = chance.choice([one for one in range(1, ENTRIES) if one != no])
    line.execute("UPDATE audit SET no = -1 WHERE no = ?", (no,))
    line.execute("UPDATE audit SET no = ? WHERE no = ?", (no, other))
    line.execute("UPDATE audit SET no = ? WHERE no = -1", (other,))


def _cut(line: sqlite3.Connection, no: int, _: random.Random) -> None:
    line.execute("DELETE FROM audit WHERE no > ?", (no - 1,))


def _rewrite(line: sqlite3.Connection, no: int, _: random.Random) -> None:
    """One entry is forged, and from it on every hash is made to fit."""
    previous = START
    rows = line.execute("SELECT no, at, actor, action, subject, detail FROM audit ORDER BY no").fetchall()
    for number, _at, actor, action, subject, detail in rows:
        told = ("account:forged" if number == no else actor, action, subject, detail)
        digest = link(number, NOW + timedelta(seconds=number - 1), told, previous)
        line.execute(
            "UPDATE audit SET actor = ?, previous = ?, hash = ? WHERE no = ?", (told[0], previous, digest, number)
        )
        previous = digest


@pytest.mark.long
@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("tamper", "needs_anchor"),
    [(_edit, False), (_delete, False), (_insert, False), (_reorder, False), (_cut, True), (_rewrite, True)],
    ids=["edit", "delete", "insert", "reorder", "cut the tail", "rewrite all"],
)
async def test_whatever_is_tampered_with_is_found_at_a_hundred_places(
    sqlite_store: Store, tmp_path: Path, tamper: Tamper, needs_anchor: bool, measured: Callable[[str], None]
) -> None:
    """By the file's owner, past the triggers. What the chain alone cannot show, an anchor does."""
    await _done(sqlite_store, ENTRIES)
    anchors = await _anchored(sqlite_store)
    seed = random.SystemRandom().randrange(10**6)
    chance = random.Random(seed)
    line = sqlite3.connect(next(tmp_path.glob("*.db")), isolation_level=None)
    for verb in ("update", "delete"):
        line.execute(f"DROP TRIGGER audit_no_{verb}")
    line.execute("CREATE TABLE kept AS SELECT * FROM audit")
    unseen = []
    for no in chance.sample(range(1, ENTRIES), PLACES):
        tamper(line, no, chance)
        if (await _verified(sqlite_store, anchors)).whole:
            unseen.append(no)
        if needs_anchor:
            assert (await _verified(sqlite_store)).whole, "the forgery is as good as can be made"
        line.execute("DELETE FROM audit")
        line.execute("INSERT INTO audit SELECT * FROM kept")
    assert (await _verified(sqlite_store, anchors)).whole, "what was put back is whole again"
    line.close()
    measured(f"seed {seed}: {PLACES} places, {len(unseen)} not found")
    assert unseen == []


async def test_a_log_that_was_emptied_is_found_by_its_anchor(sqlite_store: Store) -> None:
    await _done(sqlite_store, 3)
    anchors = await _anchored(sqlite_store)
    found = await verify(_nothing(), anchors)
    assert "第 3 条不在了" in found.faults[0]


async def _nothing():  # type: ignore[no-untyped-def]
    return
    yield


# ── anchors ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_anchor_that_was_changed_or_that_another_key_signed_is_refused() -> None:
    line = json.dumps(signed(Head(7, "ab" * 32), NOW, SEAL))
    assert [(one.no, one.hash, one.at) for one in anchors_in([line, ""], SEAL)] == [(7, "ab" * 32, NOW)]
    for forged in (line.replace('"no": 7', '"no": 8'), line.replace("abab", "acab", 1)):
        with pytest.raises(BadAnchor, match="第 2 行的签名"):
            anchors_in([line, forged], SEAL)
    with pytest.raises(BadAnchor, match="签名"):
        anchors_in([line], Seal(bytes([1] * 32)))
    for broken in ("{", "[]", "{}", '{"no": 1, "hash": "", "at": "", "signature": "x"}', "1"):
        with pytest.raises(BadAnchor, match="读不懂"):
            anchors_in([broken], SEAL)


async def test_the_head_goes_out_once_an_hour_into_a_file_and_to_other_systems(store: Store, tmp_path: Path) -> None:
    clock, file = Clock(), tmp_path / "far away" / "anchors"
    context = Context(settings=settings(MINGLUO_ANCHOR_FILE=str(file)), store=store, seal=SEAL, now=clock)
    await _done(store, 4)
    assert [await anchor_due(context), await anchor_due(context)] == [True, False]
    clock.pass_(seconds=3599)
    assert await anchor_due(context) is False
    clock.pass_(seconds=1)
    assert await anchor_due(context) is True
    anchors = anchors_in(file.read_text().splitlines(), SEAL)
    assert [one.no for one in anchors] == [4, 5], "the second one covers what told of the first"
    assert (await _verified(store, anchors)).whole
    async with store.read() as tx:
        told = [event for event in await events.waiting(tx) if event.kind == "audit.anchor"]
    assert [event.detail["hash"] for event in told] == [one.hash for one in anchors]


async def test_an_anchor_that_could_not_be_put_away_is_not_announced(store: Store, tmp_path: Path) -> None:
    (tmp_path / "full").write_text("a file where a folder should be")
    context = Context(
        settings=settings(MINGLUO_ANCHOR_FILE=str(tmp_path / "full" / "anchors")), store=store, seal=SEAL, now=Clock()
    )
    with pytest.raises(OSError, match="full"):
        await anchor(context)
    async with store.read() as tx:
        assert await events.waiting(tx) == []
