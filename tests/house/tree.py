"""What lies in the house: tracked files, our modules and their syntax trees. The house's own checks read it here.

What is judged by `git ls-files` is what a fresh clone holds; modules are judged as they lie on the disk, so that a rule
speaks up before the commit.
"""

from __future__ import annotations

import ast
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
PACKAGES = ("dispatcher", "channels")


@dataclass(frozen=True, slots=True)
class Module:
    """One file of ours. `place` is its path from the project folder, `name` what `import` calls it."""

    place: str
    name: str
    text: str
    tree: ast.Module

    @property
    def lines(self) -> int:
        return self.text.count("\n")

    def at(self, node: ast.stmt | ast.expr) -> str:
        return f"{self.place}:{node.lineno}"


@cache
def tracked() -> tuple[str, ...]:
    """Every path in the repository. `safe.directory`: a clone may belong to another user than who tests it."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", str(PROJECT), "ls-files", "-z"],
        check=True,
        capture_output=True,
        timeout=20,
    )
    return tuple(path for path in listed.stdout.decode().split("\0") if path and (PROJECT / path).exists())


@cache
def modules(*folders: str) -> tuple[Module, ...]:
    """Our modules in these top-level folders (the two packages, unless told), as they lie on the disk."""
    return tuple(_module(path) for folder in folders or PACKAGES for path in sorted((PROJECT / folder).rglob("*.py")))


@cache
def pyproject() -> dict[str, Any]:
    return tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))


def imports(module: Module) -> Iterator[tuple[ast.Import | ast.ImportFrom, str]]:
    """Every import statement with each absolute name it brings in: `a`, `a.b`."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node, f"{node.module or ''}.{alias.name}") for alias in node.names)


def calls(module: Module) -> Iterator[tuple[ast.Call, str]]:
    """Every call with the dotted name that is called (`datetime.now`); `.now` where its owner has no name."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            yield node, dotted(node.func)


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return ""


def _module(path: Path) -> Module:
    place = path.relative_to(PROJECT).as_posix()
    text = path.read_text(encoding="utf-8")
    name = place.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return Module(place, name, text, ast.parse(text, filename=place))
