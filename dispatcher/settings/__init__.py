"""config/*.yaml and the environment → typed, frozen settings.

Bad configuration stops the start and names file and line: a misspelt key at 02:39 must not become a silent default. A
secret is only ever `${NAME}`. Relative paths are resolved from the project folder or `MINGLUO_HOME`.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, IPvAnyNetwork, SecretStr

from dispatcher.drills import Drills, Stage
from dispatcher.model import BEIJING, Channel, Level, Role
from dispatcher.settings.files import BadConfiguration as BadConfiguration
from dispatcher.settings.files import File
from dispatcher.settings.files import document as document
from dispatcher.settings.hazards import Advice as Advice
from dispatcher.settings.hazards import HazardKind as HazardKind
from dispatcher.settings.hazards import Hazards as Hazards
from dispatcher.settings.hazards import Sentence
from dispatcher.settings.lint import Lint as Lint
from dispatcher.settings.lint import LintWords as LintWords
from dispatcher.settings.sources import CONSOLE as CONSOLE
from dispatcher.settings.sources import Feed as Feed
from dispatcher.settings.sources import Source as Source
from dispatcher.settings.sources import contradictions
from dispatcher.settings.templates import IssueTemplate as IssueTemplate
from dispatcher.settings.templates import Templates as Templates

PROJECT = Path(__file__).resolve().parents[2]
_NOT_SETTINGS = frozenset(
    {"CONFIG", "HOME", "SERVICES", "REQUIRE_SERVICES", "REQUIRE_CORPUS", "CAP_CORPUS", "MIGRATE_DATABASE_URL"}
)


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


class Retention(_Frozen):
    """How many days what is kept of people is kept. The log of what was done and the deliveries have no term here: they are
    evidence, and the law wants at least six months of the one."""

    rejected_bytes_days: int = Field(default=180, ge=7)
    uplinks_days: int = Field(default=180, ge=7)
    traces_days: int = Field(default=90, ge=7)
    feed_entries_days: int = Field(default=90, ge=7)
    outbox_days: int = Field(default=30, ge=1)


class LevelApproval(_Frozen):
    """Who may let a warning of this level go besides its author, and when they are paged. Seconds since it was submitted;
    None: not at all."""

    leader: bool = False
    reason: bool = False
    first_s: int | None = Field(default=None, ge=0)
    alternate_s: int | None = Field(default=None, ge=0)
    every_s: int = Field(default=300, ge=0)
    release_after_s: int | None = Field(default=None, ge=0)


class Approval(_Frozen):
    """Two persons. `leaders`, `alternate`: logins of accounts that may sign; where none is named, any of that role may."""

    levels: dict[Level, LevelApproval] = Field(default_factory=dict)
    leaders: tuple[str, ...] = ()
    alternate: str = ""
    release_by_two_on_duty: bool = True
    ink_slip_hours: int = Field(default=24, ge=1)

    def of(self, level: str | None) -> LevelApproval:
        """What no level is known of is treated as what it may be: the most urgent. What is not set is the strictest."""
        found = self.levels.get(Level(level or Level.RED))
        return found or LevelApproval(leader=True, reason=True)


class Policy(_Frozen):
    """policy.yaml: level → channels, retries, deadlines; how long what is kept of people is kept."""

    levels: dict[Level, LevelPolicy]
    approval: Approval = Approval()
    quiet_from_hour: int = Field(default=22, ge=0, le=23)
    quiet_to_hour: int = Field(default=6, ge=0, le=23)
    default_validity_hours: int = 24
    future_tolerance_s: int = 300
    merge_within_minutes: int = Field(default=120, ge=0)
    retention: Retention = Retention()

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
    proxies: tuple[IPvAnyNetwork, ...] = ()
    """Whose X-Forwarded-For and X-Forwarded-Proto are believed."""
    plain_from: tuple[IPvAnyNetwork, ...] = ()
    """Who may come without TLS although it is another machine: nobody can listen on the way."""
    per_address: float = Field(default=100.0, gt=0)
    """Requests a second that one address may keep up: an office of two hundred behind one does not ask for so many."""
    anchor_file: str = ""
    map_layers: tuple[str, ...] = ()
    """GeoJSON files in the folder of the configuration, drawn under the map."""
    passwords: Literal["asvs", "mlps3"] = "asvs"
    max_body_bytes: int = 4 * 1024 * 1024
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "console"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
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
    drills: Drills
    templates: Templates
    stage: Stage = Stage.FIELD

    @property
    def anchor_file(self) -> Path:
        """Where the anchors of the log are put away: unless told otherwise beside an SQLite database, else in var/."""
        if self.service.anchor_file:
            return self.home / self.service.anchor_file
        database = sqlite_file(self.service.database_url)
        return database.with_suffix(".anchors") if database else self.home / "var" / "audit.anchors"

    @property
    def layers(self) -> tuple[Path, ...]:
        """Of the configuration's folder; what is not there, of those shipped."""
        shipped = PROJECT / "config"
        named = [(self.config / name, shipped / name) for name in self.service.map_layers]
        return tuple(own if own.is_file() else ours for own, ours in named)

    @property
    def production(self) -> bool:
        return self.service.profile == "production"


def sqlite_file(database_url: str) -> Path | None:
    """The file of an SQLite database; None for any other kind."""
    head, _, path = database_url.partition(":///")
    return Path(path) if head.startswith("sqlite") and path else None


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """Reads `MINGLUO_CONFIG` (default: config/ of the project), lays the environment over it, and checks all of it.

    Raises BadConfiguration with every fault found, one a line: file:line, key, what is wrong.
    """
    env = dict(os.environ if environment is None else environment)
    home = Path(env.get("MINGLUO_HOME") or PROJECT).expanduser().resolve()
    folder = home / Path(env.get("MINGLUO_CONFIG") or "config").expanduser()
    faults: list[str] = []
    files = _expanded(_read_all(folder), env, faults)
    service = files["service"].check(Service, faults)
    sources = files["sources"].check(_Sources, faults)
    channels = files["channels"].check(_Channels, faults)
    hazards = files["hazards"].check(Hazards, faults)
    policy = files["policy"].check(Policy, faults)
    texts = files["wording"].check(Texts, faults)
    lint = files["lint"].check(Lint, faults)
    drills = files["drills"].check(Drills, faults)
    templates = files["templates"].check(Templates, faults)
    if hazards and texts and templates:
        faults += _disagreements(files, hazards, texts, templates)
    if faults or not (
        service and sources and channels and hazards and policy and texts and lint and drills and templates
    ):
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
        drills=drills,
        templates=templates,
    )
    _refuse_contradictions(settings)
    return settings


def _read_all(folder: Path) -> dict[str, File]:
    """A folder that is older than the lint has no words for it: the service starts all the same, with those shipped. One
    that lists nobody for a drill tells nobody in one."""
    names = ("service", "sources", "channels", "hazards", "policy", "wording")
    lint = folder / "lint.yaml"
    files = {name: File.read(folder / f"{name}.yaml") for name in names}
    return {
        **files,
        "lint": File.read(lint if lint.exists() else PROJECT / "config" / "lint.yaml"),
        "drills": File.read(folder / "drills.yaml", optional=True),
        "templates": File.read(folder / "templates.yaml", optional=True),
    }


def _expanded(files: dict[str, File], env: Mapping[str, str], faults: list[str]) -> dict[str, File]:
    """With `${NAME}` filled in, and what the environment says laid over it."""
    for file in files.values():
        file.expand(env, faults)
    _overlay(files, env)
    return files


class _Sources(_Frozen):
    sources: dict[str, Source]


class _Channels(_Frozen):
    channels: dict[Channel, dict[str, dict[str, Any]]]


def _disagreements(files: Mapping[str, File], hazards: Hazards, texts: Texts, templates: Templates) -> list[str]:
    """What the entries of hazards.yaml, and those of the files that name them, say against each other."""
    found = [files["hazards"].fault(key, words) for key, words in hazards.contradictions()]
    found += [files["templates"].fault(key, words) for key, words in templates.contradictions(hazards)]
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
    if CONSOLE in settings.sources:
        faults.append(f"sources.yaml: 来源不能叫 {CONSOLE}：这是值班室自己拟制的预警，请换一个名字")
    for name, source in settings.sources.items():
        found = contradictions(source, production=settings.production)
        faults += [f"sources.yaml: {name} {why}" for why in found]
    if settings.production and settings.service.seal_key is None:
        faults.append("service.yaml: 正式环境必须由环境变量给出 seal_key（MINGLUO_SEAL_KEY，64 位十六进制）")
    faults += [f"service.yaml: map_layers: 没有 {path}" for path in settings.layers if not path.is_file()]
    faults += [
        f"service.yaml: {name}: {network} 是所有地址，等于谁的话都信：请只写代理或网桥自己的"
        for name, networks in (("proxies", settings.service.proxies), ("plain_from", settings.service.plain_from))
        for network in networks
        if network.prefixlen == 0
    ]
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


def _overlay(files: dict[str, File], env: Mapping[str, str]) -> None:
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
    if value.startswith("[") and value.endswith("]"):  # `[::1]:8080` is an address
        return yaml.safe_load(value)
    return value
