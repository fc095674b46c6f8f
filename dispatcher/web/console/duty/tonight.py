"""今夜值班单: whom a red would not reach if it left now, which signers can be reached, which gateways are silent, what is not
ready; for the whole city, or for whoever has a part of it, that part.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from aiohttp import web

from dispatcher.accounts.authority import AccountRole, Action, denial, in_person
from dispatcher.approval import is_signer
from dispatcher.audience.gaps import Gap, Gaps, Speaker, gaps_of
from dispatcher.geofence.names import below
from dispatcher.model import Gateway, Level, county_of, short_code
from dispatcher.pipeline.context import Context
from dispatcher.registry.register import Register
from dispatcher.store import accounts
from dispatcher.store.accounts import Account
from dispatcher.store.registry import gateway_proofs
from dispatcher.web import asker
from dispatcher.web.console.duty.sheet import called, sheet
from dispatcher.web.doors import Ready
from dispatcher.web.parts import parts

NAMED: Final = 12
"""Villages of a township that are named; all of them are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A county or township, and how many of its villages would miss something."""

    code: str
    name: str
    villages: int
    nobody: int
    no_phone: int
    lost: int
    mute: int
    unwatched: bool
    named: tuple[tuple[str, str], ...] = ()
    """(village, what it would miss)."""
    below: tuple[Place, ...] = ()

    @property
    def whole(self) -> bool:
        return not (self.nobody or self.no_phone or self.lost or self.mute or self.unwatched)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """`missing`: what keeps him from being reached and signing a red tonight, a few words each."""

    account: Account
    counties: tuple[str, ...]
    whole: bool
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Silent:
    """A gateway that does not answer. `instead`: the one above it that speaks for it, '' where none does."""

    gateway: Gateway
    place: str
    instead: str
    proven_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tonight:
    places: tuple[Place, ...]
    total: Place
    gaps: Gaps | None
    """Whom it would reach; None for whoever sees a part."""
    signers: tuple[Signer, ...] | None
    officers: tuple[Account, ...]
    unsigned: tuple[str, ...]
    """Counties for which nobody who is reachable may sign a red."""
    silent: tuple[Silent, ...]
    gateways: int
    ready: Ready


async def page(request: web.Request) -> web.Response:
    site, who, own = parts(request), asker.principal(request), asker.stems(request)
    context = site.doors.context
    register = await context.register()
    async with context.store.read() as tx:
        every, proofs = await accounts.every(tx), await gateway_proofs(tx)
    found = gaps_of(register)
    places = _places(register, found, own)
    signs = denial(who, Action.SHIFT) is None
    signers = tuple(_signers(context, register, every, own))
    mine = [one for one in register.gateways.values() if not own or below(one.area_code, own)]
    tonight = Tonight(
        places=places,
        total=_summed(register.city, "", places),
        gaps=None if own else found,
        signers=signers if signs else None,
        officers=tuple(one for one in every if _on_duty(one) and _meets(one, own)) if signs else (),
        unsigned=tuple(_unsigned(register, signers, own)) if signs else (),
        silent=tuple(_silent(register, one, proofs.get(one.id)) for one in mine if not one.online),
        gateways=len(mine),
        ready=await site.ready.of(site.doors.readiness),
    )
    room = "、".join(called(register, short_code(code)) for code in who.scope)
    return await sheet(request, "tonight", {"tonight": tonight, "room": room})


# ── villages ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _places(register: Register, found: Gaps, own: Sequence[str]) -> tuple[Place, ...]:
    """By county; a township is listed where something of it is missing."""
    by_township: dict[str, list[Gap]] = defaultdict(list)
    for gap in found.gaps:
        by_township[gap.township].append(gap)
    counties: dict[str, list[Place]] = defaultdict(list)
    for township, villages in sorted(found.villages.items()):
        seen = _mine(by_township[township], own) if own else by_township[township]
        if not own or below(township, own) or any(one.startswith(township) for one in own):
            counties[county_of(township)].append(_township(register, township, (villages, seen), found.unwatched))
    return tuple(
        _summed(code, called(register, code), below, unwatched=code in found.unwatched and _covers(own, code))
        for code, below in counties.items()
    )


def _mine(gaps: Sequence[Gap], own: Sequence[str]) -> list[Gap]:
    return [one for one in gaps if below(one.village, own)]


def _covers(own: Sequence[str], code: str) -> bool:
    return not own or below(code, own)


def _township(register: Register, code: str, of: tuple[int, Sequence[Gap]], unwatched: frozenset[str]) -> Place:
    villages, gaps = of
    area = register.areas.get(code)
    worst = sorted(gaps, key=lambda one: (not one.lost, not one.nobody, one.village))[:NAMED]
    return Place(
        code=code,
        name=area.name if area else code,
        villages=villages,
        nobody=sum(one.nobody for one in gaps),
        no_phone=sum(one.no_phone for one in gaps),
        lost=sum(one.lost for one in gaps),
        mute=sum(one.speaker is not Speaker.SOUNDS for one in gaps),
        unwatched=code in unwatched,
        named=tuple((_village(register, one.village), _missing(one)) for one in worst),
    )


def _village(register: Register, code: str) -> str:
    area = register.areas.get(code)
    return area.name if area else code


def _missing(gap: Gap) -> str:
    """One sentence of a table, so that it can be said in another language."""
    person = "没有人可通知" if gap.nobody else "信息员没有号码" if gap.no_phone else ""
    speaker = {Speaker.SOUNDS: "", Speaker.LOST: "大喇叭失联", Speaker.NONE: "没有大喇叭"}[gap.speaker]
    if person and speaker:
        return "没有人可通知，大喇叭也不响" if gap.nobody else "信息员没有号码，大喇叭也不响"
    return person or speaker


def _summed(code: str, name: str, places: Sequence[Place], *, unwatched: bool = False) -> Place:
    return Place(
        code=code,
        name=name,
        villages=sum(one.villages for one in places),
        nobody=sum(one.nobody for one in places),
        no_phone=sum(one.no_phone for one in places),
        lost=sum(one.lost for one in places),
        mute=sum(one.mute for one in places),
        unwatched=unwatched,
        below=tuple(places),
    )


# ── people ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _signers(context: Context, register: Register, every: Sequence[Account], own: Sequence[str]) -> list[Signer]:
    """Leaders, those who can be reached first."""
    counties = _counties(register)
    found = []
    for one in every:
        if one.role != AccountRole.APPROVER or one.disabled_at is not None or not _meets(one, own):
            continue
        signs = [code for code in counties if denial(in_person(one), Action.APPROVE, [code]) is None]
        names = tuple(called(register, code) for code in signs)
        whole = len(signs) == len(counties)
        found.append(Signer(account=one, counties=names, whole=whole, missing=_lacks(context, one, signs)))
    return sorted(found, key=lambda one: (len(one.missing), one.account.login))


def _lacks(context: Context, one: Account, signs: Sequence[str]) -> tuple[str, ...]:
    phone = bool(one.phone and context.seal.open(one.phone))
    approval = context.settings.policy.approval
    found = (
        ("不在班", not one.on_duty),
        ("没有登记手机号，通知不到", not phone),
        ("没有设好密码和验证码，登录不了", not one.ready),
        ("不是红色预警的指定签发人", not is_signer(approval, Level.RED, one.login)),
        ("管辖不到一个整县", not signs),
    )
    return tuple(words for words, missing in found if missing)


def _unsigned(register: Register, signers: Sequence[Signer], own: Sequence[str]) -> list[str]:
    """Counties where nobody who can be reached may sign; and the city, which needs one who may sign for all of it."""
    able = [one for one in signers if not one.missing]
    city = [] if own or any(one.whole for one in able) else ["全市（须有一人能签各县）"]
    signed = {name for one in able for name in one.counties}
    names = [called(register, code) for code in _counties(register) if _covers(own, code)]
    return [*city, *(name for name in names if name not in signed)]


def _counties(register: Register) -> list[str]:
    return sorted({county_of(code) for code in register.geofence.village_codes})


def _on_duty(one: Account) -> bool:
    return one.role == AccountRole.DUTY_OFFICER and one.on_duty and one.disabled_at is None


def _meets(one: Account, own: Sequence[str]) -> bool:
    return not own or denial(in_person(one), Action.LOOK, own) is None


# ── machines ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _silent(register: Register, gateway: Gateway, proven_at: datetime | None) -> Silent:
    above, seen, instead = gateway.parent, set[str](), ""
    while above in register.gateways and above not in seen and not instead:
        seen.add(above)
        one = register.gateways[above]
        instead = one.name if one.online else ""
        above = one.parent
    return Silent(
        gateway=gateway, place=called(register, short_code(gateway.area_code)), instead=instead, proven_at=proven_at
    )
