"""Why somebody is or is not on the list, in one Chinese sentence; and who stands just outside the area.

The rule is asked, never told a second time: who would be on the list without a narrowing, where homes and posts lie.
"""

from __future__ import annotations

from typing import assert_never

import numpy as np

from dispatcher.audience.gathering import gather
from dispatcher.audience.listing import Ground, ground, officers
from dispatcher.audience.machines import mismatch, span_of
from dispatcher.audience.roll import COUNTY_POSTS, NO_PHONE, Roll, among, roll_of
from dispatcher.geofence import Resolved
from dispatcher.model import (
    Area,
    Audience,
    Narrowing,
    Outside,
    PostHeld,
    Scope,
    Target,
    TargetKind,
    WarningMessage,
    Why,
    short_code,
    township_of,
)
from dispatcher.registry.register import Register

_INTERNAL = "未通知：本预警限定范围发布，不通知住户、喇叭和党建平台"
_UNKNOWN = "登记册里没有这个对象：请核对编号"
_POSTS_SAID = 2


def why_not(register: Register, resolved: Resolved, message: WarningMessage, target: Target) -> str:
    """Told by which rule, or not told because … (by the register of now; the ledger knows what was done)."""
    audience = gather(register, resolved, message)
    told = next((member for member in audience.members if member.target == target), None)
    if told is not None:
        return f"已列入名单：{told.why.chinese}"
    roll = roll_of(register)
    over = ground(roll, resolved, message.areas)
    match target.kind:
        case TargetKind.OFFICER:
            return _officer(roll, over, resolved, message, target.id)
        case TargetKind.RESIDENT:
            return _resident(roll, audience, resolved, message, target.id)
        case TargetKind.OFFICE:
            return _office(roll, over, message, target.id)
        case TargetKind.GATEWAY | TargetKind.ENDPOINT:
            return _machine(roll, over, message, target.id)
        case _:
            assert_never(target.kind)


def nearest_outside(register: Register, resolved: Resolved, areas: tuple[Area, ...], count: int) -> tuple[Outside, ...]:
    """The officers nearest to the area of those it does not reach, and why it does not."""
    roll = roll_of(register)
    told = officers(roll, ground(roll, resolved, areas), Narrowing())
    others = np.flatnonzero(~told.named)
    far = register.geofence.distance_km(areas, resolved, roll.home_lat[others], roll.home_lon[others])
    nearest = np.argsort(far, kind="stable")[:count]
    return tuple(
        Outside(
            officer_id=roll.officers[row].id,
            name=roll.officers[row].name,
            area_name=_called(register, roll.officers[row].home_code),
            distance_km=round(km, 3),
            reason=f"未通知：{_beyond(roll, resolved, row, km)}",
        )
        for row, km in zip(others[nearest].tolist(), far[nearest].tolist(), strict=True)
    )


def _officer(roll: Roll, over: Ground, resolved: Resolved, message: WarningMessage, officer_id: str) -> str:
    row = roll.row.get(officer_id)
    if row is None:
        return _UNKNOWN
    told = officers(roll, over, message.narrowing)
    if told.named[row]:
        same = [other for other in roll.officers_of_phone.get(int(roll.phone[row]), ()) if other in told.rows]
        if same:
            return f"未另发：与{roll.officers[same[0]].name}同一号码，合并为一条"
        wanted = "、".join(role.chinese for role in message.narrowing.roles)
        return f"未通知：本次只通知{wanted}，此人没有这些职责"
    far = roll.fence.distance_km(message.areas, resolved, roll.home_lat[[row]], roll.home_lon[[row]])
    return f"未通知：{_beyond(roll, resolved, row, float(far[0]))}"


def _beyond(roll: Roll, resolved: Resolved, row: int, km: float) -> str:
    """Where the home and the posts of somebody outside lie."""
    officer = roll.officers[row]
    home = f"住处在预警区域外约{km:.1f}公里" if np.isfinite(km) else "住处不在预警区域内"
    held = [post for post in roll.register.posts if post.officer_id == officer.id]
    posts = dict.fromkeys(_post(roll.register, resolved, post) for post in held)
    return "；".join([home, *list(posts)[:_POSTS_SAID]] if posts else [home, "也没有担任岗位"])


def _post(register: Register, resolved: Resolved, held: PostHeld) -> str:
    code = short_code(held.area_code)
    place = _called(register, code)
    if code == register.city:
        return "市级岗位只在各县全部受影响时通知"
    if len(code) == 6 and code in resolved.counties and held.post not in COUNTY_POSTS:
        return "县级只通知值班室和A、B角"
    if code in resolved.touched:
        return f"所负责的{place}只与区域边缘相接，区内没有已登记的住户"
    return f"所负责的{place}不在预警区域内"


def _resident(roll: Roll, audience: Audience, resolved: Resolved, message: WarningMessage, resident_id: str) -> str:
    residents = roll.register.residents
    if not resident_id.isdecimal():
        return _UNKNOWN
    if (audience.residents.id == int(resident_id)).any():
        return f"已列入名单：{Why.RESIDENT_HOME.chinese}"
    at = np.flatnonzero(residents.id == int(resident_id))
    if not len(at):
        return "未通知：不在可通知的名册里，未登记或已退订"
    if message.scope is not Scope.PUBLIC:
        return _INTERNAL
    over = ground(roll, resolved, message.areas)
    if at[0] in over.residents_home:
        return _left_out(roll, audience, message.narrowing, int(at[0]))
    far = roll.fence.distance_km(message.areas, resolved, residents.lat[at] / 1e7, residents.lon[at] / 1e7)
    return f"未通知：住处在预警区域外约{far[0]:.1f}公里"


def _left_out(roll: Roll, audience: Audience, narrowing: Narrowing, row: int) -> str:
    """A home inside, and yet not on the list: another with the same phone is, or the warning was narrowed."""
    residents = roll.register.residents
    phone = int(residents.phone_index[row])
    same = residents.id[residents.phone_index == phone] if phone != NO_PHONE else residents.id[:0]
    officers = {roll.officers[number].id for number in roll.officers_of_phone.get(phone, ())}
    offices = {office.id for office in roll.register.offices.values() if office.phone_index == phone != NO_PHONE}
    people = officers | offices
    if among(same, audience.residents.id).any() or any(member.target.id in people for member in audience.members):
        return "未另发：同一号码已在名单上，合并为一条"
    return f"未通知：本次只通知{'、'.join((*narrowing.groups, *narrowing.risk_tags))}，此户不在其列"


def _office(roll: Roll, over: Ground, message: WarningMessage, office_id: str) -> str:
    office = roll.register.offices.get(office_id)
    if office is None:
        return _UNKNOWN
    mine = [one for one in roll.register.subscriptions if one.office_id == office_id]
    if not mine:
        return "未通知：没有订阅任何区域"
    hit = [one for one in mine if any(over.hit[span_of(roll, code)].any() for code in one.area_codes)]
    if not hit:
        return "未通知：所订阅的区域都不在预警区域内"
    reasons = [mismatch(one, message) for one in hit]
    if all(reasons):
        return f"未通知：{reasons[0]}"
    return "未另发：值班电话已在名单上，合并为一条"


def _machine(roll: Roll, over: Ground, message: WarningMessage, machine_id: str) -> str:
    gateway, endpoint = roll.register.gateways.get(machine_id), roll.register.endpoints.get(machine_id)
    if gateway is None and endpoint is None:
        return _UNKNOWN
    if message.scope is not Scope.PUBLIC:
        return _INTERNAL
    if gateway is None:
        return "未通知：在预警区域内没有党支部"
    if not over.hit[roll.fence.indices(sorted(gateway.villages))].any():
        return "未通知：在预警区域内没有终端"
    return "未通知：其终端所在的村已由别的网关播发，不重复播出" if gateway.online else "未通知：网关失联"


def _called(register: Register, code: str) -> str:
    """A village with its township's name before it, a township with its county's."""
    short = short_code(code)
    above = township_of(short) if len(short) == 12 else short[:6] if len(short) == 9 else ""
    names = [register.areas[one].name for one in (above, short) if one in register.areas]
    return "".join(names) or code
