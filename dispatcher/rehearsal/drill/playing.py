"""A scenario's steps in their time, by the HTTP door of a service; then what became of each.

It must survive a service that is away for a moment (the same bytes again are the same warning) and must stop at the first
step that is not accepted: what follows would speak of something that never was.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import aiohttp
from standardwebhooks.webhooks import Webhook
from uuid_utils import compat as uuid

from dispatcher.intake.native import CONTENT_TYPE
from dispatcher.model import Verdict
from dispatcher.pipeline.context import Context
from dispatcher.rehearsal import landing
from dispatcher.rehearsal.demo_screen import Screen
from dispatcher.rehearsal.demo_stage import StageFailed
from dispatcher.rehearsal.demo_telling import Landed
from dispatcher.rehearsal.demo_timing import Letter
from dispatcher.rehearsal.drill.letters import Letters, Sent, Step, exercise_id
from dispatcher.rehearsal.drill.scenario import Scenario
from dispatcher.service.assembly import clock
from dispatcher.states import WarningState

SOURCE = "drill"
POST_S = 30.0
TRIES = 6
AGAIN_S = 2.0
STILL_S = 60.0
"""How long nothing may move before a step is not waited for any longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """The HTTP door of a service, the token of its source of drills, and its secret where it has one to sign with."""

    url: str
    token: str
    secret: str = ""

    def headers(self, body: bytes, now: datetime) -> dict[str, str]:
        shown = {"Content-Type": CONTENT_TYPE, "Authorization": f"Bearer {self.token}"}
        if not self.secret:
            return shown
        number = uuid.uuid7().hex
        return {
            **shown,
            "webhook-id": number,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(self.secret).sign(number, now, body.decode()),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What the service said to a step: the warning it became, or why it did not."""

    sent: Sent
    warning_id: str
    verdict: str
    state: str
    reason: str

    @property
    def accepted(self) -> bool:
        return self.verdict == Verdict.ACCEPT

    @property
    def step(self) -> Step:
        return self.sent.step


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """A step that was accepted, as it stood when the play was over."""

    step: Step
    landed: Landed


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """A whole play. `refused`: the step at which it had to stop."""

    scenario: Scenario
    exercise: str
    began: datetime
    acts: tuple[Act, ...]
    refused: Answered | None


@dataclass(slots=True, kw_only=True)
class Player:
    """One exercise. `speed`: how many times faster than the scenario; None: each step as soon as the one before landed."""

    scenario: Scenario
    context: Context
    door: Door
    speed: float | None
    screen: Screen
    answers: list[Answered] = field(default_factory=list)
    _seen_landed: int = 0

    async def play(self) -> Play:
        began = clock()
        exercise = exercise_id(self.scenario.name, began)
        letters = Letters.of(self.context.settings, exercise, self.scenario.title)
        async with self._posting() as http:
            for step in self.scenario.steps:
                await self._until(step, began)
                answer = await self._send(http, letters.sent(step, clock(), [one.sent for one in self.answers]))
                self.answers.append(answer)
                self._tell(answer)
                if not answer.accepted:
                    break
        await self._land()
        return await self._ended(exercise, began)

    async def _ended(self, exercise: str, began: datetime) -> Play:
        acts = []
        for answer in self.answers:
            if answer.accepted:
                letter = Letter(body=answer.sent.body, content_type=CONTENT_TYPE, source=SOURCE)
                found = await landing.landed(self.context, answer.warning_id, letter)
                acts.append(Act(step=answer.step, landed=found))
        refused = next((one for one in self.answers if not one.accepted), None)
        return Play(scenario=self.scenario, exercise=exercise, began=began, acts=tuple(acts), refused=refused)

    async def _until(self, step: Step, began: datetime) -> None:
        """The step's time. Without a speed: those of one instant at once, a later one when what came before has landed."""
        if self.speed is None:
            if self.answers and step.after > self.answers[-1].step.after:
                await self._land()
            return
        due = began + step.after / self.speed
        await asyncio.sleep(max(0.0, (due - clock()).total_seconds()))

    async def _land(self) -> None:
        """Those that nobody has watched yet."""
        waiting, self._seen_landed = self.answers[self._seen_landed :], len(self.answers)
        for answer in waiting:
            if answer.accepted and answer.state == WarningState.APPROVED:
                with self.screen.landing() as show:
                    await landing.watch(self.context, answer.warning_id, show, STILL_S)

    @asynccontextmanager
    async def _posting(self) -> AsyncIterator[aiohttp.ClientSession]:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=POST_S)) as http:
            yield http

    async def _send(self, http: aiohttp.ClientSession, sent: Sent) -> Answered:
        for _ in range(TRIES):
            try:
                status, said = await _posted(http, self.door, sent.body)
            except (aiohttp.ClientError, TimeoutError) as error:
                status, said = 503, {"detail": type(error).__name__}
            if status != 503:
                return _answered(sent, status, said)
            await asyncio.sleep(AGAIN_S)
        raise StageFailed(f"{self.door.url} 一直没有应答（{said.get('detail', '')}）：请确认 mingluo serve 正在运行")

    def _tell(self, answer: Answered) -> None:
        nominal = self.scenario.start + answer.step.after
        what = "已接收" if answer.accepted else f"没有接收（{answer.reason}）"
        said = json.loads(answer.sent.body)["headline"]
        self.screen.line(f"  {nominal:%m-%d %H:%M}（+{spoken(answer.step.after)}）{said}：{what}")


async def _posted(http: aiohttp.ClientSession, door: Door, body: bytes) -> tuple[int, dict[str, str]]:
    headers = door.headers(body, clock())
    async with http.post(f"{door.url}/api/v1/warnings", data=body, headers=headers) as answer:
        try:
            said = await answer.json(content_type=None)
        except ValueError:
            said = None
        return answer.status, said if isinstance(said, dict) else {"detail": f"HTTP {answer.status}"}


def _answered(sent: Sent, status: int, said: dict[str, str]) -> Answered:
    if status == 401:
        raise StageFailed("服务不认这个令牌：请核对来源 drill 的令牌（MINGLUO_TOKEN_DRILL）与服务用的是同一个")
    if status != 202:
        why = f"{said.get('code', status)} {said.get('detail', '')}"
        return Answered(sent=sent, warning_id="", verdict=Verdict.REJECT, state=WarningState.REJECTED, reason=why)
    return Answered(
        sent=sent,
        warning_id=str(said["warning_id"]),
        verdict=str(said["verdict"]),
        state=str(said["state"]),
        reason=str(said["reason"]),
    )


def spoken(span: timedelta) -> str:
    """2 小时 50 分."""
    minutes, seconds = divmod(round(span.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "小时"), (minutes, "分"), (seconds, "秒"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 分"
