"""Who may send us warnings, from which door, and by what his word is proven.

What is pushed to us is proven by a signature. A feed that we poll bears none: there the proof is the certificate of a host,
so it is believed only over https, from hosts that were named one by one, in the name of senders that were named one by one,
and from a source that has no other door.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class Feed(BaseModel):
    """An upstream feed of CAP, Atom or RSS, that is polled.

    `hosts`: whom its documents may lie with; the feed's own host always. `only`: area codes, or what an area's description
    must contain: what the feed plainly says to be elsewhere is not fetched. `max_entries`: the newest so many are looked at.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    every_s: float = Field(default=60, ge=1, le=900)
    timeout_s: float = Field(default=10, gt=0, le=60)
    max_entries: int = Field(default=200, ge=1, le=2000)
    hosts: tuple[str, ...] = ()
    only: tuple[str, ...] = ()

    @property
    def host(self) -> str:
        """'' where the address has none."""
        try:
            return urlsplit(self.url).hostname or ""
        except ValueError:
            return ""

    @property
    def pinned(self) -> frozenset[str]:
        return frozenset({self.host, *(host.lower() for host in self.hosts)})

    @property
    def scheme(self) -> str:
        return self.url.partition("://")[0].lower()


class Source(BaseModel):
    """Who may send us warnings. A routing key is no proof of who speaks; a signature is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    doors: tuple[Literal["amqp", "http", "cli", "feed"], ...] = ("amqp", "http", "cli")
    token: SecretStr | None = None
    secret: SecretStr | None = None
    signed: bool = False
    trusted: bool = False
    area_prefixes: tuple[str, ...] = Field(min_length=1)
    senders: tuple[str, ...] = ()
    amqp_user: str | None = None
    drill_only: bool = False
    feed: Feed | None = None


CONSOLE = "console"
"""The source of what an officer writes at the console. It stands in no file, so that nobody comes in by its name."""


def contradictions(source: Source, *, production: bool) -> Iterator[str]:
    """What no single key shows to be wrong, one sentence each."""
    if source.signed and source.secret is None:
        yield "标为 signed，却没有 secret"
    if source.feed is not None:
        yield from _of_feed(source, source.feed, production=production)
    elif "feed" in source.doors:
        yield "doors 里有 feed，却没有写 feed: {url: …}"
    elif production and source.trusted and not source.signed:
        yield "标为 trusted 却不是 signed：正式环境里只有签名能证明是谁在说话"
    if production and "amqp" in source.doors and not (source.signed or source.amqp_user):
        yield "从 amqp 进来，却既没有签名也没有 amqp_user：请写它在 RabbitMQ 的用户名，或去掉 amqp（doors: [http]）"


def _of_feed(source: Source, feed: Feed, *, production: bool) -> Iterator[str]:
    if "feed" not in source.doors:
        yield "写了 feed，doors 里却没有 feed：请写 doors: [feed]"
    if source.signed:
        yield "上游目录不带签名，feed 和 signed 不能同时用：推送来的请另立一个来源"
    if not feed.host or feed.scheme not in ("http", "https"):
        yield "feed.url 应是 https://主机/路径"
    elif production and feed.scheme != "https":
        yield "feed.url 在正式环境里必须是 https"
    elif production and _is_this_machine(feed.host):
        yield "feed.url 在正式环境里不能指向本机"
    if production and source.trusted:
        yield from _unproven(source, feed)


def _unproven(source: Source, feed: Feed) -> Iterator[str]:
    """A certificate proves a host, not whose warning it hands on, and not what comes in by another door."""
    if source.doors != ("feed",):
        yield "标为 trusted 的上游目录只能有 feed 这一个入口：请写 doors: [feed]"
    if feed.host not in {host.lower() for host in feed.hosts}:
        yield f"标为 trusted 的上游目录须逐个写明信任哪些主机：请写 feed.hosts: [{feed.host}]"
    if not source.senders:
        yield "标为 trusted 的上游目录须逐个写明信任谁的预警（senders）：证书只证明是哪台主机在说话"


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
