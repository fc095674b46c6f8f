"""What the resolution of an area cost and came to, measured once more on a copy of the message, outside the run itself."""

from __future__ import annotations

import time
from dataclasses import dataclass

from dispatcher.audience import gather, nearest_outside
from dispatcher.intake.decode import decode
from dispatcher.model import Audience, Officer, Outside, Role, TargetKind
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.freeze import resolve_area
from dispatcher.registry.register import Register

NEAREST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """`informants`: 灾害信息员 by role; `officers`: everybody on the list who holds a post, those included."""

    ms: float
    villages: int
    officers: int
    informants: int
    residents: int
    outside: tuple[Outside, ...]

    @staticmethod
    def none(villages: int) -> Resolution:
        return Resolution(ms=0.0, villages=villages, officers=0, informants=0, residents=0, outside=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """Bytes as they went in, and who sent them."""

    body: bytes
    content_type: str
    source: str


async def resolution(context: Context, letter: Letter) -> Resolution:
    """From a readable message to the finished list, in memory; nothing is written."""
    message = decode(letter.body, letter.content_type, context.settings.hazards).message
    assert message is not None
    register = await context.register()
    began = time.perf_counter()
    resolved = await resolve_area(context, message, context.settings.sources.get(letter.source))
    audience = gather(register, resolved, message)
    took = (time.perf_counter() - began) * 1000
    told = officers_told(register, audience)
    return Resolution(
        ms=round(took, 1),
        villages=len(resolved.villages),
        officers=len(told),
        informants=sum(officer.has(Role.DISASTER_INFO) for officer in told),
        residents=len(audience.residents.id),
        outside=nearest_outside(register, resolved, message.areas, NEAREST),
    )


def officers_told(register: Register, audience: Audience) -> list[Officer]:
    return [
        register.officers[member.target.id]
        for member in audience.members
        if member.target.kind is TargetKind.OFFICER
    ]  # fmt: skip
