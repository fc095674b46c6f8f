"""How a command ends: one sentence for what went wrong, one JSON object where it was asked for, an honest exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

import typer

from dispatcher.broker.contract import BrokerUnavailable
from dispatcher.registry.register import BrokenRegister
from dispatcher.service.keys import Occupied
from dispatcher.service.loop import run
from dispatcher.settings import BadConfiguration
from dispatcher.store.engine import database_is_away
from dispatcher.store.sealed import WrongKey

T = TypeVar("T")
WRONGLY_ASKED = 2

SENTENCES = (
    BadConfiguration,
    Occupied,
    WrongKey,
    BrokerUnavailable,
    BrokenRegister,
)
"""Errors whose text is the sentence a person reads."""


def finish(work: Coroutine[Any, Any, T], *also: type[Exception]) -> T:
    """Runs a command's work; what a person can mend is said in one sentence, anything else keeps its traceback."""
    try:
        return run(work)
    except Exception as error:
        sentence = sentence_of(error, also)
        if sentence is None:
            raise
        fail(sentence)
    raise AssertionError("fail never returns")


def sentence_of(error: BaseException, also: tuple[type[Exception], ...] = ()) -> str | None:
    """None where it is nothing a person can mend."""
    if isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        return sentence_of(error.exceptions[0], also)
    if isinstance(error, (*SENTENCES, *also)):
        return str(error)
    if isinstance(error, Exception) and database_is_away(error):
        cause = str(getattr(error, "orig", None) or error).splitlines()[0] if str(error) else type(error).__name__
        return f"数据库、网络或磁盘用不了（{cause}）：请检查 MINGLUO_DATABASE_URL、本机网络、文件夹权限和磁盘空间"
    return None


def fail(sentence: str, code: int = 1) -> None:
    """Ends the command."""
    typer.echo(sentence, err=True)
    raise typer.Exit(code)


def say(text: str = "") -> None:
    print(text, flush=True)


def aside(text: str) -> None:
    """Beside the result: on standard error."""
    print(text, file=sys.stderr, flush=True)


def emit(facts: Mapping[str, Any]) -> None:
    """One line; plain ASCII, so that it is the same in every encoding."""
    say(json.dumps(facts, default=str))
