"""What a page calls places, and whoever a message is for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dispatcher.model import Target, TargetKind, county_of, township_of
from dispatcher.registry.register import Register

KINDS: Final[Mapping[TargetKind, str]] = {
    TargetKind.OFFICER: "信息员",
    TargetKind.RESIDENT: "住户",
    TargetKind.OFFICE: "应急办",
    TargetKind.GATEWAY: "播发网关",
    TargetKind.ENDPOINT: "党建端点",
}


def named(register: Register, target: Target) -> str:
    """Officers, offices and machines by name; a resident's name stays in the database."""
    holders: Mapping[TargetKind, Mapping[str, Any]] = {
        TargetKind.OFFICER: register.officers,
        TargetKind.OFFICE: register.offices,
        TargetKind.GATEWAY: register.gateways,
        TargetKind.ENDPOINT: register.endpoints,
    }
    found = holders.get(target.kind, {}).get(target.id)
    return f"{found.name}" if found else f"编号 {target.id}"


def called(register: Register, code: str) -> str:
    """遂川县碧洲镇某村, whatever the depth; the code itself where nobody knows it."""
    own = register.areas.get(code)
    if own is None:
        return code
    above = [county_of(code), township_of(code)] if own.level == "village" else [county_of(code)]
    names = [register.areas[one].name for one in above if one in register.areas and one != code]
    return "".join([*names, own.name])
