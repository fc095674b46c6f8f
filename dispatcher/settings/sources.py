"""Who may send us warnings, and by what his word is proven."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict, SecretStr


class Source(BaseModel):
    """Who may send us warnings. A routing key is no proof of who speaks; a signature is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    doors: tuple[Literal["amqp", "http", "cli"], ...] = ("amqp", "http", "cli")
    token: SecretStr | None = None
    secret: SecretStr | None = None
    signed: bool = False
    trusted: bool = False
    area_prefixes: tuple[str, ...]
    senders: tuple[str, ...] = ()
    amqp_user: str = ""
    drill_only: bool = False


def contradictions(source: Source, *, production: bool) -> Iterator[str]:
    """What no single key shows to be wrong, one sentence each."""
    if source.signed and source.secret is None:
        yield "标为 signed，却没有 secret"
    if production and source.trusted and not source.signed:
        yield "标为 trusted 却不是 signed：正式环境里只有签名能证明是谁在说话"
