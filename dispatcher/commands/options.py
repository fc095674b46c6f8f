"""A command's options as one frozen dataclass: for commands that have more of them than a function should take."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def taking(kind: type[T], command: Callable[[T], None]) -> Callable[..., None]:
    """What Typer registers: it reads its options from a signature, and this one is the dataclass's."""

    def run(**given: Any) -> None:
        command(kind(**given))

    run.__signature__ = inspect.signature(kind, eval_str=True)  # type: ignore[attr-defined]  # honoured by `inspect`
    run.__doc__ = command.__doc__
    return run
