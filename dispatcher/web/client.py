"""Who is at the other end: the address it really has, and whether nobody on the way can read along.

It is asked in this one place, because a proxy's word is taken only where service.yaml names that proxy (`proxies`): whoever
else writes X-Forwarded-For is a stranger with a header. A proxy's own machine is never taken for a reader's.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from functools import lru_cache

from aiohttp import web
from msgspec import Struct

from channels.addresses import Address, Network

OUR_NAMES = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?", re.IGNORECASE)
PROXIES: web.AppKey[Sequence[Network]] = web.AppKey("proxies")
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")
_WITH_PORT = re.compile(r"\[([^\]]*)\](?::\d{1,5})?|([^:]*):\d{1,5}")


class Client(Struct, frozen=True, kw_only=True):
    """`address` is None where a proxy does not say it. `near`: nothing of it leaves this machine. `neighbourhood`: whoever
    has one address of IPv6 has the 2**64 round it."""

    address: Address | None
    secure: bool
    near: bool
    neighbourhood: str

    @property
    def scheme(self) -> str:
        return "https" if self.secure else "http"


_CLIENT = web.RequestKey("client", Client)


def client_of(request: web.Request) -> Client:
    """Found once a request: its limits, its rules and its answer's headers all ask."""
    known = request.get(_CLIENT)
    if known is None:
        known = request[_CLIENT] = _found(request)
    return known


def is_here(request: web.Request) -> bool:
    """A browser or program of this machine itself, which asked for us by its own name and with nobody between."""
    peer = _address(request.remote or "")
    return peer is not None and peer.is_loopback and not among(peer, request.app[PROXIES]) and _asked_for_here(request)


def _found(request: web.Request) -> Client:
    peer, proxies = _address(request.remote or ""), request.app[PROXIES]
    if peer is None or not among(peer, proxies):
        return _client(peer, request.secure, True)
    secure = request.headers.get("X-Forwarded-Proto", "").rpartition(",")[2].strip().lower() == "https"
    return _client(_behind(request, proxies), secure, peer.is_loopback)


@lru_cache(maxsize=4096)
def _client(address: Address | None, secure: bool, from_here: bool) -> Client:
    """A provider reports ten thousand times a second from one address. `from_here`: who speaks for it is this machine."""
    near = from_here and address is not None and address.is_loopback
    return Client(address=address, secure=secure, near=near, neighbourhood=_neighbourhood(address))


def _neighbourhood(address: Address | None) -> str:
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))
    return str(address)


def among(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _asked_for_here(request: web.Request) -> bool:
    """A name that was led here (DNS rebinding) or a proxy that nobody named shows itself in the head."""
    ours = OUR_NAMES.fullmatch(request.headers.get("Host", ""))
    return ours is not None and not any(name in request.headers for name in _FORWARDED)


def _behind(request: web.Request, proxies: Sequence[Network]) -> Address | None:
    """Each proxy adds at the end whom it saw: the last one that is no proxy of ours is the client. What stands before it is
    the client's own word."""
    address = None
    for said in reversed(",".join(request.headers.getall("X-Forwarded-For", [])).split(",")):
        address = _address(said.strip())
        if address is None or not among(address, proxies):
            return address
    return address


@lru_cache(maxsize=4096)
def _address(text: str) -> Address | None:
    found = _WITH_PORT.fullmatch(text)
    try:
        address = ipaddress.ip_address((found[1] or found[2] or "" if found else text).partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
