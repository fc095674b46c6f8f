"""The words: levels, kinds, channels, lanes, roles, posts, reasons. Enums and their Chinese."""

from __future__ import annotations

from datetime import timedelta, timezone
from enum import IntEnum, StrEnum

BEIJING = timezone(timedelta(hours=8), "Asia/Shanghai")


class Level(StrEnum):
    """预警级别. The colour is the stored truth; a CAP severity is derived from it."""

    RED = "red"
    ORANGE = "orange"
    YELLOW = "yellow"
    BLUE = "blue"

    @property
    def rank(self) -> int:
        """1 (highest, Ⅰ) to 4."""
        return _RANKS[self]

    @property
    def chinese(self) -> str:
        return "红橙黄蓝"[self.rank - 1] + "色"

    @property
    def roman(self) -> str:
        return "ⅠⅡⅢⅣ"[self.rank - 1]


_RANKS = {Level.RED: 1, Level.ORANGE: 2, Level.YELLOW: 3, Level.BLUE: 4}


class Status(StrEnum):
    """CAP status. Exercise is a drill; System, Test and Draft are recorded and never sent outside rehearsal."""

    ACTUAL = "Actual"
    EXERCISE = "Exercise"
    SYSTEM = "System"
    TEST = "Test"
    DRAFT = "Draft"


class Kind(StrEnum):
    """CAP msgType."""

    ALERT = "Alert"
    UPDATE = "Update"
    CANCEL = "Cancel"
    ACK = "Ack"
    ERROR = "Error"


class Scope(StrEnum):
    """CAP scope. Restricted: no residents, broadcast or party platform. Private: held."""

    PUBLIC = "Public"
    RESTRICTED = "Restricted"
    PRIVATE = "Private"


class Channel(StrEnum):
    """发布渠道: a way to reach somebody. Priority is a Lane, never a channel."""

    SMS = "sms"
    VOICE = "voice"
    BROADCAST = "broadcast"
    PARTY = "party"

    @property
    def chinese(self) -> str:
        return _CHANNEL_CHINESE[self]


_CHANNEL_CHINESE = {
    Channel.SMS: "短信",
    Channel.VOICE: "电话",
    Channel.BROADCAST: "大喇叭",
    Channel.PARTY: "党建平台",
}


class Lane(IntEnum):
    """Priority of a send: a smaller number overtakes at once."""

    CORRECTION = 0
    RED = 1
    ORANGE = 2
    YELLOW = 3
    BLUE = 4
    DRILL = 5
    NOTICE = 6


class TargetKind(StrEnum):
    """Who or what is told; the value is the first part of a target's name (`officer-JA00001`)."""

    OFFICER = "officer"
    RESIDENT = "resident"
    OFFICE = "office"
    GATEWAY = "gateway"
    ENDPOINT = "endpoint"


class Role(StrEnum):
    """多员合一: the roles one disaster information officer may hold together, and the posts round them."""

    DISASTER_INFO = "disaster_info"
    FLOOD_GEO_MONITOR = "flood_geo_monitor"
    RESERVOIR_KEEPER = "reservoir_keeper"
    FOREST_RANGER = "forest_ranger"
    FIRE_GRID = "fire_grid"
    TRANSFER_LEADER = "transfer_leader"
    TOWN_CHIEF = "town_chief"
    DUTY_ROOM = "duty_room"
    PARK_SAFETY = "park_safety"

    @property
    def chinese(self) -> str:
        return ROLE_CHINESE[self]


ROLE_CHINESE = {
    Role.DISASTER_INFO: "灾害信息员",
    Role.FLOOD_GEO_MONITOR: "山洪地质灾害群测群防员",
    Role.RESERVOIR_KEEPER: "水库安全管理员",
    Role.FOREST_RANGER: "护林员",
    Role.FIRE_GRID: "消防网格员",
    Role.TRANSFER_LEADER: "转移负责人",
    Role.TOWN_CHIEF: "乡镇主要负责人",
    Role.DUTY_ROOM: "应急办值班室",
    Role.PARK_SAFETY: "园区安监站",
}

ROLES = tuple(Role)
"""A role's place here is its bit in a stored mask."""

GROUPS = ("独居老人", "残疾人", "留守儿童", "孕产妇")
"""Resident groups; a group's place here is its bit in a stored mask."""

RISK_TAGS = ("山洪危险区", "地质灾害隐患点", "水库下游", "林缘")
"""Risk tags of a home; a tag's place here is its bit in a stored mask."""


class Post(StrEnum):
    """岗位: A角, B角, and the posts of which a unit has one."""

    A = "A"
    B = "B"
    CHIEF = "chief"
    DUTY = "duty"
    TRANSFER = "transfer"


class Why(IntEnum):
    """Why a target is on the list: one byte, stored with it, so that `mingluo why` answers from the ledger."""

    VILLAGE_POST = 1
    HOME_INSIDE = 2
    TOUCHED_POST = 3
    TOWNSHIP_DUTY = 4
    COUNTY_DUTY = 5
    CITY_DUTY = 6
    RESIDENT_HOME = 7
    GATEWAY_COVERS = 8
    GATEWAY_STANDS_IN = 9
    BRANCHES_INSIDE = 10
    SUBSCRIPTION = 11
    REACHED_BEFORE = 12
    FORMER = 13

    @property
    def chinese(self) -> str:
        return _WHY_CHINESE[self]


_WHY_CHINESE = {
    Why.VILLAGE_POST: "所负责的村在预警区域内",
    Why.HOME_INSIDE: "住处在预警区域内",
    Why.TOUCHED_POST: "所负责的村有住户在预警区域内",
    Why.TOWNSHIP_DUTY: "预警区域所属乡镇的值班岗位",
    Why.COUNTY_DUTY: "预警区域所属县（市、区）的值班岗位",
    Why.CITY_DUTY: "全市各县均受影响，市级值班岗位",
    Why.RESIDENT_HOME: "住户位置在预警区域内",
    Why.GATEWAY_COVERS: "播发网关覆盖预警区域内的村",
    Why.GATEWAY_STANDS_IN: "下级网关失联，由上级网关代播",
    Why.BRANCHES_INSIDE: "党建平台在预警区域内有党支部",
    Why.SUBSCRIPTION: "订阅了该区域、该灾种、该级别",
    Why.REACHED_BEFORE: "此前版本已通知到本人",
    Why.FORMER: "此前版本已通知到本人，更新后已不在预警区域内",
}
