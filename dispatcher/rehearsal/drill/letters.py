"""A step → the message that goes in: native JSON, Exercise, 演练 in its headline, the exercise's id in its note."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from dispatcher.model import BEIJING, Kind, Status
from dispatcher.settings import Settings

MARK: Final = "【演练】"
FILLED: Final = frozenset(
    {
        "sender",
        "identifier",
        "sent",
        "status",
        "kind",
        "references",
        "note",
        "effective",
        "onset",
        "expires",
        "addresses",
    }
)
"""Keys of native JSON that the player alone writes."""
_NAMED_BY_A_CANCEL: Final = ("sender_name", "event")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """`said`: what the message says, with what it takes over from the one it follows; `of`: the names of that chain,
    oldest first."""

    name: str
    after: timedelta
    valid: timedelta
    kind: Kind
    said: Mapping[str, Any]
    of: tuple[str, ...] = ()

    @staticmethod
    def following(before: Step | None, **new: Any) -> Step:
        """An update says again what it does not change; a cancel only names what it ends."""
        if before is None:
            return Step(**new)
        kept = _NAMED_BY_A_CANCEL if new["kind"] is Kind.CANCEL else before.said
        said = {name: before.said[name] for name in kept if name in before.said}
        if new["kind"] is Kind.CANCEL:
            said["headline"] = f"解除{before.said.get('event', '')}预警"
        return Step(**{**new, "said": {**said, **new["said"]}}, of=(*before.of, before.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What went in for a step: what a later one refers to."""

    step: Step
    identifier: str
    at: datetime
    body: bytes


def exercise_id(name: str, now: datetime) -> str:
    """No two plays share one, however soon they follow each other."""
    return f"DRILL-{now.astimezone(BEIJING):%Y%m%d%H%M%S}-{name}-{secrets.token_hex(2)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letters:
    """One exercise."""

    exercise: str
    title: str
    sender: str
    sender_name: str

    @staticmethod
    def of(settings: Settings, exercise: str, title: str) -> Letters:
        service = settings.service
        return Letters(exercise=exercise, title=title, sender=service.sender_code, sender_name=service.sender_name)

    def sent(self, step: Step, at: datetime, before: Sequence[Sent]) -> Sent:
        """`before`: what went in so far; what the step follows is found there."""
        chain = [one for one in before if one.step.name in step.of]
        return Sent(step=step, identifier=self._identifier(step), at=at, body=self.body(step, at, chain))

    def body(self, step: Step, at: datetime, chain: Sequence[Sent]) -> bytes:
        """`at`: when it says it was sent, to the second."""
        message = {
            "sender_name": self.sender_name,
            **step.said,
            "sender": self.sender,
            "identifier": self._identifier(step),
            "sent": _stamp(at),
            "status": Status.EXERCISE,
            "kind": step.kind,
            "expires": _stamp(at + step.valid),
            "headline": MARK + str(step.said.get("headline", "")).removeprefix(MARK),
            "note": f"演练编号 {self.exercise}，剧本“{self.title}”。这是演练，不是真实预警。",
            "references": [
                {"sender": self.sender, "identifier": one.identifier, "sent": _stamp(one.at)} for one in chain
            ],
        }
        return json.dumps(message, ensure_ascii=False).encode()

    def _identifier(self, step: Step) -> str:
        return f"{self.exercise}-{step.name}"


def _stamp(at: datetime) -> str:
    return at.astimezone(BEIJING).isoformat(timespec="seconds")
