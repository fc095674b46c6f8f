"""Finds or starts RabbitMQ, and makes and removes a test's own virtual host."""

from __future__ import annotations

import asyncio
import logging
import os
import shlex
import shutil
import subprocess
import uuid
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import aio_pika

from tests.services import AMQP_NAME, AMQP_URL, RABBITMQCTL, Found
from tests.services.private import Kept, free_port, new_folder

PACKAGES = ("rabbitmq-server",)
DEFAULT_URL = "amqp://guest:guest@127.0.0.1:5672/"
_LIMIT_S = 5.0
_CTL_LIMIT_S = 60.0


def answering() -> Found | None:
    """The RabbitMQ of this machine, if its default credentials hold and a virtual host can be made and removed."""
    control = shutil.which("rabbitmqctl")
    if control is None or asyncio.run(_version(DEFAULT_URL)) is None:
        return None
    return _ask(DEFAULT_URL, [control])


def _ask(url: str, control: list[str]) -> Found | None:
    version = asyncio.run(_version(url))
    if version is None:
        return None
    environment = {AMQP_URL: url, RABBITMQCTL: shlex.join(control)}
    try:
        own_url = create_vhost(environment)
    except subprocess.SubprocessError:
        return None
    reached = asyncio.run(_version(own_url)) is not None
    remove_vhost(environment, own_url)
    if not reached:
        return None
    name = f"RabbitMQ {version}，端口 {urlsplit(url).port}"
    return Found(name=name, environment={**environment, AMQP_NAME: name})


async def _version(url: str) -> str | None:
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)  # that nobody answers yet is what we ask
    try:
        async with asyncio.timeout(_LIMIT_S):
            connection = await aio_pika.connect(url)
    except (OSError, TimeoutError, aio_pika.exceptions.AMQPError):
        return None
    try:
        transport = connection.transport
        return str(transport.connection.server_properties["version"]) if transport else None
    finally:
        await connection.close()


def programs() -> Path | None:
    """The folder of the real scripts: Debian's wrapper in /usr/sbin would become the user rabbitmq."""
    debian = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"), reverse=True)
    if debian:
        return debian[0].parent
    elsewhere = shutil.which("rabbitmq-server")
    return Path(elsewhere).resolve().parent if elsewhere and not elsewhere.startswith("/usr/sbin") else None


def start(sbin: Path) -> tuple[Found, Kept]:
    """A broker of our own: own ports, node name, folder, cookie and epmd."""
    folder = new_folder("mq")
    port, dist_port, epmd_port = free_port(), free_port(), free_port()
    environment = _environment(folder, dist_port, epmd_port)
    (folder / "rabbitmq.conf").write_text(
        f"listeners.tcp.1 = 127.0.0.1:{port}\ndisk_free_limit.absolute = 50MB\nlog.file.level = warning\n"
    )
    (folder / "enabled_plugins").write_text("[].\n")
    (folder / "env.conf").touch()
    epmd = shutil.which("epmd")
    kept = Kept(
        argv=[str(sbin / "rabbitmq-server")],
        environment=environment,
        folder=folder,
        stop_signal="SIGTERM",
        afterwards=[epmd, "-port", str(epmd_port), "-kill"] if epmd else None,
    )
    control = ["env", "-i", *(f"{name}={value}" for name, value in environment.items()), str(sbin / "rabbitmqctl")]
    url = f"amqp://guest:guest@127.0.0.1:{port}/"
    return kept.wait_for(lambda: _ask(url, control), "RabbitMQ", limit_s=120), kept


def _environment(folder: Path, dist_port: int, epmd_port: int) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "ERL_EPMD_PORT": str(epmd_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_FLAGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "RABBITMQ_NODENAME": f"mingluo{epmd_port}@localhost",
        "RABBITMQ_CONF_ENV_FILE": str(folder / "env.conf"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_DIST_PORT": str(dist_port),
    }


def create_vhost(environment: dict[str, str]) -> str:
    """A new, randomly named virtual host; returns its URL. One call, because each costs half a second of Erlang."""
    name = f"mingluo-test-{uuid.uuid4().hex[:12]}"
    _evaluate(
        environment,
        f'rabbit_vhost:add(<<"{name}">>, <<"test">>), rabbit_auth_backend_internal:set_permissions('
        f'<<"guest">>, <<"{name}">>, <<".*">>, <<".*">>, <<".*">>, <<"test">>).',
    )
    return urlunsplit(urlsplit(environment[AMQP_URL])._replace(path=f"/{name}"))


def remove_vhost(environment: dict[str, str], url: str) -> None:
    _evaluate(environment, f'rabbit_vhost:delete(<<"{vhost_of(url)}">>, <<"test">>).')


def vhost_of(url: str) -> str:
    return urlsplit(url).path.lstrip("/")


def _evaluate(environment: dict[str, str], expression: str) -> None:
    command = [*shlex.split(environment[RABBITMQCTL]), "eval", expression]
    done = subprocess.run(command, check=True, capture_output=True, timeout=_CTL_LIMIT_S, text=True)
    if "error" in done.stdout.lower():
        raise subprocess.SubprocessError(done.stdout)


def make_user(environment: dict[str, str], image: dict[str, str]) -> None:
    """What the official image makes of its environment, on a private broker: an administrator instead of guest."""
    user, control = image["RABBITMQ_DEFAULT_USER"], shlex.split(environment[RABBITMQCTL])
    for command in (
        ["add_user", user, image["RABBITMQ_DEFAULT_PASS"]],
        ["set_permissions", user, ".*", ".*", ".*"],
        ["delete_user", "guest"],
    ):
        subprocess.run([*control, "-q", *command], check=True, capture_output=True, timeout=_CTL_LIMIT_S)
