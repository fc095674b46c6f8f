"""What a process runs on: uvloop, and a collector of garbage that leaves alone what will never be garbage.

Measured: uvloop takes a third off the CPU of a message, the collector a tenth more, because each of its full walks passes
through everything that was imported and the whole register.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")

SELDOM = (20_000, 50, 100)
"""Objects more than were freed before the youngest are looked through, and how many such looks go to one of the elder."""


_ARENA_MAX = -8
"""glibc's `M_ARENA_MAX`."""


def run(work: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`."""
    _one_arena()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def settle_down() -> None:
    """Once, when everything that stays is loaded: a process that serves."""
    gc.collect()
    give_back()
    gc.freeze()
    gc.set_threshold(*SELDOM)


def _one_arena() -> None:
    """All threads of a process take their memory from one place: what one frees, another uses.

    A database driver's thread fills its own arena with rows that the loop frees; after a few warnings that was 12 MiB of
    holes. Only one thread of Python's runs at a time, so they do not wait for each other here.
    """
    choose = getattr(ctypes.CDLL(None), "mallopt", None)
    if choose is not None:
        choose(_ARENA_MAX, 1)


def give_back() -> None:
    """What was freed goes back to the machine: glibc keeps it for later, and nothing so large comes again.

    Another C library has no such call, and may do without.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
