"""Where a service is reached. The socket is bound before anything else is built, because providers are told our URL, and a port
of 0 is known only then.
"""

from __future__ import annotations

import ipaddress
import socket as sockets

from dispatcher.settings import BadConfiguration, Settings


def bound_to(settings: Settings) -> tuple[sockets.socket, str]:
    """A listening socket and its URL."""
    host, port = address(settings.service.listen)
    try:
        return bind(host, port)
    except OSError as error:
        raise BadConfiguration(
            f"{settings.service.listen} 用不了（{error.strerror}）：请停掉占用它的程序，或用 MINGLUO_LISTEN 另指一个"
        ) from error


def address(listen: str) -> tuple[str, int]:
    """`127.0.0.1:8080` or `[::1]:8080`."""
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise BadConfiguration(f"service.yaml: listen: {listen} 应写作 地址:端口，如 127.0.0.1:8080")
    return host.strip("[]") or "127.0.0.1", int(port)


def bind(host: str, port: int) -> tuple[sockets.socket, str]:
    """A listening socket and its base URL; port 0 takes a free one. OSError where the port is taken."""
    family = sockets.AF_INET6 if ":" in host else sockets.AF_INET
    bound = sockets.create_server((host, port), family=family, reuse_port=False)
    bound.setblocking(False)
    return bound, f"http://{_shown(host)}:{bound.getsockname()[1]}"


def _shown(host: str) -> str:
    """All interfaces are reached by the loopback one."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        return "[::1]" if address.version == 6 else "127.0.0.1"
    return f"[{host}]" if address.version == 6 else host
