"""The Dockerfile works, and compose gives it what it needs: carried out in a fresh Debian root against real services."""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.services import debian, postgres, rabbitmq, settling
from tests.services.container import Image, build, instructions
from tests.services.private import Kept, free_port
from tests.services.waiting import wait_until

PROJECT = Path(__file__).resolve().parents[2]
SECRETS = {
    "POSTGRES_PASSWORD": secrets.token_hex(12),
    "RABBITMQ_PASSWORD": secrets.token_hex(12),
    "MINGLUO_SEAL_KEY": secrets.token_hex(32),
}


OPTIONAL = {"MINGLUO_TOKEN_CITY_WEATHER": "token-of-the-city-0123456789"}
"""What a city puts into .env besides."""


def compose() -> dict[str, Any]:
    text = (PROJECT / "docker-compose.yml").read_text()
    filled = re.sub(r"\$\{(\w+)(?::\?[^}]*)?\}", lambda found: SECRETS[found.group(1)], text)
    filled = re.sub(r"\$\{(\w+):-([^}]*)\}", lambda found: OPTIONAL.get(found[1], found[2]) or '""', filled)
    services: dict[str, Any] = yaml.safe_load(filled)["services"]
    return services


def test_only_the_consoles_port_is_published_and_nobody_is_guest() -> None:
    services = compose()
    assert {name for name, service in services.items() if "ports" in service} == {"mingluo"}
    assert "guest" not in (PROJECT / "docker-compose.yml").read_text()
    assert services["rabbitmq"]["environment"]["RABBITMQ_DEFAULT_USER"] == "mingluo"
    assert services["rabbitmq"]["image"] == "rabbitmq:4"


def test_every_secret_comes_from_the_environment_and_its_absence_stops_the_start() -> None:
    text = (PROJECT / "docker-compose.yml").read_text()
    assert all(re.search(rf"\$\{{{name}:\?", text) for name in SECRETS)
    assert set(re.findall(r"(?m)^ +\w*(?:PASSWORD|PASS|KEY): (.)", text)) == {"$"}


def test_whatever_the_configuration_takes_from_the_environment_reaches_the_container() -> None:
    asked = {
        name
        for file in (PROJECT / "config").glob("*.yaml")
        for name in re.findall(r"\$\{(\w+)\}", file.read_text("utf-8"))
    }
    assert asked - compose()["mingluo"]["environment"].keys() == {"NAME"} & asked
    assert asked


def test_whatever_is_not_needed_stays_out_of_the_image() -> None:
    allowed = {line[1:] for line in (PROJECT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    steps = instructions((PROJECT / "Dockerfile").read_text())
    assert {rest.split()[0] for name, rest in steps if name == "COPY"} == allowed


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    if os.geteuid() != 0:
        settling.unavailable("容器测试需要 root（chroot）")
    if shutil.which("debootstrap") is None:
        try:
            debian.install(("debootstrap",))
        except debian.CannotInstall as error:
            settling.unavailable(str(error))
    root = tmp_path_factory.mktemp("image")
    root.chmod(0o755)
    yield build(PROJECT, root / "debian")
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def services() -> Iterator[dict[str, dict[str, str]]]:
    """What the two official images make of compose's environment, on private servers."""
    kept: list[Kept] = []
    programs = settling.own_programs("PostgreSQL", postgres.programs)
    broker_programs = settling.own_programs("RabbitMQ", rabbitmq.programs)
    try:
        database, keeper = postgres.start(programs)
        kept.append(keeper)
        broker, keeper = rabbitmq.start(broker_programs)
        kept.append(keeper)
        wanted = compose()
        postgres.make_owner(database.environment, wanted["postgres"]["environment"])
        rabbitmq.make_user(broker.environment, wanted["rabbitmq"]["environment"])
        yield {"postgres": database.environment, "rabbitmq": broker.environment}
    finally:
        for keeper in kept:
            keeper.stop()


@pytest.mark.long
@pytest.mark.timeout(1500)
def test_the_image_serves_as_an_ordinary_user_with_composes_environment(
    services: dict[str, dict[str, str]], image: Image, tmp_path: Path
) -> None:
    assert image.user == "mingluo"
    wanted = compose()["mingluo"]["environment"]
    assert wanted["MINGLUO_LISTEN"] == image.environment["MINGLUO_LISTEN"] == "0.0.0.0:8080"
    port = free_port()
    environment = {
        **wanted,
        "MINGLUO_LISTEN": f"0.0.0.0:{port}",
        "MINGLUO_DATABASE_URL": wanted["MINGLUO_DATABASE_URL"].replace("postgres:5432", _place(services, "postgres")),
        "MINGLUO_BROKER_URL": wanted["MINGLUO_BROKER_URL"].replace("rabbitmq:5672", _place(services, "rabbitmq")),
    }
    log = tmp_path / "serve.log"
    with log.open("wb") as sink:
        serving = subprocess.Popen(
            image.argv(image.command), env=image.env(environment), stdout=sink, stderr=sink, start_new_session=True
        )
    try:
        wait_until(lambda: _leans_on_all(port) or serving.poll() is not None, limit_s=90)
        assert _leans_on_all(port), log.read_text(errors="replace")[-3000:]
        health = [part.replace("8080", str(port)) for part in image.health]
        assert _run(image, health) == 0
        assert _run(image, [part.replace("8080", str(free_port())) for part in image.health]) != 0
        assert _seen_from_outside(port, "") == 401
        assert _seen_from_outside(port, OPTIONAL["MINGLUO_TOKEN_CITY_WEATHER"]) == 200
        assert _run(image, ["touch", "/opt/mingluo/dispatcher/written"]) != 0
        assert _run(image, ["touch", "/var/lib/mingluo/written"]) == 0
    finally:
        os.killpg(serving.pid, signal.SIGKILL)  # unshare alone leaves the service behind: it is another user's
        serving.wait(timeout=30)


@pytest.mark.long
@pytest.mark.timeout(300)
def test_composes_health_checks_pass_against_what_they_check(services: dict[str, dict[str, str]]) -> None:
    wanted = compose()
    bin_folder = postgres.programs()
    assert bin_folder is not None
    host, port = _place(services, "postgres").split(":")
    ask = wanted["postgres"]["healthcheck"]["test"][1]
    environment = {"PATH": f"{bin_folder}:/usr/bin:/bin", "PGPORT": port, "PGHOST": host}
    subprocess.run(["sh", "-c", ask], env=environment, check=True, timeout=30)
    program, *arguments = shlex.split(wanted["rabbitmq"]["healthcheck"]["test"][1])
    control = shlex.split(services["rabbitmq"]["MINGLUO_TEST_RABBITMQCTL"])
    control[-1] = str(Path(control[-1]).with_name(program))
    subprocess.run([*control, *arguments], check=True, timeout=60)


def _seen_from_outside(port: int, token: str) -> int:
    """The console through the published port: whoever asks is not on the service's own machine."""
    headers = {"X-Forwarded-For": "192.0.2.1"} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(
            urllib.request.Request(f"http://127.0.0.1:{port}/", headers=headers), timeout=10
        ) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def _place(services: dict[str, dict[str, str]], name: str) -> str:
    url = services[name]["MINGLUO_TEST_PG_URL" if name == "postgres" else "MINGLUO_TEST_AMQP_URL"]
    found = re.search(r"@([\d.]+:\d+)/", url)
    assert found is not None
    return found.group(1)


def _run(image: Image, command: list[str]) -> int:
    return subprocess.run(image.argv(command), env=image.env(), capture_output=True, timeout=60, check=False).returncode


def _leans_on_all(port: int) -> bool:
    """Database and broker proven. Not green as a whole: a new image has no register and no SMS account, and says so."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5) as answer:
            said = json.load(answer)
    except urllib.error.HTTPError as unready:
        said = json.load(unready)
    except OSError:
        return False
    leaned_on = said["dependencies"]
    return len(leaned_on) == 2 and not any(one["problem"] for one in leaned_on)


def _answers(port: int, path: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=3) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
