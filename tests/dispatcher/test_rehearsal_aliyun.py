"""The city's Aliyun: as strict as the real one, and its log is written before it answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web

from channels.aliyun import Account, said_in
from channels.catalog import build
from channels.contract import Accepted, Message, NotKnown, Outcome, TryAgain
from channels.pacing import Paced
from channels.transport import Answer, Transport
from dispatcher.model import Channel
from dispatcher.pipeline.context import Context
from dispatcher.rehearsal.aliyun import signature
from dispatcher.rehearsal.audit import content, read_logs
from dispatcher.rehearsal.faults import Faults
from dispatcher.rehearsal.server import City, Options, playing
from dispatcher.sending.calling import Wire
from dispatcher.sending.dispatch import Dispatcher, Identity
from dispatcher.sending.live import Desk
from dispatcher.sending.opened import Address
from dispatcher.service.assembly import event_code_of
from dispatcher.states import DeliveryState
from dispatcher.store import ledger, nodes
from dispatcher.store.deliveries import Row
from dispatcher.store.engine import Store
from tests.channels.conformance import bulletin
from tests.city import Clock, people, red, released, settings
from tests.dispatcher.test_sending_dispatch import SEAL, counts

pytestmark = pytest.mark.long

NOW = datetime(2026, 6, 18, 14, 30, tzinfo=UTC)
SECRET = "secret"


class Town:
    """The city's Aliyun, a way to it, and a door for what it pushes."""

    def __init__(self, city: City, transport: Transport, door: str, timeout_s: float) -> None:
        self.city = city
        self.url = city.url("aliyun")
        self.door = door
        self.heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        lines = [transport.line(in_flight=8, timeout_s=2) for _ in range(2)]
        self.account = Account((lines[0], lines[1]), self.url, "cn-hangzhou", ("AC1", SECRET))
        account = {"access_key_id": "AC1", "access_key_secret": SECRET, "base_url": self.url, "timeout_s": timeout_s}
        template = {"sign_name": "吉安应急", "template_code": "SMS_1"}
        self.way: Paced = build("sms", "aliyun", {**account, **template, "batch": 40}, transport, "http://127.0.0.1:9")

    async def tell_where(self) -> None:
        await self.direct("callback", {"url": self.door})

    async def direct(self, what: str, told: object) -> None:
        url = f"{self.url}/_rehearsal/{what}"
        async with ClientSession() as session, session.post(url, json=told) as answer:
            assert answer.status == 204

    async def hear(self, count: int) -> list[dict[str, Any]]:
        async with asyncio.timeout(5):
            return [await self.heard.get() for _ in range(count)]

    async def asks(self, action: str, query: dict[str, str], form: dict[str, str] | None = None) -> tuple[int, str]:
        """HTTP state and code."""
        answer = await self.account.call(action, query, form or {}, NOW)
        assert isinstance(answer, Answer)
        return answer.status, str(said_in(answer)["Code"])


@asynccontextmanager
async def town(
    folder: Path, clock: Callable[[], float] = NOW.timestamp, timeout_s: float = 0.5, **faults: float
) -> AsyncIterator[Town]:
    given = Faults(**faults)  # type: ignore[arg-type]
    options = Options(folder=folder, account="AC1", token=SECRET, faults={"aliyun": given})
    transport, found = Transport(loopback_only=True), []

    async def door(request: web.BaseRequest) -> web.Response:
        for item in await request.json():
            found[0].heard.put_nowait(item)
        return web.json_response({"code": 0, "msg": "成功"})

    runner = web.ServerRunner(web.Server(door))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with playing(options, clock) as city:
        found.append(Town(city, transport, f"http://127.0.0.1:{runner.addresses[0][1]}/x", timeout_s))
        try:
            yield found[0]
        finally:
            await transport.close()
            await runner.cleanup()


def sms(number: int = 1, text: str = "【吉安应急】立即转移") -> Message:
    return Message(id=f"w1.officer-{number}.sms.0", to=f"+86154{number:08d}", text=text, bulletin=bulletin())


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "aliyun.jsonl").read_text("utf-8").splitlines()]


async def test_it_writes_down_a_line_a_number_before_it_answers(tmp_path: Path) -> None:
    async with town(tmp_path, hang=1) as here:
        batch = [sms(1), sms(2, "【演练】【吉安应急】立即转移【演练】")]
        outcomes: list[Outcome] = []
        for one in batch:
            outcomes += await here.way.provider.send([one], NOW)
    assert {type(one) for one in outcomes} == {NotKnown}
    assert [(line["recipient"], line["text"], line["drill"]) for line in lines(tmp_path)] == [
        ("+8615400000001", "【吉安应急】立即转移", False),
        ("+8615400000002", "【吉安应急】【演练】立即转移【演练】", True),
    ]
    assert len({line["key"] for line in lines(tmp_path)}) == 2


async def test_the_audit_knows_a_text_again_whoever_signed_it(tmp_path: Path) -> None:
    planned = [sms(1), sms(2, "【演练】【吉安应急】立即转移【演练】"), sms(3, "【吉安应急】立即转移至【村委会】")]
    async with town(tmp_path) as here:
        for one in planned:
            await here.way.provider.send([one], NOW)
    assert list(read_logs(tmp_path)) == [(one.to, Channel.SMS, content(Channel.SMS, one.text)) for one in planned]
    assert len({content(Channel.SMS, one.text) for one in planned}) == 3


async def test_it_pushes_what_became_of_each_once_it_knows_where_to(tmp_path: Path) -> None:
    async with town(tmp_path) as here:
        await here.tell_where()
        first, second = await here.way.send([sms(1), sms(2)], NOW)
        reports = await here.hear(2)
    assert isinstance(first, Accepted)
    assert first == second
    assert {one["phone_number"] for one in reports} == {"15400000001", "15400000002"}
    assert {(one["biz_id"], one["success"], one["err_code"]) for one in reports} == {(first.ref, True, "DELIVERED")}
    assert all(one["out_id"].startswith(f"{bulletin().warning_id}.") for one in reports)


async def test_some_reports_are_bad_and_some_come_twice(tmp_path: Path) -> None:
    async with town(tmp_path, undelivered=1, repeat=1) as here:
        await here.tell_where()
        await here.way.send([sms(1)], NOW)
        first, second = await here.hear(2)
    assert first == second
    assert (first["success"], first["err_code"]) == (False, "MOBILE_NOT_ON_SERVICE")


async def test_people_write_back_when_they_are_told_to(tmp_path: Path) -> None:
    async with town(tmp_path) as here:
        await here.tell_where()
        await here.direct(
            "replies",
            [{"phone_number": "+8615400000001", "content": "收到"}, {"phone_number": "15400000002", "content": "1"}],
        )
        first, second = await here.hear(2)
    assert (first["phone_number"], first["content"], first["send_time"]) == (
        "15400000001",
        "收到",
        "2026-06-18 22:30:00",
    )
    assert first["sequence_id"] != second["sequence_id"]


ONE = {"PhoneNumbers": "15400000001", "SignName": "吉安应急", "TemplateCode": "S", "TemplateParam": '{"content":"x"}'}
TWO = {"PhoneNumberJson": '["15400000001"]', "SignNameJson": '["吉安应急"]', "TemplateParamJson": '[{"content":"x"}]'}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, "OK"),
        ({"PhoneNumbers": ",".join(["15400000001"] * 1000)}, "OK"),
        ({"PhoneNumbers": ",".join(["15400000001"] * 1001)}, "isv.MOBILE_COUNT_OVER_LIMIT"),
        ({"PhoneNumbers": "+8615400000001,008615400000002"}, "OK"),
        ({"PhoneNumbers": "15400000001,1540000"}, "isv.MOBILE_NUMBER_ILLEGAL"),
        ({"SignName": "【吉安应急】"}, "isv.SMS_SIGNATURE_ILLEGAL"),
        ({"TemplateCode": ""}, "isv.SMS_TEMPLATE_ILLEGAL"),
        ({"TemplateParam": "x"}, "isv.INVALID_JSON_PARAM"),
        ({"TemplateParam": '{"content": 1}'}, "isv.TEMPLATE_MISSING_PARAMETERS"),
        ({"TemplateParam": '{"content": "http://x"}'}, "isv.PARAM_NOT_SUPPORT_URL"),
        ({"OutId": "x" * 256}, "isv.INVALID_PARAMETERS"),
    ],
)
async def test_one_text_for_many_is_taken_as_aliyun_takes_it(
    tmp_path: Path, changes: dict[str, str], code: str
) -> None:
    async with town(tmp_path) as here:
        assert await here.asks("SendSms", {**ONE, **changes}) == (200, code)
        taken = len({**ONE, **changes}["PhoneNumbers"].split(",")) if code == "OK" else 0
    assert len(lines(tmp_path)) == taken


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, "OK"),
        ({name: json.dumps(json.loads(value) * 100) for name, value in TWO.items()}, "OK"),
        ({name: json.dumps(json.loads(value) * 101) for name, value in TWO.items()}, "isv.MOBILE_COUNT_OVER_LIMIT"),
        ({"SignNameJson": '["吉安应急","吉安应急"]'}, "isv.INVALID_PARAMETERS"),
        ({"PhoneNumberJson": "[]"}, "isv.INVALID_PARAMETERS"),
        ({"PhoneNumberJson": "{}"}, "isv.INVALID_JSON_PARAM"),
    ],
)
async def test_a_text_for_each_is_taken_as_aliyun_takes_it(tmp_path: Path, changes: dict[str, str], code: str) -> None:
    async with town(tmp_path) as here:
        assert await here.asks("SendBatchSms", {"TemplateCode": "S", "OutId": "w1.x"}, {**TWO, **changes}) == (
            200,
            code,
        )


async def test_what_is_not_signed_as_aliyun_wants_it_is_refused(tmp_path: Path) -> None:
    async with town(tmp_path) as here:
        assert await here.asks("DeleteEverything", {}) == (404, "InvalidAction.NotFound")
        line = here.account._lines[0]
        url, body, right = here.account._signed("SendSms", ONE, {}, NOW)

        async def code(url: str = url, body: bytes | None = body, **changes: str) -> str:
            answer = await line.request("POST", url, body, {**right, **changes})
            assert isinstance(answer, Answer)
            return str(said_in(answer)["Code"])

        assert await code(Authorization="Bearer x") == "IncompleteSignature"
        assert await code(Authorization=right["Authorization"].replace("AC1", "AC2")) == "InvalidAccessKeyId.NotFound"
        assert await code(Authorization=right["Authorization"].replace("host;", "")) == "IncompleteSignature"
        assert await code(url + "&SmsUpExtendCode=1") == "SignatureDoesNotMatch"
        assert await code(url.replace("SignName", "Signname")) == "SignatureDoesNotMatch"
        assert await code(body=b"x=1") == "SignatureDoesNotMatch"
        assert await code(**{"x-acs-version": "2018-05-01"}) == "InvalidAction.NotFound"
        assert await code() == "OK"
        assert await code() == "SignatureNonceUsed"
        late = await here.account.call("SendSms", ONE, {}, NOW - timedelta(hours=1))
        assert isinstance(late, Answer)
        assert said_in(late)["Code"] == "InvalidTimeStamp.Expired"
    assert len(lines(tmp_path)) == 1


def test_the_players_own_signature_is_the_published_one() -> None:
    query = {"ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd", "RegionId": "cn-shanghai"}
    headers = {
        "host": "ecs.cn-shanghai.aliyuncs.com",
        "x-acs-action": "RunInstances",
        "x-acs-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "x-acs-date": "2023-10-26T10:22:32Z",
        "x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d",
        "x-acs-version": "2014-05-26",
    }
    assert signature("YourAccessKeySecret", "POST", query, headers) == (
        "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
    )


async def test_a_look_up_shows_the_newest_first_fifty_a_page(tmp_path: Path) -> None:
    async with town(tmp_path) as here:
        for number in range(51):
            await here.asks("SendSms", {**ONE, "OutId": f"w{number}.x"})
        query = {"PhoneNumber": "15400000001", "SendDate": "20260618", "PageSize": "50"}
        pages = [
            said_in(answer)
            for page in "12"
            if isinstance(
                answer := await here.account.call("QuerySendDetails", {**query, "CurrentPage": page}, {}, NOW), Answer
            )
        ]
        assert await here.asks("QuerySendDetails", {**query, "PageSize": "51", "CurrentPage": "1"}) == (
            200,
            "isv.INVALID_PARAMETERS",
        )
    shown = [[one["OutId"] for one in page["SmsSendDetailDTOs"]["SmsSendDetailDTO"]] for page in pages]
    assert [page["TotalCount"] for page in pages] == ["51", "51"]
    assert (len(shown[0]), shown[0][0], shown[1]) == (50, "w50.x", ["w0.x"])


async def test_too_many_requests_are_told_so_as_aliyun_tells_it(tmp_path: Path) -> None:
    async with town(tmp_path, rate=1) as here:
        assert isinstance((await here.way.send([sms(1)], NOW))[0], Accepted)
        (second,) = await here.way.send([sms(2)], NOW)
    assert isinstance(second, TryAgain)
    assert (second.code, second.throttled) == ("Throttling.User", True)
    assert len(lines(tmp_path)) == 1


@pytest.mark.parametrize("fault", ["fail", "refuse"])
async def test_what_is_refused_or_out_of_order_is_in_no_log(tmp_path: Path, fault: str) -> None:
    async with town(tmp_path, **{fault: 1}) as here:
        assert not any(isinstance(one, Accepted) for one in await here.way.send([sms(1), sms(2)], NOW))
    assert lines(tmp_path) == []


# ── with the sender ─────────────────────────────────────────────────────────────────────────────────────────────────


async def found(rows: list[Row]) -> dict[str, Address]:
    return {row.target: Address(to=f"+86154{int(row.target[-5:]):08d}") for row in rows}


@pytest.mark.parametrize(("fault", "timeout_s"), [("hang", 4), ("cut", 20), ("lie", 20)])
async def test_what_was_in_doubt_is_looked_up_and_nobody_is_told_twice(
    sqlite_store: Store, tmp_path: Path, fault: str, timeout_s: float
) -> None:
    """Half of all requests are taken and not answered; each number is in one request after another until it is found."""
    clock, store = Clock(), sqlite_store

    def seconds() -> float:
        return clock.at.timestamp()

    async with town(tmp_path, seconds, timeout_s, **{fault: 0.5}) as here:
        warning = await released(store, red(), people(120))
        async with _sending(store, clock, here.way):
            for _ in range(200):
                clock.pass_(seconds=20)
                await asyncio.sleep(0.1)
                if set(await counts(store, warning.id)) <= {DeliveryState.SENT, DeliveryState.DELIVERED}:
                    break
        assert sum((await counts(store, warning.id)).values()) == 120
        assert set(await counts(store, warning.id)) <= {DeliveryState.SENT, DeliveryState.DELIVERED}
        async with store.read() as tx:
            assert await ledger.flagged(tx, warning.id) > 0, "the fault never struck"
    told = [line["recipient"] for line in lines(tmp_path)]
    assert len(told) == len(set(told)) == 120


@asynccontextmanager
async def _sending(store: Store, clock: Clock, way: Paced) -> AsyncIterator[Context]:
    ours = settings()
    async with store.begin() as tx:
        epoch = await nodes.enter(tx, "node-1", clock())
    desk = Desk(ours.policy, ours.service.sender_name, partial(event_code_of, ours.hazards))
    dispatcher = Dispatcher(store, Identity(node="node-1", epoch=epoch), desk, clock, lambda: 0.5)
    wire = Wire(name="aliyun", way=way, in_flight=4, window=256, timeout_s=20, rate=10_000, look_up=True)
    dispatcher.connect({(Channel.SMS, False): [wire]}, found)  # type: ignore[arg-type]
    context = Context(settings=ours, store=store, seal=SEAL, now=clock, wake=dispatcher.wake, ended=dispatcher.end)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(dispatcher.run())
        try:
            yield context
        finally:
            running.cancel()
