"""Carries out a Dockerfile without a container engine: its steps in order, in a fresh Debian root by chroot.

Root, debootstrap and a network are needed. Processes run in a mount and process namespace of their own, so that nothing is
left mounted or running when the outer one ends.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ENTER = (
    'mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && '
    'exec chroot --userspec="$2" "$1" /bin/sh -c \'cd "$1" && shift && exec "$@"\' sh "$3" "${@:4}"'
)
_FROM_HOST = (
    "etc/resolv.conf",
    "etc/hosts",
    "etc/pip.conf",
    "etc/apt/sources.list.d/debian.sources",
    "etc/apt/sources.list",
)


@dataclass(slots=True)
class Image:
    """What the steps so far have made of the root."""

    root: Path
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": _PATH})
    folder: str = "/"
    user: str = "root"
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)

    def argv(self, command: list[str]) -> list[str]:
        """The command as the image's user, in its folder; to be run with `env`."""
        entry = next(line for line in self._passwd() if line[0] == self.user)
        enter = ["bash", "-c", _ENTER, "enter", str(self.root), f"{entry[2]}:{entry[3]}", self.folder, *command]
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", *enter]

    def env(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        home = next(line[5] for line in self._passwd() if line[0] == self.user)
        return {"HOME": home, **self.environment, **(more or {})}

    def _passwd(self) -> list[list[str]]:
        return [line.split(":") for line in (self.root / "etc/passwd").read_text().splitlines()]


def debian_root(root: Path) -> None:
    """The stand-in for `FROM debian:12-slim`."""
    subprocess.run(
        ["debootstrap", "--variant=minbase", "bookworm", str(root), *_mirror()],
        check=True, capture_output=True, timeout=600,
    )  # fmt: skip
    for name in _FROM_HOST:
        if (source := Path("/") / name).exists():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, root / name)
    shutil.copytree("/etc/apt/apt.conf.d", root / "etc/apt/apt.conf.d", dirs_exist_ok=True)


def _trust_as_here(root: Path) -> None:
    """Before every RUN, because installing ca-certificates forgets the authorities this machine trusts besides."""
    named = [os.environ.get(name, "") for name in ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")]
    for bundle in (Path(name) for name in {"/etc/ssl/certs/ca-certificates.crt", *named} if name):
        target = root / bundle.relative_to("/")
        target.unlink(missing_ok=True)  # a link in there would lead out of the root
        if bundle.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(bundle, target)


def _mirror() -> list[str]:
    sources = Path("/etc/apt/sources.list.d/debian.sources")
    text = sources.read_text() if sources.exists() else ""
    found = re.search(r"^URIs: *(\S+)", text, re.MULTILINE)
    return [found.group(1)] if found else []


def instructions(dockerfile: str) -> Iterator[tuple[str, str]]:
    text = re.sub(r"^\s*#.*\n", "", dockerfile, flags=re.MULTILINE)
    for line in re.sub(r"\\\n", " ", text).splitlines():
        if line.strip():
            name, _, rest = line.strip().partition(" ")
            yield name, rest.strip()


def build(project: Path, root: Path) -> Image:
    """Every instruction in order; one that is not known here fails the build."""
    image = Image(root=root)
    for name, rest in instructions((project / "Dockerfile").read_text()):
        _step(image, project, name, rest)
        image.steps.append(name)
    return image


def _step(image: Image, project: Path, name: str, rest: str) -> None:
    match name:
        case "FROM":
            assert rest == "debian:12-slim"
            debian_root(image.root)
        case "RUN":
            _trust_as_here(image.root)
            outside = {
                key: value
                for key, value in os.environ.items()
                if re.match(r"(?i)pip_|https?_proxy|no_proxy|ssl_cert|requests_ca", key)
            }
            done = subprocess.run(
                image.argv(["/bin/sh", "-c", rest]),
                env=image.env(outside),
                capture_output=True,
                text=True,
                timeout=900,
                check=False,
            )
            assert done.returncode == 0, f"RUN {rest}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        case "WORKDIR":
            image.folder = rest
            _inside(image, rest).mkdir(parents=True, exist_ok=True)
        case "COPY":
            source, target = rest.split()
            _copy(project / source, _inside(image, target) / (source if target.endswith("./") else ""))
        case "ENV":
            image.environment |= dict(part.split("=", 1) for part in shlex.split(rest))
        case "USER":
            image.user = rest
        case "HEALTHCHECK":
            image.health = json.loads(rest[rest.index("CMD ") + 4 :])
        case "CMD":
            image.command = json.loads(rest)
        case "VOLUME" | "EXPOSE":
            pass
        case _:
            raise AssertionError(f"Dockerfile: {name} is not known to this test")


def _inside(image: Image, path: str) -> Path:
    absolute = path if path.startswith("/") else f"{image.folder}/{path}"
    return image.root / absolute.lstrip("/")


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    else:
        shutil.copy(source, target)
