"""缩小发送对象: who of those in the area is told, and how, as the issuer may say it in CAP parameters.

`mingluo:roles`, `mingluo:groups`, `mingluo:risk_tags` are comma lists, `mingluo:reason` is text, `mingluo:sound_at_night`
and `mingluo:retraction` are true or false. A word we do not know is refused: guessing it would tell other people than the
issuer meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from dispatcher.model import GROUPS, RISK_TAGS, ROLES, Narrowing

PREFIX = "mingluo:"
_SEPARATOR = re.compile(r"[,，、]")
_ROLES = {role.value: role for role in ROLES} | {role.chinese: role for role in ROLES}
_KEYS = ("roles", "groups", "risk_tags", "reason", "sound_at_night", "retraction")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    narrowing: Narrowing
    sound_at_night: bool
    retraction: bool
    faults: tuple[str, ...]


def read(parameters: Iterable[tuple[str, str]]) -> Asked:
    said: dict[str, str] = {}
    faults: list[str] = []
    for name, value in parameters:
        if not name.startswith(PREFIX):
            continue
        key = name.removeprefix(PREFIX)
        if key not in _KEYS:
            faults.append(f"没有 {name} 这个参数，可用的是 {'、'.join(PREFIX + known for known in _KEYS)}")
        elif key in said:
            faults.append(f"{name} 写了两次")
        said[key] = value
    night, retraction = (_truth(said, key, faults) for key in ("sound_at_night", "retraction"))
    words = _words(said.get("roles", ""))
    narrowing = Narrowing(
        roles=tuple(_ROLES[word] for word in words if word in _ROLES),
        groups=_words(said.get("groups", "")),
        risk_tags=_words(said.get("risk_tags", "")),
        reason=said.get("reason", "").strip(),
    )
    faults += [f"{PREFIX}roles 里没有“{word[:40]}”这个角色" for word in words if word not in _ROLES]
    faults += unknown_words(narrowing)
    return Asked(narrowing=narrowing, sound_at_night=night, retraction=retraction, faults=tuple(faults))


def _truth(said: dict[str, str], key: str, faults: list[str]) -> bool:
    value = said.get(key, "false").strip().lower()
    if value not in ("true", "false"):
        faults.append(f"{PREFIX}{key} 只能是 true 或 false，收到“{value[:40]}”")
    return value == "true"


def unknown_words(narrowing: Narrowing) -> list[str]:
    faults = [
        f"没有“{word[:40]}”这个人群，可用的是 {'、'.join(GROUPS)}" for word in narrowing.groups if word not in GROUPS
    ]
    tags = "、".join(RISK_TAGS)
    return faults + [
        f"没有“{tag[:40]}”这个风险标签，可用的是 {tags}" for tag in narrowing.risk_tags if tag not in RISK_TAGS
    ]


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for part in _SEPARATOR.split(text) if (word := part.strip())))
