"""The demo's stage: a folder of its own, the city in a process of its own, and settings that know no other world.

It must ignore every MINGLUO_* of the environment, never leave loopback, and leave no process behind: the city ends when
its standard input closes, even if this process is killed.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import os
import secrets
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import aiohttp
import structlog

from dispatcher.drills import Stage
from dispatcher.model import BEIJING
from dispatcher.settings import PROJECT, Settings, load
from dispatcher.telemetry import set_up_logging

START_LIMIT_S = 30.0
END_LIMIT_S = 5.0
SMS_RATE = 2000
"""The played provider takes as much as this machine can send; a real one's rate stands in channels.yaml."""


class StageFailed(Exception):
    """The demo cannot begin: one sentence that says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """Where the players stand. Drills have players, accounts and secrets of their own."""

    ports: Mapping[str, int]
    account: str
    token: str
    callback_token: str
    drill_account: str
    drill_token: str
    drill_callback_token: str
    drill_secret: str

    def url(self, player: str) -> str:
        return f"http://127.0.0.1:{self.ports[player]}"

    async def report_to(self, console: str) -> None:
        """Tells Aliyun where to push what it has to say, as somebody does in its console."""
        said = "演示用的短信平台没有接受回执地址"
        for player, token in (("aliyun", self.callback_token), ("aliyun_drill", self.drill_callback_token)):
            where = {"url": f"{console}/api/v1/callbacks/sms/{player}/{token}"}
            await self._tell(player, "callback", where, said)

    async def know(self, known: Mapping[str, tuple[str, ...]]) -> None:
        """Gives the party platforms the secrets they share with us; the one for drills has one for all."""
        said = "演示用的党建平台没有接受密钥"
        await self._tell("platform", "secrets", known, said)
        await self._tell("platform_drill", "secrets", dict.fromkeys(known, (self.drill_secret,)), said)

    async def _tell(self, player: str, what: str, given: Mapping[str, object], refused: str) -> None:
        limit = aiohttp.ClientTimeout(total=START_LIMIT_S)
        async with (
            aiohttp.ClientSession(timeout=limit) as session,
            session.post(f"{self.url(player)}/_rehearsal/{what}", json=given) as answer,
        ):
            if answer.status != 204:
                raise StageFailed(f"{refused}（HTTP {answer.status}）")


def new_folder(what: str, now: datetime) -> Path:
    """var/<what>/<time> of the project; a second one in the same second gets a number."""
    root = PROJECT / "var" / what
    name = now.astimezone(BEIJING).strftime("%Y%m%d-%H%M%S")
    for number in range(1, 100):
        folder = root / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise StageFailed(f"建不了文件夹 {folder}（{error.strerror}）：请检查权限和磁盘空间") from error
        return folder
    raise StageFailed(f"{root} 里同名的文件夹太多：请删去一些")


@asynccontextmanager
async def city(folder: Path) -> AsyncIterator[City]:
    """The players, for as long as the block lasts."""
    (account, token), (drill_account, drill_token) = _account(), _account()
    arguments = ["--dir", str(folder / "providers"), "--port", "0", "--account", account, "--token", token]
    arguments += ["--drill-account", drill_account, "--drill-token", drill_token]
    said = await asyncio.to_thread(open, folder / "providers.log", "wb")
    with said:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "dispatcher.rehearsal", *arguments, cwd=PROJECT, env=outside_environment(),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=said, start_new_session=True,
        )  # fmt: skip
    try:
        ports = await _ports(process, folder)
        yield City(
            ports=ports,
            account=account,
            token=token,
            callback_token=secrets.token_hex(16),
            drill_account=drill_account,
            drill_token=drill_token,
            drill_callback_token=secrets.token_hex(16),
            drill_secret="whsec_" + base64.b64encode(secrets.token_bytes(24)).decode(),
        )
    finally:
        await _end(process)


def _account() -> tuple[str, str]:
    return "AC" + secrets.token_hex(16), secrets.token_hex(16)


def outside_environment() -> dict[str, str]:
    """What a child process of the demo inherits: everything but our own settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MINGLUO_")}
    return {**kept, "PYTHONUTF8": "1"}


def settings_for(folder: Path, place: City, **more: str) -> Settings:
    """The shipped configuration, with this folder's database and the played providers; the environment has no say."""
    shipped = load(
        {
            "MINGLUO_DATABASE_URL": f"sqlite+aiosqlite:///{database_in(folder)}",
            "MINGLUO_BROKER_URL": "embedded://",
            "MINGLUO_LISTEN": "127.0.0.1:0",
            "MINGLUO_PROFILE": "test",
            "MINGLUO_NODE": "demo",
            "MINGLUO_LOG_LEVEL": "info",
            **more,
        }
    )
    return replace(played(shipped, place), stage=Stage.DESK)


def played(settings: Settings, place: City) -> Settings:
    """The same with every provider played by this city. Whoever nobody plays is left out: no account but the city's."""
    ours = {False: _accounts(place), True: _drill_accounts(place)}
    channels = {
        channel: {
            name: {**given, **ours[bool(given.get("drill"))][given["kind"]]}
            for name, given in named.items()
            if given.get("kind") in ours[bool(given.get("drill"))]
        }
        for channel, named in settings.channels.items()
    }
    return replace(settings, channels=channels)


def _accounts(place: City) -> Mapping[str, Mapping[str, object]]:
    """Kind of provider → what it is told instead of what stands in channels.yaml."""
    return {
        "aliyun": {
            "base_url": place.url("aliyun"),
            "access_key_id": place.account,
            "access_key_secret": place.token,
            "sign_name": "吉安应急",
            "template_code": "SMS_154000000",
            "callback_token": place.callback_token,
            "rate": SMS_RATE,
        },
        "twilio": {
            "base_url": place.url("sms"),
            "account_sid": place.account,
            "auth_token": place.token,
            "sender": "+8615400000000",
            "messaging_service_sid": None,
            "rate": SMS_RATE,
        },
        "ebm": {"base_url": place.url("gateway"), "secret": secrets.token_hex(16)},
        "webhook": {"base_url": place.url("platform")},
    }


def _drill_accounts(place: City) -> Mapping[str, Mapping[str, object]]:
    """A drill goes to the players of drills, and a real warning never does."""
    return {
        "aliyun": {
            "base_url": place.url("aliyun_drill"),
            "access_key_id": place.drill_account,
            "access_key_secret": place.drill_token,
            "sign_name": "吉安应急",
            "template_code": "SMS_154000001",
            "callback_token": place.drill_callback_token,
            "rate": SMS_RATE,
        },
        "twilio": {
            "base_url": place.url("sms_drill"),
            "account_sid": place.drill_account,
            "auth_token": place.drill_token,
            "sender": "+8615400000001",
            "messaging_service_sid": None,
            "rate": SMS_RATE,
        },
        "ebm": {"base_url": place.url("gateway_drill"), "secret": secrets.token_hex(16)},
        "webhook": {"base_url": place.url("platform_drill"), "secret": place.drill_secret},
    }


def database_in(folder: Path) -> Path:
    return folder / "mingluo.db"


@contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """What the service says in its log goes to a file beside the report; the screen belongs to the story."""
    with open(path, "a", encoding="utf-8") as file:
        set_up_logging("info", "console")
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(file))
        logging.basicConfig(level=logging.WARNING, stream=file, format="%(levelname)s %(name)s %(message)s", force=True)
        try:
            yield
        finally:
            structlog.reset_defaults()
            logging.basicConfig(level=logging.WARNING, stream=sys.stderr, force=True)


async def _ports(process: asyncio.subprocess.Process, folder: Path) -> Mapping[str, int]:
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_LIMIT_S):
            line = await process.stdout.readline()
    except TimeoutError:
        line = b""
    if not line:
        raise StageFailed(f"演示用的发送对象没有启动，原因见 {folder / 'providers.log'}")
    ports: Mapping[str, int] = json.loads(line)["ports"]
    return ports


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.stdin is not None:
        process.stdin.close()
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
    try:
        async with asyncio.timeout(END_LIMIT_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
