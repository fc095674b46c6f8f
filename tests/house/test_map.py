"""The map in `dispatcher/__init__.py` cannot lie: it is compared with the import contract and with the disk."""

from __future__ import annotations

import ast
import re
from typing import Any

from dispatcher.pipeline import order
from tests.house.tree import PROJECT, modules, pyproject

TO_COME = {"answering"}
"""Named in the map with the remark that it is to come; it must not be in the contract until it lies on the disk."""


def contracts() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pyproject()["tool"]["importlinter"]["contracts"]
    return found


def floors(container: str) -> set[str]:
    """The modules a layers contract places."""
    (contract,) = [c for c in contracts() if c["type"] == "layers" and c["containers"] == [container]]
    return {name.strip() for layer in contract["layers"] for name in layer.split("|")}


def rooms(package: str) -> set[str]:
    """The modules right under a package, as they lie on the disk."""
    folder = PROJECT / package
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    return files | {path.parent.name for path in folder.glob("*/__init__.py")}


def drawn() -> dict[str, str]:
    """The map's entries: module → the line that speaks of it. `pipeline/` is named in its running text."""
    (text,) = [ast.get_docstring(m.tree) or "" for m in modules() if m.name == "dispatcher"]
    entries = {found[1]: found[2] for found in re.finditer(r"^    (\w+)(?:\.py|/)\s+(.+)$", text, re.MULTILINE)}
    if "`pipeline/`" in text:
        entries["pipeline"] = "where the steps meet"
    return entries


def test_every_module_of_the_dispatcher_is_in_the_map() -> None:
    assert rooms("dispatcher") - set(drawn()) == set()


def test_the_map_names_nothing_that_does_not_exist() -> None:
    assert set(drawn()) - rooms("dispatcher") - TO_COME == set()


def test_what_is_to_come_says_so_and_is_not_there_yet() -> None:
    for name in TO_COME & set(drawn()):
        assert "comes with" in drawn()[name] or "to come" in drawn()[name]
    assert not TO_COME & (rooms("dispatcher") | floors("dispatcher"))


def test_the_import_contract_places_every_module_of_the_dispatcher_and_no_other() -> None:
    assert floors("dispatcher") == rooms("dispatcher")


def test_the_import_contract_places_every_module_of_the_channels_and_no_other() -> None:
    assert floors("channels") == rooms("channels")


def test_the_import_contract_is_exhaustive_and_places_no_module_twice() -> None:
    for package in ("dispatcher", "channels"):
        (contract,) = [c for c in contracts() if c["type"] == "layers" and c["containers"] == [package]]
        assert contract["exhaustive"] is True
        named = [name.strip() for layer in contract["layers"] for name in layer.split("|")]
        assert len(named) == len(set(named))


def test_a_library_with_one_home_is_forbidden_to_every_other_room() -> None:
    """A new room that forgot to be named in the contract could reach the database past the store."""
    for homes, library in (({"store"}, "sqlalchemy"), ({"broker"}, "aio_pika")):
        (contract,) = [c for c in contracts() if library in c.get("forbidden_modules", ())]
        barred = {name.removeprefix("dispatcher.") for name in contract["source_modules"]}
        assert rooms("dispatcher") - homes - barred == set(), contract["name"]
        assert "channels" in barred


def test_the_flow_in_words_is_the_flow_in_data() -> None:
    told = re.findall(r"^    (\w+)\s{2,}\S", order.__doc__ or "", re.MULTILINE)
    assert told == [step.verb for step in order.FLOW]
    assert {name for step in order.FLOW for name in step.steps} <= rooms("dispatcher")


def test_steps_meet_only_where_the_flow_brings_them_together() -> None:
    """Each step of the contract's widest floor is brought in by some verb, or begins nothing by itself."""
    (contract,) = [c for c in contracts() if c["type"] == "layers" and c["containers"] == ["dispatcher"]]
    (steps,) = [layer for layer in contract["layers"] if "audience" in layer]
    named = {name for step in order.FLOW for name in step.steps}
    assert named <= {name.strip() for name in steps.split("|")}
