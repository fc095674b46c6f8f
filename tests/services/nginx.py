"""A real nginx with the project's own example for it, on free ports of loopback, ended with the block."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.services import debian, settling
from tests.services.private import free_port
from tests.services.waiting import wait_until

PACKAGES = ("nginx-light",)
EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "nginx.conf"
_ROUND = """
{user}
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/mingluo.conf;
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nginx:
    """Ports: of the console, of plain HTTP, of the outer zone."""

    console: int
    plain: int
    outer: int


def program() -> str:
    """Installed where we may; else skipped, and said."""
    if found := shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"):
        return found
    if settling.mode() == "off":
        settling.unavailable("没有 nginx")
    try:
        debian.install(PACKAGES)
    except (debian.CannotInstall, OSError, subprocess.SubprocessError) as error:
        settling.unavailable(f"没有 nginx：{error}")
    return shutil.which("nginx", path="/usr/sbin:/usr/bin") or settling.unavailable("装好了 nginx，但找不到程序")


def ports() -> Nginx:
    return Nginx(console=free_port(), plain=free_port(), outer=free_port())


@contextmanager
def proxying(folder: Path, certificate: Path, inner: int, at: Nginx) -> Iterator[None]:
    """The example as it stands, but for ports and the places of the certificates; `inner` is where Mingluo listens."""
    nginx = program()
    text = EXAMPLE.read_text(encoding="utf-8")
    for said, meant in (
        ("server 127.0.0.1:8080;", f"server 127.0.0.1:{inner};"),
        ("server 127.0.0.1:8081;", f"server 127.0.0.1:{inner};"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{at.console} ssl;"),
        ("listen 80;", f"listen 127.0.0.1:{at.plain};"),
        ("listen 8443 ssl;", f"listen 127.0.0.1:{at.outer} ssl;"),
        ("/etc/mingluo/callback-cert.pem", str(certificate / "cert.pem")),
        ("/etc/mingluo/callback-key.pem", str(certificate / "key.pem")),
        ("/etc/mingluo/cert.pem", str(certificate / "cert.pem")),
        ("/etc/mingluo/key.pem", str(certificate / "key.pem")),
    ):
        assert text.count(said) == 1, said
        text = text.replace(said, meant)
    (folder / "mingluo.conf").write_text(text, encoding="utf-8")
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(_ROUND.format(folder=folder, user=user), encoding="utf-8")
    with (folder / "said.log").open("wb") as log:
        process = subprocess.Popen(
            [nginx, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    try:
        wait_until(lambda: (folder / "pid").is_file() or process.poll() is not None, limit_s=10)
        assert process.poll() is None, (folder / "said.log").read_text() + (folder / "error.log").read_text()
        yield
    finally:
        process.terminate()
        process.wait(timeout=10)
