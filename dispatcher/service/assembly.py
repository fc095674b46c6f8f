"""Settings → the parts of a running service, each made once."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import structlog

from channels.addresses import Guard, Network, networks
from channels.apart import shared
from channels.catalog import BadSettings, build, check
from channels.contract import Asks, NotConfigured
from channels.pacing import Paced
from channels.transport import Transport
from dispatcher import wording
from dispatcher.broker.contract import GAVE_UP, Broker, Inbound, Node
from dispatcher.broker.embedded import EmbeddedBroker
from dispatcher.broker.rabbit import RabbitBroker
from dispatcher.model import Channel
from dispatcher.pipeline.accept import Incoming, put_aside
from dispatcher.pipeline.context import Context
from dispatcher.polling.fetching import Fetcher
from dispatcher.sending.calling import Wire
from dispatcher.sending.dispatch import Dispatcher, Identity
from dispatcher.sending.live import Desk
from dispatcher.service.addressing import AddressBook
from dispatcher.service.keys import prove, seal_homes, seal_of
from dispatcher.settings import BadConfiguration, Hazards, Settings
from dispatcher.store import nodes
from dispatcher.store.engine import open_store

CALLBACKS = "/api/v1/callbacks"
EBM_SCHEMES = ("NERP", "GBT35561")  # GD/J 082 packs 11B06 in its own sample; the other where there is none
ANY_EVENT = "00000"

log = structlog.get_logger()


def clock() -> datetime:
    """The only place that reads it."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Providers:
    """Those switched on, by channel and name; why the others are off."""

    on: Mapping[tuple[Channel, str], Paced]
    off: Mapping[tuple[Channel, str], str]
    drills: frozenset[tuple[Channel, str]]
    """Of all these, those for drills."""

    def wires(self) -> dict[tuple[Channel, bool], list[Wire]]:
        """By channel and side (a drill's or live): the first provider is the one that sends; the others are its reserves, in
        that order. No provider is on both sides, and none of one side is ever the other's reserve."""
        found: dict[tuple[Channel, bool], list[Wire]] = {}
        for (channel, name), paced in self.on.items():
            settings = paced.settings
            wire = Wire(
                name=name,
                way=paced,
                in_flight=settings.in_flight,
                window=settings.window,
                timeout_s=settings.timeout_s,
                rate=settings.rate,
                look_up=settings.look_up,
                drill=paced.drill,
            )
            found.setdefault((channel, paced.drill), []).append(wire)
        return found

    def askers(self) -> dict[tuple[Channel, bool], tuple[Asks, float]]:
        """By channel and side: the first that is asked what became of its messages, and how long it is waited for first."""
        found: dict[tuple[Channel, bool], tuple[Asks, float]] = {}
        for (channel, _), paced in self.on.items():
            if paced.asks is not None and paced.settings.follow:
                found.setdefault((channel, paced.drill), (paced.asks, paced.settings.follow_after_s))
        return found

    def pagers(self) -> dict[bool, Paced]:
        """By whether it is a drill's: the SMS provider by which whoever has to sign is paged, the first of its side."""
        found: dict[bool, Paced] = {}
        for (channel, _), paced in self.on.items():
            if channel is Channel.SMS:
                found.setdefault(paced.drill, paced)
        return found

    def channels(self, *, drill: bool) -> frozenset[Channel]:
        """Those by which a drill, or what is real, can leave."""
        return frozenset(channel for (channel, _), paced in self.on.items() if paced.drill is drill)

    def why_off(self, channel: Channel, *, drill: bool) -> list[str]:
        return [why for key, why in self.off.items() if key[0] is channel and (key in self.drills) is drill]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What `Service` runs."""

    settings: Settings
    context: Context
    broker: Broker
    dispatcher: Dispatcher
    desk: Desk
    book: AddressBook
    providers: Providers
    transport: Transport
    fetcher: Fetcher


async def open_context(settings: Settings, now: Callable[[], datetime] = clock) -> Context:
    """Database, seal and register: enough for every command that does not send."""
    wording.check(settings.wording)
    store = open_store(settings.service.database_url)
    seal = seal_of(settings)
    await prove(store, seal)
    await seal_homes(store, seal)
    return Context(settings=settings, store=store, seal=seal, now=now)


async def assemble(context: Context, public_url: str, loopback_only: bool) -> Parts:
    """Everything that sends, not started yet. Raises BadConfiguration with every fault in channels.yaml."""
    settings, store = context.settings, context.store
    await _refuse_synthetic(context)
    transport = Transport(
        loopback_only=loopback_only,
        loopback=not settings.production,
        allow=_intranet(settings.service.intranet),
        may_leave=lambda: dispatcher.lease.holds,  # nobody asks before it is there
    )
    providers = providers_of(settings, transport, public_url)
    for (channel, name), why in providers.off.items():
        say = log.info if (channel, name) in providers.drills else log.warning
        say("一个发送接口没有启用", channel=channel, provider=name, why=why)
    async with store.begin() as tx:
        epoch = await nodes.enter(tx, settings.service.node, context.now())
    desk = Desk(settings.policy, settings.service.sender_name, partial(event_code_of, settings.hazards))
    identity = Identity(node=settings.service.node, epoch=epoch)
    dispatcher = Dispatcher(store, identity, desk, context.now, random.SystemRandom().random)
    book = AddressBook(store, context.seal)
    dispatcher.connect(providers.wires(), book.find)
    context.make_way, context.wake, context.ended = dispatcher.make_way, dispatcher.wake, dispatcher.end
    context.drill_channels = providers.channels(drill=True)
    return Parts(
        settings=settings,
        context=context,
        broker=broker_of(context),
        dispatcher=dispatcher,
        desk=desk,
        book=book,
        providers=providers,
        transport=transport,
        fetcher=fetcher_of(settings, loopback_only=loopback_only),
    )


def fetcher_of(settings: Settings, *, loopback_only: bool = False) -> Fetcher:
    """What an upstream feed lists is a third party's word, and so are the addresses its host's name leads to."""
    return Fetcher(
        Guard(
            loopback_only=loopback_only,
            loopback=not settings.production,
            stranger=True,
            allow=_intranet(settings.service.intranet),
        )
    )


def event_code_of(hazards: Hazards, message: Mapping[str, Any]) -> str:
    """The five characters an emergency-broadcasting packet carries, from a stored message, whichever family named it."""
    hazard = message.get("hazard") or {}
    known = hazards.named(str(hazard.get("name") or ""))
    codes = known.codes if known else {}
    return next((codes[scheme] for scheme in EBM_SCHEMES if scheme in codes), str(hazard.get("code") or ANY_EVENT))


def providers_of(settings: Settings, transport: Transport, public_url: str) -> Providers:
    """Built and not started: nothing is called. Raises BadConfiguration with every fault in channels.yaml."""
    on: dict[tuple[Channel, str], Paced] = {}
    off: dict[tuple[Channel, str], str] = {}
    drills: set[tuple[Channel, str]] = set()
    faults = []
    for channel, named in settings.channels.items():
        for name, given in named.items():
            try:
                whole = {**_our_codes(settings, channel), **given}
                if check(channel, name, whole)[1].drill:
                    drills.add((channel, name))
                on[channel, name] = build(channel, name, whole, transport, public_url + CALLBACKS)
            except NotConfigured as why:
                off[channel, name] = str(why)
            except BadSettings as error:
                faults.append(f"channels.yaml: {error}")
    faults += _shared_secrets(on)
    if faults:
        raise BadConfiguration("\n".join(faults))
    return Providers(on=on, off=off, drills=frozenset(drills))


def _shared_secrets(on: Mapping[tuple[Channel, str], Paced]) -> list[str]:
    """A drill by the account of what is real: one wrong number, and people are woken for nothing, or by nobody."""
    return [
        f"channels.yaml: {channel}.{name}.{key}: 演练接口与实战接口 {other}.{its_name} 用了同一个，演练须有自己的账户和密钥"
        for (channel, name), drill in on.items()
        if drill.drill
        for (other, its_name), live in on.items()
        if not live.drill
        for key in shared(drill.settings, live.settings)
    ]


def _our_codes(settings: Settings, channel: Channel) -> dict[str, str]:
    """What a packet says of its sender stands once, in service.yaml."""
    if channel is not Channel.BROADCAST:
        return {}
    return {"ebrid": settings.service.platform_ebrid, "sender_code": settings.service.sender_code}


def _intranet(given: tuple[str, ...]) -> tuple[Network, ...]:
    try:
        return networks(list(given))
    except ValueError as error:
        raise BadConfiguration(f"service.yaml: intranet: {error}") from error


def broker_of(context: Context) -> Broker:
    async def seen(name: str) -> None:
        async with context.store.begin() as tx:
            await nodes.canary_seen(tx, name, context.now())

    async def gave_up(inbound: Inbound, reason: str) -> None:
        await put_aside(context, incoming_of(inbound, context.settings), GAVE_UP, reason)

    service = context.settings.service
    node = Node(name=service.node, clock=context.now, seen=seen, gave_up=gave_up)
    if service.broker_url.startswith("embedded:"):
        return EmbeddedBroker(context.store, node)
    if service.broker_url.startswith(("amqp://", "amqps://")):
        return RabbitBroker(service.broker_url, node)
    raise BadConfiguration(
        f"service.yaml: broker_url: {service.broker_url.partition(':')[0]} 不支持，用 embedded:// 或 amqp://"
    )


def incoming_of(inbound: Inbound, settings: Settings) -> Incoming:
    """On RabbitMQ a header is what any sender writes: only the embedded inbox, which is our own file, is believed."""
    embedded = settings.service.broker_url.startswith("embedded:")
    by_hand = embedded and inbound.headers.get("x-mingluo-door") == "cli"
    return Incoming(
        door="cli" if by_hand else "amqp",
        source=inbound.routing_key,
        content_type=inbound.content_type,
        body=inbound.body,
        headers=inbound.headers,
        user_id=inbound.user_id,
    )


async def _refuse_synthetic(context: Context) -> None:
    if context.settings.production and (await context.register()).synthetic:
        raise BadConfiguration("正式环境里不能用合成数据：请用 mingluo registry import 导入真实的登记册")


async def close(parts: Parts) -> None:
    await parts.fetcher.close()
    await parts.transport.close()
    await parts.context.store.close()
