"""config/jian/scenarios/NAME.yaml → a typed scenario. A fault is named with file and line before anything is played.

What a step says is native JSON without what the player fills in (who sends, when, that it is a drill): those keys are
refused, so that no file can make a drill look real.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, ValidationError
from pydantic_core import PydanticCustomError

from dispatcher.intake import native
from dispatcher.intake.findings import Decoded
from dispatcher.model import BEIJING, Channel, Kind, Verdict
from dispatcher.rehearsal.drill.letters import FILLED, Letters, Step
from dispatcher.settings import PROJECT, BadConfiguration, Settings, document

FOLDER: Final = PROJECT / "config" / "jian" / "scenarios"
LONGEST: Final = timedelta(days=7)
_SPAN = re.compile(r"(\d{1,3}):([0-5]\d):([0-5]\d)")
_KINDS: Final = {"issue": Kind.ALERT, "update": Kind.UPDATE, "cancel": Kind.CANCEL}
Key = tuple[str | int, ...]
_NAME = r"^[a-z0-9][a-z0-9-]{0,39}$"


def _span(value: object) -> timedelta:
    """YAML reads 12:00:00 without quotes as a number to the base of sixty."""
    found = _SPAN.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise PydanticCustomError("span", '时长应写成带引号的 "时:分:秒"，如 "00:12:00"')
    span = timedelta(hours=int(found[1]), minutes=int(found[2]), seconds=int(found[3]))
    if span > LONGEST:
        raise PydanticCustomError("span", "时长最多 168 小时")
    return span


def _moment(value: object) -> datetime:
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        raise PydanticCustomError("moment", "时刻应写成 2026-04-03T02:39（北京时间）") from None
    return found.replace(tzinfo=BEIJING) if found.tzinfo is None else found


def _one_line(text: str) -> str:
    """Chinese is broken over lines without a blank."""
    return "".join(line.strip() for line in text.splitlines())


Prose = Annotated[str, Field(min_length=1), AfterValidator(_one_line)]
Span = Annotated[timedelta, PlainValidator(_span)]
Share = Annotated[float, Field(gt=0, le=1)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Expect(_Frozen):
    """What a step should come to; what is not written is not judged.

    `reach`: of what was to be sent over a channel, the share delivered. `villages`: the share of the area's villages in
    which at least one message was delivered. Times count from acceptance to the first and the last message sent.
    `called_off`: of whoever had heard what a Cancel ends, the share that heard the Cancel.
    """

    reach: dict[Channel, Share] = Field(default_factory=dict)
    villages: Share | None = None
    first_within: Span | None = None
    all_within: Span | None = None
    called_off: Share | None = None


class _Step(_Frozen):
    name: str = Field(pattern=_NAME)
    after: Span
    valid: Span = timedelta(hours=6)
    issue: dict[str, Any] | None = None
    update: dict[str, Any] | None = None
    cancel: dict[str, Any] | None = None
    expect: Expect = Field(default_factory=Expect)


class _File(_Frozen):
    title: str = Field(min_length=1, max_length=60)
    happened: Prose
    source: Prose
    design: Prose | None = None
    start: Annotated[datetime, PlainValidator(_moment)]
    steps: tuple[_Step, ...] = Field(min_length=1, max_length=100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """`happened`: the facts, from `source`; `design`: what is invented for the drill. `start` is nominal."""

    name: str
    title: str
    happened: str
    source: str
    design: str
    start: datetime
    steps: tuple[Step, ...]
    expects: Mapping[str, Expect]
    """By the name of the step."""


@dataclass(slots=True, kw_only=True)
class _Reader:
    """One file under way: its steps so far, and what was found to be wrong."""

    file: _File
    where: Callable[[Key], str]
    settings: Settings
    areas: Mapping[str, Unit]
    steps: dict[str, Step] = field(default_factory=dict)
    unsound: set[str] = field(default_factory=set)
    """Steps with a fault: what takes over from them is not blamed for it."""
    faults: list[str] = field(default_factory=list)

    def blame(self, key: Key, sentence: str) -> None:
        self.faults.append(f"{self.where(key)}: {'.'.join(map(str, key))}: {sentence}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A row of areas.csv. `villages`: how many lie under it."""

    code: str
    name: str
    level: str
    parent: str
    villages: int


def names(folder: Path = FOLDER) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.yaml"))


def load(name: str, settings: Settings, folder: Path = FOLDER) -> Scenario:
    """Raises BadConfiguration with every fault found, one a line: file:line: key: what is wrong."""
    path = folder / f"{name}.yaml"
    if not re.fullmatch(_NAME, name) or not path.is_file():
        raise BadConfiguration(f"没有名为“{name}”的演练剧本，可用的有：{'、'.join(names(folder)) or '（一个也没有）'}")
    file, where = document(path, _File)
    reader = _Reader(file=file, where=where, settings=settings, areas=units())
    for number, step in enumerate(file.steps):
        _read(reader, number, step)
    if reader.faults:
        raise BadConfiguration("\n".join(reader.faults))
    return Scenario(
        name=name,
        title=file.title,
        happened=file.happened,
        source=file.source,
        design=file.design or "",
        start=file.start,
        steps=tuple(reader.steps.values()),
        expects={step.name: step.expect for step in file.steps},
    )


def _read(reader: _Reader, number: int, given: _Step) -> None:
    key: Key = ("steps", number)
    last = next(reversed(reader.steps.values()), None)
    acts = [name for name in _KINDS if getattr(given, name) is not None]
    if given.name in reader.steps:
        reader.blame((*key, "name"), f"{given.name} 用过了，请另起一个名字")
    elif last is not None and given.after < last.after:
        reader.blame((*key, "after"), "比上一步还早，请按先后排列")
    elif len(acts) != 1:
        reader.blame(key, "issue、update、cancel 三者应有且只有一个")
    else:
        _take(reader, (*key, acts[0]), given)


def _take(reader: _Reader, key: Key, given: _Step) -> None:
    """`key` ends with the one thing that the step does."""
    act = str(key[-1])
    content: dict[str, Any] = getattr(given, act)
    free, of = _free_of_filled(reader, key, content), _named(reader, key, content)
    if not free or (of is None and act != "issue"):
        return
    said = {name: value for name, value in content.items() if name != "of"}
    step = Step.following(of, name=given.name, after=given.after, valid=given.valid, kind=_KINDS[act], said=said)
    before = len(reader.faults)
    if not reader.unsound.intersection(step.of):
        _judge(reader, key, step)
    if len(reader.faults) > before:
        reader.unsound.add(given.name)
    reader.steps[given.name] = step


def _free_of_filled(reader: _Reader, key: Key, content: Mapping[str, Any]) -> bool:
    wrong = [name for name in content if name in FILLED]
    for name in wrong:
        reader.blame((*key, name), "由播放器填写，剧本不能写：演练的报文一律是 Exercise，来源和时间由播放时定")
    return not wrong


def _named(reader: _Reader, key: Key, content: Mapping[str, Any]) -> Step | None:
    """The step that an update or a cancel speaks of."""
    name = content.get("of")
    if key[-1] == "issue":
        if name is not None:
            reader.blame((*key, "of"), "issue 是首发，不针对别的步骤；要更新请用 update")
        return None
    of = reader.steps.get(str(name))
    if of is None:
        known = "、".join(reader.steps) or "前面没有步骤"
        reader.blame((*key, "of") if name else key, f"of 应是前面某一步的名字（{known}）")
    elif of.kind is Kind.CANCEL:
        reader.blame((*key, "of"), f"{name} 已经解除，不能再更新或解除")
    return of


def _judge(reader: _Reader, key: Key, step: Step) -> None:
    """As the intake would: what it would refuse or hold is a fault of the file."""
    letters = Letters.of(reader.settings, "DRILL-TEST", reader.file.title)
    body = letters.body(step, reader.file.start, ())
    try:
        said = native.WarningIn.model_validate_json(body)
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_input=False):
            reader.blame((*key, *fault["loc"]), native.in_chinese(fault))
        return
    for place, code in _codes(said.areas):
        if code not in reader.areas:
            reader.blame((*key, *place), f"areas.csv 里没有 {code} 这个区划代码")
    for sentence in _held(native.read(body, reader.settings.hazards), step):
        reader.blame(key, sentence)


def _codes(areas: Sequence[native.AreaIn]) -> Iterator[tuple[Key, str]]:
    for number, area in enumerate(areas):
        for place, code in enumerate(area.geocodes):
            yield ("areas", number, "geocodes", place), code


def _held(decoded: Decoded, step: Step) -> Iterator[str]:
    yield from (one.reason for one in decoded.findings if one.verdict is not Verdict.ACCEPT)
    message = decoded.message
    if message is None or step.kind is Kind.CANCEL:
        return
    if message.level is None:
        yield "缺少 level：red、orange、yellow 或 blue"
    if message.hazard is None:
        yield f"hazards.yaml 里没有“{message.event}”这个灾种"
    if not any(area.geocodes for area in message.areas):
        yield "areas 里没有一个区划代码（geocodes）"


@cache
def units(folder: Path = FOLDER.parent) -> Mapping[str, Unit]:
    """areas.csv by code: names, and how many villages lie under each."""
    with (folder / "areas.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    parents = {row["code"]: row["parent"] for row in rows}
    under: dict[str, int] = {}
    for row in rows:
        code = row["code"] if row["level"] == "village" else ""
        while code:
            under[code] = under.get(code, 0) + 1
            code = parents.get(code, "")
    return {
        row["code"]: Unit(
            code=row["code"],
            name=row["name"],
            level=row["level"],
            parent=row["parent"],
            villages=under.get(row["code"], 0),
        )
        for row in rows
    }
