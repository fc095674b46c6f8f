"""What a tired reader can hold: functions of 40 lines, five parameters, modules of 400 lines; and each says what it is for."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.house.tree import Module, modules

FUNCTION_LINES = 40
PARAMETERS = 5
MODULE_LINES = 400

SCHEMA = "dispatcher/store/tables.py"
"""One table under another, no code: longer than a module may be, and easier to read whole."""


def _functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    every = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return len([argument for argument in every if argument.arg not in ("self", "cls")])


def test_no_function_is_longer_than_forty_lines() -> None:
    found = ((m, f, (f.end_lineno or f.lineno) - f.lineno + 1) for m in modules() for f in _functions(m))
    assert [f"{m.at(f)} {f.name}: {length}" for m, f, length in found if length > FUNCTION_LINES] == []


def test_no_function_takes_more_than_five_parameters() -> None:
    found = ((m, f, _parameters(f)) for m in modules() for f in _functions(m))
    assert [f"{m.at(f)} {f.name}: {count}" for m, f, count in found if count > PARAMETERS] == []


def test_no_module_is_longer_than_four_hundred_lines() -> None:
    long = [f"{m.place}: {m.lines}" for m in modules() if m.lines > MODULE_LINES and m.place != SCHEMA]
    assert long == []


def test_every_module_says_what_it_is_for() -> None:
    every = modules() + modules("tests") + modules("migrations")
    assert [m.place for m in every if m.text.strip() and not ast.get_docstring(m.tree)] == []
