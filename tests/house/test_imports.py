"""Imports stand at the top and point down; a library has one home. What import-linter cannot see is seen here."""

from __future__ import annotations

import ast
import subprocess
import sys

from tests.house.tree import PROJECT, Module, dotted, imports, modules

AIOHTTP_WEB = ("dispatcher.web", "dispatcher.rehearsal")
SLOW = {"alembic": ("dispatcher.store.migrating",)}
"""Slow to import: only the module that the commands needing it import."""
UNSERVED = (
    "alembic", "cryptography.x509", "mako", "numpy.ma.", "phonenumbers", "requests", "segno", "sqlalchemy.orm", "zxcvbn",
    "dispatcher.rehearsal", "dispatcher.registry.sample",
)  # fmt: skip
"""Of no use to a process that serves a register which is there: each megabyte of it would be held for months."""
LATE = (
    "channels.sms.twilio", "dispatcher.accounts.password", "dispatcher.accounts.second", "dispatcher.service.serving",
    "dispatcher.service.tls",
)  # fmt: skip
"""Load the SDK with the first look-up, the lists of guessable words with the first password that is set, what draws a QR code
and what reads certificates with the first of them, console and API where the process listens: sixteen, eleven, one, ten and
one megabytes that a quiet service behind a proxy, or one that only sends, need not hold."""
VAGUE = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "base", "misc", "core", "shared"}


def _everywhere() -> tuple[Module, ...]:
    return modules() + modules("tests") + modules("migrations")


def _nested(module: Module) -> list[str]:
    """Imports that do not stand at the top of their file."""
    top = {id(node) for node in module.tree.body}
    return [module.at(node) for node, _ in imports(module) if id(node) not in top]


def test_every_import_stands_at_the_top() -> None:
    assert [place for module in modules() if module.name not in LATE for place in _nested(module)] == []


def test_nothing_hides_behind_type_checking() -> None:
    names = ((m, n) for m in _everywhere() for n in ast.walk(m.tree) if isinstance(n, ast.Name | ast.Attribute))
    assert [m.at(n) for m, n in names if dotted(n).endswith("TYPE_CHECKING")] == []


def test_no_import_is_relative_or_takes_everything() -> None:
    froms = ((m, n) for m in _everywhere() for n in ast.walk(m.tree) if isinstance(n, ast.ImportFrom))
    assert [m.at(n) for m, n in froms if n.level or n.names[0].name == "*"] == []


def test_aiohttp_web_is_known_to_the_doors_and_the_rehearsal_city_alone() -> None:
    found = [(m, n) for m in modules() for n, name in imports(m) if name.startswith("aiohttp.web")]
    assert [m.at(n) for m, n in found if not m.name.startswith(AIOHTTP_WEB)] == []


def test_slow_libraries_are_imported_by_the_commands_that_need_them() -> None:
    found = [(m, n, name.split(".")[0]) for m in modules() for n, name in imports(m)]
    assert [m.at(n) for m, n, library in found if library in SLOW and m.name not in SLOW[library]] == []


def test_a_process_that_serves_loads_nothing_that_only_other_commands_need() -> None:
    loaded = _loaded("dispatcher.commands.serve, dispatcher.service.front")
    assert [name for name in loaded if name.startswith(UNSERVED)] == []


def test_a_process_that_only_sends_loads_neither_console_nor_api() -> None:
    loaded = _loaded("dispatcher.commands.serve")
    assert [name for name in loaded if name.startswith(("dispatcher.web", "aiohttp.web_app", "jinja2"))] == []


def _loaded(modules: str) -> list[str]:
    say = f"import sys, {modules}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", say], cwd=PROJECT, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [m.place for m in _everywhere() if set(m.name.split(".")) & VAGUE] == []
