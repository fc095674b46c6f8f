"""Whoever asks to be forgotten is: nothing of him lies in a dump afterwards, and no live warning loses him for it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select, text, update

from dispatcher.model import Channel, Member, Target, TargetKind, Why
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.erase import erase, erase_waiting
from dispatcher.pipeline.retain import retain_due
from dispatcher.registry import importing
from dispatcher.settings import PROJECT
from dispatcher.store import tables as t
from dispatcher.store import uplinks
from dispatcher.store.engine import Store
from dispatcher.store.registry import OfficerRow, ResidentRow, ResidentRows, Sheets
from dispatcher.store.sealed import Seal
from dispatcher.store.uplinks import Uplink
from tests.city import NOW, Clock, _audience, red, released, settings
from tests.dispatcher.test_registry import SMALL
from tests.dispatcher.test_retaining import attempt
from tests.journeys import canaries
from tests.journeys.canaries import dumped, found

pytestmark = pytest.mark.long

SEAL = Seal(bytes(32))
PHONE, SHARED = "+8615473920618", "+8615476051937"
NAME = "欧阳忘忧"
LAT, LON = 26.3141592, 114.2718281
HIM, ANOTHER, SHARING = (Target(kind=TargetKind.RESIDENT, id=one) for one in ("7", "8", "9"))
WANTED = [
    canaries.phone("phone", PHONE),
    canaries.home("home", LAT, LON),
    canaries.secret("name", NAME),
    canaries.secret("index", str(SEAL.index(PHONE))),
    canaries.Canary(name="index in SQLite", forms=(SEAL.index(PHONE).to_bytes(8, "big"),)),
]


def resident(number: int, name: str, phone: str, lat: float = 26.5, lon: float = 114.5) -> ResidentRow:
    return ResidentRow(number, name, phone, "360827102200", lat, lon, 1, 0, 0, True, True)


@pytest.fixture
async def house(store: Store) -> Context:
    """Three residents, one of whom shares his phone with an officer; all have written, and were written to long ago."""
    living = [
        resident(7, NAME, PHONE, LAT, LON), resident(8, "李四", "+8615400000008"), resident(9, "王五", SHARED)
    ]  # fmt: skip
    officer = OfficerRow("JA1", "张三", SHARED, "360827102200", 26.5, 114.5, 1, False, True)
    sheets = Sheets(
        tables={**SMALL.tables, OfficerRow: [officer]}, residents=ResidentRows(total=3, pages=lambda: [living])
    )
    await importing.put(store, SEAL, sheets)
    said = [
        Uplink(at=NOW, channel="sms", provider="aliyun", number=phone, phone=phone, text=f"我是{NAME}", sent_at=None,
               dest_code="")
        for phone in (PHONE, SHARED)
    ]  # fmt: skip
    async with store.begin() as tx:
        await uplinks.keep(tx, SEAL, [Uplink(**{**_fields(one), "number": f"n{at}"}) for at, one in enumerate(said)])
    return Context(settings=settings(), store=store, seal=SEAL, now=Clock())


def _fields(one: Uplink) -> dict[str, Any]:
    return {name: getattr(one, name) for name in Uplink.__dataclass_fields__}


async def warned(store: Store, number: int = 1, state: str = "expired") -> str:
    """A warning that had two residents on its list."""
    members = [
        Member(target=one, channel=Channel.SMS, why=Why.VILLAGE_POST, township="360827102") for one in (HIM, ANOTHER)
    ]
    row = await released(store, red(), _audience(members), number)
    async with store.begin() as tx:
        await tx.execute(insert(t.attempts), [attempt(row.id, str(one), f"POST {NAME}") for one in (HIM, ANOTHER)])
        await tx.execute(update(t.warnings).where(t.warnings.c.id == row.id).values(state=state, ended_at=NOW))
    return row.id


async def number(store: Store, query: str) -> int:
    async with store.read() as tx:
        return int((await tx.execute(text(query))).scalar_one())


async def acts(store: Store) -> list[tuple[str, str, str, Any]]:
    async with store.read() as tx:
        rows = (await tx.execute(select(t.audit).order_by(t.audit.c.no))).mappings().all()
    return [(row["actor"], row["action"], row["subject"], json.loads(row["detail"])) for row in rows]


async def test_nothing_of_him_lies_in_the_database_afterwards(
    house: Context, database_url: str, tmp_path: Path
) -> None:
    await warned(house.store)
    async with house.store.begin() as tx:  # somebody else's trace may name him as it likes: it is his own that go
        await tx.execute(update(t.attempts).where(t.attempts.c.target == str(ANOTHER)).values(trace=""))
    assert {hit.split()[1] for hit in found(await dumped(database_url, tmp_path), WANTED)} >= {"name"}
    done = await erase(house, HIM, "command")
    assert done.forgotten is not None
    assert (done.forgotten.uplinks, done.forgotten.traces, done.forgotten.shared) == (1, 1, False)
    assert found(await dumped(database_url, tmp_path), WANTED) == []
    assert await acts(house.store) == [("command", "registry.erased", "resident-7", {"traces": 1, "uplinks": 1})]
    register = await house.register()
    assert register.residents.id.tolist() == [8, 9]
    async with house.store.read() as tx:
        assert (await tx.execute(select(func.count()).select_from(t.attempts))).scalar_one() == 2, (
            "that he was told stays"
        )


async def test_the_others_stay_as_they_are(house: Context) -> None:
    await warned(house.store)
    await erase(house, HIM, "command")
    assert await number(house.store, "SELECT count(*) FROM residents") == 2
    assert await number(house.store, "SELECT count(*) FROM uplinks") == 1
    assert await number(house.store, "SELECT count(*) FROM attempts WHERE trace <> ''") == 1


async def test_asking_twice_is_said_and_done_once(house: Context) -> None:
    await erase(house, HIM, "command")
    assert (await erase(house, HIM, "command")).forgotten is None
    assert len(await acts(house.store)) == 1


async def test_what_came_from_a_phone_that_others_have_too_stays_until_its_time(house: Context) -> None:
    done = await erase(house, SHARING, "command")
    assert done.forgotten is not None
    assert (done.forgotten.shared, done.forgotten.uplinks) == (True, 0)
    assert await number(house.store, "SELECT count(*) FROM uplinks") == 2


@pytest.mark.parametrize("state", ["approved", "dispatching", "dispatched", "completed"])
async def test_while_a_warning_has_him_on_its_list_he_stays_and_is_taken_off_when_it_ends(
    house: Context, state: str
) -> None:
    first, second = await warned(house.store, 1, state), await warned(house.store, 2, state)
    done = await erase(house, HIM, "command")
    assert set(done.waits_for) == {first, second}
    assert done.forgotten is None
    assert await number(house.store, "SELECT count(*) FROM residents WHERE id = 7") == 1
    assert await erase_waiting(house) == []
    async with house.store.begin() as tx:
        await tx.execute(update(t.warnings).where(t.warnings.c.id == first).values(state="cancelled"))
    assert await erase_waiting(house) == []
    async with house.store.begin() as tx:
        await tx.execute(update(t.warnings).values(state="expired"))
    await retain_due(house)
    assert await number(house.store, "SELECT count(*) FROM residents WHERE id = 7") == 0
    assert [(actor, action) for actor, action, _, _ in await acts(house.store)] == [
        ("command", "registry.erasure_asked"),
        ("system", "registry.erased"),
    ]
    assert await number(house.store, "SELECT count(*) FROM erasures") == 0


async def test_a_warning_that_never_had_him_does_not_hold_him(house: Context) -> None:
    member = Member(target=ANOTHER, channel=Channel.SMS, why=Why.VILLAGE_POST, township="360827102")
    await released(house.store, red(), _audience([member]))
    assert (await erase(house, HIM, "command")).waits_for == ()


# ── the command ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def asked(url: str, *arguments: str) -> tuple[int, str, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MINGLUO_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dispatcher", "registry", "erase", *arguments, cwd=PROJECT,
        env={**environment, "MINGLUO_DATABASE_URL": url, "MINGLUO_SEAL_KEY": "00" * 32, "PYTHONUTF8": "1"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, told = await process.communicate()
    return process.returncode or 0, out.decode(), told.decode()


@pytest.mark.parametrize("person", ["resident-7", "7", PHONE, "154 7392 0618", NAME])
async def test_the_command_takes_number_phone_or_name_and_says_a_number_back(
    house: Context, database_url: str, person: str
) -> None:
    code, out, told = await asked(database_url, person, "--json")
    assert code == 0, told
    assert json.loads(out.splitlines()[-1]) == {
        "target": "resident-7", "erased": True, "waits_for": [], "uplinks": 1, "traces": 0, "shared_phone": False,
    }  # fmt: skip
    assert "CSV" in out
    assert NAME not in out + told
    assert await number(house.store, "SELECT count(*) FROM residents") == 2


async def test_the_command_says_why_it_did_not_do_it_now(house: Context, database_url: str) -> None:
    warning_id = await warned(house.store, 1, "dispatched")
    code, out, _ = await asked(database_url, "7", "--json")
    assert code == 0
    assert "预警结束后由服务自动删除" in out
    facts = json.loads(out.splitlines()[-1])
    assert (facts["erased"], facts["waits_for"]) == (False, [warning_id])


@pytest.mark.parametrize(
    ("person", "why"), [("张三", "不是住户"), ("99", "没有这位住户"), ("没有的人", "没有这位住户")]
)
async def test_the_command_refuses_what_it_cannot_mean(
    house: Context, database_url: str, person: str, why: str
) -> None:
    code, out, told = await asked(database_url, person)
    assert (code, out) == (1, "")
    assert why in told
    assert await number(house.store, "SELECT count(*) FROM residents") == 3
