"""config/*.yaml and the environment → typed, frozen settings.

Bad configuration stops the start and names file and line: a misspelt key at 02:39 must not become a silent default. A
secret is only ever `${NAME}`. Relative paths are resolved from the project folder or `MINGLUO_HOME`.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from dispatcher.model import BEIJING, Channel, Level, Role
from dispatcher.settings.hazards import Advice as Advice
from dispatcher.settings.hazards import HazardKind as HazardKind
from dispatcher.settings.hazards import Hazards as Hazards
from dispatcher.settings.hazards import Sentence
from dispatcher.settings.lint import Lint as Lint
from dispatcher.settings.lint import LintWords as LintWords
from dispatcher.settings.sources import Feed as Feed
from dispatcher.settings.sources import Source as Source
from dispatcher.settings.sources import contradictions

PROJECT = Path(__file__).resolve().parents[2]
_SECRETS = ("secret", "token", "seal_key", "auth_token", "access_key_secret", "callback_token")
_VARIABLE = re.compile(r"^\$\{([A-Z][A-Z0-9_]*)(?::-(.*))?\}$")
_NOT_SETTINGS = frozenset(
    {"CONFIG", "HOME", "SERVICES", "REQUIRE_SERVICES", "REQUIRE_CORPUS", "CAP_CORPUS", "MIGRATE_DATABASE_URL"}
)


_M = TypeVar("_M", bound=BaseModel)


class BadConfiguration(Exception):
    """Says file, line, key and what to do. The start is refused."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ChannelPolicy(_Frozen):
    """What a channel does otherwise than its level; what is not set here is the level's."""

    retry_s: tuple[float, ...] | None = None
    then_every_s: float | None = None
    receipt_deadline_s: int | None = None


class LevelPolicy(_Frozen):
    """What a level sets in motion. `channels` stand in the order in which they are planned."""

    channels: tuple[Channel, ...]
    retry_s: tuple[float, ...]
    then_every_s: float | None = None
    resend_unknown: bool = True
    receipt_deadline_s: int = 900
    loudspeakers_at_night: bool = True
    by_channel: dict[Channel, ChannelPolicy] = Field(default_factory=dict)

    def of(self, channel: Channel) -> LevelPolicy:
        """The level's rules as they hold on a channel."""
        own = self.by_channel.get(channel)
        return self.model_copy(update=own.model_dump(exclude_none=True)) if own else self


class Policy(_Frozen):
    """policy.yaml: level → channels, retries, deadlines."""

    levels: dict[Level, LevelPolicy]
    quiet_from_hour: int = Field(default=22, ge=0, le=23)
    quiet_to_hour: int = Field(default=6, ge=0, le=23)
    default_validity_hours: int = 24
    future_tolerance_s: int = 300
    merge_within_minutes: int = Field(default=120, ge=0)

    def quiet_until(self, now: datetime) -> datetime | None:
        """The end of the quiet hours that `now` lies in; None where it lies in none."""
        here, first, last = now.astimezone(BEIJING), self.quiet_from_hour, self.quiet_to_hour
        quiet = here.hour >= first or here.hour < last if first > last else first <= here.hour < last
        if not quiet:
            return None
        end = here.replace(hour=last, minute=0, second=0, microsecond=0)
        return end if end > here else end + timedelta(days=1)


class SmsTemplate(_Frozen):
    """Named fields only. `sms` is for officers, `resident` for residents; `officers` and `residents` are what the field
    {action} says there, where the hazard has no advice of its own."""

    sms: str
    resident: str
    officers: Sentence | None = None
    residents: Sentence | None = None


class Template(SmsTemplate):
    """One wording on every channel; `lines` adds to an officer's what his role is to do."""

    broadcast: str
    party: str
    lines: dict[Role, str] = Field(default_factory=dict)


class Texts(_Frozen):
    """wording.yaml: the texts, per level, role and channel."""

    signature: str
    max_segments: int = Field(default=5, ge=1, le=8)
    levels: dict[Level, Template]
    cancel: Template
    retraction: Template
    """For what should never have been issued: fixed words, nobody types them at night."""
    standing: SmsTemplate
    """For whoever hears that one warning is over while another source's of the same event stands."""
    former: Template
    """For whoever an earlier version reached and an update does not."""
    hazard_lines: dict[str, dict[Role, str]] = Field(default_factory=dict)


class Wording(Texts):
    """All that is said: wording.yaml, and what hazards.yaml says of each hazard."""

    hazards: Hazards


class Service(_Frozen):
    """service.yaml."""

    profile: Literal["production", "test"] = "test"
    city: str = "360800"
    city_name: str = "吉安市"
    platform_ebrid: str = "33608000000000101010101"
    sender_name: str = "吉安市应急管理局"
    sender_code: str = "36080041700000"
    database_url: str = "sqlite+aiosqlite:///var/mingluo.db"
    broker_url: str = "embedded://"
    listen: str = "127.0.0.1:8080"
    public_url: str = ""
    node: str = Field(default="", max_length=64)
    seal_key: SecretStr | None = None
    intranet: tuple[str, ...] = ()
    max_body_bytes: int = 4 * 1024 * 1024
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "console"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything, read once at start. `channels` is validated by each provider's own class in `service.py`."""

    home: Path
    config: Path
    service: Service
    sources: Mapping[str, Source]
    channels: Mapping[Channel, Mapping[str, Mapping[str, Any]]]
    hazards: Hazards
    policy: Policy
    wording: Wording
    lint: Lint

    @property
    def production(self) -> bool:
        return self.service.profile == "production"


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """Reads `MINGLUO_CONFIG` (default: config/ of the project), lays the environment over it, and checks all of it.

    Raises BadConfiguration with every fault found, one a line: file:line, key, what is wrong.
    """
    env = dict(os.environ if environment is None else environment)
    home = Path(env.get("MINGLUO_HOME") or PROJECT).expanduser().resolve()
    folder = Path(env.get("MINGLUO_CONFIG") or home / "config").expanduser()
    folder = folder if folder.is_absolute() else home / folder
    files = _read_all(folder)
    faults: list[str] = []
    for file in files.values():
        file.expand(env, faults)
    _overlay(files, env)
    service = files["service"].check(Service, faults)
    sources = files["sources"].check(_Sources, faults)
    channels = files["channels"].check(_Channels, faults)
    hazards = files["hazards"].check(Hazards, faults)
    policy = files["policy"].check(Policy, faults)
    texts = files["wording"].check(Texts, faults)
    lint = files["lint"].check(Lint, faults)
    if hazards and texts:
        faults += _disagreements(files, hazards, texts)
    if faults or not (service and sources and channels and hazards and policy and texts and lint):
        raise BadConfiguration("\n".join(faults))
    settings = Settings(
        home=home,
        config=folder,
        service=service.model_copy(update=_at_home(service, home)),
        sources=sources.sources,
        channels=channels.channels,
        hazards=hazards,
        policy=policy,
        wording=Wording(hazards=hazards, **dict(texts)),
        lint=lint,
    )
    _refuse_contradictions(settings)
    return settings


def _read_all(folder: Path) -> dict[str, _File]:
    """A folder that is older than the lint has no words for it: the service starts all the same, with those shipped."""
    names = ("service", "sources", "channels", "hazards", "policy", "wording")
    lint = folder / "lint.yaml"
    files = {name: _File.read(folder / f"{name}.yaml") for name in names}
    return {**files, "lint": _File.read(lint if lint.exists() else PROJECT / "config" / "lint.yaml")}


class _Sources(_Frozen):
    sources: dict[str, Source]


class _Channels(_Frozen):
    channels: dict[Channel, dict[str, dict[str, Any]]]


def _disagreements(files: Mapping[str, _File], hazards: Hazards, texts: Texts) -> list[str]:
    """What the entries of hazards.yaml, and those of wording.yaml that name them, say against each other."""
    found = [files["hazards"].fault(key, words) for key, words in hazards.contradictions()]
    unknown = [name for name in texts.hazard_lines if hazards.named(name) is None]
    return found + [files["wording"].fault(("hazard_lines", name), "hazards.yaml 里没有这个灾种") for name in unknown]


def _refuse_contradictions(settings: Settings) -> None:
    """What no single file shows to be wrong."""
    faults = []
    for level in Level:
        if level not in settings.policy.levels:
            faults.append(f"policy.yaml: levels 缺少 {level}（{level.chinese}）")
        if level not in settings.wording.levels:
            faults.append(f"wording.yaml: levels 缺少 {level}（{level.chinese}）")
    for name, source in settings.sources.items():
        found = contradictions(source, production=settings.production)
        faults += [f"sources.yaml: {name} {why}" for why in found]
    if settings.production and settings.service.seal_key is None:
        faults.append("service.yaml: 正式环境必须由环境变量给出 seal_key（MINGLUO_SEAL_KEY，64 位十六进制）")
    if faults:
        raise BadConfiguration("\n".join(faults))


def _at_home(service: Service, home: Path) -> dict[str, str]:
    node = service.node or socket.gethostname()[:64]
    return {"database_url": _rooted(service.database_url, home), "node": node}


def _rooted(database_url: str, home: Path) -> str:
    """A relative SQLite path stands under `home`, so that `warn` from another folder meets the same database."""
    head, mark, path = database_url.partition(":///")
    if not head.startswith("sqlite") or not mark or path.startswith("/") or not path or path == ":memory:":
        return database_url
    return f"{head}:///{home / path}"


@dataclass(slots=True)
class _File:
    """A YAML file with the line of every key, so that a fault can be pointed at."""

    path: Path
    data: Any
    lines: dict[tuple[str | int, ...], int]

    @staticmethod
    def read(path: Path) -> _File:
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise BadConfiguration(
                f"{path}: 读不到（{error.strerror}）：配置文件夹由 MINGLUO_CONFIG 指定，默认是 MINGLUO_HOME 下的 config"
            ) from error
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            raise BadConfiguration(f"{path}: 不是合法的 YAML：{error}") from error
        lines: dict[tuple[str | int, ...], int] = {}
        data = _walk(node, (), lines, path) if node is not None else {}
        return _File(path=path, data=data, lines=lines)

    def where(self, key: tuple[str | int, ...]) -> str:
        while key and key not in self.lines:
            key = key[:-1]
        return f"{self.path.name}:{self.lines.get(key, 1)}"

    def fault(self, key: tuple[str | int, ...], words: str) -> str:
        return f"{self.where(key)}: {'.'.join(map(str, key))}: {words}"

    def expand(self, env: Mapping[str, str], faults: list[str]) -> None:
        """Replaces `${NAME}` and `${NAME:-default}` by the environment's value; an unset one without default is None."""

        def walk(value: Any, key: tuple[str | int, ...]) -> Any:
            if isinstance(value, dict):
                return {name: walk(inner, (*key, name)) for name, inner in value.items()}
            if isinstance(value, list):
                return [walk(inner, (*key, no)) for no, inner in enumerate(value)]
            if isinstance(value, str) and (found := _VARIABLE.match(value)):
                return env.get(found[1]) or found[2] or None
            if isinstance(value, str) and key and str(key[-1]) in _SECRETS and key in self.lines:
                faults.append(f"{self.where(key)}: {'.'.join(map(str, key))} 不能写在文件里，只能写成 ${{环境变量名}}")
            return value

        self.data = walk(self.data, ())

    def check(self, model: type[_M], faults: list[str]) -> _M | None:
        try:
            return model.model_validate(self.data)
        except ValidationError as error:
            for fault in error.errors():
                key = tuple(part for part in fault["loc"])
                faults.append(self.fault(key, _chinese(fault["type"], fault["msg"])))
            return None


def _chinese(kind: str, message: str) -> str:
    known = {
        "extra_forbidden": "没有这个设置项（是不是拼错了？）",
        "missing": "缺少这一项",
        "string_too_short": "不能为空",
    }
    return known.get(kind, message.removeprefix("Value error, "))


def _walk(node: yaml.Node, key: tuple[str | int, ...], lines: dict[tuple[str | int, ...], int], path: Path) -> Any:
    lines[key] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for name_node, value_node in node.value:
            name = str(name_node.value)
            if name in found:
                raise BadConfiguration(f"{path.name}:{name_node.start_mark.line + 1}: {name} 写了两次")
            found[name] = _walk(value_node, (*key, name), lines, path)
            lines[(*key, name)] = name_node.start_mark.line + 1
        return found
    if isinstance(node, yaml.SequenceNode):
        return [_walk(item, (*key, no), lines, path) for no, item in enumerate(node.value)]
    return yaml.SafeLoader("").construct_object(node)


def _overlay(files: dict[str, _File], env: Mapping[str, str]) -> None:
    """`MINGLUO_A__B__C=value` sets a.b.c of the file that is called A, else of service.yaml. Scalars are read as YAML."""
    for name, value in sorted(env.items()):
        if not name.startswith("MINGLUO_") or (rest := name.removeprefix("MINGLUO_")) in _NOT_SETTINGS:
            continue
        keys = rest.lower().split("__")
        if len(keys) == 1 and keys[0] not in Service.model_fields:
            meant = get_close_matches(keys[0], Service.model_fields, n=1, cutoff=0.85)
            if meant:
                raise BadConfiguration(f"环境变量 {name}：没有这一项，是不是 MINGLUO_{meant[0].upper()}？")
            continue  # not ours to judge: other programs of the house have variables too
        file = files[keys[0]] if keys[0] in files and len(keys) > 1 else files["service"]
        if not isinstance(file.data, dict):
            continue  # the file itself is the fault that is named
        if len(keys) > 1 and keys[0] in files and keys[0] not in file.data:
            keys = keys[1:]  # policy, wording and service hold their keys at the top
        spot = file.data
        for key in keys[:-1]:
            spot = spot.setdefault(key, {})
            if not isinstance(spot, dict):
                raise BadConfiguration(f"环境变量 {name}：{file.path.name} 里的 {key} 不是一组设置")
        spot[keys[-1]] = _scalar(value)


def _scalar(value: str) -> Any:
    """Text stays text unless it is plainly a number, truth or list; an all-digit code keeps its zeros."""
    if value in ("true", "false"):
        return value == "true"
    if value.startswith("["):
        return yaml.safe_load(value)
    return value
