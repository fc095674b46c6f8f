"""`mingluo serve --training`: what it says at its start. A module of its own, so that serving in earnest never loads it."""

from __future__ import annotations

import sys

from dispatcher import __version__
from dispatcher.commands.ground import where
from dispatcher.commands.serve import tell, told_to_stop
from dispatcher.commands.telling import say
from dispatcher.rehearsal.demo_screen import Screen
from dispatcher.rehearsal.demo_stage import StageFailed
from dispatcher.rehearsal.training import DRILL, serve_training
from dispatcher.service.serving import Serving
from dispatcher.settings import BadConfiguration, load
from dispatcher.telemetry import set_up_logging


async def train() -> None:
    settings = load()
    set_up_logging(settings.service.log_level, settings.service.log_format)
    say(f"鸣锣 {__version__}　演练培训环境：不会通知任何真实的人，只收演练报文（Exercise）")
    try:
        await serve_training(settings, told_to_stop(), _tell, Screen(sys.stderr))
    except StageFailed as error:
        raise BadConfiguration(str(error)) from error


def _tell(live: Serving) -> None:
    settings = live.context.settings
    say(f"  数据库　　{where(settings)}（与正式数据无关，控制台上一键重置）")
    drill = settings.sources.get(DRILL)
    if drill is not None and drill.token is not None:
        say(f"  练习令牌　{drill.token.get_secret_value()}（来源 {DRILL}：POST {live.url}/api/v1/warnings）")
    tell(live)
