"""What a warning's words leave to be wished for: read as people will get them; nothing is judged, held or written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dispatcher.audience.roll import roll_of
from dispatcher.intake.canonical import from_json
from dispatcher.intake.decode import decode
from dispatcher.intake.hazard import colour_note
from dispatcher.linting import Remark, Said, Spoken, spoken
from dispatcher.linting import lint as remarks_on
from dispatcher.model import Channel, Finding, Kind, WarningMessage, county_of, township_of
from dispatcher.pipeline import chaining
from dispatcher.pipeline.context import Context
from dispatcher.pipeline.freeze import called_off_as, resolve_area, with_expiry
from dispatcher.planning import NAMELESS, level_policy
from dispatcher.registry.register import Register
from dispatcher.settings import Source
from dispatcher.store.warnings import WarningRow
from dispatcher.wording import Wordsmith

SAID_OF_OLD = (Channel.SMS, Channel.BROADCAST, Channel.PARTY)
"""Whatever may have carried a warning carries its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Linted:
    """`texts`: one of every kind, with the longest name of a place; none where no level says which."""

    remarks: tuple[Remark, ...]
    texts: tuple[Spoken, ...]
    findings: tuple[Finding, ...]


async def lint(context: Context, body: bytes, content_type: str, source: Source | None) -> Linted:
    """Of bytes that may become a warning. Who is told is not looked up, so that somebody who types can ask at each pause."""
    decoded = decode(body, content_type, context.settings.hazards)
    message = decoded.message
    if message is None:
        return Linted(remarks=(), texts=(), findings=decoded.findings)
    resolved = await resolve_area(context, message, source)
    if message.kind is Kind.CANCEL:
        async with context.store.read() as tx:
            company = await chaining.company(tx, message)
        if company.told:
            message, before = called_off_as(message, company.told[-1])
            resolved = resolved if resolved.villages else before
    return read_over(context, await context.register(), message, resolved.touched, decoded.findings)


def of_kept(context: Context, register: Register, row: WarningRow) -> Linted:
    """Of a warning as it is kept, in today's wording."""
    return read_over(context, register, from_json(row.message), row.area["touched"], ())


def read_over(
    context: Context, register: Register, message: WarningMessage, touched: Iterable[str], findings: tuple[Finding, ...]
) -> Linted:
    """`message` as its issuer said it; a Cancel with the level and hazard of what it calls off."""
    settings, texts = context.settings, tuple[Spoken, ...]()
    if message.level is not None or message.kind is Kind.CANCEL:
        smith = Wordsmith(settings.wording, with_expiry(context, message))
        channels = SAID_OF_OLD if message.kind is Kind.CANCEL else level_policy(message, settings.policy).channels
        texts = spoken(smith, message, _called(register, touched), channels)
    contradictions = tuple(one for one in findings if one != colour_note(settings.hazards, message))
    said = Said(message=message, texts=texts, hazards=settings.hazards, rules=settings.lint, findings=contradictions)
    return Linted(remarks=remarks_on(said), texts=texts, findings=findings)


def _called(register: Register, villages: Iterable[str]) -> list[str]:
    """What the texts call the places of these villages, as planning does."""
    names = roll_of(register).spoken
    townships = {township_of(village) for village in villages}
    codes = townships | {county_of(township) for township in townships} | {register.city}
    return [names.get(code) or names.get(code[:6], NAMELESS) for code in codes] if townships else [NAMELESS]
