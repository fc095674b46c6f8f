"""What a line of code must not do: read the clock, start a stray task, swallow, trust, leak."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

from tests.house.tree import Module, calls, dotted, modules

CLOCK = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns"}
MAY_READ_THE_CLOCK = ("dispatcher.service", "dispatcher.rehearsal")
STRAY = {"asyncio.create_task", "asyncio.ensure_future", "ensure_future"}
DANGEROUS = {"eval", "exec", "compile", "__import__", "os.system", "yaml.load", "yaml.unsafe_load"}
LOGGING = {"debug", "info", "warning", "error", "exception", "critical"}


def _calling(where: Iterable[Module], names: set[str]) -> list[str]:
    """Also `datetime.datetime.now`: the last two parts decide."""
    return [m.at(c) for m in where for c, name in calls(m) if name in names or ".".join(name.split(".")[-2:]) in names]


def test_only_the_service_and_the_rehearsal_city_read_the_clock() -> None:
    assert _calling([m for m in modules() if not m.name.startswith(MAY_READ_THE_CLOCK)], CLOCK) == []


def test_tasks_live_in_a_task_group() -> None:
    assert _calling(modules(), STRAY) == []


def test_nothing_is_evaluated_and_nothing_is_unpickled() -> None:
    assert _calling(modules(), DANGEROUS) == []
    assert [
        m.place for m in modules() if any(word in m.text for word in ("import pickle", "import marshal", "import dill"))
    ] == []


def test_no_certificate_is_waved_through() -> None:
    keywords = ((m, k) for m in modules() for c, _ in calls(m) for k in c.keywords)
    untrue = [(m, k) for m, k in keywords if isinstance(k.value, ast.Constant) and k.value.value is False]
    assert [m.at(k.value) for m, k in untrue if k.arg in ("ssl", "verify_ssl", "verify", "check_hostname")] == []
    assert [m.place for m in modules() if "CERT_NONE" in m.text or "_create_unverified" in m.text] == []


def test_a_log_line_is_a_constant_sentence_and_its_fields() -> None:
    """An f-string would hide the sentence from a search and carry a phone number past the mask."""
    found = [
        (m, c)
        for m in modules()
        for c, name in calls(m)
        if name.split(".")[-1] in LOGGING and name.split(".")[0] in ("log", "logger", "logging")
    ]
    assert found, "no log line was found: the check looks in the wrong place"
    assert [m.at(c) for m, c in found if not (c.args and isinstance(c.args[0], ast.Constant))] == []


def test_nothing_is_printed_past_the_log_but_by_the_command_line() -> None:
    spoken = [
        m
        for m in modules()
        if not m.name.startswith(("dispatcher.__main__", "dispatcher.commands", "dispatcher.rehearsal"))
    ]
    assert _calling(spoken, {"print"}) == []


def test_no_failure_is_swallowed() -> None:
    """`except …: pass` says nothing; `contextlib.suppress` at least names what it expects."""
    handlers = ((m, n) for m in modules() for n in ast.walk(m.tree) if isinstance(n, ast.ExceptHandler))
    bad = []
    for module, handler in handlers:
        silent = all(isinstance(line, ast.Pass) for line in handler.body)
        if handler.type is None or (silent and dotted(handler.type) in ("Exception", "BaseException")):
            bad.append(f"{module.place}:{handler.lineno}")
    assert bad == []


def test_no_network_call_waits_for_ever() -> None:
    """A client session without a limit of its own, or in its file for each call, hangs as long as the other side likes."""
    limits = {"asyncio.timeout", "ClientTimeout"}
    limited = {m.place for m in modules() for _, name in calls(m) if name in limits}
    made = [(m, c) for m in modules() for c, name in calls(m) if name.split(".")[-1] == "ClientSession"]
    unlimited = [(m, c) for m, c in made if not any(keyword.arg == "timeout" for keyword in c.keywords)]
    assert [m.at(c) for m, c in unlimited if m.place not in limited] == []


def test_nothing_is_left_to_be_written_later() -> None:
    """The marks are put together here, so that this file does not bear them."""
    marks = re.compile(r"\b(?:TO" + "DO|FIX" + "ME|XX" + r"X)\b")
    every = modules() + modules("tests") + modules("migrations")
    assert [m.place for m in every if marks.search(m.text)] == []
