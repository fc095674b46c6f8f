"""What stands beside the red that went out in a demo that stays open: a drill under way, one held, one that awaits the leader.

All of it comes in by the doors it would come in by: the drill and the held one by the broker, from their sources; the one to
be signed by the officer's own hand. All touch one township, so that whoever is its clerk sees each of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from dispatcher.accounts.authority import Principal
from dispatcher.broker.contract import Parcel
from dispatcher.intake.native import CONTENT_TYPE
from dispatcher.model import BEIJING, Channel, Kind
from dispatcher.pipeline.draft import draft
from dispatcher.pipeline.submit import submit
from dispatcher.rehearsal import landing
from dispatcher.rehearsal.demo_screen import Screen
from dispatcher.rehearsal.demo_stage import StageFailed
from dispatcher.rehearsal.drill.letters import Letters, Step, exercise_id
from dispatcher.service.assembly import clock
from dispatcher.service.serving import Serving
from dispatcher.settings import Settings
from dispatcher.store.rejects import Refusal
from dispatcher.store.warnings import WarningRow

SLOW: Final = {"rate": 1, "batch": 1, "in_flight": 1, "window": 2}
"""A drill's SMS one by one, a second apart: a county takes some ten minutes, and a stop waits for two of them."""
DRILL: Final = "drill"
COUNTY: Final = "county-weather"
_SENDER: Final = "36082741700000"
_DRILL_WORDS: Final[Mapping[str, Any]] = {
    "event": "山洪灾害",
    "level": "red",
    "scope": "Public",
    "headline": "遂川县山洪灾害红色预警演练",
    "description": "演练情景：遂川江上游3小时降雨超过150毫米，沿江乡镇可能暴发山洪。各级责任人按预案清点人员，随时准备转移。",
    "instruction": "请按演练脚本清点沟口、沿河和地质灾害点住户，收到后回复。",
    "areas": [{"description": "遂川县", "geocodes": ["360827000000"]}],
}
_HELD_WORDS: Final[Mapping[str, Any]] = {
    "event": "雷雨大风",
    "level": "orange",
    "headline": "遂川县气象台发布雷雨大风橙色预警",
    "description": "预计未来6小时碧洲镇、龙泉江上游片区将出现10级以上雷雨大风，局地伴有冰雹。",
    "instruction": "请停止高空和水上作业，加固棚架、广告牌，人员留在室内。",
    "areas": [
        {"description": "碧洲镇", "geocodes": ["360827102000"]},
        {"description": "龙泉江上游片区"},
    ],
}
_SUBMITTED_WORDS: Final[Mapping[str, Any]] = {
    "event": "地质灾害气象风险",
    "level": "orange",
    "sender_name": "遂川县应急管理局",
    "headline": "遂川县应急管理局发布地质灾害气象风险橙色预警",
    "description": "受持续强降雨影响，预计未来12小时碧洲镇、枚江镇、雩田镇发生滑坡、崩塌的风险高。",
    "instruction": "请立即撤离切坡建房、沟口和危旧房屋里的群众，转移到村级避灾点。",
    "areas": [{"description": "碧洲镇、枚江镇、雩田镇", "geocodes": ["360827102000", "360827111000", "360827101000"]}],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Ids of warnings."""

    drill: str
    held: str
    submitted: str


def slowed(settings: Settings) -> Settings:
    """The drill's SMS so slow that somebody can watch it."""
    sms = settings.channels[Channel.SMS]
    slow = {name: {**given, **SLOW} if name == "aliyun_drill" else given for name, given in sms.items()}
    return replace(settings, channels={**settings.channels, Channel.SMS: slow})


async def put_beside(live: Serving, officer: Principal, screen: Screen) -> World:
    """`officer`: whose draft it is that waits."""
    screen.title("另放三份，各在一种状态")
    drill = await _sent(live, DRILL, _drill(live))
    screen.line(f"  演练　　正在慢慢发，约十分钟：{drill.headline}")
    held = await _sent(live, COUNTY, _written("held", _HELD_WORDS))
    why = "；".join(str(one["reason"]) for one in held.findings)
    screen.line(f"  待核　　{held.headline}（{why}）")
    kept = await draft(live.context, officer, _written("submitted", _SUBMITTED_WORDS))
    put = await submit(live.context, officer, kept.warning_id)
    screen.line(f"  待签发　{_SUBMITTED_WORDS['headline']}（{put.rows:,} 条，等签发领导）")
    return World(drill=drill.id, held=held.id, submitted=put.warning_id)


def _drill(live: Serving) -> bytes:
    letters = Letters.of(live.context.settings, exercise_id("demo", clock()), "县级桌面演练")
    step = Step(name="1", after=timedelta(), valid=timedelta(hours=3), kind=Kind.ALERT, said=_DRILL_WORDS)
    return letters.body(step, clock(), ())


def _written(name: str, words: Mapping[str, Any]) -> bytes:
    """A county's warning, as of now."""
    at = clock().astimezone(BEIJING).replace(microsecond=0)
    said = {
        "sender": _SENDER,
        "sender_name": "遂川县气象台",
        "identifier": f"{_SENDER}_{at:%Y%m%d%H%M%S}-{name}",
        "sent": at.isoformat(),
        "status": "Actual",
        "kind": "Alert",
        "scope": "Public",
        "expires": (at + timedelta(hours=6)).isoformat(),
        **words,
    }
    return json.dumps(said, ensure_ascii=False).encode()


async def _sent(live: Serving, source: str, body: bytes) -> WarningRow:
    row = await landing.handed_in(live, Parcel(routing_key=source, content_type=CONTENT_TYPE, body=body))
    if isinstance(row, Refusal):
        raise StageFailed(f"演示用的报文没有被接收：{row.reason}")
    return row
