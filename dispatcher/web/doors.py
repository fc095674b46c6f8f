"""What the web needs of the rest of the service, handed in by it: the web stands below it and never reaches up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass

from channels.contract import Reads
from dispatcher.accounts.linking import Links
from dispatcher.model import Channel
from dispatcher.pipeline.accept import Answer, Incoming
from dispatcher.pipeline.context import Context
from dispatcher.receipts import ReceiptBook


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """Something the service leans on. `problem` is empty when all is well; `canary_age_s` where a canary proves it."""

    name: str
    problem: str = ""
    canary_age_s: float | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """`problems` is empty when the service may be relied on; one Chinese sentence each. `notices`: to be mended soon."""

    problems: tuple[str, ...]
    notices: tuple[str, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    providers_off: Mapping[str, str]
    clock_skew_s: float = 0.0
    synthetic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """`accept` is the one way in for a warning; `readers` are the providers that report by calling us, `drills` those of them
    that are a drill's; `texts`: there is a provider of SMS, by which codes leave; `reset` begins a training anew, and is None
    everywhere else; so are `links`, by which people come into a demo; `outer`: for the outer zone, where providers call back
    and nothing else exists."""

    context: Context
    book: ReceiptBook
    accept: Callable[[Incoming], Awaitable[Answer]]
    readers: Mapping[tuple[Channel, str], Reads]
    drills: Collection[tuple[Channel, str]] = ()
    readiness: Callable[[], Awaitable[Ready]]
    public_url: str
    """What providers call back and sign: scheme, host and port, and a path where a proxy adds one."""
    max_body_bytes: int
    texts: bool = False
    reset: Callable[[], None] | None = None
    links: Links | None = None
    outer: bool = False
